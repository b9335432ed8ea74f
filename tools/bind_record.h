/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bind_record.h - what is remembered of a function that was moved to vfio-pci: /run/vfiokit/ADDRESS.
 *
 * The file is complete or not there. It goes with the next boot, as the binding does.
 */
#ifndef BIND_RECORD_H
#define BIND_RECORD_H

#include <stdbool.h>

#include "sysfs.h"

struct bind_record {
	char driver[SYSFS_NAME_SIZE];	/* "": none */
	char override[SYSFS_NAME_SIZE]; /* "": nothing */
};

/* The lock that whoever moves devices has: 0, kept until the process ends, or -errno. */
int bind_record_lock(void);

/* Both return 0 or -errno; -ENOENT: there is none. */
int bind_record_read(const char *address, struct bind_record *record);
int bind_record_write(const char *address, const struct bind_record *record);

void bind_record_remove(const char *address);
bool bind_record_there(const char *address);

#endif

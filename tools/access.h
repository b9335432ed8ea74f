/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.h - one register access as it is written on the command line: REGION OFFSET WIDTH [VALUE], or config REG
 * [WIDTH] [VALUE].
 */
#ifndef ACCESS_H
#define ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/device.h>

#include "args.h"
#include "config_register.h"

struct access {
	uint32_t region;
	bool named;   /* the region was given as a name, which only a PCI device has */
	bool by_name; /* the register too: its offset is known once access_check() found it */
	struct config_register reg;
	uint64_t offset;
	unsigned int width; /* 1, 2, 4, 8 */
	uint64_t value;	    /* fits width */
};

/*
 * The words of an access; value may be NULL, width too where a register's name says it. Returns STATUS_OK, or says what is wrong and returns
 * STATUS_USAGE.
 */
int access_parse(struct args *args, const char *region, const char *offset, const char *width,
		 const char *value, struct access *access);

/* The same for "REGION:OFFSET:WIDTH=VALUE". */
int access_parse_write(struct args *args, const char *text, struct access *access);

/* A region alone. */
int access_parse_region(struct args *args, const char *text, struct access *access);

/* Whether the device has regions of such a name; finds the register. STATUS_OK, or the failure printed. */
int access_check(struct vfk_device *dev, struct access *access);

/*
 * The register's value: little-endian on a PCI device, in host order elsewhere. STATUS_OK, or the
 * failure printed.
 */
int access_get(struct vfk_device *dev, const struct access *access, uint64_t *value);
int access_put(struct vfk_device *dev, const struct access *access);

#endif

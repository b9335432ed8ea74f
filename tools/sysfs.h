/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs.h - reading and writing what the kernel shows of its devices.
 *
 * A folder is a path in sysfs; an attribute is a file in it. Names longer than SYSFS_NAME_SIZE do not
 * occur among drivers, addresses and groups; one that did would read as not there.
 */
#ifndef SYSFS_H
#define SYSFS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSFS_NAME_SIZE 64
#define SYSFS_PATH_SIZE 256

/* Whether there is such a file or folder. */
bool sysfs_exists(const char *folder, const char *name);

/* The attribute's text without the end of its line; false, and "", if it cannot be read or is too long. */
bool sysfs_text(const char *folder, const char *name, char *text, size_t size);

/* The same with all its lines. */
bool sysfs_whole(const char *folder, const char *name, char *text, size_t size);

/* An attribute that is a number, as the kernel writes it (0x for hexadecimal). */
bool sysfs_number(const char *folder, const char *name, uint64_t *value);

/* The last part of what a link points to; false, and "", if there is no such link. */
bool sysfs_link(const char *folder, const char *name, char text[SYSFS_NAME_SIZE]);

/* The last part of where a folder really is; false, and "", if it is not there. */
bool sysfs_real_name(const char *folder, const char *name, char text[SYSFS_NAME_SIZE]);

/* Returns 0, or the -errno with which the kernel refused. */
int sysfs_write(const char *folder, const char *name, const char *text);

/*
 * The names in a folder, in order ("vfio10" after "vfio9"); 0 and NULL when there is none. Each and the
 * array are the caller's, sysfs_free_entries() frees them.
 */
size_t sysfs_entries(const char *folder, struct dirent ***entries);
void sysfs_free_entries(struct dirent **entries, size_t num);

#endif

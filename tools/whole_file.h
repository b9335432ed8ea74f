/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * whole_file.h - a file that is there when it is whole, and else as it was before.
 *
 * What is written goes to a file beside it, which takes its name at the end. What is no regular file (a pipe, a device)
 * is written directly.
 */
#ifndef WHOLE_FILE_H
#define WHOLE_FILE_H

#include <limits.h>
#include <stdio.h>

struct whole_file {
	FILE *file;		   /* to write to */
	const char *device, *path; /* as given, for texts; borrowed */
	char target[PATH_MAX];	   /* where links of path lead */
	char beside[PATH_MAX + 8]; /* empty: written directly */
};

/* STATUS_OK, or the failure printed. */
int whole_file_begin(struct whole_file *whole, const char *device, const char *path);

/* Closes it, and keeps it if status is STATUS_OK and all could be written. Returns status, or STATUS_FAILED. */
int whole_file_end(struct whole_file *whole, int status);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * whole_file.c - a file that is there when it is whole.
 */
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "subcommand.h"

static int failed(const struct whole_file *whole)
{
	return fail_text(whole->device, "%s: %s", whole->path, strerror(errno));
}

/* A new file's mode, or that of the file whose place it takes. */
static mode_t mode_of(const struct stat *before)
{
	mode_t mask;

	if (before)
		return before->st_mode & 07777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

static int open_beside(struct whole_file *whole, const struct stat *before)
{
	int fd;

	if (!before && snprintf(whole->target, sizeof(whole->target), "%s", whole->path) >=
			       (int)sizeof(whole->target)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(whole->beside, sizeof(whole->beside), "%s.XXXXXX", whole->target);
	fd = mkostemp(whole->beside, O_CLOEXEC);
	if (fd < 0) {
		*whole->beside = 0;
		return -1;
	}
	fchmod(fd, mode_of(before));
	return fd;
}

int whole_file_begin(struct whole_file *whole, const char *device, const char *path)
{
	struct stat st;
	bool exists;
	int fd;

	*whole = (struct whole_file){ .device = device, .path = path };
	exists = realpath(path, whole->target) && stat(whole->target, &st) == 0;
	if (!exists && errno != ENOENT)
		return failed(whole);
	if (exists && !S_ISREG(st.st_mode)) {
		whole->file = fopen(path, "we");
		return whole->file ? STATUS_OK : failed(whole);
	}
	if (exists && access(whole->target, W_OK) < 0)
		return failed(whole);
	fd = open_beside(whole, exists ? &st : NULL);
	if (fd < 0)
		return failed(whole);
	whole->file = fdopen(fd, "w");
	if (whole->file)
		return STATUS_OK;
	failed(whole);
	close(fd);
	unlink(whole->beside);
	return STATUS_FAILED;
}

int whole_file_end(struct whole_file *whole, int status)
{
	if (fclose(whole->file) == EOF && status == STATUS_OK)
		status = failed(whole);
	if (!*whole->beside)
		return status;
	if (status == STATUS_OK && rename(whole->beside, whole->target) < 0)
		status = failed(whole);
	if (status != STATUS_OK)
		unlink(whole->beside);
	return status;
}

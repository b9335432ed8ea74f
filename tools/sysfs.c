/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs.c - reading and writing what the kernel shows of its devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

static bool join(const char *folder, const char *name, char path[2 * SYSFS_PATH_SIZE])
{
	return snprintf(path, 2 * SYSFS_PATH_SIZE, "%s/%s", folder, name) < 2 * SYSFS_PATH_SIZE;
}

bool sysfs_exists(const char *folder, const char *name)
{
	char path[2 * SYSFS_PATH_SIZE];

	return join(folder, name, path) && access(path, F_OK) == 0;
}

bool sysfs_whole(const char *folder, const char *name, char *text, size_t size)
{
	char path[2 * SYSFS_PATH_SIZE];
	ssize_t n = -1;
	int fd;

	text[0] = '\0';
	if (!join(folder, name, path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size);
	close(fd);
	if (n < 0 || (size_t)n >= size) {
		text[0] = '\0';
		return false;
	}
	text[n] = '\0';
	return true;
}

bool sysfs_text(const char *folder, const char *name, char *text, size_t size)
{
	bool there = sysfs_whole(folder, name, text, size);

	text[strcspn(text, "\n")] = '\0';
	return there;
}

bool sysfs_number(const char *folder, const char *name, uint64_t *value)
{
	char text[32], *end;
	uint64_t number;

	if (!sysfs_text(folder, name, text, sizeof(text)) || !text[0])
		return false;
	number = strtoull(text, &end, 0);
	if (*end)
		return false;
	*value = number;
	return true;
}

static bool last_part(const char *path, char text[SYSFS_NAME_SIZE])
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	if (strlen(last) >= SYSFS_NAME_SIZE)
		return false;
	strcpy(text, last);
	return true;
}

bool sysfs_link(const char *folder, const char *name, char text[SYSFS_NAME_SIZE])
{
	char path[2 * SYSFS_PATH_SIZE], target[PATH_MAX];
	ssize_t n;

	text[0] = '\0';
	if (!join(folder, name, path))
		return false;
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	return last_part(target, text);
}

bool sysfs_real_name(const char *folder, const char *name, char text[SYSFS_NAME_SIZE])
{
	char path[2 * SYSFS_PATH_SIZE], real[PATH_MAX];

	text[0] = '\0';
	return join(folder, name, path) && realpath(path, real) && last_part(real, text);
}

int sysfs_write(const char *folder, const char *name, const char *text)
{
	char path[2 * SYSFS_PATH_SIZE];
	size_t len = strlen(text);
	int fd, r = 0;

	if (!join(folder, name, path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		r = errno ? -errno : -EIO;
	close(fd);
	return r;
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

size_t sysfs_entries(const char *folder, struct dirent ***entries)
{
	int n = scandir(folder, entries, no_dots, versionsort);

	if (n >= 0)
		return (size_t)n;
	*entries = NULL;
	return 0;
}

void sysfs_free_entries(struct dirent **entries, size_t num)
{
	for (size_t i = 0; i < num; i++)
		free(entries[i]);
	free(entries);
}

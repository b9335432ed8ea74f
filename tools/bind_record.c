/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bind_record.c - what is remembered of a function that was moved to vfio-pci: /run/vfiokit/ADDRESS.
 *
 * Only root can write in /run, so nobody else can have put anything there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind_record.h"

#define FOLDER	 "/run/vfiokit"
#define LOCK	 FOLDER "/lock"
#define DRIVER	 "driver="
#define OVERRIDE "driver_override="

int bind_record_lock(void)
{
	int fd, r;

	if (mkdir(FOLDER, 0755) && errno != EEXIST)
		return -errno;
	fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	do
		r = flock(fd, LOCK_EX);
	while (r && errno == EINTR);
	if (r) {
		r = -errno;
		close(fd);
	}
	return r;
}

/* The rest of the line that begins with key, into value; whether there is such a line. */
static bool find(const char *text, const char *key, char value[SYSFS_NAME_SIZE])
{
	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, strlen(key)))
			continue;
		text += strlen(key);
		return snprintf(value, SYSFS_NAME_SIZE, "%.*s", (int)strcspn(text, "\n"), text) <
		       SYSFS_NAME_SIZE;
	}
	return false;
}

int bind_record_read(const char *address, struct bind_record *record)
{
	char text[4 * SYSFS_NAME_SIZE];

	if (!bind_record_there(address))
		return -ENOENT;
	if (!sysfs_whole(FOLDER, address, text, sizeof(text)))
		return -EIO;
	return find(text, DRIVER, record->driver) && find(text, OVERRIDE, record->override) ?
		       0 :
		       -EBADMSG;
}

int bind_record_write(const char *address, const struct bind_record *record)
{
	char path[SYSFS_PATH_SIZE], temporary[SYSFS_PATH_SIZE];
	FILE *file;
	int r = 0;

	snprintf(path, sizeof(path), FOLDER "/%s", address);
	snprintf(temporary, sizeof(temporary), FOLDER "/%s.new", address);
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	fprintf(file, DRIVER "%s\n" OVERRIDE "%s\n", record->driver, record->override);
	if (ferror(file))
		r = -EIO;
	if (fclose(file))
		r = -errno;
	if (!r && rename(temporary, path))
		r = -errno;
	if (r)
		unlink(temporary);
	return r;
}

void bind_record_remove(const char *address)
{
	char path[SYSFS_PATH_SIZE];

	snprintf(path, sizeof(path), FOLDER "/%s", address);
	unlink(path);
}

bool bind_record_there(const char *address)
{
	return sysfs_exists(FOLDER, address);
}

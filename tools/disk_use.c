/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_use.c - what this machine uses of the disks that are behind a PCI function.
 *
 * sysfs has a disk below the function that it is behind, but for what has several ways to it or consists of several: that
 * is followed down (Documentation/ABI/stable/sysfs-block, "slaves"; nvme-subsystem of Linux's NVMe multipath).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk_use.h"

#define BLOCK	  "/sys/class/block"
#define SUBSYSTEM "/nvme-subsystem/"

/* Layers of what is made of disks; more are not seen. */
#define MAX_DEPTH 8

struct disk {
	const char *name;
	dev_t number;
};

/* ---- what is behind the function ---- */

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static bool leads_below(const char *folder, const char *name, const char *function)
{
	char path[2 * PATH_MAX], real[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return realpath(path, real) && is_below(real, function);
}

/* A disk of an NVMe subsystem belongs to no controller; the subsystem's folder has links to all. */
static bool has_controller_below(char *real, const char *function)
{
	char *subsystem = strstr(real, SUBSYSTEM), *end;
	struct dirent **entries;
	bool found = false;
	size_t num;

	if (!subsystem)
		return false;
	end = strchr(subsystem + strlen(SUBSYSTEM), '/');
	if (end)
		*end = '\0';
	num = sysfs_entries(real, &entries);
	for (size_t i = 0; i < num && !found; i++)
		found = leads_below(real, entries[i]->d_name, function);
	sysfs_free_entries(entries, num);
	return found;
}

static bool is_behind(const char *name, const char *function, unsigned int depth);

static bool consists_of(const char *folder, const char *function, unsigned int depth)
{
	char slaves[PATH_MAX + 16];
	struct dirent **entries;
	bool found = false;
	size_t num;

	snprintf(slaves, sizeof(slaves), "%s/slaves", folder);
	num = sysfs_entries(slaves, &entries);
	for (size_t i = 0; i < num && !found; i++)
		found = is_behind(entries[i]->d_name, function, depth + 1);
	sysfs_free_entries(entries, num);
	return found;
}

static bool is_behind(const char *name, const char *function, unsigned int depth)
{
	char path[PATH_MAX], real[PATH_MAX], *last;

	snprintf(path, sizeof(path), BLOCK "/%s", name);
	if (depth > MAX_DEPTH || !realpath(path, real))
		return false;
	if (is_below(real, function) || consists_of(real, function, depth))
		return true;
	last = strrchr(real, '/');
	if (sysfs_exists(real, "partition") && last) {
		*last = '\0';
		last = strrchr(real, '/');
		return last && is_behind(last + 1, function, depth + 1);
	}
	return has_controller_below(real, function);
}

/* ---- who uses a disk ---- */

static bool is_node_of(const char *path, dev_t number)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
	       st.st_rdev == number;
}

/* A line of proc_pid_mountinfo(5); some filesystems have a number of their own, and only the source tells. */
static bool line_mounts(const char *line, dev_t number, char place[PATH_MAX])
{
	const char *rest = strstr(line, " - ");
	unsigned int major, minor;
	char source[PATH_MAX];

	if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &major, &minor, place) != 3)
		return false;
	if (makedev(major, minor) == number)
		return true;
	return rest && sscanf(rest, " - %*s %4095s", source) == 1 && is_node_of(source, number);
}

static bool is_mounted(const struct disk *disk, char *text, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, place[PATH_MAX];
	bool found = false;
	size_t room = 0;

	while (file && !found && getline(&line, &room, file) > 0)
		found = line_mounts(line, disk->number, place);
	if (found)
		snprintf(text, size, "%s is mounted on %s", disk->name, place);
	free(line);
	if (file)
		fclose(file);
	return found;
}

static bool is_swap(const struct disk *disk, char *text, size_t size)
{
	FILE *file = fopen("/proc/swaps", "re");
	char *line = NULL, node[PATH_MAX];
	bool found = false;
	size_t room = 0;

	while (file && !found && getline(&line, &room, file) > 0)
		found = sscanf(line, "%4095s", node) == 1 && is_node_of(node, disk->number);
	if (found)
		snprintf(text, size, "%s is swap space", disk->name);
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* What a filesystem of whatever namespace, a RAID or a program claims can be claimed by nobody else (open(2), O_EXCL). */
static bool is_claimed(const struct disk *disk, char *text, size_t size)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", disk->name);
	if (!is_node_of(path, disk->number))
		return false;
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		snprintf(text, size, "%s is in use", disk->name);
	return fd < 0 && errno == EBUSY;
}

static bool get_number(const char *name, dev_t *number)
{
	char folder[SYSFS_PATH_SIZE], text[32];
	unsigned int major, minor;

	snprintf(folder, sizeof(folder), BLOCK "/%.200s", name);
	if (!sysfs_text(folder, "dev", text, sizeof(text)) ||
	    sscanf(text, "%u:%u", &major, &minor) != 2)
		return false;
	*number = makedev(major, minor);
	return true;
}

bool disk_use_find(const struct pci_slot *slot, char *text, size_t size)
{
	/* the last one knows least to tell */
	static bool (*const ways[])(const struct disk *disk, char *text,
				    size_t size) = { is_mounted, is_swap, is_claimed };
	char function[PATH_MAX];
	struct dirent **entries;
	bool found = false;
	size_t num;

	if (!realpath(slot->folder, function))
		return false;
	num = sysfs_entries(BLOCK, &entries);
	for (size_t i = 0; i < num * 3 && !found; i++) {
		struct disk disk = { .name = entries[i % num]->d_name };

		if (is_behind(disk.name, function, 0) && get_number(disk.name, &disk.number))
			found = ways[i / num](&disk, text, size);
	}
	sysfs_free_entries(entries, num);
	return found;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holders.c - which process has a VFIO device open.
 *
 * It shows by the device numbers of the group's and the device's own node and, since Linux 6.16, by what
 * the kernel tells in /proc of a device's descriptor that came through a group.
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "holders.h"

#define SYSPATH_KEY "vfio-device-syspath: "

/* What to look for. */
struct wanted {
	dev_t nodes[2]; /* of the group and of the device; 0: there is none */
	char syspath[PATH_MAX];
};

static dev_t number_of(const char *folder, const char *name)
{
	char path[2 * SYSFS_PATH_SIZE], text[32];
	unsigned int major, minor;

	snprintf(path, sizeof(path), "%s/dev", name);
	if (!sysfs_text(folder, path, text, sizeof(text)) ||
	    sscanf(text, "%u:%u", &major, &minor) != 2)
		return 0;
	return makedev(major, minor);
}

static void want(const struct pci_slot *slot, struct wanted *wanted)
{
	char folder[SYSFS_PATH_SIZE + 16], name[SYSFS_NAME_SIZE];
	struct dirent **entries;
	size_t num;

	*wanted = (struct wanted){ .nodes = { 0 } };
	if (sysfs_link(slot->folder, "iommu_group", name)) {
		wanted->nodes[0] = number_of("/sys/class/vfio", name);
		if (!wanted->nodes[0]) {
			snprintf(folder, sizeof(folder), "noiommu-%s", name);
			wanted->nodes[0] = number_of("/sys/class/vfio", folder);
		}
	}
	snprintf(folder, sizeof(folder), "%s/vfio-dev", slot->folder);
	num = sysfs_entries(folder, &entries);
	if (num)
		wanted->nodes[1] = number_of(folder, entries[0]->d_name);
	sysfs_free_entries(entries, num);
	if (!realpath(slot->folder, wanted->syspath))
		wanted->syspath[0] = '\0';
}

static bool tells_syspath(const char *folder, const char *fd, const char *syspath)
{
	char path[64], text[1024], *found;

	snprintf(path, sizeof(path), "fdinfo/%.16s", fd);
	if (!syspath[0] || !sysfs_whole(folder, path, text, sizeof(text)))
		return false;
	found = strstr(text, SYSPATH_KEY);
	if (!found)
		return false;
	found += strlen(SYSPATH_KEY);
	found[strcspn(found, "\n")] = '\0';
	return strcmp(found, syspath) == 0;
}

static bool is_wanted(const char *process, const char *fd, const struct wanted *wanted)
{
	char path[SYSFS_PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof(path), "%.64s/fd/%.16s", process, fd);
	if (stat(path, &st))
		return false;
	if (S_ISCHR(st.st_mode))
		return st.st_rdev == wanted->nodes[0] || st.st_rdev == wanted->nodes[1];
	/* Only the kernel's anonymous inodes have no type, and a device's descriptor is one of them. */
	return !(st.st_mode & S_IFMT) && tells_syspath(process, fd, wanted->syspath);
}

static bool has_open(const char *process, const struct wanted *wanted)
{
	char folder[SYSFS_PATH_SIZE];
	struct dirent **fds;
	bool found = false;
	size_t num;

	snprintf(folder, sizeof(folder), "%s/fd", process);
	num = sysfs_entries(folder, &fds);
	for (size_t i = 0; i < num && !found; i++)
		found = is_wanted(process, fds[i]->d_name, wanted);
	sysfs_free_entries(fds, num);
	return found;
}

bool holders_find(const struct pci_slot *slot, char *text, size_t size)
{
	char process[SYSFS_NAME_SIZE], name[SYSFS_NAME_SIZE];
	struct dirent **entries;
	struct wanted wanted;
	bool found = false;
	size_t num;

	want(slot, &wanted);
	num = sysfs_entries("/proc", &entries);
	for (size_t i = 0; i < num && !found; i++) {
		if (!isdigit((unsigned char)entries[i]->d_name[0]))
			continue;
		snprintf(process, sizeof(process), "/proc/%.16s", entries[i]->d_name);
		found = has_open(process, &wanted);
		if (!found)
			continue;
		sysfs_text(process, "comm", name, sizeof(name));
		snprintf(text, size, "process %s (%s)", entries[i]->d_name, name);
	}
	sysfs_free_entries(entries, num);
	return found;
}

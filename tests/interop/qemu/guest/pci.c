/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs's PCI bus, see pci.h. Files: the kernel's Documentation/ABI/testing/sysfs-bus-pci.
 */
#include "pci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUS "/sys/bus/pci"

static unsigned long read_hex(const char *address, const char *file)
{
	char path[320];
	unsigned long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), BUS "/devices/%s/%s", address, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lx", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int pci_find(uint16_t vendor, uint16_t device, struct pci_device *found)
{
	DIR *dir = opendir(BUS "/devices");
	struct dirent *entry;
	int err = -ENODEV;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(found->address))
			continue;
		if (read_hex(entry->d_name, "vendor") != vendor ||
		    read_hex(entry->d_name, "device") != device)
			continue;
		memset(found, 0, sizeof(*found));
		strcpy(found->address, entry->d_name);
		err = 0;
		break;
	}
	closedir(dir);
	return err;
}

/* The group appears with the driver where there is no IOMMU, so it is read after binding. */
static int read_group(struct pci_device *device)
{
	char path[320], target[256];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), BUS "/devices/%s/iommu_group", device->address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (!*name || strlen(name) >= sizeof(device->group))
		return -EINVAL;
	strcpy(device->group, name);
	return 0;
}

int pci_bind_vfio(struct pci_device *device)
{
	char path[320], target[256];
	ssize_t n;
	int err;

	snprintf(path, sizeof(path), BUS "/devices/%s/driver_override", device->address);
	err = write_text(path, "vfio-pci");
	if (err)
		return err;
	snprintf(path, sizeof(path), BUS "/devices/%s/driver/unbind", device->address);
	err = write_text(path, device->address);
	if (err && err != -ENOENT)
		return err;
	err = write_text(BUS "/drivers_probe", device->address);
	if (err)
		return err;
	/* a probe that fails is not told to the one who asked for it */
	snprintf(path, sizeof(path), BUS "/devices/%s/driver", device->address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -ENODEV;
	target[n] = '\0';
	if (!strstr(target, "/vfio-pci"))
		return -EBUSY;
	return read_group(device);
}

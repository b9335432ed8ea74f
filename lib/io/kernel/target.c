/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * target.c - a device's name, as people give it, to its folder in sysfs, its driver, group and cdev.
 *
 * The layout of sysfs is that of Documentation/ABI/testing/sysfs-class-iommu, sysfs-kernel-iommu_groups and
 * sysfs-devices-vfio-dev of Linux. Any thread.
 */
#include "lib/io/kernel/target.h"
#include "lib/base/error.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define GROUPS "/sys/kernel/iommu_groups"

/* ---- what a text names ---- */

static bool shape_fits(const char *text, const char *shape)
{
	for (; *shape; text++, shape++) {
		if (*shape == 'x' ? !isxdigit((unsigned char)*text) : *text != *shape)
			return false;
	}
	return !*text;
}

static bool is_cdev_path(const char *text)
{
	return !strncmp(text, "/dev/", 5);
}

/* Where sysfs has the device; false when @text is no name of a device. */
static bool sysfs_place(const char *text, char *place, size_t size)
{
	static const char bdf[] = "xxxx:xx:xx.x";
	int len = 0;

	if (*text == '/')
		len = snprintf(place, size, "%s", text);
	else if (shape_fits(text, bdf))
		len = snprintf(place, size, "/sys/bus/pci/devices/%s", text);
	else if (shape_fits(text, bdf + 5))
		len = snprintf(place, size, "/sys/bus/pci/devices/0000:%s", text);
	else if (shape_fits(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"))
		len = snprintf(place, size, "/sys/bus/mdev/devices/%s", text);
	/* sysfs has lower case only */
	for (char *c = place; *text != '/' && len > 0 && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return len > 0 && (size_t)len < size;
}

/* Cuts the last part of a path off and returns it; NULL when there is none. */
static char *cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

/* The device whose cdev this is: DEVICE/vfio-dev/NAME is what sysfs has for the number. */
static bool device_of_cdev(const struct stat *st, char *sysfs)
{
	char link[64];
	const char *part;

	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u", major(st->st_rdev), minor(st->st_rdev));
	if (!S_ISCHR(st->st_mode) || !realpath(link, sysfs) || !cut_last(sysfs))
		return false;
	part = cut_last(sysfs);
	return part && !strcmp(part, "vfio-dev");
}

/* ---- what sysfs says of the device ---- */

/* The last part of where the link DIR/NAME points, "" when there is none. */
static void link_name(const char *dir, const char *name, char *out, size_t size)
{
	char path[PATH_MAX + NAME_MAX + 2], to[PATH_MAX];
	const char *last;
	ssize_t len;

	*out = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	len = readlink(path, to, sizeof(to) - 1);
	if (len <= 0)
		return;
	to[len] = '\0';
	last = strrchr(to, '/');
	snprintf(out, size, "%.*s", (int)size - 1, last ? last + 1 : to);
}

static bool first_entry(const char *dir, char *name, size_t size)
{
	DIR *d = opendir(dir);
	struct dirent *e = NULL;

	if (!d)
		return false;
	do
		e = readdir(d);
	while (e && *e->d_name == '.');
	if (e)
		snprintf(name, size, "%.*s", (int)size - 1, e->d_name);
	closedir(d);
	return e;
}

static bool there_is(const char *dir, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* The group's name does not tell: mediated devices, whose IOMMU is emulated, have "vfio-noiommu" for one, too. */
static bool group_is_noiommu(int group)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/vfio/noiommu-%d", group);
	return !access(path, F_OK);
}

static void read_group(struct vfki_target *t)
{
	char name[32], *end;
	long number;

	t->group = -1;
	link_name(t->sysfs, "iommu_group", name, sizeof(name));
	number = strtol(name, &end, 10);
	if (*name && !*end && number >= 0 && number <= INT_MAX)
		t->group = (int)number;
	t->noiommu = t->group >= 0 && group_is_noiommu(t->group);
}

/* Drivers of before Linux 6.1 have no vfio-dev; they are known by their names. */
static void read_driver(struct vfki_target *t)
{
	char bus[16];

	link_name(t->sysfs, "subsystem", bus, sizeof(bus));
	t->pci = !strcmp(bus, "pci");
	link_name(t->sysfs, "driver", t->driver, sizeof(t->driver));
	t->vfio = there_is(t->sysfs, "vfio-dev") || strstr(t->driver, "vfio");
}

static void read_cdev(struct vfki_target *t)
{
	char dir[PATH_MAX + 16], name[VFKI_TARGET_NAME];

	snprintf(dir, sizeof(dir), "%s/vfio-dev", t->sysfs);
	if (!first_entry(dir, name, sizeof(name)))
		return;
	if (starts_with(name, "noiommu-"))
		t->noiommu = true;
	/* without cdevs in the kernel the entry is there all the same, but has no device number */
	strncat(dir, "/", sizeof(dir) - strlen(dir) - 1);
	strncat(dir, name, sizeof(dir) - strlen(dir) - 1);
	if (!*t->cdev && there_is(dir, "dev"))
		snprintf(t->cdev, sizeof(t->cdev), "/dev/vfio/devices/%s", name);
}

static void describe(struct vfki_target *t)
{
	const char *last = strrchr(t->sysfs, '/');

	snprintf(t->name, sizeof(t->name), "%.*s", VFKI_TARGET_NAME - 1, last ? last + 1 : "");
	read_group(t);
	read_driver(t);
	read_cdev(t);
}

/* Gone, or never there: nobody can tell. */
static int absent(const char *path)
{
	int err = errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;

	return err == -ENODEV ? vfki_err(err, "no such device: there is no %s", path) :
				vfki_err_sys(err, "%s", path);
}

static int find_cdev(const char *path, struct vfki_target *t)
{
	struct stat st;

	if (stat(path, &st))
		return absent(path);
	if (!device_of_cdev(&st, t->sysfs))
		return vfki_err(-EINVAL,
				"%s: not the cdev of a VFIO device; those are in /dev/vfio/devices",
				path);
	snprintf(t->cdev, sizeof(t->cdev), "%s", path);
	t->by_cdev = true;
	return 0;
}

static int find_sysfs(const char *text, struct vfki_target *t)
{
	char place[PATH_MAX];

	if (!sysfs_place(text, place, sizeof(place)))
		return vfki_err(
			-EINVAL,
			"\"%s\" is neither a PCI address (0000:03:00.0), nor the UUID of a mediated "
			"device, nor a path in /sys or /dev/vfio/devices",
			text);
	if (!realpath(place, t->sysfs))
		return absent(place);
	if (!starts_with(t->sysfs, "/sys/devices/") || !there_is(t->sysfs, "subsystem"))
		return vfki_err(-EINVAL, "%s is not a device's folder in /sys", text);
	return 0;
}

int vfki_target_find(const char *text, struct vfki_target *t)
{
	int ret;

	*t = (struct vfki_target){ .group = -1 };
	ret = is_cdev_path(text) ? find_cdev(text, t) : find_sysfs(text, t);
	if (ret < 0)
		return ret;
	describe(t);
	return 0;
}

void vfki_target_of_fd(int fd, struct vfki_target *t)
{
	struct stat st;

	*t = (struct vfki_target){ .group = -1 };
	if (fstat(fd, &st) || !device_of_cdev(&st, t->sysfs)) {
		*t->sysfs = '\0';
		return;
	}
	t->by_cdev = true;
	describe(t);
}

bool vfki_target_is_cdev(int fd)
{
	char sysfs[PATH_MAX];
	struct stat st;

	return !fstat(fd, &st) && device_of_cdev(&st, sysfs);
}

/* ---- why it cannot be had ---- */

int vfki_target_check(const struct vfki_target *t)
{
	if (t->vfio || !*t->sysfs)
		return 0;
	if (!t->pci)
		return vfki_err(*t->driver ? -EBUSY : -ENODEV,
				"the driver %s has %s; it has to be one of VFIO's",
				*t->driver ? t->driver : "(none)", t->name);
	if (!*t->driver)
		return vfki_err(-ENODEV,
				"no driver has %s; \"vfiokit bind %s\" gives it to vfio-pci",
				t->name, t->name);
	return vfki_err(-EBUSY,
			"the driver %s has %s; \"vfiokit bind %s\" gives it to vfio-pci instead",
			t->driver, t->name, t->name);
}

void vfki_target_group_path(const struct vfki_target *t, char *path, size_t size)
{
	snprintf(path, size, "/dev/vfio/%s%d", t->noiommu ? "noiommu-" : "", t->group);
}

/* Bridges may stay with their driver (vfio_dev_viable() of older Linux, iommu_group_claim_dma_owner() of later). */
static bool is_harmless(const char *driver, bool vfio)
{
	return vfio || !*driver || !strcmp(driver, "pcieport") || !strcmp(driver, "pci-stub");
}

int vfki_target_obstacles(const struct vfki_target *t, char *text, size_t size)
{
	char dir[64], member[PATH_MAX], driver[VFKI_TARGET_NAME];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), GROUPS "/%d/devices", t->group);
	d = t->group >= 0 ? opendir(dir) : NULL;
	while (d && (e = readdir(d))) {
		size_t used = strlen(text);

		snprintf(member, sizeof(member), "%s/%s", dir, e->d_name);
		link_name(member, "driver", driver, sizeof(driver));
		if (*e->d_name == '.' || is_harmless(driver, there_is(member, "vfio-dev")))
			continue;
		snprintf(text + used, size - used, "%s%s (driver %s)", n++ ? ", " : "", e->d_name,
			 driver);
	}
	if (d)
		closedir(d);
	return n;
}

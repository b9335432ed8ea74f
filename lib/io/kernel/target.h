/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * target.h - finding out, from sysfs, what a device is and by which ways it can be had, and why not.
 *
 * Threads: any; everything is read anew, nothing is kept.
 */
#ifndef VFKI_IO_KERNEL_TARGET_H
#define VFKI_IO_KERNEL_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define VFKI_TARGET_NAME 128

struct vfki_target {
	char sysfs[PATH_MAX]; /* the device's own folder, links resolved; "" when it is not known */
	char name[VFKI_TARGET_NAME];   /* the kernel's: last part of @sysfs */
	char driver[VFKI_TARGET_NAME]; /* "" when it has none */
	bool pci;
	bool vfio;	     /* the driver is one of VFIO's */
	int group;	     /* IOMMU group; -1: none */
	bool noiommu;	     /* it has no IOMMU: the group or cdev is one without protection */
	char cdev[PATH_MAX]; /* path of the device's cdev; "" when there is none */
	bool by_cdev;	     /* it was named by that path, or came as an open cdev */
};

/* @text is a target as in a URI. Returns 0; -EINVAL it is none; -ENODEV no such device; with a text. */
int vfki_target_find(const char *text, struct vfki_target *t);

/* The same for an open cdev; *t is cleared when that is not known for certain. */
void vfki_target_of_fd(int fd, struct vfki_target *t);

/* Whether an open file is the cdev of a VFIO device, and not what a group gave. */
bool vfki_target_is_cdev(int fd);

/* Whether a driver of VFIO has it: 0; -EBUSY another one; -ENODEV none; with a text that says what to do. */
int vfki_target_check(const struct vfki_target *t);

/* "/dev/vfio/N" or "/dev/vfio/noiommu-N" */
void vfki_target_group_path(const struct vfki_target *t, char *path, size_t size);

/*
 * Appends the members of the group that keep it from being had, with their drivers, to @text, a string of @size bytes.
 * Returns how many there are; 0 also when the group is not known.
 */
int vfki_target_obstacles(const struct vfki_target *t, char *text, size_t size);

#endif

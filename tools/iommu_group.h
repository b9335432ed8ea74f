/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu_group.h - an IOMMU group: the devices that only together can be given to a program.
 *
 * A group is viable when no member is with a driver of the kernel's that does DMA on its own: each has
 * no driver, a VFIO driver, or one that is known to be harmless (kernel documentation, driver-api/vfio).
 */
#ifndef IOMMU_GROUP_H
#define IOMMU_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "sysfs.h"

struct iommu_member {
	char name[SYSFS_NAME_SIZE];   /* a PCI address, an mdev's UUID, a platform device's name */
	char driver[SYSFS_NAME_SIZE]; /* "": none */
	bool pci;
	bool in_the_way; /* its driver keeps the group from being viable */
};

struct iommu_group {
	char number[SYSFS_NAME_SIZE];
	bool noiommu; /* made by VFIO for a device without an IOMMU */
	size_t num;
	struct iommu_member *members;
};

/* The group of the device that has this folder; false when it is in none. On true, iommu_group_free() it. */
bool iommu_group_of(const char *folder, struct iommu_group *group);
void iommu_group_free(struct iommu_group *group);

/*
 * Whether the group is viable; if not, text says which members are in the way, with their drivers,
 * separated by ", ".
 */
bool iommu_group_viable(const struct iommu_group *group, char *text, size_t size);

/* Whether a driver makes a VFIO device of the device that has this folder. */
bool iommu_driver_is_vfio(const char *folder, const char *driver);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu_group.c - an IOMMU group: the devices that only together can be given to a program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu_group.h"

#define GROUPS "/sys/kernel/iommu_groups"

bool iommu_driver_is_vfio(const char *folder, const char *driver)
{
	/* Kernels before 6.1 show no vfio-dev; their VFIO drivers all say so in their names. */
	return driver[0] && (sysfs_exists(folder, "vfio-dev") || strstr(driver, "vfio"));
}

/* Drivers that leave DMA to a group's owner: bridges do none of their own, pci-stub does nothing at all. */
static bool is_harmless(const char *driver)
{
	return strcmp(driver, "pcieport") == 0 || strcmp(driver, "pci-stub") == 0;
}

static void fill(struct iommu_member *member, const char *folder)
{
	char subsystem[SYSFS_NAME_SIZE];

	sysfs_link(folder, "driver", member->driver);
	sysfs_link(folder, "subsystem", subsystem);
	member->pci = strcmp(subsystem, "pci") == 0;
	member->in_the_way = member->driver[0] && !is_harmless(member->driver) &&
			     !iommu_driver_is_vfio(folder, member->driver);
}

bool iommu_group_of(const char *folder, struct iommu_group *group)
{
	char devices[SYSFS_PATH_SIZE], member[2 * SYSFS_PATH_SIZE], name[SYSFS_NAME_SIZE];
	struct dirent **entries;
	size_t num;

	*group = (struct iommu_group){ .num = 0 };
	if (!sysfs_link(folder, "iommu_group", group->number))
		return false;
	snprintf(devices, sizeof(devices), GROUPS "/%s", group->number);
	group->noiommu = sysfs_text(devices, "name", name, sizeof(name)) &&
			 strcmp(name, "vfio-noiommu") == 0;
	snprintf(devices, sizeof(devices), GROUPS "/%s/devices", group->number);
	num = sysfs_entries(devices, &entries);
	group->members = calloc(num + 1, sizeof(*group->members));
	for (size_t i = 0; group->members && i < num; i++) {
		if (strlen(entries[i]->d_name) >= SYSFS_NAME_SIZE)
			continue;
		strcpy(group->members[group->num].name, entries[i]->d_name);
		snprintf(member, sizeof(member), "%s/%s", devices, entries[i]->d_name);
		fill(&group->members[group->num++], member);
	}
	sysfs_free_entries(entries, num);
	return group->members;
}

void iommu_group_free(struct iommu_group *group)
{
	free(group->members);
}

bool iommu_group_viable(const struct iommu_group *group, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < group->num; i++) {
		const struct iommu_member *member = &group->members[i];

		if (!member->in_the_way)
			continue;
		if (len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s is bound to %s",
						len ? ", " : "", member->name, member->driver);
	}
	return !text[0];
}

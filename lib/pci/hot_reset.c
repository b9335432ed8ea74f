/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hot_reset.c - reset of the slot or bus that a PCI device is on: who is reset with it, whose they are, and the reset
 * with what comes before and after it for each.
 *
 * Any thread; several devices are locked in the order of their addresses.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/base/vfio_compat.h"
#include "reset.h"
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vfiokit/pci_reset.h>

#define HEAD	  offsetof(struct vfio_pci_hot_reset_info, devices)
#define MAX	  (1 + VFK_PCI_HOT_RESET_MAX_OTHERS)
#define FIRST	  16 /* devices; more where the answer says so */
#define TRIES	  4  /* devices may come and go between two questions */
#define TEXT_SIZE 256

/* The caller's devices, and the groups that prove it. */
struct mine {
	size_t count;
	struct vfk_pci *pci[MAX]; /* by address */
	uint32_t num_groups;
	uint32_t groups[MAX];
	bool unknown; /* some device does not tell its group */
};

/* ---- whose they are ---- */

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (struct vfk_pci *const *)a;
	uintptr_t y = (uintptr_t) * (struct vfk_pci *const *)b;

	return (x > y) - (x < y);
}

static int collect(struct vfk_pci *pci, struct vfk_pci *const *others, size_t num_others,
		   struct mine *mine)
{
	if (num_others > VFK_PCI_HOT_RESET_MAX_OTHERS || (num_others && !others))
		return vfki_err(-EINVAL, "%s: hot reset: %zu other devices", vfki_pci_name(pci),
				num_others);
	mine->count = num_others + 1;
	mine->pci[0] = pci;
	for (size_t i = 0; i < num_others; i++)
		mine->pci[i + 1] = others[i];
	qsort(mine->pci, mine->count, sizeof(mine->pci[0]), by_address);
	for (size_t i = 0; i < mine->count; i++) {
		if (!mine->pci[i] || (i && mine->pci[i] == mine->pci[i - 1]))
			return vfki_err(-EINVAL, "%s: hot reset: a device is NULL, or given twice",
					vfki_pci_name(pci));
		if (!vfk_device_group(mine->pci[i]->dev, &mine->groups[mine->num_groups]))
			mine->num_groups++;
		else
			mine->unknown = true;
	}
	return 0;
}

static enum vfk_pci_owner owner_by_group(const struct mine *mine, uint32_t group)
{
	for (uint32_t i = 0; i < mine->num_groups; i++) {
		if (mine->groups[i] == group)
			return VFK_PCI_OWNER_CALLER;
	}
	return mine->unknown ? VFK_PCI_OWNER_UNKNOWN : VFK_PCI_OWNER_OTHER;
}

static struct vfk_pci_dependent describe(const struct mine *mine,
					 const struct vfio_pci_hot_reset_info *info, uint32_t i)
{
	const struct vfio_pci_dependent_device *d = &info->devices[i];
	struct vfk_pci_dependent out = {
		.segment = d->segment,
		.bus = d->bus,
		.slot = d->devfn >> 3,
		.function = d->devfn & 7,
		.by_group = !(info->flags & VFKI_PCI_HOT_RESET_FLAG_DEV_ID),
		.id = d->group_id,
	};

	if (out.by_group)
		out.owner = (unsigned char)owner_by_group(mine, out.id);
	else
		out.owner = out.id == (uint32_t)VFKI_PCI_DEVID_NOT_OWNED ? VFK_PCI_OWNER_OTHER :
									   VFK_PCI_OWNER_CALLER;
	return out;
}

/* ---- who they are ---- */

/* *out is the caller's to free. */
static int fetch(struct vfk_pci *pci, struct vfio_pci_hot_reset_info **out)
{
	size_t size = HEAD + FIRST * sizeof((*out)->devices[0]);

	for (int i = 0; i < TRIES; i++) {
		struct vfio_pci_hot_reset_info *info = calloc(1, size);
		int ret;

		if (!info)
			return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(pci));
		info->argsz = (uint32_t)size;
		ret = vfk_device_hot_reset_info(pci->dev, info);
		if (!ret && info->argsz <= size) {
			*out = info;
			return 0;
		}
		size = info->argsz;
		free(info);
		if (ret < 0)
			return ret;
	}
	return vfki_err(-EAGAIN, "%s: hot reset: the devices on its bus keep changing",
			vfki_pci_name(pci));
}

int vfki_pci_is_alone(struct vfk_pci *pci)
{
	struct vfio_pci_hot_reset_info *info;
	bool alone;

	/* refusals differ: no slot, devices without a group */
	if (fetch(pci, &info) < 0)
		return 0;
	alone = info->count == 1;
	free(info);
	return alone;
}

int vfk_pci_hot_reset_info(struct vfk_pci *pci, struct vfk_pci *const *others, size_t num_others,
			   struct vfk_pci_dependent *list, size_t capacity, size_t *count)
{
	struct vfio_pci_hot_reset_info *info;
	struct mine mine = { 0 };
	int ret = collect(pci, others, num_others, &mine);

	if (!ret)
		ret = fetch(pci, &info);
	if (ret < 0)
		return ret;
	for (uint32_t i = 0; i < info->count && i < capacity; i++)
		list[i] = describe(&mine, info, i);
	*count = info->count;
	free(info);
	return 0;
}

/* ---- the reset ---- */

static void name_missing(const struct vfk_pci_dependent *d, char *text, size_t size)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%04" PRIx32 ":%02x:%02x.%x", used ? ", " : "",
		 d->segment, d->bus, d->slot, d->function);
	used = strlen(text);
	if (d->by_group)
		snprintf(text + used, size - used, " (group %" PRIu32 ")", d->id);
}

static int check_owners(struct vfk_pci *pci, const struct mine *mine)
{
	struct vfio_pci_hot_reset_info *info;
	char missing[TEXT_SIZE] = "";
	int ret = fetch(pci, &info);

	if (ret < 0)
		return ret;
	for (uint32_t i = 0; i < info->count; i++) {
		struct vfk_pci_dependent d = describe(mine, info, i);

		if (d.owner == VFK_PCI_OWNER_OTHER)
			name_missing(&d, missing, sizeof(missing));
	}
	free(info);
	if (!*missing)
		return 0;
	return vfki_err(-EPERM, "%s: hot reset: these devices are reset with it, and not ours: %s",
			vfki_pci_name(pci), missing);
}

static int run(struct vfk_pci *pci, const struct mine *mine)
{
	struct vfk_device *others[MAX];
	size_t n = 0;

	for (size_t i = 0; i < mine->count; i++) {
		if (mine->pci[i] != pci)
			others[n++] = mine->pci[i]->dev;
	}
	return vfk_device_hot_reset(pci->dev, n ? others : NULL, n);
}

int vfki_pci_hot_reset_alone(struct vfk_pci *pci)
{
	return vfk_device_hot_reset(pci->dev, NULL, 0);
}

/* All of them stopped, or none. */
static int stop_all(const struct mine *mine, struct vfki_pci_saved *saved)
{
	int ret = 0;
	size_t i;

	for (i = 0; i < mine->count && !ret; i++)
		ret = vfki_pci_stop(mine->pci[i], &saved[i]);
	if (!ret)
		return 0;
	for (i--; i-- > 0;)
		(void)vfki_pci_resume(mine->pci[i], &saved[i], ret);
	return ret;
}

static int reset_all(struct vfk_pci *pci, const struct mine *mine, struct vfki_pci_saved *saved)
{
	int ret = stop_all(mine, saved);

	if (ret < 0)
		return ret;
	ret = run(pci, mine);
	for (size_t i = mine->count; i-- > 0;) {
		int restored = vfki_pci_resume(mine->pci[i], &saved[i], ret);

		ret = ret ? ret : restored;
	}
	return ret;
}

int vfk_pci_hot_reset(struct vfk_pci *pci, struct vfk_pci *const *others, size_t num_others)
{
	struct mine mine = { 0 };
	struct vfki_pci_saved *saved;
	int ret = collect(pci, others, num_others, &mine);

	if (!ret)
		ret = check_owners(pci, &mine);
	if (ret < 0)
		return ret;
	saved = calloc(mine.count, sizeof(*saved));
	if (!saved)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(pci));
	for (size_t i = 0; i < mine.count; i++)
		vfki_pci_lock(mine.pci[i]);
	ret = reset_all(pci, &mine, saved);
	for (size_t i = mine.count; i-- > 0;)
		vfki_pci_unlock(mine.pci[i]);
	free(saved);
	return ret;
}

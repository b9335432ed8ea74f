/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.c - the table of VFIO device features.
 *
 * One line a feature, from <linux/vfio.h>; a new one is one more line here (and its declaration in
 * vfio_compat.h if the oldest supported headers lack it).
 */
#include "lib/base/feature.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

#define GET VFIO_DEVICE_FEATURE_GET
#define SET VFIO_DEVICE_FEATURE_SET

#define UUID_SIZE 16

static const struct vfki_feature table[] = {
	{
		/* A shared secret between the owner of a PF and that of its VF: not for peers. */
		.id = VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
		.name = "pci_vf_token",
		.methods = SET,
		.set_size = UUID_SIZE,
		.inline_size = UUID_SIZE,
	},
	{
		.id = VFIO_DEVICE_FEATURE_MIGRATION,
		.name = "migration",
		.methods = GET,
		.get_size = sizeof(struct vfio_device_feature_migration),
		.inline_size = sizeof(struct vfio_device_feature_migration),
		.exported = true,
	},
	{
		.id = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		.name = "mig_device_state",
		.methods = GET | SET,
		.get_size = sizeof(struct vfio_device_feature_mig_state),
		.set_size = sizeof(struct vfio_device_feature_mig_state),
		.inline_size = sizeof(struct vfio_device_feature_mig_state),
		.fd = VFKI_FD_OUT,
		.fd_offset = offsetof(struct vfio_device_feature_mig_state, data_fd),
		.exported = true,
	},
	{
		.id = VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
		.name = "low_power_entry",
		.methods = SET,
		.exported = true,
	},
	{
		.id = VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
		.name = "low_power_entry_with_wakeup",
		.methods = SET,
		.set_size = sizeof(struct vfio_device_low_power_entry_with_wakeup),
		.inline_size = sizeof(struct vfio_device_low_power_entry_with_wakeup),
		.fd = VFKI_FD_IN,
		.fd_offset =
			offsetof(struct vfio_device_low_power_entry_with_wakeup, wakeup_eventfd),
		.exported = true,
	},
	{
		.id = VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
		.name = "low_power_exit",
		.methods = SET,
		.exported = true,
	},
	{
		.id = VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
		.name = "dma_logging_start",
		.methods = SET,
		.set_size = sizeof(struct vfio_device_feature_dma_logging_control),
		.inline_size = offsetof(struct vfio_device_feature_dma_logging_control, ranges),
		.tail = VFKI_TAIL_RANGES,
		.exported = true,
	},
	{
		.id = VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
		.name = "dma_logging_stop",
		.methods = SET,
		.exported = true,
	},
	{
		.id = VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
		.name = "dma_logging_report",
		.methods = GET,
		.get_size = sizeof(struct vfio_device_feature_dma_logging_report),
		.inline_size = offsetof(struct vfio_device_feature_dma_logging_report, bitmap),
		.get_input = offsetof(struct vfio_device_feature_dma_logging_report, bitmap),
		.tail = VFKI_TAIL_BITMAP,
		.exported = true,
	},
	{
		.id = VFKI_FEATURE_MIG_DATA_SIZE,
		.name = "mig_data_size",
		.methods = GET,
		.get_size = sizeof(struct vfki_feature_mig_data_size),
		.inline_size = sizeof(struct vfki_feature_mig_data_size),
		.exported = true,
	},
	{
		.id = VFKI_FEATURE_BUS_MASTER,
		.name = "bus_master",
		.methods = SET,
		.set_size = sizeof(struct vfki_feature_bus_master),
		.inline_size = sizeof(struct vfki_feature_bus_master),
		.exported = true,
	},
	{
		/*
		 * Hands out a descriptor that gives access to the device's memory: not for peers.
		 */
		.id = VFKI_FEATURE_DMA_BUF,
		.name = "dma_buf",
		.methods = GET,
		.get_size = sizeof(struct vfki_feature_dma_buf),
		.inline_size = sizeof(struct vfki_feature_dma_buf),
		.get_input = sizeof(struct vfki_feature_dma_buf),
		.tail = VFKI_TAIL_DMA_RANGES,
		.fd = VFKI_FD_RESULT,
	},
	{
		.id = VFKI_FEATURE_MIG_PRECOPY_INFO_V2,
		.name = "mig_precopy_infov2",
		.methods = SET,
		.exported = true,
	},
};

#define COUNT (sizeof(table) / sizeof(table[0]))

const struct vfki_feature *vfki_feature_at(size_t i)
{
	return i < COUNT ? &table[i] : NULL;
}

const struct vfki_feature *vfki_feature_find(uint32_t id)
{
	for (size_t i = 0; i < COUNT; i++)
		if (table[i].id == id)
			return &table[i];
	return NULL;
}

const struct vfki_feature *vfki_feature_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

int vfki_feature_check_flags(uint32_t flags, const struct vfki_feature **feature)
{
	const struct vfki_feature *f = vfki_feature_find(flags & VFIO_DEVICE_FEATURE_MASK);
	uint32_t methods = flags & (GET | SET);

	if (!f)
		return vfki_err(-ENOTSUP, "device feature %u is unknown",
				flags & VFIO_DEVICE_FEATURE_MASK);
	if (flags & ~(uint32_t)(VFIO_DEVICE_FEATURE_MASK | VFKI_FEATURE_METHODS))
		return vfki_err(-EINVAL, "device feature %s: unknown flags 0x%x", f->name, flags);
	if (!(flags & VFIO_DEVICE_FEATURE_PROBE) && methods != GET && methods != SET)
		return vfki_err(-EINVAL, "device feature %s: one of get and set is needed",
				f->name);
	if (methods & ~f->methods)
		return vfki_err(-ENOTSUP, "device feature %s: cannot be %s", f->name,
				methods & ~f->methods & GET ? "read" : "set");
	*feature = f;
	return 0;
}

size_t vfki_feature_data_size(const struct vfki_feature *feature, uint32_t flags)
{
	if (flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	return flags & GET ? feature->get_size : feature->set_size;
}

int vfki_feature_check(const struct vfio_device_feature *f, const struct vfki_feature **feature)
{
	const struct vfki_feature *found;
	size_t need;
	int r;

	if (f->argsz < sizeof(*f))
		return vfki_err(-EINVAL, "device feature: argsz %u is below its header", f->argsz);
	r = vfki_feature_check_flags(f->flags, &found);
	if (r)
		return r;
	need = sizeof(*f) + vfki_feature_data_size(found, f->flags);
	if (f->argsz < need)
		return vfki_err(-EINVAL, "device feature %s: argsz %u, need %zu", found->name,
				f->argsz, need);
	if (found->tail == VFKI_TAIL_DMA_RANGES && !(f->flags & VFIO_DEVICE_FEATURE_PROBE)) {
		const struct vfki_feature_dma_buf *d = (const void *)f->data;

		if (!vfki_tail_size(need, d->nr_ranges, sizeof(d->dma_ranges[0]), &need) ||
		    f->argsz < need)
			return vfki_err(-EINVAL,
					"device feature %s: %u ranges do not fit into argsz %u",
					found->name, d->nr_ranges, f->argsz);
	}
	*feature = found;
	return 0;
}

int vfki_feature_bitmap_size(uint64_t iova, uint64_t length, uint64_t page_size, uint64_t *size)
{
	uint64_t last, pages;

	if (!vfki_is_pow2(page_size))
		return vfki_err(-EINVAL, "page size 0x%llx is no power of two",
				(unsigned long long)page_size);
	if (!vfki_range_last(iova, length, &last))
		return vfki_err(-EINVAL, "range of 0x%llx bytes at 0x%llx is empty or wraps",
				(unsigned long long)length, (unsigned long long)iova);
	pages = (length - 1) / page_size + 1;
	*size = ((pages - 1) / 64 + 1) * 8;
	return 0;
}

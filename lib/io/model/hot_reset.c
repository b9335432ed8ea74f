/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hot_reset.c - hot reset of a model; see hot_reset.h.
 *
 * A model has no group, so it answers as the kernel does for a device that was opened by cdev: ids instead of groups,
 * and no files with the reset.
 *
 * Threads: declaring inside the model's init; the ops from any.
 */
#include "hot_reset.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/vfio_compat.h"

int vfk_model_add_hot_reset(struct vfk_model *m, const struct vfk_model_function *functions,
			    size_t count)
{
	int ret = vfki_model_declaring(m, "hot reset");

	if (ret < 0)
		return ret;
	if (m->slot.count)
		return vfki_err(-EEXIST, "%s: hot reset is declared twice", m->io.name);
	if (!count || count > VFKI_FUNCTIONS || !functions[0].owned)
		return vfki_err(-EINVAL,
				"%s: hot reset: %zu functions, of which the first is the device "
				"itself",
				m->io.name, count);
	for (size_t i = 0; i < count; i++)
		m->slot.functions[i] = functions[i];
	m->slot.count = (uint32_t)count;
	return 0;
}

static int no_hot_reset(const struct vfk_model *m)
{
	return vfki_err(-ENOTSUP, "%s: hot reset: not supported by this device", m->io.name);
}

int vfki_model_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	const struct vfk_model *m = (const struct vfk_model *)io;
	size_t need = sizeof(*info) + m->slot.count * sizeof(info->devices[0]), room = info->argsz;

	if (!m->slot.count)
		return no_hot_reset(m);
	info->argsz = (uint32_t)need;
	info->flags = VFKI_PCI_HOT_RESET_FLAG_DEV_ID | VFKI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
	info->count = need > room ? 0 : m->slot.count;
	for (uint32_t i = 0; i < m->slot.count; i++) {
		const struct vfk_model_function *f = &m->slot.functions[i];

		if (!f->owned)
			info->flags &= ~(uint32_t)VFKI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
		if (!info->count)
			continue;
		/* The member is devid, where a device has an id: <linux/vfio.h> of 6.5. */
		info->devices[i].group_id = f->owned ? i + 1 : (uint32_t)VFKI_PCI_DEVID_NOT_OWNED;
		info->devices[i].segment = f->segment;
		info->devices[i].bus = f->bus;
		info->devices[i].devfn = f->devfn;
	}
	return 0;
}

int vfki_model_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	struct vfk_model *m = (struct vfk_model *)io;

	if (!m->slot.count)
		return no_hot_reset(m);
	if (reset->count)
		return vfki_err(-EINVAL, "%s: hot reset: %u groups, of a device that has none",
				io->name, reset->count);
	for (uint32_t i = 0; i < m->slot.count; i++) {
		const struct vfk_model_function *f = &m->slot.functions[i];

		if (!f->owned)
			return vfki_err(-EINVAL, "%s: hot reset: %04x:%02x:%02x.%u is not ours",
					io->name, f->segment, f->bus, f->devfn >> 3, f->devfn & 7u);
	}
	return io->ops->reset(io);
}

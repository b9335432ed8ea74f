/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual.c - a virtual device begins and ends, is made true to its registers, and tells the monitor.
 *
 * Threads: create and destroy alone.
 */
#include "virtual.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OPT_FLAGS \
	(VFK_PCI_VIRTUAL_KEEP_CAPS | VFK_PCI_VIRTUAL_NO_ROM | VFK_PCI_VIRTUAL_MULTIFUNCTION)
#define OPT_IDS                                                                        \
	(VFK_PCI_VIRTUAL_VENDOR | VFK_PCI_VIRTUAL_DEVICE | VFK_PCI_VIRTUAL_SUBVENDOR | \
	 VFK_PCI_VIRTUAL_SUBDEVICE | VFK_PCI_VIRTUAL_CLASS)
#define MULTIFUNCTION 0x80 /* PCI 3.0 section 6.2.1, Header Type */

/* ---- options ---- */

/* A program built against a later header may say only what this library knows, too. */
static bool tail_is_zero(const struct vfk_pci_virtual_opts *opts)
{
	const unsigned char *byte = (const unsigned char *)opts;

	for (size_t i = sizeof(*opts); i < opts->size; i++) {
		if (byte[i])
			return false;
	}
	return true;
}

static int refuse(const struct vfk_pci *pci, const char *what, uint32_t value)
{
	return vfki_err(-EINVAL, "%s: virtual device: %s 0x%" PRIx32, vfki_pci_name(pci), what,
			value);
}

static int read_opts(const struct vfk_pci *pci, const struct vfk_pci_virtual_opts *opts,
		     struct vfk_pci_virtual_opts *full)
{
	*full = (struct vfk_pci_virtual_opts){ .size = sizeof(*full) };
	if (!opts)
		return 0;
	if (opts->size < sizeof(opts->size) || !tail_is_zero(opts))
		return vfki_err(-EINVAL,
				"%s: virtual device: options of %zu bytes that this library "
				"does not know",
				vfki_pci_name(pci), opts->size);
	memcpy(full, opts, (size_t)vfki_min_u64(opts->size, sizeof(*full)));
	if (full->flags & ~OPT_FLAGS)
		return refuse(pci, "flags", full->flags);
	if (full->ids & ~OPT_IDS)
		return refuse(pci, "ids", full->ids);
	if (full->bus > VFK_PCI_BUS_PORT)
		return refuse(pci, "bus", (uint32_t)full->bus);
	if (full->msix > VFK_PCI_MSIX_BAR(5))
		return refuse(pci, "MSI-X table in", full->msix);
	if (full->class_code >> 24)
		return refuse(pci, "class", full->class_code);
	return 0;
}

/* ---- the header's registers that are no BARs ---- */

static void show_ids(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts)
{
	if (opts->ids & VFK_PCI_VIRTUAL_VENDOR)
		vfki_virtual_set(v, PCI_VENDOR_ID, 2, 0xffff, opts->vendor, 0);
	if (opts->ids & VFK_PCI_VIRTUAL_DEVICE)
		vfki_virtual_set(v, PCI_DEVICE_ID, 2, 0xffff, opts->device, 0);
	if (opts->ids & VFK_PCI_VIRTUAL_SUBVENDOR)
		vfki_virtual_set(v, PCI_SUBSYSTEM_VENDOR_ID, 2, 0xffff, opts->subvendor, 0);
	if (opts->ids & VFK_PCI_VIRTUAL_SUBDEVICE)
		vfki_virtual_set(v, PCI_SUBSYSTEM_ID, 2, 0xffff, opts->subdevice, 0);
	if (opts->ids & VFK_PCI_VIRTUAL_CLASS)
		vfki_virtual_set(v, PCI_CLASS_REVISION, 4, 0xffffff00, opts->class_code << 8, 0);
}

static int show_header(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts)
{
	uint32_t command;
	int ret = vfk_pci_config_read(v->pci, PCI_COMMAND, 2, &command);

	if (ret < 0)
		return ret;
	vfki_virtual_know(v, PCI_COMMAND, (uint16_t)command);
	show_ids(v, opts);
	vfki_virtual_set(v, PCI_HEADER_TYPE, 1, MULTIFUNCTION,
			 opts->flags & VFK_PCI_VIRTUAL_MULTIFUNCTION ? MULTIFUNCTION : 0, 0);
	vfki_virtual_set(v, PCI_INTERRUPT_LINE, 1, 0xff, 0, 0xff);
	return 0;
}

/* ---- beginning and ending ---- */

static int init_parts(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts)
{
	int ret = show_header(v, opts);

	if (!ret)
		ret = vfki_virtual_caps_init(v, opts);
	if (!ret)
		ret = vfki_virtual_bars_init(v);
	if (!ret)
		ret = vfki_virtual_rom_init(v, opts);
	if (!ret)
		ret = vfki_virtual_msi_init(v);
	if (!ret)
		ret = vfki_virtual_msix_init(v);
	if (!ret)
		ret = vfki_virtual_msix_relocate(v, opts->msix);
	if (ret < 0)
		return ret;
	vfki_virtual_msix_show(v);
	vfki_virtual_bars_show(v);
	return vfki_virtual_irqs_init(v);
}

int vfk_pci_virtual_create(struct vfk_pci *pci, const struct vfk_pci_virtual_opts *opts,
			   struct vfk_pci_virtual **out)
{
	struct vfk_pci_virtual_opts full;
	struct vfk_pci_virtual *v;
	int ret = read_opts(pci, opts, &full);

	if (ret < 0)
		return ret;
	if (pci->identity.header_type != PCI_HEADER_TYPE_NORMAL)
		return vfki_err(-ENOTSUP, "%s: virtual device: header type %u is a bridge's",
				vfki_pci_name(pci), pci->identity.header_type);
	v = calloc(1, sizeof(*v));
	if (!v)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(pci));
	v->pci = pci;
	v->ops = full.ops;
	v->arg = full.arg;
	v->irqs.index = VFKI_NO_IRQ;
	v->config.size = pci->config.size & ~3u;
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->rom.lock, NULL);
	ret = init_parts(v, &full);
	if (ret < 0) {
		vfk_pci_virtual_destroy(v);
		return ret;
	}
	*out = v;
	return 0;
}

/* Any part may end that did not begin: it is zero then. */
void vfk_pci_virtual_destroy(struct vfk_pci_virtual *v)
{
	struct vfki_virtual_events unheard = { .end = 0 };

	if (!v)
		return;
	(void)vfki_virtual_irqs_off(v, &unheard); /* vfk_pci_close() tries again */
	vfki_virtual_msix_fini(v);
	vfki_virtual_rom_fini(v);
	vfki_virtual_caps_fini(v);
	pthread_mutex_destroy(&v->rom.lock);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

/* ---- making it true ---- */

/* A request for a state that the device does not have is dropped by it: PCI Power Management 1.2 section 3.2.4. */
static unsigned int requested_power(const struct vfk_pci_virtual *v)
{
	unsigned int state;

	if (!v->pm)
		return 0;
	state = vfki_virtual_get(v, v->pm + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK;
	if ((state == 1 && !(v->pm_caps & PCI_PM_CAP_D1)) ||
	    (state == 2 && !(v->pm_caps & PCI_PM_CAP_D2)))
		return v->power;
	return state;
}

static void settle_power(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	unsigned int power = requested_power(v);

	if (power == v->power)
		return;
	v->power = ev->power = power;
	ev->power_changed = true;
}

int vfki_virtual_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	int ret;

	settle_power(v, ev);
	vfki_virtual_bars_settle(v, ev);
	ret = vfki_virtual_irqs_settle(v, ev);
	if (!ret)
		ret = vfki_virtual_msi_settle(v, ev);
	return ret ? ret : vfki_virtual_msix_settle(v, ev);
}

void vfki_virtual_know(struct vfk_pci_virtual *v, uint32_t off, uint16_t value)
{
	v->config.value[off] = (uint8_t)value;
	v->config.value[off + 1] = (uint8_t)(value >> 8);
}

/* Clears the bits by which the guest's accesses get through, in the device and here. */
static int reset_command(struct vfk_pci_virtual *v)
{
	vfki_virtual_know(v, PCI_COMMAND, 0);
	return vfk_pci_config_modify(v->pci, PCI_COMMAND, 2,
				     PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
					     PCI_COMMAND_INTX_DISABLE,
				     0, NULL);
}

/* A device that was not reset may be asleep. */
static int reset_power(struct vfk_pci_virtual *v)
{
	uint32_t ctrl;
	int ret;

	if (!v->pm || !v->power)
		return 0;
	vfki_virtual_know(v, v->pm + PCI_PM_CTRL, 0);
	ret = vfk_pci_config_read(v->pci, v->pm + PCI_PM_CTRL, 2, &ctrl);
	if (ret < 0 || !(ctrl & PCI_PM_CTRL_STATE_MASK))
		return ret;
	ctrl &= ~(uint32_t)(PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS); /* a 1 clears */
	return vfk_pci_config_write(v->pci, v->pm + PCI_PM_CTRL, 2, ctrl);
}

int vfki_virtual_reset_locked(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	int power = reset_power(v), command = reset_command(v), settled;

	if (v->msi.cap)
		vfki_virtual_msi_reset(v);
	if (v->msix.cap)
		vfki_virtual_msix_reset(v);
	vfki_virtual_bars_reset(v);
	v->irqs.begun = true;
	settled = vfki_virtual_settle(v, ev);
	if (power < 0)
		return power;
	return command < 0 ? command : settled;
}

int vfk_pci_virtual_reset(struct vfk_pci_virtual *v)
{
	struct vfki_virtual_events ev = { .end = 0 };
	int ret;

	pthread_mutex_lock(&v->lock);
	ret = vfki_virtual_reset_locked(v, &ev);
	vfki_virtual_unlock(v, &ev);
	return ret;
}

/* ---- telling ---- */

void vfki_virtual_note_vectors(struct vfki_virtual_events *ev, uint32_t index, uint32_t first,
			       uint32_t end)
{
	if (!ev->end || ev->index != index) {
		ev->index = index;
		ev->first = first;
		ev->end = end;
		return;
	}
	ev->first = first < ev->first ? first : ev->first;
	ev->end = end > ev->end ? end : ev->end;
}

static bool has(const struct vfk_pci_virtual_ops *ops, size_t end)
{
	return ops && ops->size >= end;
}

#define HAS(ops, member)                                                                   \
	(has(ops, offsetof(struct vfk_pci_virtual_ops, member) + sizeof((ops)->member)) && \
	 (ops)->member)

static void tell_irqs(const struct vfk_pci_virtual *v, const struct vfki_virtual_events *ev)
{
	if (HAS(v->ops, irq_changed)) {
		for (unsigned int i = 0; i < ev->num_irqs; i++)
			v->ops->irq_changed(v->arg, ev->irqs[i].index, ev->irqs[i].vectors);
	}
	if (HAS(v->ops, vector_changed)) {
		for (uint32_t i = ev->end ? ev->first : 0; i < ev->end; i++)
			v->ops->vector_changed(v->arg, ev->index, i);
	}
}

/* What ends access comes first: power and addresses before interrupts. */
void vfki_virtual_unlock(struct vfk_pci_virtual *v, const struct vfki_virtual_events *ev)
{
	pthread_mutex_unlock(&v->lock);
	if (ev->power_changed && HAS(v->ops, power_changed))
		v->ops->power_changed(v->arg, ev->power);
	if (HAS(v->ops, bar_changed)) {
		for (unsigned int i = 0; i < VFKI_NUM_BARS; i++) {
			if (ev->bars >> i & 1)
				v->ops->bar_changed(v->arg, i, ev->address[i]);
		}
	}
	tell_irqs(v, ev);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_msi.c - the MSI capability as the guest has it: message, masks and pending bits (PCI 3.0 section 6.8.1).
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"

#define FLAGS_SET (PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE)

static uint32_t data_reg(const struct vfki_virtual_msi *m)
{
	return m->cap + (m->wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32);
}

static uint32_t mask_reg(const struct vfki_virtual_msi *m)
{
	return m->cap + (m->wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
}

static uint32_t pending_reg(const struct vfki_virtual_msi *m)
{
	return m->cap + (m->wide ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32);
}

static uint32_t log2_of(uint32_t n)
{
	return 31 - (uint32_t)__builtin_clz(n);
}

/* A bit a vector; 32 of them are all. */
static uint32_t vector_bits(uint32_t vectors)
{
	return UINT32_MAX >> (32 - vectors);
}

static void show(struct vfk_pci_virtual *v)
{
	const struct vfki_virtual_msi *m = &v->msi;
	uint32_t flags = log2_of(m->vectors) << 1 | (m->wide ? PCI_MSI_FLAGS_64BIT : 0) |
			 (m->maskable ? PCI_MSI_FLAGS_MASKBIT : 0);

	vfki_virtual_set(v, m->cap + PCI_MSI_FLAGS, 2, 0xffff, flags, FLAGS_SET);
	vfki_virtual_pass(v, m->cap + PCI_MSI_FLAGS, 2, FLAGS_SET);
	vfki_virtual_set(v, m->cap + PCI_MSI_ADDRESS_LO, 4, UINT32_MAX, 0, ~3u);
	if (m->wide)
		vfki_virtual_set(v, m->cap + PCI_MSI_ADDRESS_HI, 4, UINT32_MAX, 0, UINT32_MAX);
	vfki_virtual_set(v, data_reg(m), 2, 0xffff, 0, 0xffff);
	if (!m->maskable)
		return;
	vfki_virtual_set(v, data_reg(m) + 2, 2, 0xffff, 0, 0);
	vfki_virtual_set(v, mask_reg(m), 4, UINT32_MAX, 0, vector_bits(m->vectors));
	vfki_virtual_set(v, pending_reg(m), 4, UINT32_MAX, 0, 0);
}

/* Not more than the device has, and not more than can be had of it. */
static int count_vectors(struct vfk_pci_virtual *v, uint32_t flags, uint32_t *vectors)
{
	uint32_t said = (flags & PCI_MSI_FLAGS_QMASK) >> 1;
	struct vfk_irq_info info;
	int ret = vfki_pci_irq_info(v->pci, VFIO_PCI_MSI_IRQ_INDEX, &info);

	if (ret < 0)
		return ret;
	/* Values above 5 are reserved. */
	*vectors = said > 5 ? 32 : 1u << said;
	if (info.count < *vectors)
		*vectors = info.count ? 1u << log2_of(info.count) : 0;
	return 0;
}

int vfki_virtual_msi_init(struct vfk_pci_virtual *v)
{
	struct vfki_virtual_cap *c = vfki_virtual_cap(v, false, PCI_CAP_ID_MSI);
	struct vfki_virtual_msi *m = &v->msi;
	uint32_t flags;
	int ret;

	if (!c)
		return 0;
	ret = vfk_pci_config_read(v->pci, c->offset + PCI_MSI_FLAGS, 2, &flags);
	if (!ret)
		ret = count_vectors(v, flags, &m->vectors);
	if (ret < 0)
		return ret;
	if (!m->vectors) {
		vfki_virtual_cap_hide(v, c);
		return 0;
	}
	m->cap = c->offset;
	m->wide = flags & PCI_MSI_FLAGS_64BIT;
	m->maskable = flags & PCI_MSI_FLAGS_MASKBIT;
	show(v);
	return 0;
}

/* ---- following the guest ---- */

static uint64_t message_address(const struct vfk_pci_virtual *v)
{
	const struct vfki_virtual_msi *m = &v->msi;
	uint64_t high = m->wide ? vfki_virtual_get(v, m->cap + PCI_MSI_ADDRESS_HI, 4) : 0;

	return high << 32 | vfki_virtual_get(v, m->cap + PCI_MSI_ADDRESS_LO, 4);
}

static uint32_t mask_bits(const struct vfk_pci_virtual *v)
{
	return v->msi.maskable ? vfki_virtual_get(v, mask_reg(&v->msi), 4) : 0;
}

void vfki_virtual_msi_reset(struct vfk_pci_virtual *v)
{
	if (!vfki_virtual_cap_is_shown(v, v->msi.cap))
		return;
	show(v);
}

void vfki_virtual_msi_begin(struct vfk_pci_virtual *v)
{
	v->msi.masked = 0;
	v->msi.address = message_address(v);
	v->msi.data = vfki_virtual_get(v, data_reg(&v->msi), 2);
}

static int settle_masks(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	struct vfki_virtual_msi *m = &v->msi;
	uint32_t changed = (mask_bits(v) ^ m->masked) & vector_bits(v->irqs.vectors);
	int ret;

	for (uint32_t i = 0; i < v->irqs.vectors; i++) {
		if (!(changed >> i & 1))
			continue;
		ret = vfki_virtual_irq_mask(v, i, !(m->masked >> i & 1));
		if (ret < 0)
			return ret;
		m->masked ^= 1u << i;
		vfki_virtual_note_vectors(ev, VFIO_PCI_MSI_IRQ_INDEX, i, i + 1);
	}
	return 0;
}

int vfki_virtual_msi_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	struct vfki_virtual_msi *m = &v->msi;
	uint64_t address;
	uint32_t data;

	if (v->irqs.index != VFIO_PCI_MSI_IRQ_INDEX)
		return 0;
	address = message_address(v);
	data = vfki_virtual_get(v, data_reg(m), 2);
	if (address != m->address || data != m->data) {
		m->address = address;
		m->data = data;
		vfki_virtual_note_vectors(ev, VFIO_PCI_MSI_IRQ_INDEX, 0, v->irqs.vectors);
	}
	return settle_masks(v, ev);
}

void vfki_virtual_msi_vector(struct vfk_pci_virtual *v, uint32_t vector,
			     struct vfk_pci_virtual_vector *info)
{
	/* The device puts the vector's number into the message's low bits: PCI 3.0 section 6.8.1.6. */
	info->address = v->msi.address;
	info->data = (v->msi.data & ~(v->irqs.vectors - 1)) | vector;
	info->masked = v->msi.masked >> vector & 1;
}

void vfki_virtual_msi_refresh(struct vfk_pci_virtual *v, uint32_t off, unsigned int width)
{
	uint32_t pending = 0;

	if (!v->msi.cap || !v->msi.maskable || v->irqs.index != VFIO_PCI_MSI_IRQ_INDEX ||
	    !vfki_ranges_overlap(off, width, pending_reg(&v->msi), 4))
		return;
	for (uint32_t i = 0; i < v->irqs.vectors; i++) {
		if (v->msi.masked >> i & 1 && vfki_virtual_irq_pending(v, i))
			pending |= 1u << i;
	}
	vfki_virtual_set(v, pending_reg(&v->msi), 4, UINT32_MAX, pending, 0);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_msix.c - the MSI-X capability, table and pending bits as the guest has them (PCI 3.0 section 6.8.2).
 *
 * The table is memory: the device's own has the host's messages in it. A vector is armed in the device when the guest
 * unmasks it for the first time, so a guest that uses four of 2048 costs four.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <vfiokit/pci_irq.h>

#define ENTRY	  VFKI_MSIX_BYTES
#define FLAGS_SET (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)

enum state {
	ARMED = 1,
	MASKED = 2,
};

uint64_t vfki_virtual_table_size(const struct vfki_virtual_msix *x)
{
	return (uint64_t)x->vectors * ENTRY;
}

uint64_t vfki_virtual_pba_size(const struct vfki_virtual_msix *x)
{
	return (x->vectors + 63) / 64 * 8;
}

/* ---- what the device has ---- */

static int init_table(struct vfk_pci_virtual *v, const struct vfk_pci_msix_info *info)
{
	struct vfki_virtual_msix *x = &v->msix;

	x->table = calloc(info->usable, ENTRY);
	x->state = calloc(info->usable, 1);
	if (!x->table || !x->state)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(v->pci));
	x->cap = info->cap;
	x->vectors = info->usable;
	x->bar = info->table_bar;
	x->table_off = info->table_offset;
	x->pba_bar = info->pba_bar;
	x->pba_off = info->pba_offset;
	return 0;
}

int vfki_virtual_msix_init(struct vfk_pci_virtual *v)
{
	struct vfki_virtual_cap *c = vfki_virtual_cap(v, false, PCI_CAP_ID_MSIX);
	struct vfk_pci_msix_info info = { .usable = 0 };
	int ret;

	if (!c)
		return 0;
	ret = vfk_pci_msix_get_info(v->pci, &info);
	if (ret < 0 && ret != -EPROTO)
		return ret;
	/* A table that is in no BAR, or vectors that the device has none of: nothing that a guest could use. */
	if (ret < 0 || !info.usable || info.cap != c->offset) {
		vfki_virtual_cap_hide(v, c);
		return 0;
	}
	return init_table(v, &info);
}

void vfki_virtual_msix_fini(struct vfk_pci_virtual *v)
{
	free(v->msix.table);
	free(v->msix.state);
}

/* ---- entries ---- */

static uint32_t word(const struct vfki_virtual_msix *x, uint32_t vector, uint32_t off)
{
	uint32_t le;

	memcpy(&le, x->table + (size_t)vector * ENTRY + off, sizeof(le));
	return le32toh(le);
}

static bool is_masked(const struct vfki_virtual_msix *x, uint32_t vector)
{
	return x->all_masked ||
	       word(x, vector, PCI_MSIX_ENTRY_VECTOR_CTRL) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

/* As after a reset: PCI 3.0 section 6.8.2.9. */
static void clear_table(struct vfki_virtual_msix *x)
{
	memset(x->table, 0, (size_t)x->vectors * ENTRY);
	for (uint32_t i = 0; i < x->vectors; i++)
		x->table[(size_t)i * ENTRY + PCI_MSIX_ENTRY_VECTOR_CTRL] =
			PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

void vfki_virtual_msix_show(struct vfk_pci_virtual *v)
{
	struct vfki_virtual_msix *x = &v->msix;

	if (!x->cap)
		return;
	vfki_virtual_set(v, x->cap + PCI_MSIX_FLAGS, 2, 0xffff, x->vectors - 1, FLAGS_SET);
	vfki_virtual_pass(v, x->cap + PCI_MSIX_FLAGS, 2, FLAGS_SET);
	vfki_virtual_set(v, x->cap + PCI_MSIX_TABLE, 4, UINT32_MAX, (uint32_t)x->table_off | x->bar,
			 0);
	vfki_virtual_set(v, x->cap + PCI_MSIX_PBA, 4, UINT32_MAX, (uint32_t)x->pba_off | x->pba_bar,
			 0);
	clear_table(x);
}

void vfki_virtual_msix_reset(struct vfk_pci_virtual *v)
{
	if (vfki_virtual_cap_is_shown(v, v->msix.cap))
		vfki_virtual_msix_show(v);
}

/* ---- following the guest ---- */

void vfki_virtual_msix_begin(struct vfk_pci_virtual *v)
{
	memset(v->msix.state, 0, v->msix.vectors);
	v->msix.stale = true;
}

static int settle_vector(struct vfk_pci_virtual *v, uint32_t i, struct vfki_virtual_events *ev)
{
	struct vfki_virtual_msix *x = &v->msix;
	bool masked = is_masked(x, i);
	int ret;

	if (!(x->state[i] & ARMED)) {
		if (masked)
			return 0;
		ret = vfki_virtual_irq_arm(v, i);
	} else {
		if (masked == !!(x->state[i] & MASKED))
			return 0;
		ret = vfki_virtual_irq_mask(v, i, masked);
	}
	if (ret < 0)
		return ret;
	x->state[i] = ARMED | (masked ? MASKED : 0);
	vfki_virtual_note_vectors(ev, VFIO_PCI_MSIX_IRQ_INDEX, i, i + 1);
	return 0;
}

static int settle_range(struct vfk_pci_virtual *v, uint32_t first, uint32_t end,
			struct vfki_virtual_events *ev)
{
	int ret = 0;

	for (uint32_t i = first; i < end && !ret; i++)
		ret = settle_vector(v, i, ev);
	return ret;
}

int vfki_virtual_msix_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	struct vfki_virtual_msix *x = &v->msix;
	bool all_masked;
	int ret;

	if (v->irqs.index != VFIO_PCI_MSIX_IRQ_INDEX)
		return 0;
	all_masked = vfki_virtual_get(v, x->cap + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_MASKALL;
	if (!x->stale && all_masked == x->all_masked)
		return 0;
	x->all_masked = all_masked;
	/* Until all have been looked at: a failure leaves the rest for the next time. */
	x->stale = true;
	ret = settle_range(v, 0, x->vectors, ev);
	x->stale = ret < 0;
	return ret;
}

void vfki_virtual_msix_vector(struct vfk_pci_virtual *v, uint32_t vector,
			      struct vfk_pci_virtual_vector *info)
{
	const struct vfki_virtual_msix *x = &v->msix;

	info->address = (uint64_t)word(x, vector, PCI_MSIX_ENTRY_UPPER_ADDR) << 32 |
			word(x, vector, PCI_MSIX_ENTRY_LOWER_ADDR);
	info->data = word(x, vector, PCI_MSIX_ENTRY_DATA);
	info->masked = is_masked(x, vector);
}

/* ---- the guest's accesses ---- */

int vfki_virtual_table_read(struct vfk_pci_virtual *v, uint64_t off, uint8_t *buf, size_t len)
{
	pthread_mutex_lock(&v->lock);
	memcpy(buf, v->msix.table + off, len);
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* The bits of an entry that are reserved stay 0. */
static void store(struct vfki_virtual_msix *x, uint64_t off, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint32_t at = (uint32_t)(off + i) % ENTRY;
		uint8_t bits = 0xff;

		if (at == PCI_MSIX_ENTRY_LOWER_ADDR)
			bits = 0xfc;
		else if (at == PCI_MSIX_ENTRY_VECTOR_CTRL)
			bits = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		else if (at > PCI_MSIX_ENTRY_VECTOR_CTRL)
			bits = 0;
		x->table[off + i] = buf[i] & bits;
	}
}

/* Entries of which more than the mask is written have another message, perhaps. */
static void note_messages(uint64_t off, size_t len, struct vfki_virtual_events *ev)
{
	uint32_t first = (uint32_t)(off / ENTRY), last = (uint32_t)((off + len - 1) / ENTRY);

	if (first == last && off % ENTRY >= PCI_MSIX_ENTRY_VECTOR_CTRL)
		return;
	vfki_virtual_note_vectors(ev, VFIO_PCI_MSIX_IRQ_INDEX, first, last + 1);
}

static int write_entries(struct vfk_pci_virtual *v, uint64_t off, const uint8_t *buf, size_t len,
			 struct vfki_virtual_events *ev)
{
	struct vfki_virtual_msix *x = &v->msix;
	uint32_t first = (uint32_t)(off / ENTRY), end = (uint32_t)((off + len - 1) / ENTRY) + 1;
	uint8_t old[ENTRY];
	int ret;

	memcpy(old, x->table + off, len);
	store(x, off, buf, len);
	if (v->irqs.index != VFIO_PCI_MSIX_IRQ_INDEX)
		return 0;
	ret = settle_range(v, first, end, ev);
	if (ret < 0)
		memcpy(x->table + off, old, len);
	else
		note_messages(off, len, ev);
	return ret;
}

/* A piece is an entry's at most, so that what failed can be put back without memory to be had. */
int vfki_virtual_table_write(struct vfk_pci_virtual *v, uint64_t off, const uint8_t *buf,
			     size_t len)
{
	struct vfki_virtual_events ev = { .end = 0 };
	int ret = 0;
	size_t n;

	pthread_mutex_lock(&v->lock);
	for (size_t at = 0; at < len && !ret; at += n) {
		n = (size_t)vfki_min_u64(ENTRY - (off + at) % ENTRY, len - at);
		ret = write_entries(v, off + at, buf + at, n, &ev);
	}
	vfki_virtual_unlock(v, &ev);
	return ret;
}

static uint8_t pending_byte(struct vfk_pci_virtual *v, uint32_t first)
{
	const struct vfki_virtual_msix *x = &v->msix;
	uint8_t bits = 0;

	for (uint32_t i = first; i < first + 8 && i < x->vectors; i++) {
		if (x->state[i] & MASKED && vfki_virtual_irq_pending(v, i))
			bits |= (uint8_t)(1u << (i - first));
	}
	return bits;
}

int vfki_virtual_pba_read(struct vfk_pci_virtual *v, uint64_t off, uint8_t *buf, size_t len)
{
	pthread_mutex_lock(&v->lock);
	for (size_t i = 0; i < len; i++)
		buf[i] = v->irqs.index == VFIO_PCI_MSIX_IRQ_INDEX ?
				 pending_byte(v, (uint32_t)(off + i) * 8) :
				 0;
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msix.c - the MSI-X table and its pending bits, which users reach through a BAR (PCI 3.0, section 6.8.2).
 *
 * Address and data of a message are stored and read back; who receives is decided by eventfds. The mask bit counts.
 *
 * Threads: accesses under the model's lock, state under irqs->lock.
 */
#include "instance.h"
#include <string.h>

static uint8_t *control_of(const struct vfki_messages *msg, uint32_t vector)
{
	return &msg->table[vector * VFKI_MSIX_ENTRY + VFKI_MSIX_CONTROL];
}

bool vfki_msix_masked(const struct vfki_messages *msg, uint32_t vector)
{
	return *control_of(msg, vector) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

void vfki_msix_mask(struct vfki_messages *msg, uint32_t vector, bool masked)
{
	*control_of(msg, vector) = masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0;
}

/* Bits of the byte at @off of an entry that can be written: all of address and data, but the lowest two. */
static uint8_t writable(uint32_t off)
{
	if (off == 0)
		return 0xfc;
	if (off < VFKI_MSIX_CONTROL)
		return 0xff;
	return off == VFKI_MSIX_CONTROL ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0;
}

void vfki_msix_table_read(struct vfk_model *m, uint64_t off, void *buf, size_t len)
{
	vfki_lock_take(&m->irqs.lock);
	memcpy(buf, m->irqs.msix.table + off, len);
	vfki_lock_drop(&m->irqs.lock);
}

void vfki_msix_table_write(struct vfk_model *m, uint64_t off, const void *buf, size_t len)
{
	struct vfki_messages *msg = &m->irqs.msix;
	const uint8_t *p = buf;

	vfki_lock_take(&m->irqs.lock);
	for (size_t i = 0; i < len; i++) {
		uint8_t bits = writable((off + i) % VFKI_MSIX_ENTRY);
		uint8_t *byte = &msg->table[off + i];

		*byte = (uint8_t)((*byte & ~bits) | (p[i] & bits));
	}
	vfki_messages_deliver(m, msg);
	vfki_lock_drop(&m->irqs.lock);
}

void vfki_msix_pba_read(struct vfk_model *m, uint64_t off, void *buf, size_t len)
{
	uint8_t *p = buf;

	vfki_lock_take(&m->irqs.lock);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)vfki_messages_pending(&m->irqs.msix, (uint32_t)(off + i) * 8, 8);
	vfki_lock_drop(&m->irqs.lock);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma.c - access to memory by IOVA, for a model; see dma.h. The sink that fills the table is sink.c.
 *
 * Threads: any, without a lock.
 */
#include "dma.h"
#include "dirty.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>

/* ref->priv is the slot that has the entry, or the entry itself, and in its lowest bits: */
#define REF_WRITES  1u /* the device writes */
#define REF_COUNTED 2u /* there was no slot: it is the entry */
#define REF_BITS    (REF_WRITES | REF_COUNTED)

static int no_bus_master(const struct vfk_model *m)
{
	return vfki_err(-EPERM, "%s: DMA: bus mastering is off", m->io.name);
}

/* A page of it was replaced when its owner shrank the file: what we copied is not what the peer has. */
static bool was_hit(const struct vfki_mappings *t, uint64_t iova, size_t len)
{
	uint64_t last = iova + (len - 1);
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m = vfki_mappings_begin(t, iova, &walk);

	for (; m && m->first <= last; m = vfki_mappings_next(&walk)) {
		if (vfki_guarded_hit(&((const struct vfki_dma_entry *)m)->mem))
			return true;
	}
	return false;
}

static int copy(struct vfk_model *m, uint64_t iova, void *buf, size_t len, uint32_t prot)
{
	unsigned int inside = vfki_grace_enter(&m->dma.grace);
	const struct vfki_mappings *t = &atomic_load(&m->dma.table)->t;
	int ret = vfki_mappings_access(t, iova, buf, len, prot);

	/* Also if it failed: that may have been half-way, and one page too many does no harm. */
	if (prot & VFK_DMA_WRITE)
		vfki_dirty_mark(t, iova, len);
	if (!ret && len && m->dma.guard && was_hit(t, iova, len))
		ret = vfki_err(-EIO, "%s: DMA at 0x%" PRIx64 ": the memory's file was shrunk",
			       m->io.name, iova);
	vfki_grace_leave(&m->dma.grace, inside);
	return ret;
}

int vfk_model_dma_read(struct vfk_model *m, uint64_t iova, void *buf, size_t len)
{
	if (!atomic_load(&m->dma.bus_master))
		return no_bus_master(m);
	return copy(m, iova, buf, len, VFK_DMA_READ);
}

int vfk_model_dma_write(struct vfk_model *m, uint64_t iova, const void *buf, size_t len)
{
	if (!atomic_load(&m->dma.bus_master))
		return no_bus_master(m);
	return copy(m, iova, (void *)(uintptr_t)buf, len, VFK_DMA_WRITE); /* only read from */
}

/*
 * Where the mapping is that contains @iova, or 0. Transfers come in runs, so the one that was hit last is looked at first;
 * the table remembers it, so that it is not remembered longer than it can be found.
 */
static vfki_spot_t find(struct vfki_dma_table *table, uint64_t iova)
{
	/* relaxed: what a spot leads to was there before the table was */
	vfki_spot_t spot = atomic_load_explicit(&table->last, memory_order_relaxed);

	if (spot && vfki_spot_holds(spot, iova))
		return spot;
	spot = vfki_mappings_spot(&table->t, iova);
	if (!spot || !vfki_spot_holds(spot, iova))
		return 0;
	atomic_store_explicit(&table->last, spot, memory_order_relaxed);
	return spot;
}

static struct vfki_dma_entry *entry_at(vfki_spot_t spot)
{
	return (struct vfki_dma_entry *)vfki_brief_mapping(vfki_spot_brief(spot));
}

/* A slot of the guard is asked only when one of them was hit ever: it is with the mapping, out of the cache. */
static bool was_shrunk(const struct vfk_model *m, vfki_spot_t spot)
{
	return m->dma.guard && vfki_guard_hits(m->dma.guard) &&
	       vfki_guarded_hit(&entry_at(spot)->mem);
}

/* Fills @ref but for its priv, and finds the entry; inside the grace period. */
static int take(struct vfk_model *m, uint64_t iova, size_t len, uint32_t prot,
		struct vfk_dma_ref *ref, struct vfki_dma_entry **entry)
{
	vfki_spot_t spot = find(atomic_load(&m->dma.table), iova);
	const struct vfki_mapping_brief *b;

	if (!spot || !len || len - 1 > vfki_spot_last(spot) - iova ||
	    prot & ~vfki_brief_prot(vfki_spot_brief(spot)))
		return vfki_err(-EFAULT,
				"%s: DMA: 0x%" PRIx64 " + 0x%zx is not mapped by one mapping, or "
				"not so for the device",
				m->io.name, iova, len);
	b = vfki_spot_brief(spot);
	if (!b->vaddr)
		return vfki_err(-ENOTSUP,
				"%s: DMA: the memory at 0x%" PRIx64 " has no address here",
				m->io.name, iova);
	if (was_shrunk(m, spot))
		return vfki_err(-EFAULT, "%s: DMA at 0x%" PRIx64 ": the memory's file was shrunk",
				m->io.name, iova);
	ref->ptr = b->vaddr + (iova - b->first);
	ref->len = len;
	ref->iova = iova;
	*entry = entry_at(spot);
	return 0;
}

static void *priv_of(void *where, unsigned int bits, uint32_t prot)
{
	return (char *)where + bits + (prot & VFK_DMA_WRITE ? REF_WRITES : 0);
}

/* When so many references are held that there is no slot. */
static int get_counted(struct vfk_model *m, uint64_t iova, size_t len, uint32_t prot,
		       struct vfk_dma_ref *ref)
{
	unsigned int inside = vfki_grace_enter(&m->dma.grace);
	struct vfki_dma_entry *e = NULL;
	int ret = take(m, iova, len, prot, ref, &e);

	if (!ret) {
		atomic_fetch_add(&e->refs, 1);
		ref->priv = priv_of(e, REF_COUNTED, prot);
	}
	vfki_grace_leave(&m->dma.grace, inside);
	return ret;
}

int vfk_model_dma_get(struct vfk_model *m, uint64_t iova, size_t len, uint32_t prot,
		      struct vfk_dma_ref *ref)
{
	struct vfki_dma_entry *e = NULL;
	vfki_grace_slot_t *slot;
	int ret;

	if (!atomic_load(&m->dma.bus_master))
		return no_bus_master(m);
	slot = vfki_grace_enter_slot(&m->dma.grace, ref);
	if (!slot)
		return get_counted(m, iova, len, prot, ref);
	ret = take(m, iova, len, prot, ref, &e);
	if (ret < 0) {
		vfki_grace_drop(slot);
		return ret;
	}
	vfki_grace_hold(slot, e);
	ref->priv = priv_of(slot, 0, prot);
	return 0;
}

/* The reference keeps the entry, but not the record: recording may end meanwhile. */
static void mark(struct vfk_model *m, struct vfki_dma_entry *e, const struct vfk_dma_ref *ref)
{
	unsigned int inside = vfki_grace_enter(&m->dma.grace);

	/* Asked inside: the count orders the model's writes before the question, as whoever starts to record needs. */
	if (atomic_load(&m->dma.dirty_page))
		vfki_dirty_mark_entry(e, ref->iova, ref->len);
	vfki_grace_leave(&m->dma.grace, inside);
}

void vfk_model_dma_put(struct vfk_model *m, struct vfk_dma_ref *ref)
{
	unsigned int bits = (uintptr_t)ref->priv & REF_BITS;
	struct vfki_dma_entry *e;
	void *where;

	if (!ref->priv)
		return;
	where = (char *)ref->priv - bits;
	e = bits & REF_COUNTED ? where : vfki_grace_held(where);
	if (bits & REF_WRITES)
		mark(m, e, ref);
	*ref = (struct vfk_dma_ref){ 0 };
	if (bits & REF_COUNTED)
		atomic_fetch_sub(&e->refs, 1);
	else
		vfki_grace_drop(where);
}

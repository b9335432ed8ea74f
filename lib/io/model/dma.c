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

/* ref->priv is the entry; its lowest bit says that the device writes. */
#define REF_WRITES 1u

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
 * The entry that contains @iova, or NULL. Transfers come in runs, so the one that was hit last is looked at first; the table
 * remembers it, so that it is not remembered longer than it can be found.
 */
static struct vfki_dma_entry *find(struct vfki_dma_table *table, uint64_t iova)
{
	struct vfki_dma_entry *e = atomic_load_explicit(&table->last, memory_order_relaxed);

	if (e && iova - e->m.first <= e->m.last - e->m.first)
		return e;
	e = (struct vfki_dma_entry *)vfki_mappings_find(&table->t, iova);
	if (e)
		atomic_store_explicit(&table->last, e, memory_order_relaxed);
	return e;
}

/* Counts a reference on the entry that holds the range. */
static int take(struct vfk_model *m, uint64_t iova, size_t len, uint32_t prot,
		struct vfki_dma_entry **entry)
{
	struct vfki_dma_entry *e = find(atomic_load(&m->dma.table), iova);

	if (!e || !len || len - 1 > e->m.last - iova || prot & ~e->m.prot)
		return vfki_err(-EFAULT,
				"%s: DMA: 0x%" PRIx64 " + 0x%zx is not mapped by one mapping, or "
				"not so for the device",
				m->io.name, iova, len);
	if (!e->m.vaddr)
		return vfki_err(-ENOTSUP,
				"%s: DMA: the memory at 0x%" PRIx64 " has no address here",
				m->io.name, iova);
	if (vfki_guarded_hit(&e->mem))
		return vfki_err(-EFAULT, "%s: DMA at 0x%" PRIx64 ": the memory's file was shrunk",
				m->io.name, iova);
	atomic_fetch_add(&e->refs, 1);
	*entry = e;
	return 0;
}

int vfk_model_dma_get(struct vfk_model *m, uint64_t iova, size_t len, uint32_t prot,
		      struct vfk_dma_ref *ref)
{
	struct vfki_dma_entry *e = NULL;
	unsigned int inside;
	int ret;

	if (!atomic_load(&m->dma.bus_master))
		return no_bus_master(m);
	inside = vfki_grace_enter(&m->dma.grace);
	ret = take(m, iova, len, prot, &e);
	vfki_grace_leave(&m->dma.grace, inside);
	if (ret < 0)
		return ret;
	ref->ptr = (char *)e->m.vaddr + (iova - e->m.first);
	ref->len = len;
	ref->iova = iova;
	ref->priv = (char *)e + (prot & VFK_DMA_WRITE ? REF_WRITES : 0);
	return 0;
}

void vfk_model_dma_put(struct vfk_model *m, struct vfk_dma_ref *ref)
{
	bool writes = (uintptr_t)ref->priv & REF_WRITES;
	struct vfki_dma_entry *e;
	unsigned int inside;

	if (!ref->priv)
		return;
	e = (struct vfki_dma_entry *)((char *)ref->priv - (writes ? REF_WRITES : 0));
	if (writes) {
		/* The reference keeps the entry, but not the record: recording may end meanwhile. */
		inside = vfki_grace_enter(&m->dma.grace);
		vfki_dirty_mark_entry(
			e, e->m.first + (uint64_t)((char *)ref->ptr - (char *)e->m.vaddr),
			ref->len);
		vfki_grace_leave(&m->dma.grace, inside);
	}
	*ref = (struct vfk_dma_ref){ 0 };
	atomic_fetch_sub(&e->refs, 1);
}

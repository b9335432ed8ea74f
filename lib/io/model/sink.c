/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sink.c - the DMA sink of a model: mapping, unmapping, limits.
 *
 * An unmap replaces the table by one without the entry, waits until nobody can find the old one, then until the
 * references on the entry are put. If that takes too long, the old table is put back as it was.
 *
 * Threads: one op at a time; the model's lock is taken only to tell the model.
 */
#include "dirty.h"
#include "instance.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ull

/* The default of the vfio-user protocol for max_dma_maps; it bounds what a hostile client can make us keep. */
#define MAX_MAPS 65535

/* ---- tables ---- */

static void free_table(struct vfki_garbage *garbage)
{
	struct vfki_dma_table *table = (struct vfki_dma_table *)garbage;

	vfki_mappings_free_nodes(table->nodes);
	free(table);
}

static struct vfki_dma_table *new_table(const struct vfk_model *m)
{
	struct vfki_dma_table *table = calloc(1, sizeof(*table));

	if (!table)
		vfki_err(-ENOMEM, "%s: no memory", m->io.name);
	else
		table->garbage.free = free_table;
	return table;
}

int vfki_dma_init(struct vfk_model *m)
{
	struct vfki_dma_table *table = new_table(m);

	if (!table)
		return -ENOMEM;
	if (vfki_grace_init(&m->dma.grace) < 0) {
		free_table(&table->garbage);
		return vfki_err(-ENOMEM, "%s: no memory", m->io.name);
	}
	atomic_init(&m->dma.table, table);
	return 0;
}

/* ---- entries ---- */

static void free_entry(struct vfk_model *m, struct vfki_dma_entry *e)
{
	vfki_guarded_unmap(m->dma.guard, &e->mem);
	vfki_mapping_fini(&e->m);
	free(e);
}

/* Gives a file that came without an address one. A file that cannot be mapped is reached by pread and pwrite. */
static int map_file(struct vfk_model *m, struct vfki_dma_entry *e)
{
	int prot = PROT_READ | (e->m.prot & VFK_DMA_WRITE ? PROT_WRITE : 0);
	int ret;

	if (e->m.fd < 0 || e->m.vaddr)
		return 0;
	ret = vfki_guarded_map(m->dma.guard, e->m.fd, e->m.fd_offset, vfki_mapping_length(&e->m),
			       prot, &e->mem);
	if (ret == -ENODEV)
		return 0;
	if (ret == -ENODATA)
		return -EINVAL;
	if (ret < 0)
		return vfki_err_sys(ret, "%s: DMA map at 0x%" PRIx64, m->io.name, e->m.first);
	e->m.vaddr = e->mem.addr;
	vfki_fd_close(e->m.fd);
	e->m.fd = -1;
	return 0;
}

static int make_entry(struct vfk_model *m, const struct vfk_dma_mapping *src,
		      struct vfki_dma_entry **out)
{
	struct vfki_dma_entry *e = calloc(1, sizeof(*e));
	struct vfk_dma_mapping mapping = *src;
	int ret = 0;

	if (!e)
		return vfki_err(-ENOMEM, "%s: no memory", m->io.name);
	/* What has an address here needs no file. */
	if (mapping.vaddr)
		mapping.fd = -1;
	ret = vfki_mapping_init(&e->m, &mapping);
	if (ret < 0)
		goto free_memory;
	ret = map_file(m, e);
	if (ret < 0)
		goto close_file;
	atomic_init(&e->dirty, vfki_dirty_create(&m->dma, e, &ret));
	if (ret < 0)
		goto unmap_file;
	*out = e;
	return 0;
unmap_file:
	vfki_guarded_unmap(m->dma.guard, &e->mem);
close_file:
	vfki_mapping_fini(&e->m);
free_memory:
	free(e);
	return ret;
}

/* ---- the vector ---- */

static void tell_map(struct vfk_model *m, const struct vfki_dma_entry *e)
{
	if (m->ops.dma_map)
		m->ops.dma_map(m, m->self, e->m.first, vfki_mapping_length(&e->m), e->m.prot);
}

static void tell_unmap(struct vfk_model *m, const struct vfki_dma_entry *e)
{
	if (m->ops.dma_unmap)
		m->ops.dma_unmap(m, m->self, e->m.first, vfki_mapping_length(&e->m));
}

static int sink_map(struct vfk_io *io, const struct vfk_dma_mapping *src, struct vfk_dma_addr *addr)
{
	struct vfk_model *m = (struct vfk_model *)io;
	struct vfki_dma_table *old = atomic_load(&m->dma.table), *table;
	struct vfki_mappings_change change;
	struct vfki_dma_entry *e = NULL;
	int ret;

	if (old->t.count >= MAX_MAPS)
		return vfki_err(-ENOSPC, "%s: DMA map: %d mappings are the limit", io->name,
				MAX_MAPS);
	table = new_table(m);
	if (!table)
		return -ENOMEM;
	ret = make_entry(m, src, &e);
	if (ret < 0)
		goto free_table;
	ret = vfki_mappings_with(&old->t, &e->m, &table->t, &change);
	if (ret < 0)
		goto free_entry;
	old->nodes = change.before;
	vfki_lock_take(&m->lock);
	atomic_store(&m->dma.table, table);
	tell_map(m, e);
	vfki_model_leave(m);
	vfki_grace_retire(&m->dma.grace, &old->garbage);
	addr->addr = src->iova;
	addr->contiguous = src->length;
	return 0;
free_entry:
	vfki_dirty_free(&m->dma, atomic_load(&e->dirty));
	free_entry(m, e);
free_table:
	free_table(&table->garbage);
	return ret;
}

static bool is_held(struct vfk_model *m, struct vfki_dma_entry *e)
{
	return atomic_load(&e->refs) || vfki_grace_holds(&m->dma.grace, e);
}

static bool wait_users(struct vfk_model *m, struct vfki_dma_entry *e, uint32_t timeout_ms)
{
	uint64_t deadline = vfki_deadline_ns(timeout_ms);

	if (!vfki_grace_wait(&m->dma.grace, deadline))
		return false;
	for (unsigned int round = 0; is_held(m, e); round++) {
		if (!vfki_pause(round, deadline))
			return false;
	}
	return true;
}

/* The old table again; what only the new one had goes with it. */
static void put_back(struct vfk_model *m, struct vfki_dma_table *old,
		     struct vfki_mapping_node *nodes, struct vfki_dma_entry *e)
{
	struct vfki_dma_table *table;

	vfki_lock_take(&m->lock);
	table = atomic_exchange(&m->dma.table, old);
	tell_map(m, e);
	vfki_model_leave(m);
	table->nodes = nodes;
	vfki_grace_retire(&m->dma.grace, &table->garbage);
}

static int sink_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	struct vfk_model *m = (struct vfk_model *)io;
	struct vfki_dma_table *old = atomic_load(&m->dma.table), *table;
	struct vfki_dma_entry *e =
		(struct vfki_dma_entry *)vfki_mappings_exact(&old->t, iova, length);
	struct vfki_mappings_change change;
	int ret;

	if (!e)
		return vfki_err(-ENOENT, "%s: DMA unmap: no mapping is 0x%" PRIx64 " + 0x%" PRIx64,
				io->name, iova, length);
	table = new_table(m);
	if (!table)
		return -ENOMEM;
	ret = vfki_mappings_without(&old->t, &e->m, &table->t, &change);
	if (ret < 0) {
		free_table(&table->garbage);
		return ret;
	}
	/* At once, so that a model which is told cannot be asked to take the range again in between. */
	vfki_lock_take(&m->lock);
	tell_unmap(m, e);
	atomic_store(&m->dma.table, table);
	vfki_model_leave(m);
	if (!wait_users(m, e, timeout_ms)) {
		put_back(m, old, change.after, e);
		return vfki_err(-EBUSY,
				"%s: DMA unmap: the model still uses 0x%" PRIx64 " + 0x%" PRIx64
				" after %u ms",
				io->name, iova, length, timeout_ms);
	}
	old->nodes = change.before;
	free_table(&old->garbage);
	vfki_dirty_unmapped(&m->dma, e);
	free_entry(m, e);
	return 0;
}

static int sink_limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	if (limits->size < sizeof(*limits))
		return vfki_err(-EINVAL, "%s: DMA limits: size %zu, need %zu", io->name,
				limits->size, sizeof(*limits));
	*limits = (struct vfk_dma_limits){
		.size = sizeof(*limits),
		.pgsizes = PAGE,
		.max_maps = MAX_MAPS,
		.num_ranges = 1,
		.ranges = { { 0, UINT64_MAX } },
	};
	return 0;
}

const struct vfk_dma_ops vfki_model_dma_ops = {
	.size = sizeof(struct vfk_dma_ops),
	.map = sink_map,
	.unmap = sink_unmap,
	.limits = sink_limits,
	.dirty_start = vfki_dirty_start,
	.dirty_stop = vfki_dirty_stop,
	.dirty_report = vfki_dirty_report,
};

/* ---- the end ---- */

void vfki_dma_unmap_all(struct vfk_model *m)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *one =
		vfki_mappings_begin(&atomic_load(&m->dma.table)->t, 0, &walk);

	for (; one; one = vfki_mappings_next(&walk))
		tell_unmap(m, (const struct vfki_dma_entry *)one);
	atomic_store(&m->dma.bus_master, false);
}

void vfki_dma_fini(struct vfk_model *m)
{
	struct vfki_dma_table *table = atomic_load(&m->dma.table);
	struct vfki_mappings_walk walk;
	struct vfki_mapping *one;

	if (!table)
		return;
	vfki_grace_fini(&m->dma.grace);
	one = vfki_mappings_begin(&table->t, 0, &walk);
	for (; one; one = vfki_mappings_next(&walk)) {
		struct vfki_dma_entry *e = (struct vfki_dma_entry *)one;

		vfki_dirty_free(&m->dma, atomic_load(&e->dirty));
		free_entry(m, e);
	}
	vfki_dirty_forget(&m->dma);
	vfki_mappings_fini(&table->t);
	free_table(&table->garbage);
	atomic_store(&m->dma.table, NULL);
}

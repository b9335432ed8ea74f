/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu_dirty.c - which pages kernel devices wrote; see iommu_kind.h.
 *
 * The kernel answers for whole mappings, and forgets what it told. So all bits of a mapping are fetched and kept here
 * until they are asked for; those of a mapping that goes are kept beyond it.
 *
 * Threads: the ops from any; under the iommu's lock.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/io/kernel/iommu_kind.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Mappings that are gone and whose bits are kept. Beyond that, all counts as written. */
#define MAX_GONE 4096

static size_t words_between(uint64_t granule, uint64_t first, uint64_t last)
{
	return (size_t)((last - first) / granule / 64 + 1);
}

size_t vfki_iommu_dirty_words(const struct vfki_iommu *i, const struct vfki_iommu_entry *e)
{
	return words_between(i->dirty_granule, e->m.first, e->m.last);
}

int vfki_iommu_dirty_mapped(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e)
{
	if (!i->dirty_users)
		return 0;
	e->dirty = calloc(vfki_iommu_dirty_words(i, e), sizeof(*e->dirty));
	return e->dirty ? 0 : vfki_err(-ENOMEM, "%s: no memory for written pages", name);
}

/* No bit beyond the end: it would never be asked for. */
void vfki_iommu_dirty_all(const struct vfki_iommu *i, struct vfki_iommu_entry *e)
{
	uint64_t last = (e->m.last - e->m.first) / i->dirty_granule;

	memset(e->dirty, 0xff, vfki_iommu_dirty_words(i, e) * sizeof(*e->dirty));
	e->dirty[last / 64] = UINT64_MAX >> (63 - last % 64);
}

static bool is_clean(const uint64_t *bits, size_t words)
{
	for (size_t n = 0; n < words; n++) {
		if (bits[n])
			return false;
	}
	return true;
}

void vfki_iommu_dirty_unmapped(struct vfki_iommu *i, struct vfki_iommu_entry *e)
{
	size_t words = e->dirty ? vfki_iommu_dirty_words(i, e) : 0, size;
	struct vfki_iommu_gone *gone = NULL;

	if (!words || is_clean(e->dirty, words))
		return;
	if (i->num_gone < MAX_GONE && vfki_tail_size(sizeof(*gone), words, sizeof(uint64_t), &size))
		gone = malloc(size);
	if (!gone) {
		i->dirty_lost = true;
		return;
	}
	gone->first = e->m.first;
	gone->last = e->m.last;
	memcpy(gone->dirty, e->dirty, words * sizeof(uint64_t));
	gone->next = i->gone;
	i->gone = gone;
	i->num_gone++;
}

static void forget(struct vfki_iommu *i)
{
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m;

	while (i->gone) {
		struct vfki_iommu_gone *next = i->gone->next;

		free(i->gone);
		i->gone = next;
	}
	i->num_gone = 0;
	i->dirty_lost = false;
	for (m = vfki_mappings_begin(&i->maps, 0, &walk); m; m = vfki_mappings_next(&walk)) {
		struct vfki_iommu_entry *e = (struct vfki_iommu_entry *)m;

		free(e->dirty);
		e->dirty = NULL;
	}
}

void vfki_iommu_dirty_leave(struct vfki_iommu *i, uint64_t device)
{
	if (!(i->dirty_users & device))
		return;
	i->dirty_users &= ~device;
	if (i->dirty_users)
		return;
	i->kind->dirty_stop(i);
	forget(i);
}

/* ---- the sink ---- */

static int start_locked(struct vfki_iommu *i, const struct vfki_kernel_dma *dma, uint64_t page_size)
{
	bool first = !i->dirty_users;
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m;
	int ret;

	if (!i->kind->dirty_start)
		return vfki_err(-ENOTSUP,
				"%s: without an IOMMU nobody knows which pages the device writes",
				dma->name);
	ret = i->kind->dirty_start(i, dma);
	if (ret < 0)
		return ret;
	i->dirty_users |= dma->bit;
	if (page_size < i->dirty_granule)
		ret = vfki_err(-ENOTSUP,
			       "%s: written pages of 0x%" PRIx64
			       " bytes: the IOMMU tells 0x%" PRIx64 " at least",
			       dma->name, page_size, i->dirty_granule);
	m = first ? vfki_mappings_begin(&i->maps, 0, &walk) : NULL;
	for (; m && !ret; m = vfki_mappings_next(&walk))
		ret = vfki_iommu_dirty_mapped(i, dma->name, (struct vfki_iommu_entry *)m);
	if (ret < 0)
		vfki_iommu_dirty_leave(i, dma->bit);
	return ret;
}

int vfki_iommu_dirty_start(struct vfk_io *io, uint64_t page_size)
{
	const struct vfki_kernel_dma *dma = vfki_kernel_dma_of(io);
	int ret;

	pthread_mutex_lock(&dma->iommu->lock);
	if (dma->iommu->dirty_users & dma->bit)
		ret = vfki_err(-EALREADY, "%s: written pages are recorded already", dma->name);
	else
		ret = start_locked(dma->iommu, dma, page_size);
	pthread_mutex_unlock(&dma->iommu->lock);
	return ret;
}

int vfki_iommu_dirty_stop(struct vfk_io *io)
{
	const struct vfki_kernel_dma *dma = vfki_kernel_dma_of(io);

	pthread_mutex_lock(&dma->iommu->lock);
	vfki_iommu_dirty_leave(dma->iommu, dma->bit);
	pthread_mutex_unlock(&dma->iommu->lock);
	return 0;
}

void vfki_iommu_dirty_move(uint64_t *bits, uint64_t base, uint64_t base_last, uint64_t granule,
			   uint64_t first, uint64_t last, uint64_t page, uint64_t *bitmap)
{
	uint64_t from, to;

	if (first > base_last || last < base)
		return;
	from = first > base ? (first - base) / granule : 0;
	to = (vfki_min_u64(last, base_last) - base) / granule;
	for (uint64_t word = from / 64; word <= to / 64; word++) {
		uint64_t mask = UINT64_MAX, found;

		if (word == from / 64)
			mask &= UINT64_MAX << from % 64;
		if (word == to / 64)
			mask &= UINT64_MAX >> (63 - to % 64);
		found = bits[word] & mask;
		bits[word] &= ~mask;
		for (; found; found &= found - 1) {
			uint64_t bit = word * 64 + (uint64_t)__builtin_ctzll(found);
			uint64_t n = (base + bit * granule - first) / page;

			bitmap[n / 64] |= 1ull << n % 64;
		}
	}
}

static void move_gone(struct vfki_iommu *i, uint64_t first, uint64_t last, uint64_t page,
		      uint64_t *bitmap)
{
	struct vfki_iommu_gone **at = &i->gone;

	while (*at) {
		struct vfki_iommu_gone *g = *at;

		vfki_iommu_dirty_move(g->dirty, g->first, g->last, i->dirty_granule, first, last,
				      page, bitmap);
		if (!is_clean(g->dirty, words_between(i->dirty_granule, g->first, g->last))) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		free(g);
		i->num_gone--;
	}
}

static int report_locked(struct vfki_iommu *i, const char *name, uint64_t first, uint64_t last,
			 uint64_t page, uint64_t *bitmap)
{
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m;

	for (uint64_t n = 0; i->dirty_lost && n <= (last - first) / page; n++)
		bitmap[n / 64] |= 1ull << n % 64;
	for (m = vfki_mappings_begin(&i->maps, first, &walk); m && m->first <= last;
	     m = vfki_mappings_next(&walk)) {
		struct vfki_iommu_entry *e = (struct vfki_iommu_entry *)m;
		int ret = i->kind->dirty_fetch(i, name, e);

		if (ret < 0)
			return ret;
		vfki_iommu_dirty_move(e->dirty, e->m.first, e->m.last, i->dirty_granule, first,
				      last, page, bitmap);
	}
	move_gone(i, first, last, page, bitmap);
	return 0;
}

int vfki_iommu_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			    uint64_t *bitmap)
{
	const struct vfki_kernel_dma *dma = vfki_kernel_dma_of(io);
	uint64_t last;
	int ret;

	if (!vfki_range_last(iova, length, &last))
		return vfki_err(-EINVAL, "%s: written pages: range 0x%" PRIx64 " + 0x%" PRIx64,
				dma->name, iova, length);
	pthread_mutex_lock(&dma->iommu->lock);
	if (!(dma->iommu->dirty_users & dma->bit) || page_size < dma->iommu->dirty_granule)
		ret = vfki_err(-EINVAL, "%s: written pages of 0x%" PRIx64 " are not recorded",
			       dma->name, page_size);
	else
		ret = report_locked(dma->iommu, dma->name, iova, last, page_size, bitmap);
	pthread_mutex_unlock(&dma->iommu->lock);
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.c - which pages a model wrote; see dirty.h.
 *
 * A page is marked after it was written, not before: whoever reports in between learns of it in the next report, and
 * never too early.
 *
 * Threads: marking from any; the rest one at a time.
 */
#include "dirty.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>

/* Records that are kept of mappings that are gone. Beyond that, all counts as dirty: a bound for a hostile client. */
#define MAX_UNMAPPED 4096

/*
 * 16 TiB of 4096-byte pages, of all mappings together. A client maps what it likes, without having it; the record we do
 * have, at least where it has bits.
 */
#define MAX_PAGES (1ull << 32)

static void free_record(struct vfki_garbage *garbage)
{
	free(garbage);
}

static uint64_t pages_of(const struct vfki_dirty *record)
{
	return record->last_page - record->first_page + 1;
}

void vfki_dirty_free(struct vfki_dma *d, struct vfki_dirty *record)
{
	if (!record)
		return;
	d->dirty_pages -= pages_of(record);
	free(record);
}

struct vfki_dirty *vfki_dirty_create(struct vfki_dma *d, const struct vfki_dma_entry *e, int *ret)
{
	struct vfki_dirty *record;
	unsigned int shift;
	uint64_t pages;
	size_t size;

	*ret = 0;
	if (!d->dirty_page)
		return NULL;
	shift = (unsigned int)__builtin_ctzll(d->dirty_page);
	pages = (e->m.last >> shift) - (e->m.first >> shift) + 1;
	record = pages <= MAX_PAGES - d->dirty_pages &&
				 vfki_tail_size(sizeof(*record), (size_t)(pages / 64 + 1),
						sizeof(uint64_t), &size) ?
			 calloc(1, size) :
			 NULL;
	if (!record) {
		*ret = vfki_err(-ENOMEM, "dirty pages: no memory for 0x%" PRIx64 " bits", pages);
		return NULL;
	}
	record->garbage.free = free_record;
	record->first_page = e->m.first >> shift;
	record->last_page = e->m.last >> shift;
	record->shift = shift;
	d->dirty_pages += pages;
	return record;
}

static void mark_page(struct vfki_dirty *record, uint64_t page)
{
	uint64_t bit = 1ull << page % 64;

	if (!(atomic_fetch_or(&record->bits[page / 64], bit) & bit))
		atomic_fetch_add(&record->count, 1);
}

static void mark(struct vfki_dirty *record, uint64_t first, uint64_t last)
{
	uint64_t to = (last >> record->shift) - record->first_page;

	for (uint64_t page = (first >> record->shift) - record->first_page; page <= to; page++)
		mark_page(record, page);
}

void vfki_dirty_mark_entry(struct vfki_dma_entry *e, uint64_t iova, uint64_t len)
{
	struct vfki_dirty *record = atomic_load(&e->dirty);

	if (record && len)
		mark(record, iova, iova + (len - 1));
}

void vfki_dirty_mark(const struct vfki_mappings *t, uint64_t iova, size_t len)
{
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m;
	uint64_t last;

	if (!vfki_range_last(iova, len, &last))
		return;
	for (m = vfki_mappings_begin(t, iova, &walk); m && m->first <= last;
	     m = vfki_mappings_next(&walk)) {
		struct vfki_dma_entry *e = (struct vfki_dma_entry *)m;
		struct vfki_dirty *record = atomic_load(&e->dirty);

		if (record)
			mark(record, iova > e->m.first ? iova : e->m.first,
			     vfki_min_u64(last, e->m.last));
	}
}

/* While nobody marks in it: a bit is there before it is counted. */
static bool is_clean(const struct vfki_dirty *record)
{
	return !atomic_load(&record->count);
}

void vfki_dirty_unmapped(struct vfki_dma *d, struct vfki_dma_entry *e)
{
	struct vfki_dirty *record = atomic_load(&e->dirty);

	if (!record || is_clean(record)) {
		vfki_dirty_free(d, record);
		return;
	}
	if (d->num_unmapped == MAX_UNMAPPED) {
		d->dirty_lost = true;
		vfki_dirty_free(d, record);
		return;
	}
	record->garbage.next = d->unmapped ? &d->unmapped->garbage : NULL;
	d->unmapped = record;
	d->num_unmapped++;
}

void vfki_dirty_forget(struct vfki_dma *d)
{
	struct vfki_garbage *next;

	for (; d->unmapped; d->unmapped = (struct vfki_dirty *)next) {
		next = d->unmapped->garbage.next;
		vfki_dirty_free(d, d->unmapped);
	}
	d->num_unmapped = 0;
	d->dirty_lost = false;
}

/* Takes the records away from all entries; they are freed when nobody marks in them any more. */
static void take_records(struct vfki_dma *d)
{
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m = vfki_mappings_begin(&atomic_load(&d->table)->t, 0, &walk);

	for (; m; m = vfki_mappings_next(&walk)) {
		struct vfki_dma_entry *e = (struct vfki_dma_entry *)m;
		struct vfki_dirty *record = atomic_exchange(&e->dirty, NULL);

		if (!record)
			continue;
		d->dirty_pages -= pages_of(record);
		record->garbage.next = d->grace.old;
		d->grace.old = &record->garbage;
	}
	vfki_grace_wait(&d->grace, 0);
}

int vfki_dirty_start(struct vfk_io *io, uint64_t page_size)
{
	struct vfki_dma *d = &((struct vfk_model *)io)->dma;
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m;
	int ret = 0;

	if (!vfki_is_pow2(page_size) || page_size < 4096)
		return vfki_err(-EINVAL, "%s: dirty pages: page size 0x%" PRIx64, io->name,
				page_size);
	if (d->dirty_page)
		return vfki_err(-EALREADY, "%s: dirty pages are recorded already", io->name);
	d->dirty_page = page_size;
	for (m = vfki_mappings_begin(&atomic_load(&d->table)->t, 0, &walk); m && !ret;
	     m = vfki_mappings_next(&walk)) {
		struct vfki_dma_entry *e = (struct vfki_dma_entry *)m;

		atomic_store(&e->dirty, vfki_dirty_create(d, e, &ret));
	}
	if (ret < 0) {
		take_records(d);
		d->dirty_page = 0;
	}
	return ret;
}

int vfki_dirty_stop(struct vfk_io *io)
{
	struct vfki_dma *d = &((struct vfk_model *)io)->dma;

	take_records(d);
	vfki_dirty_forget(d);
	d->dirty_page = 0;
	return 0;
}

/* The bits of word @word that stand for pages of [first, last], counted from the record's first page. */
static uint64_t word_mask(uint64_t word, uint64_t first, uint64_t last)
{
	uint64_t mask = UINT64_MAX;

	if (first / 64 == word)
		mask &= UINT64_MAX << first % 64;
	if (last / 64 == word)
		mask &= UINT64_MAX >> (63 - last % 64);
	return mask;
}

/* Takes the bits of @mask out of a word. A word that has none is only read: writing would make memory of an empty record. */
static uint64_t take_bits(struct vfki_dirty *record, uint64_t word, uint64_t mask)
{
	uint64_t bits = atomic_load(&record->bits[word]) & mask;

	if (!bits)
		return 0;
	atomic_fetch_and(&record->bits[word], ~bits);
	atomic_fetch_sub(&record->count, (uint64_t)__builtin_popcountll(bits));
	return bits;
}

/* Moves the bits of pages [first, last] into @bitmap, whose bit 0 is page first. */
static void collect(struct vfki_dirty *record, uint64_t first, uint64_t last, uint64_t *bitmap)
{
	uint64_t from, to;

	if (first > record->last_page || last < record->first_page)
		return;
	from = first > record->first_page ? first - record->first_page : 0;
	to = vfki_min_u64(last, record->last_page) - record->first_page;
	for (uint64_t word = from / 64; word <= to / 64; word++) {
		uint64_t bits = take_bits(record, word, word_mask(word, from, to));

		for (; bits; bits &= bits - 1) {
			uint64_t n = record->first_page - first + word * 64 +
				     (uint64_t)__builtin_ctzll(bits);

			bitmap[n / 64] |= 1ull << n % 64;
		}
	}
}

static void collect_unmapped(struct vfki_dma *d, uint64_t first, uint64_t last, uint64_t *bitmap)
{
	struct vfki_garbage *keep = NULL, *next, *g;

	for (g = d->unmapped ? &d->unmapped->garbage : NULL; g; g = next) {
		struct vfki_dirty *record = (struct vfki_dirty *)g;

		next = g->next;
		collect(record, first, last, bitmap);
		if (is_clean(record)) {
			vfki_dirty_free(d, record);
			d->num_unmapped--;
			continue;
		}
		g->next = keep;
		keep = g;
	}
	d->unmapped = (struct vfki_dirty *)keep;
}

int vfki_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
		      uint64_t *bitmap)
{
	struct vfki_dma *d = &((struct vfk_model *)io)->dma;
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;
	uint64_t last, shift;

	if (!d->dirty_page || page_size != d->dirty_page)
		return vfki_err(-EINVAL, "%s: dirty pages of 0x%" PRIx64 " are not recorded",
				io->name, page_size);
	if (iova & (page_size - 1) || !vfki_range_last(iova, length, &last))
		return vfki_err(-EINVAL, "%s: dirty pages: range 0x%" PRIx64 " + 0x%" PRIx64,
				io->name, iova, length);
	shift = (uint64_t)__builtin_ctzll(page_size);
	for (uint64_t n = 0; d->dirty_lost && n <= (last - iova) >> shift; n++)
		bitmap[n / 64] |= 1ull << n % 64;
	for (m = vfki_mappings_begin(&atomic_load(&d->table)->t, iova, &walk);
	     m && m->first <= last; m = vfki_mappings_next(&walk)) {
		struct vfki_dirty *record = atomic_load(&((struct vfki_dma_entry *)m)->dirty);

		if (record)
			collect(record, iova >> shift, last >> shift, bitmap);
	}
	collect_unmapped(d, iova >> shift, last >> shift, bitmap);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.c - which pages the device wrote, by the DMA_LOGGING features of <linux/vfio.h>.
 *
 * A server may forget what was written to memory with its mapping (libvfio-user does). So while this is on a mapping is taken
 * back with the bitmap of its pages, which is kept here until it has been reported.
 *
 * The dma space calls these one at a time.
 */
#include "lib/base/error.h"
#include "lib/base/feature.h"
#include "lib/base/range.h"
#include "lib/io/user/client.h"
#include <stdlib.h>
#include <string.h>

/* Mappings that are gone and whose bits are kept. Beyond that, all counts as written. */
#define MAX_GONE 4096

struct vfki_user_gone {
	struct vfki_user_gone *next;
	uint64_t iova, length;
	uint64_t bits[];
};

static size_t words_of(uint64_t length, uint64_t page_size)
{
	return (size_t)(length / page_size / 64 + (length / page_size % 64 != 0));
}

uint64_t vfki_user_dirty_size(const struct vfki_user *user, uint64_t iova, uint64_t length)
{
	uint64_t page = user->dirty.page_size, size;

	if (!page || !vfki_is_aligned(iova, page) || !vfki_is_aligned(length, page) ||
	    vfki_feature_bitmap_size(iova, length, page, &size) || size > user->max_read)
		return 0;
	return size;
}

void vfki_user_dirty_unmapped(struct vfki_user *user, uint64_t iova, uint64_t length,
			      const uint64_t *bitmap)
{
	struct vfki_user_dirty *d = &user->dirty;
	struct vfki_user_gone *gone = NULL;
	size_t words, size;

	if (!d->page_size)
		return;
	words = words_of(length, d->page_size);
	if (d->num_gone < MAX_GONE && vfki_tail_size(sizeof(*gone), words, sizeof(uint64_t), &size))
		gone = malloc(size);
	if (!gone) {
		d->lost = true;
		return;
	}
	gone->iova = iova;
	gone->length = length;
	if (bitmap)
		memcpy(gone->bits, bitmap, words * sizeof(uint64_t));
	else
		memset(gone->bits, 0xff, words * sizeof(uint64_t));
	gone->next = d->gone;
	d->gone = gone;
	d->num_gone++;
}

void vfki_user_dirty_forget(struct vfki_user *user)
{
	struct vfki_user_dirty *d = &user->dirty;

	while (d->gone) {
		struct vfki_user_gone *next = d->gone->next;

		free(d->gone);
		d->gone = next;
	}
	d->num_gone = 0;
	d->lost = false;
}

static bool take_bit(uint64_t *words, uint64_t n)
{
	uint64_t mask = 1ull << n % 64;
	bool set = words[n / 64] & mask;

	words[n / 64] &= ~mask;
	return set;
}

/* Moves the bits of the part of @gone that is asked for. */
static void report_one(struct vfki_user_gone *gone, uint64_t iova, uint64_t length, uint64_t page,
		       uint64_t *bitmap)
{
	uint64_t last = vfki_min_u64(iova + (length - 1), gone->iova + (gone->length - 1));
	uint64_t at = iova > gone->iova ? iova : gone->iova;

	if (at > last)
		return;
	for (uint64_t n = (last - at) / page + 1; n--; at += page)
		if (take_bit(gone->bits, (at - gone->iova) / page))
			bitmap[(at - iova) / page / 64] |= 1ull << (at - iova) / page % 64;
}

static bool is_clean(const struct vfki_user_gone *gone, uint64_t page)
{
	uint64_t pages = gone->length / page;

	for (uint64_t n = 0; n < pages; n++)
		if (gone->bits[n / 64] & 1ull << n % 64)
			return false;
	return true;
}

static void report_gone(struct vfki_user *user, uint64_t iova, uint64_t length, uint64_t *bitmap)
{
	struct vfki_user_dirty *d = &user->dirty;
	struct vfki_user_gone **link = &d->gone;

	if (d->lost)
		memset(bitmap, 0xff, words_of(length, d->page_size) * sizeof(*bitmap));
	while (*link) {
		struct vfki_user_gone *gone = *link;

		report_one(gone, iova, length, d->page_size, bitmap);
		if (!is_clean(gone, d->page_size)) {
			link = &gone->next;
			continue;
		}
		*link = gone->next;
		free(gone);
		d->num_gone--;
	}
}

static int set_feature(struct vfk_io *io, uint32_t flags, const void *data, size_t len)
{
	struct vfki_feature_buf f = {
		.head = { .argsz = (uint32_t)(sizeof(f.head) + len), .flags = flags },
	};

	if (len)
		memcpy(f.data, data, len);
	return vfki_user_device_feature(io, &f.head);
}

int vfki_user_dirty_start(struct vfk_io *io, uint64_t page_size)
{
	/* All that can be mapped, later mappings included; the last page would make the length 2^64. */
	struct vfio_device_feature_dma_logging_range all = { .iova = 0, .length = 0 - page_size };
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = page_size,
		.num_ranges = 1,
		.ranges = (uintptr_t)&all,
	};

	struct vfki_user *user = vfki_user_of(io);
	int r = set_feature(io, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
			    &control, sizeof(control));

	if (r)
		return r;
	/* Of a recording that did not outlive its server. */
	if (user->dirty.gone_page != page_size)
		vfki_user_dirty_forget(user);
	user->dirty.page_size = page_size;
	return 0;
}

int vfki_user_dirty_stop(struct vfk_io *io)
{
	vfki_user_dirty_forget(vfki_user_of(io));
	vfki_user_of(io)->dirty.page_size = 0;
	return set_feature(io, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL,
			   0);
}

/* Bytes of address space whose bitmap fits into one reply; a multiple of 64 pages. */
static uint64_t report_span(const struct vfki_user *user, uint64_t page_size)
{
	uint64_t span;

	return vfki_mul_u64(user->max_read * 8ull, page_size, &span) ? span : UINT64_MAX;
}

int vfki_user_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			   uint64_t *bitmap)
{
	struct vfki_user *user = vfki_user_of(io);
	uint64_t span = report_span(user, page_size);
	int r = 0;

	if (page_size == user->dirty.page_size)
		report_gone(user, iova, length, bitmap);
	while (!r && length) {
		uint64_t piece = vfki_min_u64(length, span);
		struct vfio_device_feature_dma_logging_report report = {
			.iova = iova,
			.length = piece,
			.page_size = page_size,
			.bitmap = (uintptr_t)bitmap,
		};

		r = set_feature(io,
				VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
				&report, sizeof(report));
		bitmap += piece / page_size / 64;
		iova += piece;
		length -= piece;
	}
	return r;
}

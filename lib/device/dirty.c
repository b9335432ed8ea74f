/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.c - which pages the devices of a space wrote.
 *
 * Any thread, under the space's lock. Sinks that come later record from their coming, see space_attach.c.
 */
#include "lib/base/error.h"
#include "lib/base/feature.h"
#include "lib/base/range.h"
#include "space.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIN_PAGE 4096

static int start_locked(struct vfk_dma_space *space, uint64_t page_size)
{
	char text[VFKI_ERROR_SIZE];

	if (space->dirty_page)
		return vfki_err(-EALREADY, "dirty start: it was started already");
	for (size_t i = 0; i < space->num_sinks; i++) {
		int ret = vfki_checked_dirty_start(space->sinks[i]->io, page_size);

		if (ret < 0) {
			snprintf(text, sizeof(text), "%s", vfk_error());
			while (i-- > 0)
				(void)vfki_checked_dirty_stop(space->sinks[i]->io);
			return vfki_err(ret, "%s", text);
		}
	}
	space->dirty_page = page_size;
	return 0;
}

int vfk_dma_dirty_start(struct vfk_dma_space *space, uint64_t page_size)
{
	int ret;

	if (!vfki_is_pow2(page_size) || page_size < MIN_PAGE)
		return vfki_err(-EINVAL, "dirty start: pages of 0x%" PRIx64 " bytes", page_size);
	pthread_mutex_lock(&space->lock);
	ret = start_locked(space, page_size);
	pthread_mutex_unlock(&space->lock);
	return ret;
}

/* One that fails to stop is gone, or records what nobody asks for: all are told, and it ends. The first failure is returned. */
static int stop_locked(struct vfk_dma_space *space)
{
	char text[VFKI_ERROR_SIZE];
	int result = 0;

	if (!space->dirty_page)
		return vfki_err(-EINVAL, "dirty stop: it was not started");
	for (size_t i = 0; i < space->num_sinks; i++) {
		int ret = vfki_checked_dirty_stop(space->sinks[i]->io);

		if (ret < 0 && !result) {
			result = ret;
			snprintf(text, sizeof(text), "%s", vfk_error());
		}
	}
	space->dirty_page = 0;
	return result ? vfki_err(result, "%s", text) : 0;
}

int vfk_dma_dirty_stop(struct vfk_dma_space *space)
{
	int ret;

	pthread_mutex_lock(&space->lock);
	ret = stop_locked(space);
	pthread_mutex_unlock(&space->lock);
	return ret;
}

/* A report that lacks a page is worse than one with too many. */
static int report_failed(uint64_t *bitmap, size_t words, int ret)
{
	memset(bitmap, 0xff, words * sizeof(*bitmap));
	return ret;
}

static int report_locked(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			 uint64_t *bitmap, size_t words)
{
	uint64_t page = space->dirty_page, size;
	int ret;

	if (!page)
		return vfki_err(-EINVAL, "dirty report: it was not started");
	if (!vfki_is_aligned(iova, page) || !vfki_is_aligned(length, page))
		return vfki_err(-EINVAL,
				"dirty report: 0x%" PRIx64 " + 0x%" PRIx64 " is not whole pages",
				iova, length);
	ret = vfki_feature_bitmap_size(iova, length, page, &size);
	if (ret < 0)
		return ret;
	if (words < size / sizeof(*bitmap))
		return vfki_err(-EINVAL, "dirty report: %zu words, need %" PRIu64, words,
				size / sizeof(*bitmap));
	memset(bitmap, 0, words * sizeof(*bitmap));
	for (size_t i = 0; i < space->num_sinks; i++) {
		ret = vfki_checked_dirty_report(space->sinks[i]->io, iova, length, page, bitmap);
		if (ret < 0)
			return report_failed(bitmap, words, ret);
	}
	return 0;
}

int vfk_dma_dirty_report(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			 uint64_t *bitmap, size_t words)
{
	int ret;

	pthread_mutex_lock(&space->lock);
	ret = report_locked(space, iova, length, bitmap, words);
	pthread_mutex_unlock(&space->lock);
	return ret;
}

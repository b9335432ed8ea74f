/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.c - which pages the device wrote, by the DMA_LOGGING features of <linux/vfio.h>.
 *
 * The dma space calls these one at a time.
 */
#include "lib/base/error.h"
#include "lib/base/feature.h"
#include "lib/base/range.h"
#include "lib/io/user/client.h"
#include <string.h>

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

	return set_feature(io, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
			   &control, sizeof(control));
}

int vfki_user_dirty_stop(struct vfk_io *io)
{
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
	uint64_t span = report_span(vfki_user_of(io), page_size);
	int r = 0;

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

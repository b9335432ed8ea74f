/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * logging.c - which pages the device wrote, for clients; see logging.h.
 *
 * Threads: the server's.
 */
#include "logging.h"
#include "lib/base/error.h"
#include "lib/base/feature.h"
#include "lib/base/range.h"
#include "lib/base/vfio_compat.h"
#include "session.h"
#include <errno.h>
#include <string.h>
#include <vfiokit/server.h>

#define MIN_PAGE 4096

static uint32_t id_of(const struct vfio_device_feature *f)
{
	return f->flags & VFIO_DEVICE_FEATURE_MASK;
}

static bool is_logging(const struct vfio_device_feature *f)
{
	return id_of(f) == VFIO_DEVICE_FEATURE_DMA_LOGGING_START ||
	       id_of(f) == VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP ||
	       id_of(f) == VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
}

/* ---- by the space ---- */

/* Only trying tells whether all that is behind the space can record. */
static int probe(struct vfki_session *s)
{
	int ret = s->logging.page_size ? 0 : vfk_dma_dirty_start(s->space, MIN_PAGE);

	if (!ret && !s->logging.page_size)
		vfk_dma_dirty_stop(s->space);
	return ret;
}

/* As Linux does (drivers/vfio/vfio_main.c); which ranges they are does not matter: the client asks for none but those. */
static int check_ranges(const struct vfio_device_feature_dma_logging_control *control)
{
	const struct vfio_device_feature_dma_logging_range *r =
		(const void *)(uintptr_t)control->ranges;
	uint64_t last;

	if (!control->num_ranges)
		return vfki_err(-EINVAL, "dma logging: no ranges");
	for (uint32_t i = 0; i < control->num_ranges; i++)
		if (!vfki_range_last(r[i].iova, r[i].length, &last) ||
		    !vfki_is_aligned(r[i].iova, control->page_size) ||
		    !vfki_is_aligned(r[i].length, control->page_size))
			return vfki_err(-EINVAL, "dma logging: 0x%llx + 0x%llx is not whole pages",
					(unsigned long long)r[i].iova,
					(unsigned long long)r[i].length);
	return 0;
}

static int start(struct vfki_session *s, const struct vfio_device_feature *f)
{
	struct vfio_device_feature_dma_logging_control control;
	int ret;

	memcpy(&control, f->data, sizeof(control));
	if (!vfki_is_pow2(control.page_size))
		return vfki_err(-EINVAL, "dma logging: pages of %llu bytes",
				(unsigned long long)control.page_size);
	ret = check_ranges(&control);
	if (!ret)
		ret = vfk_dma_dirty_start(s->space, control.page_size);
	return ret == -EALREADY ? -EINVAL : ret;
}

static int report(struct vfki_session *s, const struct vfio_device_feature *f)
{
	struct vfio_device_feature_dma_logging_report r;
	uint64_t size;
	int ret;

	memcpy(&r, f->data, sizeof(r));
	if (r.page_size != s->logging.page_size)
		return vfki_err(-EINVAL, "dma logging: pages of %llu bytes, started with %llu",
				(unsigned long long)r.page_size,
				(unsigned long long)s->logging.page_size);
	ret = vfki_feature_bitmap_size(r.iova, r.length, r.page_size, &size);
	if (ret)
		return ret;
	return vfk_dma_dirty_report(s->space, r.iova, r.length, (uint64_t *)(uintptr_t)r.bitmap,
				    size / sizeof(uint64_t));
}

static int by_space(struct vfki_session *s, struct vfio_device_feature *f)
{
	if (f->flags & VFIO_DEVICE_FEATURE_PROBE)
		return probe(s);
	if (id_of(f) == VFIO_DEVICE_FEATURE_DMA_LOGGING_START)
		return start(s, f);
	if (id_of(f) == VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP)
		return vfk_dma_dirty_stop(s->space);
	return report(s, f);
}

/* ---- either way ---- */

static void note(struct vfki_session *s, const struct vfio_device_feature *f, bool by_space)
{
	struct vfio_device_feature_dma_logging_control control;

	if (f->flags & VFIO_DEVICE_FEATURE_PROBE)
		return;
	if (id_of(f) == VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP)
		s->logging.page_size = 0;
	if (id_of(f) != VFIO_DEVICE_FEATURE_DMA_LOGGING_START)
		return;
	memcpy(&control, f->data, sizeof(control));
	s->logging = (struct vfki_logging){ .page_size = control.page_size, .by_space = by_space };
}

int vfki_logging_feature(struct vfki_session *s, struct vfio_device_feature *f)
{
	bool space = s->logging.page_size && s->logging.by_space;
	int ret = -ENOTSUP;

	if (!is_logging(f))
		return vfk_device_feature(s->dev, f);
	if (!space)
		ret = vfk_device_feature(s->dev, f);
	if (ret == -ENOTSUP) {
		space = true;
		ret = by_space(s, f);
	}
	/* the space has stopped, whatever its device said */
	if (!ret || (space && id_of(f) == VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP))
		note(s, f, space);
	return ret;
}

int vfki_logging_check(const struct vfki_session *s, const struct vfki_wire_unmap *unmap)
{
	if (!s->logging.page_size)
		return vfki_err(-EINVAL, "dma_unmap: a bitmap, but no logging was started");
	if (unmap->pgsize != s->logging.page_size)
		return vfki_err(-EINVAL,
				"dma_unmap: a bitmap of pages of %llu bytes, logging has %llu",
				(unsigned long long)unmap->pgsize,
				(unsigned long long)s->logging.page_size);
	return 0;
}

void vfki_logging_report(struct vfki_session *s, const struct vfki_wire_unmap *unmap,
			 uint64_t *bitmap)
{
	const struct vfio_device_feature_dma_logging_report r = {
		.iova = unmap->addr,
		.length = unmap->size,
		.page_size = unmap->pgsize,
		.bitmap = (uintptr_t)bitmap,
	};
	struct vfki_feature_buf f = {
		.head = { .argsz = sizeof(f.head) + sizeof(r),
			  .flags = VFIO_DEVICE_FEATURE_GET |
				   VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT },
	};

	memcpy(f.data, &r, sizeof(r));
	/* It is unmapped, and that is not taken back: a page too many is no harm. */
	if (vfki_logging_feature(s, &f.head))
		memset(bitmap, 0xff, unmap->bitmap_size);
}

void vfki_logging_end(struct vfki_session *s)
{
	bool keep = s->hardware && s->limits.flags & VFK_SERVER_KEEP;

	if (s->logging.page_size && s->logging.by_space)
		vfk_dma_dirty_stop(s->space);
	else if (s->logging.page_size && !keep)
		vfk_feature_set(s->dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0);
	s->logging.page_size = 0;
}

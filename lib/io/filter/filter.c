/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c - the parts that all filters share: opening, passing a call on, hiding mappings; see filter.h.
 *
 * Any thread; nothing here changes after open.
 */
#include "filter.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "vector.h"
#include <string.h>
#include <time.h>

int vfki_filter_init(struct vfki_filter *f, const struct vfk_uri *uri, vfki_filter_around *around)
{
	const char *mmap = vfk_uri_get(uri, "mmap");
	int ret;

	if (mmap && strcmp(mmap, "pass"))
		return vfki_err(-EINVAL, "%s: mmap=%s, need mmap=pass or none", vfk_uri_text(uri),
				mmap);
	ret = vfki_checked_init(&f->next, f->io.next);
	if (ret < 0)
		return ret;
	f->around = around;
	f->mmap_pass = mmap;
	f->io.dma = f->io.next->dma ? &vfki_filter_dma_ops : NULL;
	return 0;
}

void vfki_filter_close(struct vfk_io *io)
{
	vfki_checked_fini(&vfki_filter(io)->next);
}

void vfki_filter_sleep(uint64_t ns)
{
	struct timespec until = vfki_timespec(vfki_now_ns() + ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* The u32 at @offset of the structure, which may be unaligned in a chain of somebody else's making. */
static uint32_t get_link(const void *info, size_t offset)
{
	uint32_t v;

	memcpy(&v, (const char *)info + offset, sizeof(v));
	return v;
}

static void set_link(void *info, size_t offset, uint32_t v)
{
	memcpy((char *)info + offset, &v, sizeof(v));
}

/* Takes the sparse areas out of a chain, which the checked call found sound. */
static void unlink_sparse(struct vfio_region_info *info)
{
	size_t link = offsetof(struct vfio_region_info, cap_offset);
	uint32_t at;

	while ((at = get_link(info, link))) {
		size_t next = at + offsetof(struct vfio_info_cap_header, next);
		uint16_t id;

		memcpy(&id, (const char *)info + at, sizeof(id));
		if (id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			set_link(info, link, get_link(info, next));
		else
			link = next;
	}
}

static void hide_mappings(struct vfio_region_info *info)
{
	info->flags &= ~VFIO_REGION_INFO_FLAG_MMAP;
	if (!info->cap_offset)
		return;
	unlink_sparse(info);
	if (!info->cap_offset)
		info->flags &= ~VFIO_REGION_INFO_FLAG_CAPS;
}

static int region_info(struct vfki_filter *f, const struct vfki_call *call)
{
	int ret = vfki_checked_get_region_info(&f->next, call->region.info,
					       f->mmap_pass ? call->region.fds : NULL);

	if (!ret && !f->mmap_pass)
		hide_mappings(call->region.info);
	return ret;
}

static ssize_t io_fds(struct vfki_filter *f, const struct vfki_call *call)
{
	if (!f->mmap_pass)
		return vfki_err(-ENOTSUP, "%s: hides doorbells", f->io.name);
	return vfki_checked_region_io_fds(&f->next, call->io_fds.region, call->io_fds.at,
					  call->io_fds.max, call->io_fds.count);
}

static ssize_t pass_dma(struct vfki_checked *next, const struct vfki_call *call)
{
	const struct vfki_call_range *r = &call->range;

	switch (call->op) {
	case VFKI_CALL_DMA_MAP:
		return vfki_checked_dma_map(next, call->map.mapping, call->map.addr);
	case VFKI_CALL_DMA_UNMAP:
		return vfki_checked_dma_unmap(next, r->iova, r->length, r->timeout_ms);
	case VFKI_CALL_DMA_LIMITS:
		return vfki_checked_dma_limits(next, call->limits);
	case VFKI_CALL_DIRTY_START:
		return vfki_checked_dirty_start(next, r->page_size);
	case VFKI_CALL_DIRTY_STOP:
		return vfki_checked_dirty_stop(next);
	case VFKI_CALL_DIRTY_REPORT:
		return vfki_checked_dirty_report(next, r->iova, r->length, r->page_size, r->bitmap);
	case VFKI_CALL_DMA_ADDRESS:
		return vfki_checked_dma_address(next, r->iova, r->length, r->addr);
	case VFKI_CALL_DMA_UNMAP_ALL:
		return vfki_checked_dma_unmap_all(next, r->timeout_ms);
	default:
		return 0; /* open: there is nothing behind it */
	}
}

ssize_t vfki_filter_pass(struct vfk_io *io, const struct vfki_call *call)
{
	struct vfki_checked *next = &vfki_filter(io)->next;
	const struct vfki_call_access *a = &call->access;

	switch (call->op) {
	case VFKI_CALL_GET_DEVICE_INFO:
		return vfki_checked_get_device_info(next, call->device_info);
	case VFKI_CALL_GET_REGION_INFO:
		return region_info(vfki_filter(io), call);
	case VFKI_CALL_GET_IRQ_INFO:
		return vfki_checked_get_irq_info(next, call->irq_info);
	case VFKI_CALL_SET_IRQS:
		return vfki_checked_set_irqs(next, call->irq_set);
	case VFKI_CALL_REGION_READ:
		return vfki_checked_region_read(next, a->region, a->offset, a->buf, a->len);
	case VFKI_CALL_REGION_WRITE:
		return vfki_checked_region_write(next, a->region, a->offset, a->data, a->len,
						 a->flags);
	case VFKI_CALL_DEVICE_FEATURE:
		return vfki_checked_device_feature(next, call->feature);
	case VFKI_CALL_RESET:
		return vfki_checked_reset(next);
	case VFKI_CALL_WRITE_MULTI:
		return vfki_checked_write_multi(next, call->writes.at, call->writes.count);
	case VFKI_CALL_FLUSH:
		return vfki_checked_flush(next);
	case VFKI_CALL_MIG_READ:
		return vfki_checked_mig_read(next, a->buf, a->len);
	case VFKI_CALL_MIG_WRITE:
		return vfki_checked_mig_write(next, a->data, a->len);
	case VFKI_CALL_POLL_FD:
		return vfki_checked_poll_fd(next);
	case VFKI_CALL_DISPATCH:
		return vfki_checked_dispatch(next);
	case VFKI_CALL_HOT_RESET_INFO:
		return vfki_checked_hot_reset_info(next, call->hot_reset_info);
	case VFKI_CALL_HOT_RESET:
		return vfki_checked_hot_reset(next, call->hot_reset);
	case VFKI_CALL_PRECOPY_INFO:
		return vfki_checked_precopy_info(next, call->precopy);
	case VFKI_CALL_REGION_IO_FDS:
		return io_fds(vfki_filter(io), call);
	case VFKI_CALL_SET_LOST:
		return vfki_checked_set_lost(next, call->set_lost.lost, call->set_lost.ctx);
	case VFKI_CALL_RECONNECT:
		return vfki_checked_reconnect(next, call->reconnect);
	default:
		return pass_dma(next, call);
	}
}

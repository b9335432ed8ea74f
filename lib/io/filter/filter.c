/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c - the parts that all filters share; see filter.h.
 *
 * Any thread; nothing here changes after open.
 */
#include "filter.h"
#include "lib/base/error.h"
#include "lib/base/sparse.h"
#include <string.h>

int vfki_filter_init(struct vfki_filter *f, const struct vfk_uri *uri,
		     const struct vfk_dma_ops *dma)
{
	const char *mmap = vfk_uri_get(uri, "mmap");
	int ret;

	if (mmap && strcmp(mmap, "pass"))
		return vfki_err(-EINVAL, "%s: mmap=%s, need mmap=pass or none", vfk_uri_text(uri),
				mmap);
	ret = vfki_checked_init(&f->next, f->io.next);
	if (ret < 0)
		return ret;
	f->mmap_pass = mmap;
	f->io.dma = f->io.next->dma ? dma : NULL;
	return 0;
}

void vfki_filter_fini(struct vfki_filter *f)
{
	vfki_checked_fini(&f->next);
}

int vfki_filter_get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	return vfki_checked_get_device_info(vfki_filter_next(io), info);
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

int vfki_filter_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
				struct vfk_region_fds *fds)
{
	bool pass = vfki_filter(io)->mmap_pass;
	int ret = vfki_checked_get_region_info(vfki_filter_next(io), info, pass ? fds : NULL);

	if (!ret && !pass)
		hide_mappings(info);
	return ret;
}

int vfki_filter_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	return vfki_checked_get_irq_info(vfki_filter_next(io), info);
}

int vfki_filter_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return vfki_checked_set_irqs(vfki_filter_next(io), set);
}

ssize_t vfki_filter_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				size_t len)
{
	return vfki_checked_region_read(vfki_filter_next(io), region, off, buf, len);
}

ssize_t vfki_filter_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				 size_t len, unsigned int flags)
{
	return vfki_checked_region_write(vfki_filter_next(io), region, off, buf, len, flags);
}

int vfki_filter_device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	return vfki_checked_device_feature(vfki_filter_next(io), feature);
}

int vfki_filter_reset(struct vfk_io *io)
{
	return vfki_checked_reset(vfki_filter_next(io));
}

int vfki_filter_write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	return vfki_checked_write_multi(vfki_filter_next(io), writes, count);
}

int vfki_filter_flush(struct vfk_io *io)
{
	return vfki_checked_flush(vfki_filter_next(io));
}

ssize_t vfki_filter_mig_read(struct vfk_io *io, void *buf, size_t len)
{
	return vfki_checked_mig_read(vfki_filter_next(io), buf, len);
}

ssize_t vfki_filter_mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	return vfki_checked_mig_write(vfki_filter_next(io), buf, len);
}

int vfki_filter_poll_fd(struct vfk_io *io)
{
	return vfki_checked_poll_fd(vfki_filter_next(io));
}

int vfki_filter_dispatch(struct vfk_io *io)
{
	return vfki_checked_dispatch(vfki_filter_next(io));
}

int vfki_filter_map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	return vfki_checked_dma_map(vfki_filter_next(io), m, addr);
}

int vfki_filter_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	return vfki_checked_dma_unmap(vfki_filter_next(io), iova, length, timeout_ms);
}

int vfki_filter_limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	return vfki_checked_dma_limits(vfki_filter_next(io), limits);
}

int vfki_filter_dirty_start(struct vfk_io *io, uint64_t page_size)
{
	return vfki_checked_dirty_start(vfki_filter_next(io), page_size);
}

int vfki_filter_dirty_stop(struct vfk_io *io)
{
	return vfki_checked_dirty_stop(vfki_filter_next(io));
}

int vfki_filter_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			     uint64_t *bitmap)
{
	return vfki_checked_dirty_report(vfki_filter_next(io), iova, length, page_size, bitmap);
}

int vfki_filter_address(struct vfk_io *io, uint64_t iova, uint64_t length,
			struct vfk_dma_addr *addr)
{
	return vfki_checked_dma_address(vfki_filter_next(io), iova, length, addr);
}

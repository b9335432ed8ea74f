/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.c - one DMA mapping: what it is made of, and moving bytes through it; see mapping.h. Any thread.
 */
#include "mapping.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_callbacks(const struct vfk_dma_mapping *src)
{
	const struct vfk_dma_callbacks *cb = src->callbacks;

	if (src->vaddr || src->fd >= 0)
		return vfki_err(-EINVAL, "dma map: callbacks together with an address or a file");
	if (cb->size < sizeof(*cb))
		return vfki_err(-EINVAL, "dma map: callbacks: size %zu, need %zu", cb->size,
				sizeof(*cb));
	if ((src->prot & VFK_DMA_READ && !cb->read) || (src->prot & VFK_DMA_WRITE && !cb->write))
		return vfki_err(-EINVAL,
				"dma map: callbacks: none for a direction that prot permits");
	return 0;
}

static int check_file(const struct vfk_dma_mapping *src)
{
	uint64_t last, size;
	int ret;

	if (!vfki_range_last(src->fd_offset, src->length, &last) || last >= INT64_MAX)
		return vfki_err(-EINVAL, "dma map: file offset 0x%" PRIx64 " is too large",
				src->fd_offset);
	ret = vfki_fd_size(src->fd, &size);
	if (ret == -ENOTSUP) /* a device: its mmap says what it has */
		return 0;
	if (ret < 0)
		return vfki_err_sys(ret, "dma map: file descriptor %d", src->fd);
	if (last >= size)
		return vfki_err(-EINVAL,
				"dma map: file has 0x%" PRIx64 " bytes, mapping ends at 0x%" PRIx64,
				size, last + 1);
	return 0;
}

static int check_address(const struct vfk_dma_mapping *src)
{
	uint64_t last;

	if (!vfki_range_last((uintptr_t)src->vaddr, src->length, &last) || last > UINTPTR_MAX)
		return vfki_err(-EINVAL, "dma map: address range %p + 0x%" PRIx64 " wraps",
				src->vaddr, src->length);
	return 0;
}

static int check_memory(const struct vfk_dma_mapping *src)
{
	int ret = 0;

	if (src->callbacks)
		return check_callbacks(src);
	if (!src->vaddr && src->fd < 0)
		return vfki_err(-EINVAL, "dma map: no memory: neither address, file nor callbacks");
	if (src->vaddr)
		ret = check_address(src);
	if (!ret && src->fd >= 0)
		ret = check_file(src);
	return ret;
}

int vfki_mapping_init(struct vfki_mapping *m, const struct vfk_dma_mapping *src)
{
	uint64_t last;
	int ret, fd = -1;

	if (src->size < sizeof(*src))
		return vfki_err(-EINVAL, "dma map: mapping: size %zu, need %zu", src->size,
				sizeof(*src));
	if (!vfki_range_last(src->iova, src->length, &last))
		return vfki_err(-EINVAL,
				"dma map: range 0x%" PRIx64 " + 0x%" PRIx64 " is empty or wraps",
				src->iova, src->length);
	if (!src->prot || src->prot & ~(VFK_DMA_READ | VFK_DMA_WRITE))
		return vfki_err(-EINVAL, "dma map: prot 0x%x", src->prot);
	ret = check_memory(src);
	if (ret < 0)
		return ret;
	if (src->fd >= 0) {
		fd = vfki_fd_dup(src->fd);
		if (fd < 0)
			return vfki_err_sys(fd, "dma map: file descriptor %d", src->fd);
	}
	*m = (struct vfki_mapping){
		.first = src->iova,
		.last = last,
		.fd_offset = src->fd_offset,
		.vaddr = src->vaddr,
		.callbacks = src->callbacks,
		.ctx = src->ctx,
		.prot = src->prot,
		.fd = fd,
	};
	return 0;
}

void vfki_mapping_fini(struct vfki_mapping *m)
{
	vfki_fd_close(m->fd);
	m->fd = -1;
}

void vfki_mapping_export(const struct vfki_mapping *m, struct vfk_dma_mapping *dst)
{
	*dst = (struct vfk_dma_mapping){
		.size = sizeof(*dst),
		.iova = m->first,
		.length = vfki_mapping_length(m),
		.prot = m->prot,
		.fd = m->fd,
		.fd_offset = m->fd_offset,
		.vaddr = m->vaddr,
		.callbacks = m->callbacks,
		.ctx = m->ctx,
	};
}

static int file_read(const struct vfki_mapping *m, uint64_t off, char *buf, size_t len)
{
	while (len) {
		ssize_t n = pread(m->fd, buf, len, (off_t)(m->fd_offset + off));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vfki_err_sys(-errno, "dma read at 0x%" PRIx64, m->first + off);
		if (!n)
			return vfki_err(-EIO, "dma read at 0x%" PRIx64 ": the file ends",
					m->first + off);
		buf += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_write(const struct vfki_mapping *m, uint64_t off, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = pwrite(m->fd, buf, len, (off_t)(m->fd_offset + off));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vfki_err_sys(-errno, "dma write at 0x%" PRIx64, m->first + off);
		if (!n)
			return vfki_err(-EIO, "dma write at 0x%" PRIx64 ": the file ends",
					m->first + off);
		buf += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int vfki_mapping_read(const struct vfki_mapping *m, uint64_t iova, void *buf, size_t len)
{
	uint64_t off = iova - m->first;

	if (m->vaddr) {
		memcpy(buf, (const char *)m->vaddr + off, len);
		return 0;
	}
	if (m->callbacks)
		return m->callbacks->read(m->ctx, iova, buf, len);
	return file_read(m, off, buf, len);
}

int vfki_mapping_write(const struct vfki_mapping *m, uint64_t iova, const void *buf, size_t len)
{
	uint64_t off = iova - m->first;

	if (m->vaddr) {
		memcpy((char *)m->vaddr + off, buf, len);
		return 0;
	}
	if (m->callbacks)
		return m->callbacks->write(m->ctx, iova, buf, len);
	return file_write(m, off, buf, len);
}

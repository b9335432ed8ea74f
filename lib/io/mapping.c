/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.c - one DMA mapping, and a sorted table of them; see mapping.h.
 *
 * The table is an array of pointers: lookups are a binary search over memory that fits the cache, and maps are rare
 * beside accesses. Any thread, under the table owner's lock.
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

void vfki_mappings_fini(struct vfki_mappings *t)
{
	free(t->at);
	*t = (struct vfki_mappings){ 0 };
}

int vfki_mappings_reserve(struct vfki_mappings *t)
{
	struct vfki_mapping **at;
	size_t room;

	if (t->count < t->room)
		return 0;
	room = t->room ? 2 * t->room : 16;
	at = reallocarray(t->at, room, sizeof(struct vfki_mapping *));
	if (!at)
		return vfki_err(-ENOMEM, "dma map: no memory for %zu mappings", room);
	t->at = at;
	t->room = room;
	return 0;
}

size_t vfki_mappings_lower(const struct vfki_mappings *t, uint64_t iova)
{
	size_t lo = 0, hi = t->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->at[mid]->last < iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int vfki_mappings_insert(struct vfki_mappings *t, struct vfki_mapping *m)
{
	size_t i = vfki_mappings_lower(t, m->first);
	int ret;

	if (i < t->count && t->at[i]->first <= m->last)
		return vfki_err(-EEXIST,
				"dma map: 0x%" PRIx64 "-0x%" PRIx64 " overlaps 0x%" PRIx64
				"-0x%" PRIx64,
				m->first, m->last, t->at[i]->first, t->at[i]->last);
	ret = vfki_mappings_reserve(t);
	if (ret < 0)
		return ret;
	memmove(&t->at[i + 1], &t->at[i], (t->count - i) * sizeof(struct vfki_mapping *));
	t->at[i] = m;
	t->count++;
	return 0;
}

void vfki_mappings_remove(struct vfki_mappings *t, const struct vfki_mapping *m)
{
	size_t i = vfki_mappings_lower(t, m->first);

	if (i >= t->count || t->at[i] != m)
		return;
	t->count--;
	memmove(&t->at[i], &t->at[i + 1], (t->count - i) * sizeof(struct vfki_mapping *));
}

struct vfki_mapping *vfki_mappings_find(const struct vfki_mappings *t, uint64_t iova)
{
	size_t i = vfki_mappings_lower(t, iova);

	return i < t->count && t->at[i]->first <= iova ? t->at[i] : NULL;
}

struct vfki_mapping *vfki_mappings_exact(const struct vfki_mappings *t, uint64_t iova,
					 uint64_t length)
{
	struct vfki_mapping *m = vfki_mappings_find(t, iova);

	return m && m->first == iova && length && m->last - m->first == length - 1 ? m : NULL;
}

int vfki_mappings_check(const struct vfki_mappings *t, uint64_t iova, size_t len, uint32_t prot)
{
	size_t i = vfki_mappings_lower(t, iova);
	uint64_t last, at = iova;

	if (!len)
		return 0;
	if (!vfki_range_last(iova, len, &last))
		return vfki_err(-EFAULT, "dma access: 0x%" PRIx64 " + 0x%zx wraps", iova, len);
	for (;; i++) {
		if (i >= t->count || t->at[i]->first > at)
			return vfki_err(-EFAULT, "dma access: 0x%" PRIx64 " is not mapped", at);
		if (prot & ~t->at[i]->prot)
			return vfki_err(-EFAULT, "dma access: 0x%" PRIx64 " is not %s", at,
					prot & ~t->at[i]->prot & VFK_DMA_WRITE ? "writable" :
										 "readable");
		if (t->at[i]->last >= last)
			return 0;
		at = t->at[i]->last + 1;
	}
}

int vfki_mappings_access(const struct vfki_mappings *t, uint64_t iova, void *buf, size_t len,
			 uint32_t prot)
{
	size_t i = vfki_mappings_lower(t, iova);
	int ret = vfki_mappings_check(t, iova, len, prot);
	char *p = buf;

	for (; !ret && len; i++) {
		const struct vfki_mapping *m = t->at[i];
		size_t n = (size_t)(vfki_min_u64(m->last - iova, len - 1) + 1);

		if (prot & VFK_DMA_WRITE)
			ret = vfki_mapping_write(m, iova, p, n);
		else
			ret = vfki_mapping_read(m, iova, p, n);
		iova += n;
		p += n;
		len -= n;
	}
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - declaring memory that users may map, and accesses to it by message; see memory.h.
 *
 * Threads: declaring inside the model's init; accesses under the model's lock.
 */
#include "memory.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void vfki_memory_init(struct vfki_memory *mem)
{
	*mem = (struct vfki_memory){ .fd = -1 };
}

void vfki_memory_fini(struct vfki_memory *mem)
{
	vfki_guarded_unmap(NULL, &mem->map);
	vfki_fd_close(mem->fd);
	vfki_memory_init(mem);
}

static int check_area(const struct vfki_memory_decl *decl, uint32_t i)
{
	const struct vfk_region_area *a = &decl->areas[i];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!a->length || (a->offset | a->length) & (page - 1) ||
	    !vfki_range_ok(a->offset, a->length, decl->length))
		return -EINVAL;
	for (uint32_t j = 0; j < i; j++) {
		if (vfki_ranges_overlap(a->offset, a->length, decl->areas[j].offset,
					decl->areas[j].length))
			return -EINVAL;
	}
	return 0;
}

static int take_areas(const struct vfk_model *m, const struct vfki_memory_decl *decl,
		      struct vfki_memory *mem)
{
	if (!decl->areas)
		return 0;
	if (!decl->num_areas || decl->num_areas > VFKI_MEMORY_AREAS)
		return vfki_err(-EINVAL, "%s: %s %u: %u areas", m->io.name, decl->region,
				decl->index, decl->num_areas);
	for (uint32_t i = 0; i < decl->num_areas; i++) {
		if (check_area(decl, i) < 0)
			return vfki_err(-EINVAL,
					"%s: %s %u: area %u is no whole pages, beyond the end, or "
					"overlaps another",
					m->io.name, decl->region, decl->index, i);
		mem->areas[i].offset = decl->areas[i].offset;
		mem->areas[i].size = decl->areas[i].length;
	}
	mem->num_areas = decl->num_areas;
	return 0;
}

int vfki_memory_take(const struct vfk_model *m, const struct vfki_memory_decl *decl,
		     struct vfki_memory *mem)
{
	int ret;

	vfki_memory_init(mem);
	ret = take_areas(m, decl, mem);
	if (ret < 0)
		goto none;
	/* No guard: the file is the model's own, of this process. */
	ret = vfki_guarded_map(NULL, decl->fd, decl->fd_offset, decl->length,
			       PROT_READ | PROT_WRITE, &mem->map);
	if (ret < 0) {
		ret = vfki_err_sys(-EINVAL, "%s: %s %u: its file cannot be mapped: errno %d",
				   m->io.name, decl->region, decl->index, -ret);
		goto none;
	}
	mem->fd = vfki_fd_dup(decl->fd);
	if (mem->fd < 0) {
		ret = vfki_err_sys(mem->fd, "%s: %s %u: its file", m->io.name, decl->region,
				   decl->index);
		goto unmap;
	}
	mem->fd_offset = decl->fd_offset;
	return 0;
unmap:
	vfki_guarded_unmap(NULL, &mem->map);
none:
	vfki_memory_init(mem);
	return ret;
}

bool vfki_memory_mappable(const struct vfki_memory *mem, uint64_t off, uint64_t len)
{
	if (mem->fd < 0)
		return false;
	for (uint32_t i = 0; i < mem->num_areas; i++) {
		if (vfki_ranges_overlap(off, len, mem->areas[i].offset, mem->areas[i].size))
			return true;
	}
	return !mem->num_areas;
}

/* Small memory is copied as one access where it is one, so that a model that polls it never sees half of it. */
static void copy(void *dst, const void *src, size_t len)
{
	if (((uintptr_t)dst | (uintptr_t)src) & (len - 1)) {
		memcpy(dst, src, len);
		return;
	}
	switch (len) {
	case 2:
		__atomic_store_n((uint16_t *)dst,
				 __atomic_load_n((const uint16_t *)src, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
		break;
	case 4:
		__atomic_store_n((uint32_t *)dst,
				 __atomic_load_n((const uint32_t *)src, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
		break;
	case 8:
		__atomic_store_n((uint64_t *)dst,
				 __atomic_load_n((const uint64_t *)src, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
		break;
	default:
		memcpy(dst, src, len);
	}
}

void vfki_memory_read(const struct vfki_memory *mem, uint64_t off, void *buf, size_t len)
{
	copy(buf, (const char *)mem->map.addr + off, len);
}

void vfki_memory_write(const struct vfki_memory *mem, uint64_t off, const void *buf, size_t len)
{
	copy((char *)mem->map.addr + off, buf, len);
}

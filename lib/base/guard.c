/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.c - surviving a peer that shrinks a file under our mapping; see <vfiokit/guard.h> and guard.h.
 *
 * vfk_guard_handle() runs in a signal handler and reads the slots without a lock. It may have interrupted add or remove
 * in its own thread, so it never waits: a slot that is being changed is one that nobody accesses yet, or any more, and
 * is passed over. Everything else runs in any thread, under the guard's mutex.
 */
#include "guard.h"
#include "error.h"
#include "fd.h"
#include "range.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#define MAX_MAPPINGS 1048576

struct vfki_guard_slot {
	atomic_uint seq; /* odd while first and len are being changed */
	atomic_uintptr_t first;
	atomic_size_t len; /* 0: free */
	atomic_bool hit;
	uint32_t next_free; /* under the mutex: index + 1 of the next free slot, 0 at the end */
};

struct vfk_guard {
	pthread_mutex_t lock; /* add and remove */
	size_t page;	      /* read in the handler, where sysconf() is not allowed */
	uint32_t max;
	uint32_t free;	 /* under the mutex: index + 1 of a free slot below top, 0: none */
	atomic_uint top; /* slots from here on were never used */
	atomic_ullong hits;
	struct vfki_guard_slot slots[];
};

int vfk_guard_create(size_t max_mappings, struct vfk_guard **guard)
{
	struct vfk_guard *g;
	size_t size;

	if (!max_mappings || max_mappings > MAX_MAPPINGS)
		return vfki_err(-EINVAL, "guard: %zu mappings, need 1 to %d", max_mappings,
				MAX_MAPPINGS);
	if (!vfki_tail_size(sizeof(*g), max_mappings, sizeof(struct vfki_guard_slot), &size))
		return vfki_err(-ENOMEM, "guard: no memory");
	g = calloc(1, size);
	if (!g)
		return vfki_err(-ENOMEM, "guard: no memory");
	pthread_mutex_init(&g->lock, NULL);
	g->page = (size_t)sysconf(_SC_PAGESIZE);
	g->max = (uint32_t)max_mappings;
	*guard = g;
	return 0;
}

void vfk_guard_destroy(struct vfk_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_destroy(&guard->lock);
	free(guard);
}

/* Between the two increments the handler passes over the slot. */
static void slot_set(struct vfki_guard_slot *slot, uintptr_t first, size_t len)
{
	atomic_fetch_add(&slot->seq, 1);
	atomic_store(&slot->first, first);
	atomic_store(&slot->len, len);
	atomic_store(&slot->hit, false);
	atomic_fetch_add(&slot->seq, 1);
}

static struct vfki_guard_slot *take_slot(struct vfk_guard *guard)
{
	struct vfki_guard_slot *slot;

	if (guard->free) {
		slot = &guard->slots[guard->free - 1];
		guard->free = slot->next_free;
		return slot;
	}
	if (atomic_load(&guard->top) == guard->max)
		return NULL;
	return &guard->slots[atomic_fetch_add(&guard->top, 1)];
}

int vfki_guard_add(struct vfk_guard *guard, void *addr, size_t len, struct vfki_guard_slot **slot)
{
	struct vfki_guard_slot *s;

	pthread_mutex_lock(&guard->lock);
	s = take_slot(guard);
	if (s)
		slot_set(s, (uintptr_t)addr, len);
	pthread_mutex_unlock(&guard->lock);
	if (!s)
		return vfki_err(-ENOSPC, "guard: all %u places are taken", guard->max);
	*slot = s;
	return 0;
}

void vfki_guard_remove(struct vfk_guard *guard, struct vfki_guard_slot *slot)
{
	if (!slot)
		return;
	pthread_mutex_lock(&guard->lock);
	slot_set(slot, 0, 0);
	slot->next_free = guard->free;
	guard->free = (uint32_t)(slot - guard->slots) + 1;
	pthread_mutex_unlock(&guard->lock);
}

bool vfki_guard_hit(const struct vfki_guard_slot *slot)
{
	return slot && atomic_load(&slot->hit);
}

uint64_t vfki_guard_hits(const struct vfk_guard *guard)
{
	return guard ? atomic_load(&guard->hits) : 0;
}

/* Whether @at lies in the slot's mapping; a consistent pair of first and len, or no. */
static bool slot_has(struct vfki_guard_slot *slot, uintptr_t at, uintptr_t *first, size_t *len)
{
	unsigned int seq = atomic_load(&slot->seq);

	*first = atomic_load(&slot->first);
	*len = atomic_load(&slot->len);
	return !(seq & 1) && atomic_load(&slot->seq) == seq && *len && at - *first < *len;
}

static bool put_zeroes(void *addr, size_t len)
{
	return mmap(addr, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

/* One page of a mapping of huge pages cannot be replaced: there the whole mapping is. */
static bool replace_page(struct vfk_guard *guard, uintptr_t at, uintptr_t first, size_t len)
{
	return put_zeroes((void *)(at & ~(guard->page - 1)), guard->page) ||
	       put_zeroes((void *)first, len);
}

int vfk_guard_handle(struct vfk_guard *guard, void *addr)
{
	int saved = errno, ret = -ENOENT;
	uintptr_t first;
	size_t len;

	for (uint32_t i = 0, top = guard ? atomic_load(&guard->top) : 0; i < top; i++) {
		struct vfki_guard_slot *slot = &guard->slots[i];

		if (!slot_has(slot, (uintptr_t)addr, &first, &len))
			continue;
		/* marked first, so that no other thread sees the zeroes without the mark */
		atomic_store(&slot->hit, true);
		atomic_fetch_add(&guard->hits, 1);
		ret = replace_page(guard, (uintptr_t)addr, first, len) ? 0 : -ENOMEM;
		break;
	}
	errno = saved;
	return ret;
}

/* A file that cannot shrink needs no watch. Asked before the size is, so that the size found stays true. */
static bool cannot_shrink(int fd)
{
	int seals = vfki_fd_seals(fd);

	return seals >= 0 && seals & F_SEAL_SHRINK;
}

static int check_size(int fd, uint64_t offset, uint64_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t last, size;
	int ret;

	if (!vfki_range_last(offset, len, &last) || last >= INT64_MAX || len > SIZE_MAX ||
	    !vfki_is_aligned(offset, page))
		return vfki_err(-EINVAL, "map: 0x%" PRIx64 " bytes at 0x%" PRIx64, len, offset);
	ret = vfki_fd_size(fd, &size);
	if (ret == -ENOTSUP) /* a device: its mmap says what it has */
		return 0;
	if (ret < 0)
		return vfki_err_sys(ret, "map: file descriptor %d", fd);
	if (last >= size)
		return vfki_err(-ENODATA, "map: file has 0x%" PRIx64 " bytes, need 0x%" PRIx64,
				size, last + 1);
	return 0;
}

/* Where mmap and munmap must be cut: at the page, and in hugetlbfs at the huge page. */
static size_t granule(const struct vfk_guard *guard, int fd)
{
	struct statfs fs;

	if (!fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC && vfki_is_pow2((uint64_t)fs.f_bsize))
		return (size_t)fs.f_bsize;
	return guard ? guard->page : (size_t)sysconf(_SC_PAGESIZE);
}

/* The size is checked, so nothing here can wrap but on 32 bits, where mmap refuses what is left. */
static int map_wide(int fd, uint64_t offset, size_t granule, int prot, struct vfki_guarded *m)
{
	uint64_t start = vfki_align_down(offset, granule), len;
	int ret;

	if (!vfki_align_up(m->len + (offset - start), granule, &len) || len > SIZE_MAX)
		return vfki_err(-EINVAL, "map: 0x%zx bytes", m->len);
	m->base_len = (size_t)len;
	m->base = mmap(NULL, m->base_len, prot, MAP_SHARED, fd, (off_t)start);
	if (m->base == MAP_FAILED) {
		ret = -errno;
		return vfki_err_sys(ret, "map: 0x%zx bytes at 0x%" PRIx64, m->len, offset);
	}
	m->addr = (char *)m->base + (offset - start);
	return 0;
}

int vfki_guarded_map(struct vfk_guard *guard, int fd, uint64_t offset, uint64_t len, int prot,
		     struct vfki_guarded *mem)
{
	bool sealed = cannot_shrink(fd);
	int ret = check_size(fd, offset, len);
	struct vfki_guarded m = { .len = (size_t)len };

	if (ret < 0)
		return ret;
	ret = map_wide(fd, offset, granule(guard, fd), prot, &m);
	if (ret < 0)
		return ret;
	if (guard && !sealed) {
		ret = vfki_guard_add(guard, m.base, m.base_len, &m.slot);
		if (ret < 0)
			goto unmap;
	}
	*mem = m;
	return 0;
unmap:
	munmap(m.base, m.base_len);
	return ret;
}

void vfki_guarded_unmap(struct vfk_guard *guard, struct vfki_guarded *mem)
{
	if (!mem->addr)
		return;
	vfki_guard_remove(guard, mem->slot);
	munmap(mem->base, mem->base_len);
	*mem = (struct vfki_guarded){ 0 };
}

int vfki_guarded_move(struct vfk_guard *guard, struct vfki_guarded *from, struct vfki_guarded *to)
{
	struct vfki_guard_slot *old = to->slot;
	int ret;

	/* The kernel takes the old mapping away and puts the new one there under one lock. */
	if (mremap(from->base, from->base_len, from->base_len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   to->base) == MAP_FAILED) {
		ret = -errno;
		return vfki_err_sys(ret, "map: move of 0x%zx bytes", from->base_len);
	}
	to->slot = from->slot;
	if (to->slot) {
		pthread_mutex_lock(&guard->lock);
		slot_set(to->slot, (uintptr_t)to->base, to->base_len);
		pthread_mutex_unlock(&guard->lock);
	}
	vfki_guard_remove(guard, old);
	*from = (struct vfki_guarded){ 0 };
	return 0;
}

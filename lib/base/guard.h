/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.h - mapping a peer's file, and noticing when it shrinks under the mapping; <vfiokit/guard.h> says why.
 *
 * Whoever maps memory that another process shared does it by vfki_guarded_map(), asks vfki_guarded_hit() before it goes
 * on with that peer, and ends the connection with -EPROTO when the answer is yes.
 *
 * Threads: any. vfk_guard_handle() runs in a signal handler, on whichever thread made the access; nothing here blocks it.
 */
#ifndef VFKI_BASE_GUARD_H
#define VFKI_BASE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/guard.h>

struct vfki_guard_slot;

/*
 * Watches @len bytes of mapping at @addr, both page-aligned. To be called between mmap and the first access.
 * Returns 0; -ENOSPC with a text when all places are taken.
 */
int vfki_guard_add(struct vfk_guard *guard, void *addr, size_t len, struct vfki_guard_slot **slot);

/* To be called after the last access and before munmap. NULL for @slot is allowed. */
void vfki_guard_remove(struct vfk_guard *guard, struct vfki_guard_slot *slot);

/* Whether an access to the mapping was made good by a zero page. NULL: false. */
bool vfki_guard_hit(const struct vfki_guard_slot *slot);

/*
 * How often any mapping of @guard was hit since its creation; 0 for NULL. One with many mappings compares this number
 * with the one that it saw last, and asks its slots only when it changed.
 */
uint64_t vfki_guard_hits(const struct vfk_guard *guard);

/* A mapping of a peer's file. Zero-initialised it is none. */
struct vfki_guarded {
	void *addr; /* of the byte asked for */
	size_t len; /* as asked for */
	void *base; /* of the mapping: huge pages widen it to their boundaries */
	size_t base_len;
	struct vfki_guard_slot *slot; /* NULL: sealed, or nobody watches */
};

/*
 * Maps @len bytes (> 0) at @offset (page-aligned) of @fd, shared. @guard may be NULL: then a file that is not sealed is
 * mapped unwatched.
 * Returns 0; -EINVAL not aligned or too large; -ENODATA a regular file that is shorter, with a text; -ENOSPC the guard
 * is full; -errno of mmap.
 */
int vfki_guarded_map(struct vfk_guard *guard, int fd, uint64_t offset, uint64_t len, int prot,
		     struct vfki_guarded *mem);

/* Undoes it, with the same @guard. */
void vfki_guarded_unmap(struct vfk_guard *guard, struct vfki_guarded *mem);

/*
 * Moves @from to the address of @to, another mapping of the same size, which is gone then; an access at any time meets one
 * of them. @from is none then. Returns 0; -errno of mremap with a text: both are as they were.
 */
int vfki_guarded_move(struct vfk_guard *guard, struct vfki_guarded *from, struct vfki_guarded *to);

static inline bool vfki_guarded_hit(const struct vfki_guarded *mem)
{
	return vfki_guard_hit(mem->slot);
}

#endif

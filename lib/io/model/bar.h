/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar.h - the BARs of a model, and who answers an access to one.
 *
 * Most of a BAR is the model's. Where its declaration gave memory that users may map, the toolkit answers from that
 * memory, so that an access by message sees the same as one through a mapping; and it answers for the MSI-X table and
 * pending bits.
 *
 * A driver that polls a register pays for every instruction between itself and the model. So each BAR says in one word
 * which sizes of access can go to the model as they are, with nothing to be looked up or split; model_io.c asks that
 * word first, and everything else comes here.
 *
 * Threads: declared before any other thread sees the model, constant afterwards; accesses from any.
 */
#ifndef VFKI_MODEL_BAR_H
#define VFKI_MODEL_BAR_H

#include "memory.h"
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/io.h>

struct vfk_model;

#define VFKI_BARS 6

/*
 * For each of the eight places that an offset can have in 8 bytes, and each BAR, bit n: an access of n bytes that begins
 * there is one of the model's. 0 while the BAR is not decoded. Read without the lock: an access that runs beside the write
 * to the command register may be before or after it.
 */
struct vfki_bar_direct {
	_Atomic uint64_t sizes[8][8]; /* a power of two of BARs: no multiplication */
};

struct vfki_bar {
	uint64_t length; /* 0: not there */
	uint32_t flags;	 /* VFK_BAR_* */
	uint32_t decode; /* the bit of the command register that it needs */
	uint32_t min; /* power of two, 1 to 8: offset and length of an access are multiples of it */
	uint32_t max; /* power of two: longer accesses are split; UINT32_MAX: never */
	bool plain;   /* all of it is the model's */
	bool upper;   /* its place is taken by the upper half of the BAR before it */
	bool msix_mappable;	   /* users may map the page of the MSI-X table, too */
	struct vfki_memory memory; /* that users may map */
};

/* Whether an access, which lies inside the BAR, can go to the model as it is. */
static inline bool vfki_bar_is_direct(const struct vfki_bar_direct *d, uint32_t bar, uint64_t off,
				      size_t len)
{
	return len < 64 &&
	       atomic_load_explicit(&d->sizes[off & 7][bar], memory_order_relaxed) >> len & 1;
}

/* Everything undeclared; nothing to undo. */
void vfki_bars_init(struct vfk_model *m);
void vfki_bars_fini(struct vfk_model *m);

/* Follows the command register. */
void vfki_bars_apply(struct vfk_model *m);

/* The vector's accesses, with the lock not held; @bar below VFKI_BARS. */
ssize_t vfki_bar_read(struct vfk_model *m, uint32_t bar, uint64_t off, void *buf, size_t len);
ssize_t vfki_bar_write(struct vfk_model *m, uint32_t bar, uint64_t off, const void *buf,
		       size_t len);

/* The text for an access that the model answered with @ret; returns that, or what stands for it if it is no -errno. */
int vfki_bar_failed(const struct vfk_model *m, uint32_t bar, uint64_t off, size_t len, bool write,
		    int ret);

/* Region info with its sparse areas; as get_region_info of the vector. */
int vfki_bar_info(struct vfk_model *m, struct vfio_region_info *info, struct vfk_region_fds *fds);

#endif

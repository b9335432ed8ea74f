/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.h - DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS.
 *
 * Specification: "VFIO_USER_DEVICE_GET_IRQ_INFO", "VFIO_USER_DEVICE_SET_IRQS". Eventfds travel
 * beside the message, one for each vector, or none: that takes them away. A single message cannot
 * mix the two, as the kernel's structure can with -1, and no message has more descriptors than the
 * peer takes: vfki_wire_irq_next() cuts a request into such parts.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_IRQ_H
#define VFKI_WIRE_IRQ_H

#include "lib/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 16 bytes. */
size_t vfki_enc_irq_info_request(void *buf, uint32_t index);

/* -EPROTO below 16 bytes; -EINVAL: argsz below 16, an index at or above @num_irqs. */
int vfki_dec_irq_info_request(const void *payload, size_t len, uint32_t num_irqs, uint32_t *index);

/* 16 bytes. */
size_t vfki_enc_irq_info_reply(void *buf, const struct vfio_irq_info *info);

/* -EPROTO: below 16 bytes, another index than asked, more vectors than wire.h allows. */
int vfki_dec_irq_info_reply(const void *payload, size_t len, uint32_t index,
			    struct vfio_irq_info *info);

/* Whether @flags has exactly one DATA_*, exactly one ACTION_*, and nothing else. */
bool vfki_wire_irq_flags_ok(uint32_t flags);

/* One message of a SET_IRQS request. */
struct vfki_wire_irq_part {
	struct vfki_wire_irq_set set;
	const uint8_t
		*bools; /* DATA_BOOL: set.count bytes, travelling as a further iovec; else NULL */
	const int32_t *fds; /* DATA_EVENTFD: nfds descriptors for the message; else NULL */
	size_t nfds;	    /* set.count, or 0 to take away */
};

/*
 * The part of @set that begins at its vector @done (0 at first), at most @max_fds descriptors. @set
 * is as the vector's set_irqs op takes it. Returns the number of vectors in the part, to be added
 * to @done; the last part reaches set->count. A set with a count of 0 is one part, for which 0 is
 * returned. -EMSGSIZE when @max_fds is 0 and there are descriptors to send.
 */
int vfki_wire_irq_next(const struct vfio_irq_set *set, uint32_t done, uint32_t max_fds,
		       struct vfki_wire_irq_part *part);

/* 20 bytes; part->bools follow. */
size_t vfki_enc_set_irqs_request(void *buf, const struct vfki_wire_irq_part *part);

/* A decoded SET_IRQS; @bools points into the payload. */
struct vfki_wire_irq_request {
	struct vfki_wire_irq_set set; /* argsz, flags, index, start, count */
	const uint8_t *bools;	      /* DATA_BOOL: set.count bytes, each 0 or 1; else NULL */
	bool take_away;		      /* DATA_EVENTFD without descriptors */
};

/*
 * @counts[i] is the number of vectors of index i, for i below @num_irqs. -EPROTO: shorter than 20
 * bytes; data of another length than the flags and the count say; descriptors that are neither none
 * nor count, or that come with anything but DATA_EVENTFD. -EINVAL: argsz below 20 or not the
 * payload's size, flags that are not one of each, an index at or above @num_irqs, start or count
 * beyond the index's vectors, a bool that is neither 0 nor 1, a count of 0 other than
 * DATA_NONE|ACTION_TRIGGER with start 0.
 */
int vfki_dec_set_irqs_request(const void *payload, size_t len, size_t nfds, const uint32_t *counts,
			      uint32_t num_irqs, struct vfki_wire_irq_request *req);

/* Bytes that vfki_wire_irq_to_kernel() needs. */
size_t vfki_wire_irq_kernel_size(const struct vfki_wire_irq_request *req);

/*
 * The request as the vector takes it: bools or @fds (the message's, borrowed) behind the structure;
 * taking away is -1.
 */
void vfki_wire_irq_to_kernel(const struct vfki_wire_irq_request *req, const int *fds,
			     struct vfio_irq_set *set);

/*
 * 0 bytes for @granted 0; else, only if irq_count was agreed, 8: "only @granted vectors can be
 * had".
 */
size_t vfki_enc_set_irqs_reply(void *buf, uint32_t granted);

/*
 * Returns 0, or, if @irq_count was agreed, the positive number of vectors that can be had, below
 * the @count that was asked for. -EPROTO for any other payload.
 */
int vfki_dec_set_irqs_reply(const void *payload, size_t len, bool irq_count, uint32_t count);

#endif

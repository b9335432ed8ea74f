/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.h - DEVICE_FEATURE.
 *
 * Specification: "VFIO_USER_DEVICE_FEATURE". On the wire a feature's structure is in the inline
 * form of lib/base/feature.h; the vector takes the kernel's form, with pointers. Both directions
 * convert here, and a server never hands a peer's bytes on as they came: the kernel's form is built
 * anew from values that were checked.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_FEATURE_H
#define VFKI_WIRE_FEATURE_H

#include "lib/base/feature.h"
#include "lib/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fixed part of either direction: header and structure. */
#define VFKI_WIRE_FEATURE_MAX (8 + VFKI_FEATURE_DATA_MAX)

/*
 * Both halves: header and the first @size bytes of @data, a descriptor in it hidden; argsz counts
 * @tail too. Returns the bytes written.
 */
size_t vfki_wire_feature_put(void *buf, const struct vfki_feature *feature, uint32_t flags,
			     const void *data, size_t size, size_t tail);

/* What travels behind the fixed part. */
struct vfki_wire_feature_tail {
	const void *data; /* ranges of DMA_LOGGING_START; NULL for none */
	size_t len;
	int fd; /* an eventfd beside the message (low power with wakeup), borrowed; -1: none */
};

/*
 * Client. @f is in the kernel's form and has passed vfki_feature_check(). Writes up to
 * VFKI_WIRE_FEATURE_MAX bytes; @tail is set to what follows. *reply_max is set to the largest
 * payload of the reply. Returns the length of the fixed part; -ENOTSUP for a feature that is not
 * exported; -EINVAL for values that cannot be sent; -E2BIG for more than VFKI_WIRE_MAX_RANGES
 * ranges, or a bitmap above @max_bitmap.
 */
int vfki_enc_feature_request(void *buf, const struct vfio_device_feature *f, uint64_t max_bitmap,
			     struct vfki_wire_feature_tail *tail, size_t *reply_max);

/* A decoded request. */
struct vfki_wire_feature_request {
	const struct vfki_feature *feature;
	uint32_t flags;			/* id and methods */
	uint32_t argsz;			/* the client's: room for the reply */
	uint64_t bitmap_size;		/* DMA_LOGGING_REPORT: bytes, a multiple of 8; else 0 */
	struct vfki_feature_buf kernel; /* as the vector takes it; pointers as described below */
};

/*
 * Server. kernel's pointer to ranges is set into @payload, which must be aligned to 8 and live as
 * long; its pointer to a bitmap is NULL: the caller sets it to bitmap_size zeroed bytes
 * (vfki_wire_feature_set_bitmap()). Descriptors: kernel has fds[0] (borrowed) where the feature
 * takes one. -EPROTO: shorter than 8 bytes, data of another length than the feature's, descriptors
 * that the feature does not take. -ENOTSUP: a feature that is unknown or not exported. -EINVAL:
 * argsz below 8 or too small for the reply, flags, a method that the feature does not have,
 * reserved members not 0, ranges that are empty or wrap, a bad page size. -E2BIG: more than
 * VFKI_WIRE_MAX_RANGES ranges, a bitmap above @max_bitmap.
 */
int vfki_dec_feature_request(const void *payload, size_t len, const int *fds, size_t nfds,
			     uint64_t max_bitmap, struct vfki_wire_feature_request *req);

void vfki_wire_feature_set_bitmap(struct vfki_wire_feature_request *req, uint64_t *bitmap);

/*
 * Server. From the request after the io has done it. Writes up to VFKI_WIRE_FEATURE_MAX bytes;
 * @tail is set to what follows: the bitmap, or, for DMA_LOGGING_START, the ranges as they came. A
 * data_fd never travels. Returns the length of the fixed part.
 */
size_t vfki_enc_feature_reply(void *buf, const struct vfki_wire_feature_request *req,
			      struct vfki_wire_feature_tail *tail);

/*
 * Client. Into @f, which was the request: GET fills its data, a bitmap is or-ed into the caller's,
 * SET takes over the page size that was chosen and the state that was reached; data_fd becomes -1.
 * -EPROTO: shorter than 8 bytes, another feature or method, data of another length than the
 * feature's.
 */
int vfki_dec_feature_reply(const void *payload, size_t len, struct vfio_device_feature *f);

#endif

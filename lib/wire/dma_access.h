/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma_access.h - DMA_READ and DMA_WRITE, which the server sends to a client whose memory it cannot
 * map.
 *
 * Specification: "VFIO_USER_DMA_READ", "VFIO_USER_DMA_WRITE". The count is 64 bits wide. QEMU's
 * client up to 10.2 has 32 bits there, so its data stands at 12 instead of 16, with four bytes of
 * nothing at the end; and it answers a DMA_WRITE with an empty payload. A server cannot ask which
 * of the two it talks to, but a DMA_READ reply tells, unless the data happens to look the same: see
 * enum vfki_wire_dma_form.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_DMA_ACCESS_H
#define VFKI_WIRE_DMA_ACCESS_H

#include "lib/wire/wire.h"
#include <stddef.h>
#include <stdint.h>

/* What a server knows of its client; kept with the connection, UNKNOWN at first. */
enum vfki_wire_dma_form {
	VFKI_WIRE_DMA_UNKNOWN, /* treated as the 64-bit form */
	VFKI_WIRE_DMA_64,      /* as specified */
	VFKI_WIRE_DMA_32,      /* the count is 32 bits, data at 12 */
};

/*
 * Bytes before the data of a reply that is read into place: read this many, then as many more as
 * the count.
 */
#define VFKI_WIRE_DMA_FRONT 16

/* 16 bytes: a read request; a read reply or a write request (data follows); a write reply. */
static inline size_t vfki_enc_dma_access(void *buf, uint64_t addr, uint64_t count)
{
	struct vfki_wire_dma_access a = { .addr = addr, .count = count };

	__builtin_memcpy(buf, &a, sizeof(a));
	return sizeof(a);
}

/*
 * A write request's front for a client of @form: 16 bytes, or 12. *pad is set to the zero bytes
 * that must follow the data: 0, or 4.
 */
size_t vfki_enc_dma_write_request(void *buf, enum vfki_wire_dma_form form, uint64_t addr,
				  uint64_t count, size_t *pad);

/* Client. -EPROTO unless 16 bytes; -EINVAL: a count of 0 or above @max_xfer, a range that wraps. */
int vfki_dec_dma_read_request(const void *payload, size_t len, uint64_t max_xfer,
			      struct vfki_wire_dma_access *a);

/* Client. As above; -EPROTO also when the data, at 16, is not count bytes. */
int vfki_dec_dma_write_request(const void *payload, size_t len, uint64_t max_xfer,
			       struct vfki_wire_dma_access *a);

/*
 * Server. The whole payload. Returns the count, which is asked->count: a short read is an error;
 * *data is set to where the data is, *form to what the reply gave away. -EPROTO when it is not for
 * what was asked; -EIO when it is short.
 */
int vfki_dec_dma_read_reply(const void *payload, size_t len,
			    const struct vfki_wire_dma_access *asked, enum vfki_wire_dma_form *form,
			    const void **data);

/* Server. Takes 16 bytes, 12 (a 32-bit count), or none. Returns 0; -EIO when short; -EPROTO. */
int vfki_dec_dma_write_reply(const void *payload, size_t len,
			     const struct vfki_wire_dma_access *asked);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma_access.h - DMA_READ and DMA_WRITE, which the server sends to a client whose memory it cannot
 * map.
 *
 * Specification: "VFIO_USER_DMA_READ", "VFIO_USER_DMA_WRITE". The count is 64 bits wide. QEMU's
 * client up to 10.2 has 32 bits there, so its data stands at 12 instead of 16, with four bytes of
 * nothing at the end; and it answers a DMA_WRITE with an empty payload. A DMA_READ reply tells which
 * of the two a server talks to, unless the data happens to look the same. Then, and before the
 * first DMA_WRITE, a question tells: a DMA_READ of 2^32 bytes more than a few. Who has 32 bits sees
 * the few and answers them; for any other it is far beyond max_data_xfer_size, and refused.
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
	VFKI_WIRE_DMA_UNKNOWN, /* to be asked */
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

/* Bytes of a question for the form, and what is added to its count. */
#define VFKI_WIRE_DMA_QUESTION	     8u
#define VFKI_WIRE_DMA_QUESTION_EXTRA (1ull << 32)

/*
 * Server. A reply, not an error, to a question for @asked->count bytes at @asked->addr: 0, the form is
 * VFKI_WIRE_DMA_32; or -EPROTO.
 */
int vfki_dec_dma_question_reply(const void *payload, size_t len,
				const struct vfki_wire_dma_access *asked);

/* Where a server's data is in a DMA_READ reply of @form. */
static inline const void *vfki_wire_dma_data(const void *payload, enum vfki_wire_dma_form form)
{
	return (const uint8_t *)payload + (form == VFKI_WIRE_DMA_32 ? 12 : VFKI_WIRE_DMA_FRONT);
}

/* Server. Takes 16 bytes, 12 (a 32-bit count), or none. Returns 0; -EIO when short; -EPROTO. */
int vfki_dec_dma_write_reply(const void *payload, size_t len,
			     const struct vfki_wire_dma_access *asked);

#endif

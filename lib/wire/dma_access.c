/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma_access.c - DMA_READ and DMA_WRITE. Pure functions.
 */
#include "lib/wire/dma_access.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <stdbool.h>
#include <string.h>

/* Where the data stands behind a 32-bit count. */
#define FRONT_32 12

size_t vfki_enc_dma_write_request(void *buf, enum vfki_wire_dma_form form, uint64_t addr,
				  uint64_t count, size_t *pad)
{
	uint8_t front[VFKI_WIRE_DMA_FRONT];
	uint32_t count32 = (uint32_t)count;

	*pad = 0;
	if (form != VFKI_WIRE_DMA_32)
		return vfki_enc_dma_access(buf, addr, count);
	memcpy(front, &addr, sizeof(addr));
	memcpy(front + sizeof(addr), &count32, sizeof(count32));
	memcpy(buf, front, FRONT_32);
	*pad = VFKI_WIRE_DMA_FRONT - FRONT_32;
	return FRONT_32;
}

static int check_request(const char *what, const struct vfki_wire_dma_access *w, uint64_t max_xfer)
{
	uint64_t last;

	if (!w->count || w->count > max_xfer)
		return vfki_err(-EINVAL, "%s: count %llu, must be 1 to %llu", what,
				(unsigned long long)w->count, (unsigned long long)max_xfer);
	if (!vfki_range_last(w->addr, w->count, &last))
		return vfki_err(-EINVAL, "%s: wraps at 0x%llx", what, (unsigned long long)w->addr);
	return 0;
}

int vfki_dec_dma_read_request(const void *payload, size_t len, uint64_t max_xfer,
			      struct vfki_wire_dma_access *a)
{
	struct vfki_wire_dma_access w;
	int r;

	if (len != sizeof(w))
		return vfki_err(-EPROTO, "dma_read: %zu bytes of payload, must be 16", len);
	memcpy(&w, payload, sizeof(w));
	r = check_request("dma_read", &w, max_xfer);
	if (!r)
		*a = w;
	return r;
}

int vfki_dec_dma_write_request(const void *payload, size_t len, uint64_t max_xfer,
			       struct vfki_wire_dma_access *a)
{
	struct vfki_wire_dma_access w;
	int r;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "dma_write: %zu bytes of payload, must be 16 and the data",
				len);
	memcpy(&w, payload, sizeof(w));
	if (len - sizeof(w) != w.count)
		return vfki_err(-EPROTO, "dma_write: %zu bytes of data, but count %llu",
				len - sizeof(w), (unsigned long long)w.count);
	r = check_request("dma_write", &w, max_xfer);
	if (!r)
		*a = w;
	return r;
}

static int refuse(const char *what, size_t len, const struct vfki_wire_dma_access *asked)
{
	return vfki_err(-EPROTO,
			"%s reply: %zu bytes of payload are no answer to %llu bytes at 0x%llx",
			what, len, (unsigned long long)asked->count,
			(unsigned long long)asked->addr);
}

/*
 * A reply of 16 + count bytes in which both a 64-bit and a 32-bit count can be read: the first four
 * bytes of data are zero in one reading, the last four are nothing in the other.
 */
static enum vfki_wire_dma_form guess(const uint8_t *p, size_t len, enum vfki_wire_dma_form known)
{
	static const uint8_t zero[VFKI_WIRE_DMA_FRONT - FRONT_32];

	if (known != VFKI_WIRE_DMA_UNKNOWN)
		return known;
	return memcmp(p + len - sizeof(zero), zero, sizeof(zero)) ? VFKI_WIRE_DMA_64 :
								    VFKI_WIRE_DMA_UNKNOWN;
}

int vfki_dec_dma_read_reply(const void *payload, size_t len,
			    const struct vfki_wire_dma_access *asked, enum vfki_wire_dma_form *form,
			    const void **data)
{
	enum vfki_wire_dma_form found = *form;
	const uint8_t *p = payload;
	struct vfki_wire_dma_access w = { .count = 0 };
	bool whole, is64, is32;
	uint32_t count32;

	if (len < FRONT_32)
		return refuse("dma_read", len, asked);
	memcpy(&w, p, len < sizeof(w) ? len : sizeof(w));
	memcpy(&count32, p + sizeof(w.addr), sizeof(count32));
	whole = len - FRONT_32 == asked->count + sizeof(w) - FRONT_32;
	is64 = whole && w.count == asked->count;
	is32 = count32 == asked->count && (whole || len - FRONT_32 == asked->count);
	if (w.addr == asked->addr && !is64 && !is32 && len >= sizeof(w) && w.count < asked->count &&
	    len - sizeof(w) == w.count)
		return vfki_err(-EIO, "dma_read: %llu bytes of %llu at 0x%llx",
				(unsigned long long)w.count, (unsigned long long)asked->count,
				(unsigned long long)asked->addr);
	if (is64 && is32)
		found = guess(p, len, found);
	else if (is64 || is32)
		found = is64 ? VFKI_WIRE_DMA_64 : VFKI_WIRE_DMA_32;
	if (w.addr != asked->addr || (!is64 && !is32) ||
	    (*form != VFKI_WIRE_DMA_UNKNOWN && found != *form))
		return refuse("dma_read", len, asked);
	*data = p + (found == VFKI_WIRE_DMA_32 ? FRONT_32 : sizeof(w));
	*form = found;
	return (int)asked->count;
}

int vfki_dec_dma_question_reply(const void *payload, size_t len,
				const struct vfki_wire_dma_access *asked)
{
	uint64_t addr;
	uint32_t count32;

	if (len != VFKI_WIRE_DMA_FRONT + asked->count)
		return refuse("dma_read", len, asked);
	memcpy(&addr, payload, sizeof(addr));
	memcpy(&count32, (const uint8_t *)payload + sizeof(addr), sizeof(count32));
	if (addr != asked->addr || count32 != asked->count)
		return refuse("dma_read", len, asked);
	return 0;
}

int vfki_dec_dma_write_reply(const void *payload, size_t len,
			     const struct vfki_wire_dma_access *asked)
{
	struct vfki_wire_dma_access w;
	uint32_t count32;

	if (!len)
		return 0;
	if (len != sizeof(w) && len != FRONT_32)
		return refuse("dma_write", len, asked);
	w.count = 0;
	memcpy(&w, payload, len);
	if (len == FRONT_32) {
		memcpy(&count32, (const uint8_t *)payload + sizeof(w.addr), sizeof(count32));
		w.count = count32;
	}
	if (w.addr != asked->addr || w.count > asked->count)
		return refuse("dma_write", len, asked);
	if (w.count < asked->count)
		return vfki_err(-EIO, "dma_write: %llu bytes of %llu at 0x%llx",
				(unsigned long long)w.count, (unsigned long long)asked->count,
				(unsigned long long)asked->addr);
	return 0;
}

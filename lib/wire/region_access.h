/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_access.h - REGION_READ, REGION_WRITE, REGION_WRITE_MULTI.
 *
 * Specification: "VFIO_USER_REGION_READ", "VFIO_USER_REGION_WRITE", "VFIO_USER_REGION_WRITE_MULTI".
 * These are the fast path: inline, nothing allocated, nothing copied but 16 bytes. Data stands
 * directly behind the 16 bytes; a decoder looks at the 16 bytes and the payload's length only, so
 * that the data may be anywhere.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_REGION_ACCESS_H
#define VFKI_WIRE_REGION_ACCESS_H

#include "lib/base/error.h"
#include "lib/wire/wire.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 16 bytes: a read request; a read reply, a write request (their data follows); a write reply. */
static inline size_t vfki_enc_region_access(void *buf, uint64_t off, uint32_t region,
					    uint32_t count)
{
	struct vfki_wire_region_access a = { .offset = off, .region = region, .count = count };

	memcpy(buf, &a, sizeof(a));
	return sizeof(a);
}

/*
 * -EPROTO unless 16 bytes; -EINVAL for a count of 0 or above @max_xfer, our limit. Region index and
 * range are the checked calls' business.
 */
static inline int vfki_dec_region_read_request(const void *payload, size_t len, uint64_t max_xfer,
					       struct vfki_wire_region_access *a)
{
	if (__builtin_expect(len != sizeof(*a), 0))
		return vfki_err(-EPROTO, "region_read: %zu bytes of payload, must be 16", len);
	memcpy(a, payload, sizeof(*a));
	if (__builtin_expect(!a->count || a->count > max_xfer, 0))
		return vfki_err(-EINVAL, "region_read: count %u, must be 1 to %llu", a->count,
				(unsigned long long)max_xfer);
	return 0;
}

/* As above; -EPROTO also when the data is not count bytes. */
static inline int vfki_dec_region_write_request(const void *payload, size_t len, uint64_t max_xfer,
						struct vfki_wire_region_access *a)
{
	if (__builtin_expect(len < sizeof(*a), 0))
		return vfki_err(-EPROTO,
				"region_write: %zu bytes of payload, must be 16 and the data", len);
	memcpy(a, payload, sizeof(*a));
	if (__builtin_expect(len - sizeof(*a) != a->count, 0))
		return vfki_err(-EPROTO, "region_write: %zu bytes of data, but count %u",
				len - sizeof(*a), a->count);
	if (__builtin_expect(!a->count || a->count > max_xfer, 0))
		return vfki_err(-EINVAL, "region_write: count %u, must be 1 to %llu", a->count,
				(unsigned long long)max_xfer);
	return 0;
}

/*
 * @payload: the first 16 bytes; @len: of the whole payload. Returns the count, at most
 * asked->count; -EPROTO when the reply is not for what was asked, or its data is not count bytes.
 */
static inline int vfki_dec_region_read_reply(const void *payload, size_t len,
					     const struct vfki_wire_region_access *asked)
{
	struct vfki_wire_region_access a;

	if (__builtin_expect(len < sizeof(a), 0))
		return vfki_err(-EPROTO, "region_read reply: %zu bytes of payload", len);
	memcpy(&a, payload, sizeof(a));
	if (__builtin_expect(a.offset != asked->offset || a.region != asked->region ||
				     a.count > asked->count || len - sizeof(a) != a.count,
			     0))
		return vfki_err(
			-EPROTO,
			"region_read reply: region %u, count %u, %zu bytes of data; asked for region %u,"
			" count %u",
			a.region, a.count, len - sizeof(a), asked->region, asked->count);
	return (int)a.count;
}

static inline int vfki_dec_region_write_reply(const void *payload, size_t len,
					      const struct vfki_wire_region_access *asked)
{
	struct vfki_wire_region_access a;

	if (__builtin_expect(len != sizeof(a), 0))
		return vfki_err(-EPROTO, "region_write reply: %zu bytes of payload, must be 16",
				len);
	memcpy(&a, payload, sizeof(a));
	if (__builtin_expect(a.offset != asked->offset || a.region != asked->region ||
				     a.count > asked->count,
			     0))
		return vfki_err(
			-EPROTO,
			"region_write reply: region %u, count %u; asked for region %u, count %u",
			a.region, a.count, asked->region, asked->count);
	return (int)a.count;
}

/* 8 bytes; the @count writes, as the vector has them, follow as a further iovec. */
size_t vfki_enc_write_multi_request(void *buf, uint64_t count);

/*
 * *writes is set to the array in the payload, which may not be aligned for its type: copy, or use
 * vfki_wire_write_at(). -EPROTO when the length is not 8 + count * 24; -EINVAL for a count of 0 or
 * above VFKI_WIRE_MAX_WRITES, and for a write whose length is not 1, 2, 4 or 8.
 */
int vfki_dec_write_multi_request(const void *payload, size_t len, const void **writes,
				 uint32_t *count);

static inline void vfki_wire_write_at(const void *writes, uint32_t i, struct vfk_region_write *w)
{
	memcpy(w, (const uint8_t *)writes + (size_t)i * sizeof(*w), sizeof(*w));
}

/* 8 bytes: the number of writes done. */
size_t vfki_enc_write_multi_reply(void *buf, uint64_t done);

/* Returns the number done, at most @asked; -EPROTO. */
int vfki_dec_write_multi_reply(const void *payload, size_t len, uint32_t asked);

#endif

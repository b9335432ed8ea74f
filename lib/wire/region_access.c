/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_access.c - REGION_WRITE_MULTI; the single accesses are inline in the header. Pure
 * functions.
 */
#include "lib/wire/region_access.h"

size_t vfki_enc_write_multi_request(void *buf, uint64_t count)
{
	struct vfki_wire_write_multi w = { .count = count };

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_write_multi_request(const void *payload, size_t len, const void **writes,
				 uint32_t *count)
{
	const uint8_t *first = (const uint8_t *)payload + sizeof(struct vfki_wire_write_multi);
	struct vfki_wire_write_multi w;
	struct vfk_region_write one;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "region_write_multi: %zu bytes of payload, need 8", len);
	memcpy(&w, payload, sizeof(w));
	if ((len - sizeof(w)) % sizeof(one) || (len - sizeof(w)) / sizeof(one) != w.count)
		return vfki_err(-EPROTO, "region_write_multi: %zu bytes of payload for %llu writes",
				len, (unsigned long long)w.count);
	if (!w.count || w.count > VFKI_WIRE_MAX_WRITES)
		return vfki_err(-EINVAL, "region_write_multi: %llu writes, must be 1 to %u",
				(unsigned long long)w.count, VFKI_WIRE_MAX_WRITES);
	for (uint32_t i = 0; i < w.count; i++) {
		vfki_wire_write_at(first, i, &one);
		if (one.len != 1 && one.len != 2 && one.len != 4 && one.len != 8)
			return vfki_err(-EINVAL, "region_write_multi: write %u is of %u bytes", i,
					one.len);
	}
	*writes = first;
	*count = (uint32_t)w.count;
	return 0;
}

size_t vfki_enc_write_multi_reply(void *buf, uint64_t done)
{
	return vfki_enc_write_multi_request(buf, done);
}

int vfki_dec_write_multi_reply(const void *payload, size_t len, uint32_t asked)
{
	struct vfki_wire_write_multi w;

	if (len != sizeof(w))
		return vfki_err(-EPROTO,
				"region_write_multi reply: %zu bytes of payload, must be 8", len);
	memcpy(&w, payload, sizeof(w));
	if (w.count > asked)
		return vfki_err(-EPROTO, "region_write_multi reply: %llu writes done of %u",
				(unsigned long long)w.count, asked);
	return (int)w.count;
}

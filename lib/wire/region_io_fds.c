/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_io_fds.c - DEVICE_GET_REGION_IO_FDS. Pure functions.
 */
#include "lib/wire/region_io_fds.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

size_t vfki_enc_region_io_fds_request(void *buf, uint32_t index, uint32_t argsz)
{
	struct vfki_wire_region_io_fds w = { .argsz = argsz, .index = index };

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_region_io_fds_request(const void *payload, size_t len, uint32_t num_regions,
				   uint32_t *index, uint32_t *argsz)
{
	struct vfki_wire_region_io_fds w;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "device_get_region_io_fds: %zu bytes of payload, need 16",
				len);
	memcpy(&w, payload, sizeof(w));
	if (w.argsz < sizeof(w))
		return vfki_err(-EINVAL, "device_get_region_io_fds: argsz %u, need 16", w.argsz);
	if (w.flags || w.count)
		return vfki_err(-EINVAL,
				"device_get_region_io_fds: flags 0x%x and count %u must be 0",
				w.flags, w.count);
	if (w.index >= num_regions)
		return vfki_err(-EINVAL, "device_get_region_io_fds: region %u, there are %u",
				w.index, num_regions);
	*index = w.index;
	*argsz = w.argsz;
	return 0;
}

int vfki_enc_region_io_fds_reply(void *buf, size_t cap, uint32_t index,
				 const struct vfki_wire_sub_region *subs, uint32_t count,
				 uint32_t entry_size, uint32_t argsz)
{
	struct vfki_wire_region_io_fds w = { .index = index, .count = count };
	uint8_t *out = (uint8_t *)buf + sizeof(w);

	if (count > VFKI_WIRE_MAX_SUB_REGIONS ||
	    (entry_size != VFKI_WIRE_SUB_REGION_SHORT && entry_size != VFKI_WIRE_SUB_REGION_LONG))
		return vfki_err(-EINVAL, "device_get_region_io_fds: %u entries of %u bytes", count,
				entry_size);
	w.argsz = (uint32_t)sizeof(w) + count * entry_size;
	if (cap < sizeof(w) || (argsz >= w.argsz && cap < w.argsz))
		return vfki_err(-ENOBUFS, "device_get_region_io_fds: %u bytes do not fit into %zu",
				w.argsz, cap);
	memcpy(buf, &w, sizeof(w));
	if (argsz < w.argsz)
		return sizeof(w);
	for (uint32_t i = 0; i < count; i++)
		memcpy(out + (size_t)i * entry_size, &subs[i], entry_size);
	return (int)w.argsz;
}

static int check_sub_region(const struct vfki_wire_sub_region *s, uint32_t i, uint32_t entry_size,
			    uint64_t region_size, size_t nfds)
{
	bool shadow = s->type == VFKI_WIRE_IOEVENTFD_SHADOW &&
		      entry_size == VFKI_WIRE_SUB_REGION_LONG;

	if (s->type > VFKI_WIRE_IOREGIONFD && !shadow)
		return vfki_err(-EPROTO, "region io fds: entry %u is of unknown type %u", i,
				s->type);
	/* One of no bytes, which matches accesses of any size, still has a place. */
	if (s->offset >= region_size || !vfki_range_ok(s->offset, s->size, region_size))
		return vfki_err(-EPROTO, "region io fds: entry %u is outside the region", i);
	if (s->fd_index >= nfds || (shadow && s->shadow_fd_index >= nfds))
		return vfki_err(-EPROTO,
				"region io fds: entry %u has a descriptor beyond the %zu sent", i,
				nfds);
	return 0;
}

int vfki_dec_region_io_fds_reply(const void *payload, size_t len, uint32_t index,
				 uint64_t region_size, size_t nfds,
				 struct vfki_wire_sub_region *subs, size_t max, uint32_t *count,
				 uint32_t *argsz)
{
	struct vfki_wire_region_io_fds w;
	uint32_t entry_size = 0;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "region io fds reply: %zu bytes of payload, need 16", len);
	memcpy(&w, payload, sizeof(w));
	if (w.index != index || w.flags)
		return vfki_err(-EPROTO,
				"region io fds reply: region %u, flags 0x%x; asked for region %u",
				w.index, w.flags, index);
	if (w.argsz > len && len == sizeof(w)) {
		*argsz = w.argsz;
		*count = 0;
		return 0;
	}
	if (w.argsz != len)
		return vfki_err(-EPROTO, "region io fds reply: %zu bytes, says %u", len, w.argsz);
	if (w.count > VFKI_WIRE_MAX_SUB_REGIONS || w.count > max)
		return vfki_err(-EPROTO, "region io fds reply: %u entries", w.count);
	if (len == sizeof(w) + w.count * VFKI_WIRE_SUB_REGION_LONG)
		entry_size = VFKI_WIRE_SUB_REGION_LONG;
	else if (len == sizeof(w) + w.count * VFKI_WIRE_SUB_REGION_SHORT)
		entry_size = VFKI_WIRE_SUB_REGION_SHORT;
	else
		return vfki_err(-EPROTO, "region io fds reply: %zu bytes for %u entries", len,
				w.count);
	for (uint32_t i = 0; i < w.count; i++) {
		struct vfki_wire_sub_region s = { .offset = 0 };
		int r;

		memcpy(&s, (const uint8_t *)payload + sizeof(w) + (size_t)i * entry_size,
		       entry_size);
		r = check_sub_region(&s, i, entry_size, region_size, nfds);
		if (r)
			return r;
		subs[i] = s;
	}
	*argsz = (uint32_t)len;
	*count = w.count;
	return 0;
}

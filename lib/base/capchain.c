/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capchain.c - walking and building chains of capabilities.
 *
 * Threads: any; works on the caller's memory only.
 */
#include "lib/base/capchain.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

void vfki_caps_begin(struct vfki_caps *caps, const void *info, size_t len, size_t fixed,
		     uint32_t cap_offset)
{
	caps->info = info;
	caps->len = len;
	caps->fixed = fixed;
	caps->next = cap_offset;
	caps->steps = 0;
}

int vfki_caps_next(struct vfki_caps *caps, struct vfki_cap *cap)
{
	struct vfio_info_cap_header header;
	uint32_t at = caps->next;
	size_t end = caps->len;

	if (!at)
		return 0;
	if (caps->steps++ == VFKI_CAPS_MAX)
		return vfki_err(-EPROTO, "capability chain has more than %d entries, or a loop",
				VFKI_CAPS_MAX);
	if (at < caps->fixed || !vfki_range_ok(at, sizeof(header), caps->len))
		return vfki_err(-EPROTO, "capability at %u, outside %zu to %zu", at, caps->fixed,
				caps->len);
	if (!vfki_is_aligned(at, 4))
		return vfki_err(-EPROTO, "capability at %u is not aligned", at);
	memcpy(&header, caps->info + at, sizeof(header));
	if (header.next >= at + sizeof(header) && header.next < end)
		end = header.next;
	cap->id = header.id;
	cap->version = header.version;
	cap->offset = at;
	cap->data = caps->info + at + sizeof(header);
	cap->room = end - at - sizeof(header);
	caps->next = header.next;
	return 1;
}

int vfki_caps_check(const void *info, size_t len, size_t fixed, uint32_t cap_offset)
{
	struct vfki_caps caps;
	struct vfki_cap cap;
	int r;

	vfki_caps_begin(&caps, info, len, fixed, cap_offset);
	while ((r = vfki_caps_next(&caps, &cap)) > 0)
		;
	return r;
}

int vfki_caps_find(const void *info, size_t len, size_t fixed, uint32_t cap_offset, uint16_t id,
		   struct vfki_cap *cap)
{
	struct vfki_caps caps;
	struct vfki_cap found;
	int r;

	vfki_caps_begin(&caps, info, len, fixed, cap_offset);
	while ((r = vfki_caps_next(&caps, &found)) > 0) {
		if (found.id == id) {
			*cap = found;
			return 1;
		}
	}
	return r;
}

void *vfki_caps_add(void *info, size_t cap, size_t *used, size_t *link, uint16_t id,
		    uint16_t version, size_t size)
{
	struct vfio_info_cap_header header = { .id = id, .version = version };
	uint64_t at;
	uint32_t next;

	if (size < sizeof(header) || !vfki_align_up(*used, 8, &at) || at > UINT32_MAX ||
	    !vfki_range_ok(at, size, cap))
		return NULL;
	next = (uint32_t)at;
	memset((uint8_t *)info + *used, 0, at + size - *used);
	memcpy((uint8_t *)info + at, &header, sizeof(header));
	memcpy((uint8_t *)info + *link, &next, sizeof(next));
	*link = at + offsetof(struct vfio_info_cap_header, next);
	*used = at + size;
	return (uint8_t *)info + at;
}

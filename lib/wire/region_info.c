/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_info.c - DEVICE_GET_REGION_INFO requests, and the client's half of the reply.
 *
 * Pure functions. The server's half is region_info_reply.c.
 */
#include "lib/wire/region_info.h"

#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/base/sparse.h"
#include <string.h>

#define FIXED sizeof(struct vfio_region_info)

/* Behind the header of either sparse capability: nr_areas, reserved. */
#define SPARSE_FRONT 8

size_t vfki_enc_region_info_request(void *buf, uint32_t index, uint32_t argsz)
{
	struct vfio_region_info w = { .argsz = argsz, .index = index };

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_region_info_request(const void *payload, size_t len, uint32_t num_regions,
				 uint32_t *index, uint32_t *argsz)
{
	struct vfio_region_info w;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "device_get_region_info: %zu bytes of payload, need 32",
				len);
	memcpy(&w, payload, sizeof(w));
	if (w.argsz < sizeof(w))
		return vfki_err(-EINVAL, "device_get_region_info: argsz %u, need 32", w.argsz);
	if (w.index >= num_regions)
		return vfki_err(-EINVAL, "device_get_region_info: region %u, there are %u", w.index,
				num_regions);
	*index = w.index;
	*argsz = w.argsz;
	return 0;
}

/* What a reply says, as it is taken apart. */
struct reply {
	const void *payload;
	struct vfio_region_info
		info; /* argsz: the size needed; cap_offset 0 without a chain that is here */
	size_t nfds;
};

static int check_fixed(struct reply *reply, size_t len, uint32_t index)
{
	struct vfio_region_info *info = &reply->info;

	if (info->index != index)
		return vfki_err(-EPROTO, "region info reply: region %u, asked for %u", info->index,
				index);
	if (info->argsz > VFKI_WIRE_MAX_INFO)
		return vfki_err(-EPROTO, "region %u: info wants %u bytes", index, info->argsz);
	if (info->size > INT64_MAX)
		return vfki_err(-EPROTO, "region %u: size 0x%llx cannot be", index,
				(unsigned long long)info->size);
	if (info->flags & VFIO_REGION_INFO_FLAG_MMAP &&
	    !vfki_range_ok(info->offset, info->size, INT64_MAX))
		return vfki_err(-EPROTO, "region %u: offset 0x%llx cannot be", index,
				(unsigned long long)info->offset);
	if (!(info->flags & VFIO_REGION_INFO_FLAG_CAPS) || info->argsz < FIXED)
		info->argsz = FIXED;
	if (info->argsz == FIXED || info->argsz > len)
		info->cap_offset = 0;
	if (info->argsz == FIXED)
		info->flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_CAPS;
	return 0;
}

static int find(const struct reply *reply, uint16_t id, struct vfki_cap *cap)
{
	return vfki_caps_find(reply->payload, reply->info.argsz, FIXED, reply->info.cap_offset, id,
			      cap);
}

static struct vfki_wire_sparse_fd_area fd_area(const struct vfki_cap *cap, size_t i)
{
	struct vfki_wire_sparse_fd_area a;

	memcpy(&a, (const uint8_t *)cap->data + SPARSE_FRONT + i * sizeof(a), sizeof(a));
	return a;
}

static int check_fd_area(const struct reply *reply, const struct vfki_cap *cap, size_t i)
{
	struct vfki_wire_sparse_fd_area a = fd_area(cap, i), b;

	if (!vfki_range_ok(a.offset, a.size, reply->info.size))
		return vfki_err(-EPROTO, "region %u: mappable area %zu is outside",
				reply->info.index, i);
	if (a.fd_index >= reply->nfds)
		return vfki_err(-EPROTO, "region %u: area %zu is in descriptor %u of %zu",
				reply->info.index, i, a.fd_index, reply->nfds);
	if (!vfki_range_ok(a.fd_offset, a.size, INT64_MAX))
		return vfki_err(-EPROTO, "region %u: area %zu is at 0x%llx of its file",
				reply->info.index, i, (unsigned long long)a.fd_offset);
	for (size_t j = 0; j < i; j++) {
		b = fd_area(cap, j);
		if (vfki_ranges_overlap(a.offset, a.size, b.offset, b.size))
			return vfki_err(-EPROTO, "region %u: areas %zu and %zu overlap",
					reply->info.index, j, i);
	}
	return 0;
}

/* Whether all areas lie in one file at a fixed distance from where they are in the region. */
static bool one_file(const struct vfki_cap *cap, size_t n, uint64_t region_size, uint32_t *fd_index,
		     __u64 *base)
{
	struct vfki_wire_sparse_fd_area first, a;

	if (!n)
		return false;
	first = fd_area(cap, 0);
	if (first.fd_offset < first.offset ||
	    !vfki_range_ok(first.fd_offset - first.offset, region_size, INT64_MAX))
		return false;
	for (size_t i = 1; i < n; i++) {
		a = fd_area(cap, i);
		if (a.fd_index != first.fd_index || a.fd_offset < a.offset ||
		    a.fd_offset - a.offset != first.fd_offset - first.offset)
			return false;
	}
	*fd_index = first.fd_index;
	*base = first.fd_offset - first.offset;
	return true;
}

/* Whether another capability begins among the areas: converting them would destroy it. */
static bool intruded(const struct reply *reply, const struct vfki_cap *areas, size_t size)
{
	struct vfki_caps caps;
	struct vfki_cap cap;

	vfki_caps_begin(&caps, reply->payload, reply->info.argsz, FIXED, reply->info.cap_offset);
	while (vfki_caps_next(&caps, &cap) > 0)
		if (cap.offset != areas->offset &&
		    vfki_ranges_overlap(cap.offset, sizeof(struct vfio_info_cap_header),
					areas->offset, size))
			return true;
	return false;
}

static int maps_of_fd_areas(struct reply *reply, const struct vfki_cap *cap,
			    struct vfki_wire_region_maps *maps)
{
	uint32_t n;
	size_t need;
	int r = 0;

	if (cap->room < SPARSE_FRONT)
		return vfki_err(-EPROTO, "region %u: sparse mmap fds capability is cut off",
				reply->info.index);
	memcpy(&n, cap->data, sizeof(n));
	if (!vfki_tail_size(SPARSE_FRONT, n, sizeof(struct vfki_wire_sparse_fd_area), &need) ||
	    need > cap->room)
		return vfki_err(-EPROTO, "region %u: %u areas do not fit into the reply",
				reply->info.index, n);
	if (intruded(reply, cap, sizeof(struct vfio_info_cap_header) + need))
		return vfki_err(-EPROTO, "region %u: capabilities overlap", reply->info.index);
	for (size_t i = 0; !r && i < n; i++)
		r = check_fd_area(reply, cap, i);
	if (r)
		return r;
	if (one_file(cap, n, reply->info.size, &maps->index[0], &reply->info.offset)) {
		maps->count = 1;
		return 0;
	}
	if (n > VFK_REGION_MAX_FDS)
		return 0;
	maps->count = n;
	maps->per_area = true;
	for (size_t i = 0; i < n; i++) {
		maps->index[i] = fd_area(cap, i).fd_index;
		maps->offset[i] = fd_area(cap, i).fd_offset;
	}
	return 0;
}

/* SPARSE_MMAP: one descriptor for all areas, or one for each. */
static int maps_of_areas(const struct reply *reply, const struct vfki_cap *cap,
			 struct vfki_wire_region_maps *maps)
{
	struct vfio_region_sparse_mmap_area areas[VFK_REGION_MAX_FDS];
	size_t n;
	int r = vfki_sparse_decode(cap, reply->info.size, NULL, 0, &n);

	if (r)
		return r;
	if (reply->nfds == 1) {
		maps->count = 1;
		maps->index[0] = 0;
		return 0;
	}
	if (reply->nfds != n)
		return vfki_err(-EPROTO, "region %u: %zu descriptors for %zu areas",
				reply->info.index, reply->nfds, n);
	if (n > VFK_REGION_MAX_FDS)
		return 0;
	r = vfki_sparse_decode(cap, reply->info.size, areas, VFK_REGION_MAX_FDS, &n);
	if (r)
		return r;
	maps->count = (uint32_t)n;
	maps->per_area = true;
	for (size_t i = 0; i < n; i++) {
		maps->index[i] = (uint32_t)i;
		maps->offset[i] = reply->info.offset + areas[i].offset;
	}
	return 0;
}

static int find_maps(struct reply *reply, struct vfki_wire_region_maps *maps,
		     struct vfki_cap *with_fds, struct vfki_cap *sparse)
{
	int has_fds = find(reply, VFKI_WIRE_CAP_SPARSE_MMAP_FDS, with_fds);
	int has_sparse = find(reply, VFIO_REGION_INFO_CAP_SPARSE_MMAP, sparse);

	size_t n;

	if (has_fds < 0 || has_sparse < 0)
		return -EPROTO;
	if (has_sparse && vfki_sparse_decode(sparse, reply->info.size, NULL, 0, &n))
		return -EPROTO;
	if (!(reply->info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return reply->nfds ? vfki_err(-EPROTO,
					      "region %u cannot be mapped, yet has %zu descriptors",
					      reply->info.index, reply->nfds) :
				     0;
	if (!reply->nfds)
		return 0;
	if (has_fds)
		return maps_of_fd_areas(reply, with_fds, maps);
	if (has_sparse)
		return maps_of_areas(reply, sparse, maps);
	if (reply->nfds != 1)
		return vfki_err(-EPROTO, "region %u has %zu descriptors, and no areas",
				reply->info.index, reply->nfds);
	maps->count = 1;
	maps->index[0] = 0;
	return 0;
}

static void set_id(struct vfio_region_info *info, uint32_t offset, uint16_t id)
{
	memcpy((uint8_t *)info + offset, &id, sizeof(id));
}

/*
 * SPARSE_MMAP_FDS in place into SPARSE_MMAP, which is shorter; one that was there before is no
 * capability any more. Only its descriptors give it a meaning: without them it was not looked at,
 * and is none either.
 */
static void convert_areas(struct vfio_region_info *info, const struct vfki_cap *with_fds,
			  const struct vfki_cap *sparse, bool mapped)
{
	uint8_t *areas = (uint8_t *)info + with_fds->offset + sizeof(struct vfio_info_cap_header) +
			 SPARSE_FRONT;
	uint32_t n;

	if (!mapped) {
		set_id(info, with_fds->offset, 0);
		return;
	}
	if (sparse->data)
		set_id(info, sparse->offset, 0);
	set_id(info, with_fds->offset, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	memcpy(&n, with_fds->data, sizeof(n));
	for (size_t i = 0; i < n; i++) {
		struct vfki_wire_sparse_fd_area from = fd_area(with_fds, i);
		struct vfio_region_sparse_mmap_area to = { .offset = from.offset,
							   .size = from.size };

		memcpy(areas + i * sizeof(to), &to, sizeof(to));
	}
}

int vfki_dec_region_info_reply(const void *payload, size_t len, uint32_t index, size_t nfds,
			       struct vfio_region_info *info, size_t cap,
			       struct vfki_wire_region_maps *maps)
{
	struct reply reply = { .payload = payload, .nfds = nfds };
	struct vfki_wire_region_maps found = { .count = 0 };
	struct vfki_cap with_fds = { .data = NULL }, sparse = { .data = NULL };
	bool whole;
	int r;

	if (len < FIXED)
		return vfki_err(-EPROTO, "region info reply: %zu bytes of payload, need 32", len);
	memcpy(&reply.info, payload, FIXED);
	r = check_fixed(&reply, len, index);
	if (r)
		return r;
	whole = reply.info.argsz <= len;
	if (whole) {
		r = vfki_caps_check(payload, reply.info.argsz, FIXED, reply.info.cap_offset);
		if (!r)
			r = find_maps(&reply, &found, &with_fds, &sparse);
	}
	if (r)
		return r;
	if (whole && !found.count)
		reply.info.flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_MMAP;
	if (whole && reply.info.argsz <= cap) {
		memcpy(info, payload, reply.info.argsz);
		if (with_fds.data)
			convert_areas(info, &with_fds, &sparse, found.count > 0);
	} else {
		reply.info.cap_offset = 0;
		found.count = 0;
	}
	memcpy(info, &reply.info, FIXED);
	*maps = found;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_info_reply.c - the server's half of DEVICE_GET_REGION_INFO: from what an io says to what a
 * client can use.
 *
 * Pure functions.
 */
#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include "lib/base/sparse.h"
#include "lib/wire/region_info.h"
#include <string.h>

#define FIXED sizeof(struct vfio_region_info)

/* How the region's descriptors go out. */
enum plan {
	PLAN_NONE,  /* not mappable by this client */
	PLAN_ONE,   /* one descriptor for the region */
	PLAN_AREAS, /* SPARSE_MMAP_FDS */
};

/* A reply in the making. */
struct draft {
	const struct vfio_region_info *info;
	const struct vfk_region_fds *fds;
	uint8_t *buf;
	size_t cap;
	size_t used;
	size_t link;
	int *send_fds;
	size_t nfds;
};

/* The place of @fd among those that are sent; each file goes once, however many areas it backs. */
static uint32_t fd_place(struct draft *d, int fd)
{
	for (size_t i = 0; i < d->nfds; i++)
		if (d->send_fds[i] == fd)
			return (uint32_t)i;
	d->send_fds[d->nfds] = fd;
	return (uint32_t)d->nfds++;
}

static size_t distinct_fds(const struct vfk_region_fds *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < fds->count; i++) {
		size_t j = 0;

		while (j < i && fds->fd[j] != fds->fd[i])
			j++;
		n += j == i && fds->fd[i] >= 0;
	}
	return n;
}

static enum plan make_plan(const struct vfio_region_info *info, const struct vfk_region_fds *fds,
			   uint32_t max_fds, bool sparse_fds)
{
	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP) || !fds || !fds->count ||
	    fds->count > VFK_REGION_MAX_FDS)
		return PLAN_NONE;
	if (!(fds->flags & VFK_REGION_FD_PER_AREA))
		return max_fds && fds->fd[0] >= 0 ? PLAN_ONE : PLAN_NONE;
	if (!sparse_fds || !distinct_fds(fds) || distinct_fds(fds) > max_fds)
		return PLAN_NONE;
	return PLAN_AREAS;
}

/* SPARSE_MMAP as SPARSE_MMAP_FDS; areas without a descriptor are not listed. */
static int put_areas(struct draft *d, const struct vfki_cap *cap)
{
	struct vfio_region_sparse_mmap_area areas[VFK_REGION_MAX_FDS];
	uint32_t listed = 0;
	uint8_t *out;
	size_t n;
	int r = vfki_sparse_decode(cap, d->info->size, areas, VFK_REGION_MAX_FDS, &n);

	if (r)
		return r;
	if (n != d->fds->count)
		return vfki_err(-EPROTO, "region %u: %u descriptors for %zu areas", d->info->index,
				d->fds->count, n);
	for (size_t i = 0; i < n; i++)
		listed += d->fds->fd[i] >= 0;
	out = vfki_caps_add(d->buf, d->cap, &d->used, &d->link, VFKI_WIRE_CAP_SPARSE_MMAP_FDS, 1,
			    16 + listed * sizeof(struct vfki_wire_sparse_fd_area));
	if (!out)
		return -ENOBUFS;
	memcpy(out + 8, &listed, sizeof(listed));
	out += 16;
	for (size_t i = 0; i < n; i++) {
		struct vfki_wire_sparse_fd_area a = {
			.offset = areas[i].offset,
			.fd_offset = d->fds->offset[i],
			.size = areas[i].size,
		};

		if (d->fds->fd[i] < 0)
			continue;
		a.fd_index = fd_place(d, d->fds->fd[i]);
		memcpy(out, &a, sizeof(a));
		out += sizeof(a);
	}
	return 0;
}

static int put_cap(struct draft *d, const struct vfki_cap *cap)
{
	size_t header = sizeof(struct vfio_info_cap_header);
	uint8_t *out = vfki_caps_add(d->buf, d->cap, &d->used, &d->link, cap->id, cap->version,
				     header + cap->room);

	if (!out)
		return -ENOBUFS;
	memcpy(out + header, cap->data, cap->room);
	return 0;
}

static int put_chain(struct draft *d, enum plan plan)
{
	struct vfki_caps caps;
	struct vfki_cap cap;
	int r;

	vfki_caps_begin(&caps, d->info, d->info->argsz, FIXED, d->info->cap_offset);
	while ((r = vfki_caps_next(&caps, &cap)) > 0) {
		/* Areas of what this client cannot map would only mislead it. */
		if (plan == PLAN_NONE && cap.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			continue;
		if (plan == PLAN_AREAS && cap.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			r = put_areas(d, &cap);
		else
			r = put_cap(d, &cap);
		if (r)
			break;
	}
	return r == -ENOBUFS ? vfki_err(r, "region %u: capabilities do not fit into %zu bytes",
					d->info->index, d->cap) :
			       r;
}

int vfki_enc_region_info_reply(void *buf, size_t cap, const struct vfio_region_info *info,
			       const struct vfk_region_fds *fds, uint32_t argsz, uint32_t max_fds,
			       bool sparse_fds, int *send_fds, size_t *nfds)
{
	struct draft d = {
		.info = info,
		.fds = fds,
		.buf = buf,
		.cap = cap,
		.used = FIXED,
		.link = offsetof(struct vfio_region_info, cap_offset),
		.send_fds = send_fds,
	};
	bool chain = info->flags & VFIO_REGION_INFO_FLAG_CAPS && info->argsz > FIXED &&
		     info->cap_offset;
	enum plan plan = make_plan(info, fds, max_fds, sparse_fds);
	struct vfio_region_info w = *info;
	int r = 0;

	memset(buf, 0, FIXED);
	if (chain)
		r = put_chain(&d, plan);
	if (r)
		return r == -EPROTO ? -EIO : r;
	memcpy(&w.cap_offset, d.buf + offsetof(struct vfio_region_info, cap_offset),
	       sizeof(w.cap_offset));
	w.argsz = (uint32_t)d.used;
	if (!w.cap_offset)
		w.flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_CAPS;
	if (plan == PLAN_ONE)
		fd_place(&d, fds->fd[0]);
	if (plan == PLAN_NONE || !d.nfds)
		w.flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_MMAP;
	memcpy(buf, &w, FIXED);
	*nfds = d.nfds;
	/*
	 * QEMU wants a cap_offset that would be right even in a reply that has no room for the
	 * chain.
	 */
	if (argsz >= d.used)
		return (int)d.used;
	*nfds = 0;
	return FIXED;
}

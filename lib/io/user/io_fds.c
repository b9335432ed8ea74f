/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io_fds.c - the descriptors that stand for writes to parts of a region.
 *
 * Entries of 40 and of 48 bytes are wire's business. Here each entry gets a descriptor of its own, although a server may send
 * one for several.
 *
 * Any thread; nothing is kept.
 */
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/io/checked.h"
#include "lib/io/user/client.h"
#include "lib/wire/region_io_fds.h"
#include <stdlib.h>

_Static_assert(VFK_REGION_MAX_IO_FDS == VFKI_WIRE_MAX_SUB_REGIONS, "one limit");

#define ROOM                                      \
	(sizeof(struct vfki_wire_region_io_fds) + \
	 VFKI_WIRE_MAX_SUB_REGIONS * VFKI_WIRE_SUB_REGION_LONG)

struct answer {
	uint8_t reply[ROOM] __attribute__((aligned(8)));
	struct vfki_wire_sub_region subs[VFKI_WIRE_MAX_SUB_REGIONS];
	uint32_t count;
	int received[VFKI_WIRE_MAX_FDS];
	size_t num_received;
};

/* The server's own bound on what it may say. */
static int region_size(struct vfki_user *user, uint32_t region, uint64_t *size)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = region };
	int r = vfki_user_get_region_info(&user->io, &info, NULL);

	*size = info.size;
	return r;
}

static int ask(struct vfki_user *user, uint32_t region, uint64_t size, struct answer *a)
{
	uint8_t request[sizeof(struct vfki_wire_region_io_fds)];
	const struct iovec out = { .iov_base = request, .iov_len = sizeof(request) };
	const struct iovec in = { .iov_base = a->reply, .iov_len = sizeof(a->reply) };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DEVICE_GET_REGION_IO_FDS,
		.out = &out,
		.n_out = 1,
		.in = &in,
		.n_in = 1,
		.in_fds = a->received,
		.max_in_fds = VFKI_WIRE_MAX_FDS,
	};
	uint32_t argsz;
	int r;

	vfki_enc_region_io_fds_request(request, region, (uint32_t)sizeof(a->reply));
	r = vfki_user_ask(user, &rq);
	if (r)
		return r;
	a->num_received = rq.n_in_fds;
	r = vfki_dec_region_io_fds_reply(a->reply, rq.in_len, region, size, rq.n_in_fds, a->subs,
					 VFKI_WIRE_MAX_SUB_REGIONS, &a->count, &argsz);
	if (!r && argsz > sizeof(a->reply))
		r = vfki_err(-EPROTO, "region io fds: region %u needs %u bytes", region, argsz);
	return vfki_user_decoded(user, r);
}

static int hand_out_one(struct vfki_user *user, const struct answer *a,
			const struct vfki_wire_sub_region *s, struct vfk_region_io_fd *out)
{
	int fd = a->received[s->fd_index], shadow = -1;

	if (s->type != VFKI_WIRE_IOREGIONFD && !vfki_fd_is_eventfd(fd))
		return vfki_user_decoded(
			user, vfki_err(-EPROTO, "region io fds: a descriptor is no eventfd"));
	fd = vfki_fd_dup(fd);
	if (fd >= 0 && s->type == VFKI_WIRE_IOEVENTFD_SHADOW)
		shadow = vfki_fd_dup(a->received[s->shadow_fd_index]);
	if (fd < 0 || (s->type == VFKI_WIRE_IOEVENTFD_SHADOW && shadow < 0)) {
		vfki_fd_close(fd);
		return vfki_err_sys(fd < 0 ? fd : shadow, "region io fds: descriptor");
	}
	*out = (struct vfk_region_io_fd){
		.offset = s->offset,
		.length = s->size,
		.type = s->type,
		.flags = s->flags,
		.datamatch = s->datamatch,
		.fd = fd,
		.shadow_fd = shadow,
		.shadow_offset = shadow < 0 ? 0 : s->shadow_offset,
	};
	return 0;
}

static int hand_out(struct vfki_user *user, const struct answer *a, struct vfk_region_io_fd *fds)
{
	for (uint32_t i = 0; i < a->count; i++) {
		int r = hand_out_one(user, a, &a->subs[i], &fds[i]);

		if (r) {
			vfki_io_fds_close(fds, i);
			return r;
		}
	}
	return 0;
}

int vfki_user_region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds,
			    size_t max, size_t *count)
{
	struct vfki_user *user = vfki_user_of(io);
	struct answer *a = malloc(sizeof(*a));
	uint64_t size;
	int r;

	if (!a)
		return vfki_err(-ENOMEM, "region io fds: no memory");
	a->num_received = 0;
	r = region_size(user, region, &size);
	if (!r)
		r = ask(user, region, size, a);
	if (!r && a->count <= max)
		r = hand_out(user, a, fds);
	if (!r)
		*count = a->count;
	vfki_fd_close_all(a->received, a->num_received);
	free(a);
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_info.c - what a region is, and the descriptors that the server sends to map it by.
 *
 * wire makes one form of the three in which servers say which descriptor is for which area; here descriptors that serve
 * several areas are duplicated, since each that is handed out has its own owner, and what nobody wants is closed.
 *
 * Any thread; nothing is kept.
 */
#include "lib/wire/region_info.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/io/user/client.h"
#include <stdlib.h>
#include <string.h>

/*
 * The whole is asked for whatever the caller has room for: only the capabilities and the descriptors together tell whether
 * the region can be mapped, and the flags must be the same each time.
 */
#define ROOM VFKI_WIRE_MAX_INFO

static int dup_all(const struct vfki_wire_region_maps *maps, const int *received,
		   struct vfk_region_fds *fds)
{
	for (uint32_t i = 0; i < maps->count; i++) {
		int fd = vfki_fd_dup(received[maps->index[i]]);

		if (fd < 0) {
			vfki_fd_close_all(fds->fd, i);
			return vfki_err_sys(fd, "region info: descriptor");
		}
		fds->fd[i] = fd;
		fds->offset[i] = maps->offset[i];
	}
	return 0;
}

static int hand_out(const struct vfki_wire_region_maps *maps, const int *received,
		    struct vfk_region_fds *fds)
{
	struct vfk_region_fds out = { .size = fds->size };
	int r = dup_all(maps, received, &out);
	uint64_t size;

	if (r)
		return r;
	out.count = maps->count;
	/*
	 * Memory comes as a regular file. Anything else can be a kernel device's own descriptor, which its broker was told to
	 * share with us; that is no leave to pass it on.
	 */
	if (maps->per_area)
		out.flags = VFK_REGION_FD_PER_AREA;
	else if (maps->count && vfki_fd_size(out.fd[0], &size))
		out.flags = VFK_REGION_FD_DEVICE;
	*fds = out;
	return 0;
}

/* @reply is a buffer of ROOM bytes, @info one of @cap. */
static int ask(struct vfki_user *user, struct vfio_region_info *info, struct vfk_region_fds *fds,
	       void *reply, size_t cap)
{
	uint8_t request[sizeof(*info)];
	int received[VFKI_WIRE_MAX_FDS];
	const struct iovec out = { .iov_base = request, .iov_len = sizeof(request) };
	const struct iovec in = { .iov_base = reply, .iov_len = ROOM };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DEVICE_GET_REGION_INFO,
		.out = &out,
		.n_out = 1,
		.in = &in,
		.n_in = 1,
		.in_fds = received,
		.max_in_fds = VFKI_WIRE_MAX_FDS,
	};
	struct vfki_wire_region_maps maps;
	int r;

	vfki_enc_region_info_request(request, info->index, ROOM);
	r = vfki_user_ask(user, &rq);
	if (r)
		return r;
	r = vfki_user_decoded(user, vfki_dec_region_info_reply(reply, rq.in_len, info->index,
							       rq.n_in_fds, info, cap, &maps));
	if (!r && fds)
		r = hand_out(&maps, received, fds);
	vfki_fd_close_all(received, rq.n_in_fds);
	return r;
}

int vfki_user_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			      struct vfk_region_fds *fds)
{
	size_t cap = info->argsz < VFKI_WIRE_MAX_INFO ? info->argsz : VFKI_WIRE_MAX_INFO;
	void *reply = malloc(ROOM);
	int r;

	if (!reply)
		return vfki_err(-ENOMEM, "region info: no memory");
	r = ask(vfki_user_of(io), info, fds, reply, cap);
	free(reply);
	return r;
}

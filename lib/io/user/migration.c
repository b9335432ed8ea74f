/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migration.c - the migration data stream, a message at a time.
 *
 * Any thread; the stream's order is its user's business.
 */
#include "lib/wire/migration.h"
#include "lib/base/error.h"
#include "lib/io/user/client.h"

ssize_t vfki_user_mig_read(struct vfk_io *io, void *buf, size_t len)
{
	struct vfki_user *user = vfki_user_of(io);
	struct vfki_wire_mig_data request, front;
	const struct iovec out = { .iov_base = &request, .iov_len = sizeof(request) };
	const struct iovec in[] = { { .iov_base = &front, .iov_len = sizeof(front) },
				    { .iov_base = buf, .iov_len = len } };
	struct vfki_request rq = {
		.command = VFKI_WIRE_MIG_DATA_READ, .out = &out, .n_out = 1, .in = in, .n_in = 2
	};
	uint32_t asked = (uint32_t)(len < user->max_read ? len : user->max_read);
	int r;

	vfki_enc_mig_read_request(&request, asked);
	r = vfki_user_ask(user, &rq);
	if (r)
		return r;
	return vfki_user_decoded(user, vfki_dec_mig_read_reply(&front, rq.in_len, asked));
}

ssize_t vfki_user_mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	struct vfki_user *user = vfki_user_of(io);
	struct vfki_wire_mig_data request, front;
	uint32_t size = (uint32_t)(len < user->max_write ? len : user->max_write);
	const struct iovec out[] = { { .iov_base = &request, .iov_len = sizeof(request) },
				     { .iov_base = (void *)buf, .iov_len = size } };
	const struct iovec in = { .iov_base = &front, .iov_len = sizeof(front) };
	struct vfki_request rq = {
		.command = VFKI_WIRE_MIG_DATA_WRITE, .out = out, .n_out = 2, .in = &in, .n_in = 1
	};
	int r;

	vfki_enc_mig_write_request(&request, size);
	r = vfki_user_ask(user, &rq);
	if (r)
		return r;
	r = vfki_user_decoded(user, vfki_dec_mig_write_reply(&front, rq.in_len, size));
	return r || !len ? r : vfki_err(-EIO, "mig_data_write: the device took nothing");
}

int vfki_user_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info)
{
	struct vfki_user *user = vfki_user_of(io);
	uint8_t request[sizeof(struct vfki_wire_precopy_info)], reply[sizeof(request)];
	ssize_t r;

	r = vfki_user_request(user, VFKI_WIRE_GET_PRECOPY_INFO, request,
			      vfki_enc_precopy_info_request(request), reply, sizeof(reply));
	if (r < 0)
		return (int)r;
	return vfki_user_decoded(user, vfki_dec_precopy_info_reply(reply, (size_t)r, info));
}

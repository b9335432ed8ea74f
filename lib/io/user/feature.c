/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.c - device features: wire turns pointers into inline data and back.
 *
 * Any thread; nothing is kept.
 */
#include "lib/wire/feature.h"
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include <stdlib.h>

static int converse(struct vfki_user *user, struct vfio_device_feature *f, const void *fixed,
		    size_t len, const struct vfki_wire_feature_tail *tail, void *reply,
		    size_t reply_max)
{
	const struct iovec out[] = { { .iov_base = (void *)fixed, .iov_len = len },
				     { .iov_base = (void *)tail->data, .iov_len = tail->len } };
	const struct iovec in = { .iov_base = reply, .iov_len = reply_max };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DEVICE_FEATURE,
		.out = out,
		.n_out = tail->len ? 2 : 1,
		.out_fds = &tail->fd,
		.n_out_fds = tail->fd >= 0 ? 1 : 0,
		.in = &in,
		.n_in = 1,
	};
	int r = vfki_user_ask(user, &rq);

	return r ? r : vfki_user_decoded(user, vfki_dec_feature_reply(reply, rq.in_len, f));
}

int vfki_user_device_feature(struct vfk_io *io, struct vfio_device_feature *f)
{
	struct vfki_user *user = vfki_user_of(io);
	uint8_t fixed[VFKI_WIRE_FEATURE_MAX];
	struct vfki_wire_feature_tail tail;
	size_t reply_max;
	void *reply;
	int r;

	r = vfki_enc_feature_request(fixed, f, user->max_read, &tail, &reply_max);
	if (r < 0)
		return r;
	reply = malloc(reply_max);
	if (!reply)
		return vfki_err(-ENOMEM, "device_feature: no memory");
	r = converse(user, f, fixed, (size_t)r, &tail, reply, reply_max);
	free(reply);
	return r;
}

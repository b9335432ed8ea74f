/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.c - DEVICE_FEATURE.
 *
 * Specification: "VFIO_USER_DEVICE_FEATURE". The device gets a structure that was built here from checked values; a client's
 * bytes, pointers and descriptor numbers never reach it.
 *
 * Threads: the server's.
 */
#include "lib/wire/feature.h"
#include "handlers.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <stdlib.h>

int vfki_handle_feature(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfki_wire_feature_request req;
	struct vfki_wire_feature_tail tail;
	int ret;

	ret = vfki_dec_feature_request(cmd->payload, cmd->len, cmd->fds, cmd->nfds,
				       vfki_session_max_bitmap(s), &req);
	if (ret)
		return vfki_command_decoded(s, ret);
	/* The one kind of descriptor that a feature takes; whatever else it is might block whoever signals it. */
	if (cmd->nfds && !vfki_fd_is_eventfd(cmd->fds[0]))
		return vfki_err(-EINVAL, "device_feature: the descriptor is no eventfd");
	if (req.bitmap_size) {
		a->memory = calloc(1, req.bitmap_size);
		if (!a->memory)
			return vfki_err(-ENOMEM, "device_feature: no memory for a bitmap");
		vfki_wire_feature_set_bitmap(&req, a->memory);
	}
	ret = vfki_logging_feature(s, &req.kernel.head);
	if (ret)
		return ret < 0 ? ret :
				 vfki_err(-EIO, "device_feature: the device returned %d", ret);
	vfki_answer_head(a, vfki_enc_feature_reply(a->head, &req, &tail));
	if (tail.len)
		vfki_answer_data(a, tail.data, tail.len);
	return 0;
}

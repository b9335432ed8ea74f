/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * version.c - VERSION.
 *
 * Specification: "VFIO_USER_VERSION". It comes first, and once.
 *
 * Threads: the server's.
 */
#include "handlers.h"
#include "lib/base/error.h"

static int settle(struct vfki_session *s, const struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfki_wire_hello client, reply;
	struct vfki_wire_caps own;
	int len, ret;

	ret = vfki_dec_version(cmd->payload, cmd->len, &client);
	if (ret)
		return vfki_command_decoded(s, ret);
	vfki_wire_caps_own(&own, s->limits.max_xfer, false);
	own.max_dma_maps = s->limits.max_dma_maps;
	ret = vfki_wire_negotiate_server(&own, &client, &reply, &s->agreed);
	if (ret)
		return ret;
	len = vfki_enc_version(s->buf, s->buf_size, &reply);
	if (len < 0)
		return len;
	vfki_answer_data(a, s->buf, (size_t)len);
	return 0;
}

int vfki_handle_version(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	int ret;

	if (s->phase != VFKI_SESSION_GREETING)
		return vfki_err(-EINVAL, "a second version");
	/* Whoever does not want the answer cannot know what was agreed. */
	ret = cmd->no_reply ? vfki_err(-EINVAL, "version without a reply") : settle(s, cmd, a);
	if (ret) {
		if (s->verdict == VFKI_VERDICT_GO_ON)
			s->verdict = VFKI_VERDICT_ANSWER_AND_END;
		return ret;
	}
	s->phase = VFKI_SESSION_SERVING;
	s->greeted = true;
	return 0;
}

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
#include "lib/base/fd.h"
#include "lib/connection/agreed.h"
#include "lib/wire/dma_access.h"
#include <sys/socket.h>

/* A socket for our commands; the client's end goes with the answer. */
static int make_twin(struct vfki_session *s, struct vfki_answer *a)
{
	const struct vfki_conn_opts opts = {
		.server = true,
		.timeout_ms = s->limits.timeout_ms,
		.max_xfer = s->limits.max_xfer,
		.max_fds = 0,
		.queue_commands = 1,
		.queue_fds = 1,
		.debug_name = s->limits.debug_name,
	};
	struct vfki_transport transport;
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return vfki_err_sys(-errno, "twin socket");
	ret = vfki_unix_transport(pair[0], s->limits.timeout_ms, &transport);
	if (!ret)
		ret = vfki_conn_create(&transport, &opts, &s->twin);
	if (ret) {
		vfki_fd_close_all(pair, 2);
		return ret;
	}
	a->fds[0] = pair[1];
	a->nfds = 1;
	a->owns_fds = true;
	return 0;
}

/* Without one all goes on the one socket, which every client must be able to bear. */
static void offer_twin(struct vfki_session *s, struct vfki_wire_caps *reply, struct vfki_answer *a)
{
	if (!s->agreed.twin_socket || (s->agreed.send_fds && !make_twin(s, a)))
		return;
	s->agreed.twin_socket = false;
	reply->twin_socket = false;
	reply->twin_fd_index = -1;
}

static int settle(struct vfki_session *s, const struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfki_wire_hello client, reply;
	struct vfki_wire_caps own;
	int len, ret;

	ret = vfki_dec_version(cmd->payload, cmd->len, &client);
	if (ret)
		return vfki_command_decoded(s, ret);
	vfki_wire_caps_own(&own, s->limits.max_xfer, true);
	own.max_dma_maps = s->limits.max_dma_maps;
	ret = vfki_wire_negotiate_server(&own, &client, &reply, &s->agreed);
	if (ret)
		return ret;
	/* Both came later than the 32-bit counts of QEMU's client (dma_access.h), which knows neither. */
	if (client.caps.keys & (VFKI_WIRE_KEY_VFIOKIT | VFKI_WIRE_KEY_TWIN_SOCKET))
		atomic_store(&s->dma_form, VFKI_WIRE_DMA_64);
	offer_twin(s, &reply.caps, a);
	len = vfki_enc_version(s->buf, s->buf_size, &reply);
	if (len < 0)
		return len;
	vfki_answer_data(a, s->buf, (size_t)len);
	vfki_agreed_tell(s->limits.debug_name, &s->agreed);
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

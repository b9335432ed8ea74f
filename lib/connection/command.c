/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c - handling the peer's commands, and answering them.
 *
 * A server's thread takes one at a time and is never called back; a client's commands are handled by the callback on
 * whichever thread reads. Nothing here blocks but sending an answer, which has a bound.
 */
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/connection/state.h"
#include "lib/wire/header.h"
#include <string.h>

static int ended(struct vfki_conn *conn)
{
	return vfki_err(conn->error, "%s", conn->reason);
}

/* *As the reader: the next command, if it is there; with @block, one wait for it. */
static struct vfki_node *read_command(struct vfki_conn *conn, bool block)
{
	struct vfki_node *node;
	int left = MAX_BURST;

	vfki_reader_take(conn);
	conn->taking = true;
	do {
		vfki_reader_parse(conn, true);
		node = vfki_queue_take(conn);
	} while (!node && !conn->error && left-- && !vfki_reader_receive(conn, block));
	conn->taking = false;
	vfki_reader_give(conn);
	return node;
}

static int take_next(struct vfki_conn *conn, struct vfki_command **cmd, bool block)
{
	struct vfki_node *node;
	int r = 0;

	if (conn->current)
		vfki_conn_release(conn);
	pthread_mutex_lock(&conn->lock);
	vfki_queue_unwake(conn);
	node = vfki_queue_take(conn);
	if (!node && !conn->error && !conn->reading)
		node = read_command(conn, block);
	if (node) {
		conn->current = node;
		*cmd = &node->cmd;
		r = 1;
	} else if (conn->error) {
		r = ended(conn);
	}
	pthread_mutex_unlock(&conn->lock);
	return r;
}

int vfki_conn_next(struct vfki_conn *conn, struct vfki_command **cmd)
{
	return take_next(conn, cmd, false);
}

int vfki_conn_await(struct vfki_conn *conn, struct vfki_command **cmd)
{
	return take_next(conn, cmd, true);
}

bool vfki_conn_release(struct vfki_conn *conn)
{
	struct vfki_node *node = conn->current;
	bool more;

	conn->current = NULL;
	if (node && node->cmd.nfds)
		vfki_fd_close_all(node->fds, node->cmd.nfds);
	pthread_mutex_lock(&conn->lock);
	vfki_queue_drop(conn, node);
	more = conn->error || conn->queue.head ||
	       conn->stage_end - conn->stage_begin >= sizeof(struct vfki_wire_header);
	pthread_mutex_unlock(&conn->lock);
	return more;
}

int vfki_conn_look(struct vfki_conn *conn)
{
	uint64_t deadline_ns;
	int left = MAX_BURST, n = 0;

	if (conn->error || conn->reading)
		return 0;
	deadline_ns = vfki_deadline_ns(conn->opts.timeout_ms);
	vfki_reader_take(conn);
	do {
		vfki_reader_parse(conn, false);
		n += vfki_queue_serve(conn, deadline_ns);
	} while (!conn->error && left-- && vfki_now_ns() < deadline_ns &&
		 !vfki_reader_receive(conn, false));
	vfki_reader_give(conn);
	return n;
}

int vfki_conn_dispatch(struct vfki_conn *conn)
{
	int n;

	pthread_mutex_lock(&conn->lock);
	n = vfki_conn_look(conn);
	if (conn->error)
		n = ended(conn);
	pthread_mutex_unlock(&conn->lock);
	return n;
}

void vfki_conn_wake(struct vfki_conn *conn)
{
	pthread_mutex_lock(&conn->lock);
	vfki_queue_wake(conn);
	pthread_mutex_unlock(&conn->lock);
}

static int send_reply(struct vfki_conn *conn, struct iovec *iov, size_t n, const int *fds,
		      size_t nfds)
{
	struct vfki_bound bound = { .timeout_ms = conn->opts.timeout_ms };
	bool sent;
	int r;

	pthread_mutex_lock(&conn->lock);
	r = vfki_send(conn, iov, n, fds, nfds, &bound, &sent);
	/* A reply that is left out would be awaited for ever. */
	if (r == -ETIMEDOUT)
		vfki_conn_end_locked(conn, r);
	pthread_mutex_unlock(&conn->lock);
	return r;
}

int vfki_conn_reply(struct vfki_conn *conn, const struct vfki_command *cmd, const struct iovec *iov,
		    size_t n, const int *fds, size_t nfds)
{
	struct iovec all[VFKI_CONN_MAX_IOV + 1];
	struct vfki_wire_header head;
	size_t len = 0;

	if (cmd->no_reply)
		return 0;
	if (n > VFKI_CONN_MAX_IOV || nfds > VFKI_TRANSPORT_MAX_FDS)
		return vfki_err(-E2BIG, "%s reply: too many pieces",
				vfki_wire_command_name(cmd->command));
	for (size_t i = 0; i < n; i++)
		len += iov[i].iov_len;
	vfki_enc_reply(&head, cmd->id, cmd->command, len);
	all[0].iov_base = &head;
	all[0].iov_len = sizeof(head);
	if (n)
		memcpy(all + 1, iov, n * sizeof(*iov));
	return send_reply(conn, all, n + 1, fds, nfds);
}

int vfki_conn_reply_error(struct vfki_conn *conn, const struct vfki_command *cmd, int err)
{
	struct vfki_wire_header head;
	struct iovec iov = { .iov_base = &head, .iov_len = sizeof(head) };

	if (cmd->no_reply)
		return 0;
	vfki_enc_error(&head, cmd->id, cmd->command, err);
	return send_reply(conn, &iov, 1, NULL, 0);
}

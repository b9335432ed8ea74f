/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connection.c - a connection's life: made, ended for a reason that everybody is told, destroyed.
 *
 * An end is decided once, under the lock, by whichever thread finds the cause. It wakes all that wait; the socket is
 * only shut down, since other threads may be in a system call on its descriptor.
 */
#include "lib/connection/connection.h"
#include "lib/base/clock.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"
#include "lib/connection/state.h"
#include "lib/wire/header.h"
#include <stdlib.h>
#include <string.h>

bool vfki_conn_sleep(struct vfki_conn *conn, pthread_cond_t *cond, uint64_t deadline_ns)
{
	const struct timespec ts = vfki_timespec(deadline_ns);

	conn->delays++;
	return pthread_cond_timedwait(cond, &conn->lock, &ts) == 0;
}

static void set_reason(struct vfki_conn *conn)
{
	const char *text = vfk_error();
	size_t len = strlen(text);

	if (len >= sizeof(conn->reason))
		len = sizeof(conn->reason) - 1;
	memcpy(conn->reason, text, len);
	conn->reason[len] = '\0';
}

static void wake_all(struct vfki_conn *conn)
{
	for (size_t i = 0; i < VFKI_CONN_MAX_REQUESTS; i++)
		if (conn->slots[i].asleep)
			pthread_cond_signal(&conn->slots[i].cond);
	pthread_cond_broadcast(&conn->slot_free);
	pthread_cond_broadcast(&conn->send_turn);
}

int vfki_conn_end_locked(struct vfki_conn *conn, int err)
{
	if (conn->error)
		return err;
	set_reason(conn);
	conn->error = err;
	if (conn->opts.debug_name)
		vfki_debug("%s: the connection %s has ended: %s", conn->opts.debug_name,
			   conn->opts.server ? "of its client" : "to its server", conn->reason);
	conn->transport.ops->end(&conn->transport);
	/* What came whole before a peer went still counts; after a violation nothing does. */
	if (err != -ENOTCONN)
		vfki_queue_drop_all(conn);
	vfki_fd_close_all(conn->in.fds, conn->in.nfds);
	conn->in.nfds = 0;
	if (!conn->receiving) {
		vfki_fd_close_all(conn->arrived.fd, conn->arrived.count);
		conn->arrived.count = 0;
	}
	wake_all(conn);
	return err;
}

int vfki_conn_gone(struct vfki_conn *conn)
{
	return vfki_err(-ENOTCONN, "the connection has ended: %s", conn->reason);
}

int vfki_conn_fail(struct vfki_conn *conn, int err)
{
	pthread_mutex_lock(&conn->lock);
	vfki_conn_end_locked(conn, err);
	pthread_mutex_unlock(&conn->lock);
	return err;
}

int vfki_conn_ended(struct vfki_conn *conn)
{
	return conn->error;
}

const char *vfki_conn_reason(struct vfki_conn *conn)
{
	return conn->reason;
}

int vfki_conn_fd(const struct vfki_conn *conn)
{
	return conn->transport.fd;
}

int vfki_conn_wake_fd(const struct vfki_conn *conn)
{
	return conn->wake_fd;
}

static int make_conds(struct vfki_conn *conn)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r)
		return -r;
	/* None of these can fail on Linux: they set words in memory. */
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&conn->send_turn, &attr);
	pthread_cond_init(&conn->slot_free, &attr);
	for (size_t i = 0; i < VFKI_CONN_MAX_REQUESTS; i++)
		pthread_cond_init(&conn->slots[i].cond, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&conn->lock, NULL);
	return 0;
}

static void destroy_conds(struct vfki_conn *conn)
{
	for (size_t i = 0; i < VFKI_CONN_MAX_REQUESTS; i++)
		pthread_cond_destroy(&conn->slots[i].cond);
	pthread_cond_destroy(&conn->slot_free);
	pthread_cond_destroy(&conn->send_turn);
	pthread_mutex_destroy(&conn->lock);
}

static void set_limits(struct vfki_conn *conn)
{
	struct vfki_conn_opts *o = &conn->opts;

	conn->max_message = vfki_wire_max_message(o->max_xfer);
	if (o->max_fds > VFKI_WIRE_MAX_FDS)
		o->max_fds = VFKI_WIRE_MAX_FDS;
	if (!o->queue_commands)
		o->queue_commands = 4096;
	if (!o->queue_bytes)
		o->queue_bytes = (16u << 20) + conn->max_message;
	if (!o->queue_fds)
		o->queue_fds = 512;
}

int vfki_conn_create(const struct vfki_transport *transport, const struct vfki_conn_opts *opts,
		     struct vfki_conn **out)
{
	struct vfki_conn *conn = calloc(1, sizeof(*conn));
	int r = -ENOMEM;

	if (!conn)
		return vfki_err_sys(r, "connection");
	conn->opts = *opts;
	conn->wake_fd = -1;
	set_limits(conn);
	r = make_conds(conn);
	if (r)
		goto free_conn;
	r = vfki_queue_init(conn);
	if (r)
		goto destroy_conds;
	if (opts->server) {
		r = vfki_eventfd_create();
		if (r < 0)
			goto free_queue;
		conn->wake_fd = r;
	}
	conn->transport = *transport;
	*out = conn;
	return 0;

free_queue:
	vfki_queue_fini(conn);
destroy_conds:
	destroy_conds(conn);
free_conn:
	free(conn);
	return vfki_err_sys(r, "connection");
}

/* What has come of the old peer's stream. Those that waited for a reply have left, so no slot is anybody's. */
static void forget_peer(struct vfki_conn *conn)
{
	vfki_queue_drop_all(conn);
	vfki_queue_drop(conn, conn->in.node);
	conn->in = (struct vfki_incoming){ .known = false };
	conn->received = 0;
	conn->arrived_end = 0;
	conn->stage_begin = 0;
	conn->stage_end = 0;
	conn->posted = 0;
	for (size_t i = 0; i < VFKI_CONN_MAX_REQUESTS; i++)
		conn->slots[i].state = VFKI_SLOT_FREE;
}

int vfki_conn_reopen(struct vfki_conn *conn, struct vfki_transport *transport)
{
	int r;

	pthread_mutex_lock(&conn->lock);
	r = conn->transport.ops->replace(&conn->transport, transport);
	if (!r) {
		forget_peer(conn);
		conn->reason[0] = '\0';
		conn->error = 0;
	}
	pthread_mutex_unlock(&conn->lock);
	return r ? vfki_err_sys(r, "connection") : 0;
}

void vfki_conn_destroy(struct vfki_conn *conn)
{
	struct vfki_transport transport;

	if (!conn)
		return;
	/* It ends for no reason of the peer's. */
	conn->opts.debug_name = NULL;
	/* The caller's text stays: it may say why this connection is given up. */
	if (!conn->error)
		vfki_conn_fail(conn, -ENOTCONN);
	transport = conn->transport;
	vfki_conn_abandon(conn);
	transport.ops->close(&transport);
}

void vfki_conn_abandon(struct vfki_conn *conn)
{
	vfki_conn_release(conn);
	vfki_queue_drop_all(conn);
	vfki_queue_drop(conn, conn->in.node);
	vfki_queue_fini(conn);
	vfki_fd_close(conn->wake_fd);
	destroy_conds(conn);
	free(conn);
}

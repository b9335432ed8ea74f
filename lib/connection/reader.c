/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.c - taking the stream apart into messages.
 *
 * Bytes are received into a small stage; what is left of a large payload is received straight into its place. All that
 * was staged is taken apart before anything more is received, so that at any receive there is at most one message under
 * way, and descriptors find their owner: they belong to the last message that begins within the bytes they came with, or
 * to the one under way (transport.c says why).
 *
 * Threads: the holder of the reader's role.
 */
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/connection/state.h"
#include "lib/wire/header.h"
#include <string.h>

void vfki_reader_take(struct vfki_conn *conn)
{
	conn->reading = true;
	conn->reader = pthread_self();
}

void vfki_reader_give(struct vfki_conn *conn)
{
	conn->reading = false;
	for (size_t i = 0; conn->asleep && i < VFKI_CONN_MAX_REQUESTS; i++) {
		struct vfki_slot *slot = &conn->slots[i];

		if (slot->asleep && slot->state == VFKI_SLOT_WAITING) {
			pthread_cond_signal(&slot->cond);
			return;
		}
	}
	if (conn->wanting)
		pthread_cond_signal(&conn->slot_free);
}

/* ---- descriptors ---- */

static int attach_arrived(struct vfki_conn *conn)
{
	struct vfki_incoming *in = &conn->in;
	struct vfki_arrived *a = &conn->arrived;

	if (a->count > conn->opts.max_fds - in->nfds)
		return vfki_err(-EPROTO, "%zu descriptors in a message, at most %u are taken",
				in->nfds + a->count, conn->opts.max_fds);
	memcpy(in->fds + in->nfds, a->fd, a->count * sizeof(a->fd[0]));
	in->nfds += a->count;
	a->count = 0;
	return 0;
}

/* For the message under way, which began before @arrived came to its end: unless another began after it. */
static int claim_arrived(struct vfki_conn *conn)
{
	if (!conn->arrived.count || conn->in.end < conn->arrived_end)
		return 0;
	return attach_arrived(conn);
}

/* ---- the message under way ---- */

static size_t staged(const struct vfki_conn *conn)
{
	return conn->stage_end - conn->stage_begin;
}

static void done(struct vfki_conn *conn)
{
	struct vfki_incoming *in = &conn->in;

	if (in->nfds)
		vfki_fd_close_all(in->fds, in->nfds);
	in->nfds = 0;
	in->known = false;
	in->slot = NULL;
	in->node = NULL;
}

static int check(struct vfki_conn *conn)
{
	return vfki_wire_check_header(&conn->in.head, conn->opts.server, conn->opts.max_xfer,
				      conn->in.nfds);
}

static int choose_place(struct vfki_conn *conn)
{
	struct vfki_incoming *in = &conn->in;

	in->slot = NULL;
	in->node = NULL;
	if (vfki_wire_is_reply(&in->head))
		return vfki_slot_for(conn, &in->head, &in->slot);
	in->node = vfki_queue_node(conn, in->len);
	return in->node ? 0 : -EPROTO;
}

static int begin(struct vfki_conn *conn)
{
	struct vfki_incoming *in = &conn->in;
	int r;

	r = vfki_dec_header(conn->stage + conn->stage_begin, conn->max_message, &in->head);
	if (r)
		return r;
	in->end = conn->received - staged(conn) + in->head.size;
	r = claim_arrived(conn);
	if (!r)
		r = check(conn);
	if (r)
		return r;
	in->len = vfki_wire_payload(&in->head);
	in->got = 0;
	r = choose_place(conn);
	if (r)
		return r;
	in->known = true;
	conn->stage_begin += sizeof(in->head);
	return 0;
}

/* Where the rest of the payload goes: up to VFKI_CONN_MAX_IOV pieces; 0: nowhere. */
static size_t place(struct vfki_conn *conn, struct iovec *iov)
{
	struct vfki_incoming *in = &conn->in;
	size_t skip = in->got, left = in->len - in->got, n = 0;

	if (in->node) {
		iov[0].iov_base = in->node->payload + skip;
		iov[0].iov_len = left;
		return 1;
	}
	if (!in->slot || in->slot->state != VFKI_SLOT_WAITING)
		return 0;
	for (size_t i = 0; left && i < in->slot->rq->n_in; i++) {
		const struct iovec *to = &in->slot->rq->in[i];
		size_t len;

		if (skip >= to->iov_len) {
			skip -= to->iov_len;
			continue;
		}
		len = to->iov_len - skip < left ? to->iov_len - skip : left;
		iov[n].iov_base = (char *)to->iov_base + skip;
		iov[n++].iov_len = len;
		left -= len;
		skip = 0;
	}
	return n;
}

static void take_staged(struct vfki_conn *conn)
{
	struct vfki_incoming *in = &conn->in;
	struct iovec iov[VFKI_CONN_MAX_IOV];
	size_t n = place(conn, iov), left = in->len - in->got;
	const uint8_t *from = conn->stage + conn->stage_begin;

	if (left > staged(conn))
		left = staged(conn);
	conn->stage_begin += left;
	in->got += left;
	for (size_t i = 0; i < n && left; i++) {
		size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;

		memcpy(iov[i].iov_base, from, len);
		from += len;
		left -= len;
	}
}

/* Returns 1 for a command, 0 for anything else, or -EPROTO. */
static int finish(struct vfki_conn *conn)
{
	struct vfki_incoming *in = &conn->in;
	int r = 0;

	if (in->node) {
		r = vfki_queue_add(conn, in);
		if (!r)
			r = 1;
	} else if (in->slot) {
		r = vfki_slot_finish(conn, in->slot, in);
	}
	if (r >= 0)
		done(conn);
	return r;
}

/* One message, or as much of it as there is. Returns 2 if that was not the whole, else as finish(). */
static int parse_one(struct vfki_conn *conn)
{
	int r;

	if (!conn->in.known) {
		if (staged(conn) < sizeof(struct vfki_wire_header))
			return 2;
		r = begin(conn);
		if (r)
			return r;
	}
	take_staged(conn);
	return conn->in.got < conn->in.len ? 2 : finish(conn);
}

void vfki_reader_parse(struct vfki_conn *conn, bool one)
{
	int r;

	do
		r = conn->error ? 2 : parse_one(conn);
	while (!r || (r == 1 && !one));
	if (r < 0 && !conn->error)
		vfki_conn_end_locked(conn, r);
}

/* ---- receiving ---- */

/* Descriptors that came with the first bytes of a header are its message's, whatever comes next. */
static int claim_early(struct vfki_conn *conn)
{
	if (!conn->arrived.count || conn->in.known || !staged(conn))
		return 0;
	return attach_arrived(conn);
}

/* The stage's room behind what is left in it: less than a header, since all else was taken apart. */
static size_t stage_place(struct vfki_conn *conn, struct iovec *iov)
{
	if (staged(conn))
		memmove(conn->stage, conn->stage + conn->stage_begin, staged(conn));
	conn->stage_end = staged(conn);
	conn->stage_begin = 0;
	iov->iov_base = conn->stage + conn->stage_end;
	iov->iov_len = STAGE_SIZE - conn->stage_end;
	return 1;
}

/* *@slot is whose buffers @iov are; NULL: ours. */
static ssize_t receive_into(struct vfki_conn *conn, const struct iovec *iov, size_t n,
			    struct vfki_slot *slot, bool block)
{
	ssize_t r;

	conn->receiving = true;
	if (slot)
		slot->busy = true;
	pthread_mutex_unlock(&conn->lock);
	r = conn->transport.ops->recv(&conn->transport, iov, n, block, &conn->arrived);
	pthread_mutex_lock(&conn->lock);
	conn->receiving = false;
	if (slot) {
		slot->busy = false;
		/* Its thread may want to leave, and wait for its buffers. */
		if (slot->asleep)
			pthread_cond_signal(&slot->cond);
	}
	return r;
}

static int receive_failed(struct vfki_conn *conn, int r)
{
	if (r == -ENOTCONN)
		r = vfki_err(r, conn->in.known || staged(conn) ?
					"the peer went in the middle of a message" :
					"the peer is gone");
	else
		r = vfki_err_sys(r, "receive");
	return vfki_conn_end_locked(conn, r);
}

/* The rest of a message brought descriptors, which it may not have. */
static int claim_late(struct vfki_conn *conn)
{
	int r = claim_arrived(conn);

	return r ? r : check(conn);
}

/* What came with the last receive; @n bytes. */
static int account(struct vfki_conn *conn, size_t n)
{
	conn->received += n;
	conn->arrived_end = conn->received;
	if (conn->arrived.lost)
		return vfki_err(-EPROTO, "more descriptors in a message than can be had");
	return conn->in.known && conn->arrived.count ? claim_late(conn) : 0;
}

int vfki_reader_receive(struct vfki_conn *conn, bool block)
{
	struct iovec iov[VFKI_CONN_MAX_IOV];
	size_t direct;
	ssize_t r;

	r = claim_early(conn);
	if (r)
		return vfki_conn_end_locked(conn, (int)r);
	direct = conn->in.known ? place(conn, iov) : 0;
	/* Nobody's buffer is held for longer than a receive that does not wait. */
	if (direct)
		r = receive_into(conn, iov, direct, conn->in.slot, false);
	else
		r = receive_into(conn, iov, stage_place(conn, iov), NULL, block && !staged(conn));
	if (conn->error) {
		vfki_fd_close_all(conn->arrived.fd, conn->arrived.count);
		conn->arrived.count = 0;
		return conn->error;
	}
	if (r == -EAGAIN)
		return -EAGAIN;
	if (r < 0)
		return receive_failed(conn, (int)r);
	if (direct)
		conn->in.got += (size_t)r;
	else
		conn->stage_end += (size_t)r;
	r = account(conn, (size_t)r);
	return r ? vfki_conn_end_locked(conn, (int)r) : 0;
}

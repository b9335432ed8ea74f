/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.c - commands that we send, and their replies.
 *
 * A request takes a slot, which is its id, sends, and then either reads until its own reply has come or sleeps until
 * another reader has put it into place. One that is given up on leaves its slot taken until the late reply has been
 * dropped, so that no later request can be confused with it.
 */
#include "lib/base/clock.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/connection/state.h"
#include "lib/wire/header.h"
#include <poll.h>
#include <string.h>

/*
 * Who only posts waits for nothing, and so would never see that the peer waits for an answer: it keeps what is posted
 * meanwhile, and that is limited.
 */
#define POSTS_A_LOOK 64

/* What a peer's commands may take of a caller whose own time is up. */
#define LEAVE_NS (100 * VFKI_NS_PER_MS)

/* ---- slots ---- */

static size_t capacity(const struct iovec *iov, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

static struct vfki_slot *find_free(struct vfki_conn *conn)
{
	for (size_t i = 0; i < VFKI_CONN_MAX_REQUESTS; i++)
		if (conn->slots[i].state == VFKI_SLOT_FREE)
			return &conn->slots[i];
	return NULL;
}

/* The upper bits of a slot's id count how often it was used. */
static void slot_take(struct vfki_conn *conn, struct vfki_slot *slot, struct vfki_request *rq)
{
	slot->state = VFKI_SLOT_WAITING;
	slot->id = (uint16_t)((slot->id & ~SLOT_POSTED) + (1u << SLOT_BITS) +
			      (size_t)(slot - conn->slots));
	slot->command = rq->command;
	slot->capacity = capacity(rq->in, rq->n_in);
	slot->rq = rq;
}

static void slot_put(struct vfki_conn *conn, struct vfki_slot *slot)
{
	slot->state = VFKI_SLOT_FREE;
	slot->rq = NULL;
	if (conn->wanting)
		pthread_cond_signal(&conn->slot_free);
}

static int odd_reply(const struct vfki_wire_header *h, const char *what)
{
	return vfki_err(-EPROTO, "%s reply %s", vfki_wire_command_name(h->command), what);
}

/*
 * No_reply means none, but a peer may answer all the same: Rust's vfio_user does when the command fails, and did always before
 * it knew the flag. There are no more such replies than there were commands, and nobody wants them.
 */
static int posted_reply(struct vfki_conn *conn, const struct vfki_wire_header *h)
{
	if (!conn->posted)
		return odd_reply(h, "to nothing");
	conn->posted--;
	if (conn->opts.debug_name)
		vfki_debug("%s: a reply to a posted %s is dropped", conn->opts.debug_name,
			   vfki_wire_command_name(h->command));
	return 0;
}

static int check_reply(const struct vfki_slot *slot, const struct vfki_wire_header *h)
{
	if (slot->state != VFKI_SLOT_WAITING && slot->state != VFKI_SLOT_ABANDONED)
		return odd_reply(h, "to nothing");
	if (slot->id != h->id)
		return odd_reply(h, "with an id that was not sent");
	if (slot->command != h->command)
		return odd_reply(h, "to another command");
	if (slot->state == VFKI_SLOT_WAITING && vfki_wire_payload(h) > slot->capacity)
		return vfki_err(-EPROTO, "%s reply with %zu bytes of payload, at most %zu expected",
				vfki_wire_command_name(h->command), vfki_wire_payload(h),
				slot->capacity);
	return 0;
}

int vfki_slot_for(struct vfki_conn *conn, const struct vfki_wire_header *h, struct vfki_slot **out)
{
	unsigned int index = h->id & SLOT_POSTED;
	int r;

	if (index == SLOT_POSTED)
		return posted_reply(conn, h);
	r = check_reply(&conn->slots[index], h);
	if (!r)
		*out = &conn->slots[index];
	return r;
}

static int give_reply(struct vfki_slot *slot, struct vfki_incoming *in)
{
	struct vfki_request *rq = slot->rq;

	if (in->nfds > rq->max_in_fds)
		return vfki_err(-EPROTO, "%s reply with %zu descriptors, at most %zu expected",
				vfki_wire_command_name(slot->command), in->nfds, rq->max_in_fds);
	slot->state = VFKI_SLOT_DONE;
	slot->result = in->head.flags & VFKI_WIRE_ERROR ? vfki_wire_errno(&in->head) : 0;
	rq->in_len = in->len;
	rq->n_in_fds = in->nfds;
	if (in->nfds)
		memcpy(rq->in_fds, in->fds, in->nfds * sizeof(in->fds[0]));
	in->nfds = 0;
	if (slot->asleep)
		pthread_cond_signal(&slot->cond);
	return 0;
}

int vfki_slot_finish(struct vfki_conn *conn, struct vfki_slot *slot, struct vfki_incoming *in)
{
	if (slot->state == VFKI_SLOT_WAITING)
		return give_reply(slot, in);
	if (conn->opts.debug_name)
		vfki_debug("%s: a late reply to %s is dropped", conn->opts.debug_name,
			   vfki_wire_command_name(slot->command));
	slot_put(conn, slot);
	return 0;
}

/* ---- waiting ---- */

/* For the reply to @slot; or, without one, for a slot to become free. */
static bool waits(struct vfki_conn *conn, const struct vfki_slot *slot)
{
	if (conn->error)
		return false;
	return slot ? slot->state == VFKI_SLOT_WAITING : !find_free(conn);
}

/* *Whether there was anything, which took time. */
static bool handle_queued(struct vfki_conn *conn, uint64_t deadline_ns)
{
	return conn->queue.head && !conn->opts.server && vfki_queue_serve(conn, deadline_ns);
}

/* *Until something is there to be received. False at the deadline. */
static bool readable(struct vfki_conn *conn, uint64_t deadline_ns)
{
	int ev;

	pthread_mutex_unlock(&conn->lock);
	ev = conn->transport.ops->wait(&conn->transport, POLLIN, deadline_ns);
	pthread_mutex_lock(&conn->lock);
	return ev;
}

/* *As the reader, until what is waited for has come. @fresh: the deadline is as far away as the transport's own bound. */
static void read_until(struct vfki_conn *conn, struct vfki_slot *slot, uint64_t deadline_ns,
		       bool fresh)
{
	vfki_reader_take(conn);
	for (;;) {
		int r;

		vfki_reader_parse(conn, false);
		if (handle_queued(conn, deadline_ns))
			fresh = false;
		if (!waits(conn, slot) || (!fresh && vfki_now_ns() >= deadline_ns))
			break;
		r = vfki_reader_receive(conn, fresh);
		if (r == -EAGAIN && !fresh && !readable(conn, deadline_ns))
			break;
		fresh = false;
	}
	vfki_reader_give(conn);
}

/* *Until somebody has put the reply into place, or gives the reader's role away. False at the deadline. */
static __attribute__((noinline)) bool follow(struct vfki_conn *conn, struct vfki_slot *slot,
					     uint64_t deadline_ns)
{
	bool in_time;

	slot->asleep = true;
	conn->asleep++;
	in_time = vfki_conn_sleep(conn, &slot->cond, deadline_ns);
	conn->asleep--;
	slot->asleep = false;
	return in_time;
}

/* *A reader without the lock still writes to the request's buffers; it does not wait there. */
static void until_not_busy(struct vfki_conn *conn, struct vfki_slot *slot)
{
	while (slot->busy) {
		slot->asleep = true;
		pthread_cond_wait(&slot->cond, &conn->lock);
		slot->asleep = false;
	}
}

static void wait_reply(struct vfki_conn *conn, struct vfki_slot *slot, uint64_t deadline_ns,
		       bool fresh)
{
	bool in_time = true;

	while (in_time && waits(conn, slot)) {
		if (conn->reading)
			in_time = follow(conn, slot, deadline_ns);
		else
			read_until(conn, slot, deadline_ns, fresh);
		fresh = false;
		in_time = in_time && (!waits(conn, slot) || vfki_now_ns() < deadline_ns);
	}
	until_not_busy(conn, slot);
}

/*
 * *Until a slot may be free, or the deadline. All may have been given up on: then it is the late replies that free them,
 * and somebody must read those.
 */
static VFKI_COLD void wait_slot(struct vfki_conn *conn, uint64_t deadline_ns)
{
	bool in_time = true;

	conn->wanting++;
	while (in_time && waits(conn, NULL)) {
		if (conn->reading)
			in_time = vfki_conn_sleep(conn, &conn->slot_free, deadline_ns);
		else
			read_until(conn, NULL, deadline_ns, false);
		in_time = in_time && vfki_now_ns() < deadline_ns;
	}
	conn->wanting--;
}

/* *The lowest free slot; NULL when the connection has ended, or none became free in time. */
static struct vfki_slot *slot_get(struct vfki_conn *conn, struct vfki_bound *bound)
{
	struct vfki_slot *slot = find_free(conn);

	if (!slot) {
		wait_slot(conn, vfki_bound_deadline(bound));
		slot = find_free(conn);
	}
	return conn->error ? NULL : slot;
}

static VFKI_COLD int unanswered(struct vfki_conn *conn, struct vfki_slot *slot)
{
	const char *name = vfki_wire_command_name(slot->command);

	if (conn->error) {
		slot_put(conn, slot);
		return vfki_err(conn->error == -EPROTO ? -EPROTO : -ECONNRESET, "%s: %s", name,
				conn->reason);
	}
	slot->state = VFKI_SLOT_ABANDONED;
	slot->rq = NULL;
	return vfki_err(-ETIMEDOUT, "%s: no answer in time", name);
}

/* After the last wait: what came of it, and the slot's fate. */
static int outcome(struct vfki_conn *conn, struct vfki_slot *slot)
{
	int r = slot->result;

	if (slot->state != VFKI_SLOT_DONE)
		return unanswered(conn, slot);
	slot->rq->answered = true;
	slot_put(conn, slot);
	if (r)
		vfki_err_sys(r, "%s: refused by the peer", vfki_wire_command_name(slot->command));
	return r;
}

/*
 * Commands that were read while nobody could handle them, and the reader's role if it lies about. A caller whose time is up
 * handles what can be done at once: no poll shows it.
 */
static void leave(struct vfki_conn *conn, struct vfki_bound *bound)
{
	uint64_t deadline_ns, soon_ns;

	if (conn->reading)
		return;
	if (conn->queue.head && !conn->opts.server) {
		deadline_ns = vfki_bound_deadline(bound);
		soon_ns = vfki_now_ns() + LEAVE_NS;
		vfki_reader_take(conn);
		vfki_queue_serve(conn, deadline_ns > soon_ns ? deadline_ns : soon_ns);
		vfki_reader_give(conn);
	} else {
		vfki_reader_give(conn);
	}
}

/* ---- sending ---- */

static int send_command(struct vfki_conn *conn, const struct vfki_request *rq, uint16_t id,
			uint32_t flags, struct vfki_bound *bound, bool *sent)
{
	struct iovec iov[VFKI_CONN_MAX_IOV + 1];
	struct vfki_wire_header head;

	vfki_enc_command(&head, id, rq->command, flags, capacity(rq->out, rq->n_out));
	iov[0].iov_base = &head;
	iov[0].iov_len = sizeof(head);
	if (rq->n_out)
		memcpy(iov + 1, rq->out, rq->n_out * sizeof(*iov));
	return vfki_send(conn, iov, rq->n_out + 1, rq->out_fds, rq->n_out_fds, bound, sent);
}

/* When the command could not be sent whole. */
static VFKI_COLD int unsent(struct vfki_conn *conn, struct vfki_slot *slot, int r, bool sent)
{
	const char *name = vfki_wire_command_name(slot->command);

	until_not_busy(conn, slot);
	/* A hostile peer may have answered what it had not seen. */
	if (slot->state == VFKI_SLOT_DONE && !slot->result)
		vfki_fd_close_all(slot->rq->in_fds, slot->rq->n_in_fds);
	if (conn->in.slot == slot)
		conn->in.slot = NULL;
	slot_put(conn, slot);
	if (sent && r == -ENOTCONN)
		r = -ECONNRESET;
	return vfki_err_prefix(r, "%s", name);
}

static int check_request(const struct vfki_request *rq)
{
	if (rq->n_out > VFKI_CONN_MAX_IOV || rq->n_in > VFKI_CONN_MAX_IOV ||
	    rq->n_out_fds > VFKI_TRANSPORT_MAX_FDS)
		return vfki_err(-E2BIG, "%s: too many pieces", vfki_wire_command_name(rq->command));
	return 0;
}

/* *Sends and waits. */
static int converse(struct vfki_conn *conn, struct vfki_request *rq, struct vfki_bound *bound,
		    bool fresh)
{
	uint64_t delays = conn->delays;
	struct vfki_slot *slot = slot_get(conn, bound);
	bool sent;
	int r;

	if (!slot && conn->error)
		return vfki_conn_gone(conn);
	if (!slot)
		return vfki_err(-ETIMEDOUT, "too many requests are unanswered");
	slot_take(conn, slot, rq);
	r = send_command(conn, rq, slot->id, 0, bound, &sent);
	if (r)
		return unsent(conn, slot, r, sent);
	/* The clock is read while the peer works. */
	wait_reply(conn, slot, vfki_bound_deadline(bound), fresh && delays == conn->delays);
	return outcome(conn, slot);
}

static struct vfki_bound bound_of(const struct vfki_conn *conn, const struct vfki_request *rq)
{
	return (struct vfki_bound){
		.timeout_ms = rq->timeout_ms ? rq->timeout_ms : conn->opts.timeout_ms,
	};
}

int vfki_conn_request(struct vfki_conn *conn, struct vfki_request *rq)
{
	struct vfki_bound bound = bound_of(conn, rq);
	int r = check_request(rq);

	rq->answered = false;
	if (r)
		return r;
	pthread_mutex_lock(&conn->lock);
	r = converse(conn, rq, &bound, bound.timeout_ms == conn->opts.timeout_ms);
	leave(conn, &bound);
	pthread_mutex_unlock(&conn->lock);
	return r;
}

int vfki_conn_post(struct vfki_conn *conn, const struct vfki_request *rq)
{
	struct vfki_bound bound = bound_of(conn, rq);
	bool sent;
	int r = check_request(rq);

	if (r)
		return r;
	pthread_mutex_lock(&conn->lock);
	conn->posted++;
	r = send_command(conn, rq, SLOT_POSTED, VFKI_WIRE_NO_REPLY, &bound, &sent);
	if (r) {
		conn->posted--;
		r = vfki_err_prefix(sent && r == -ENOTCONN ? -ECONNRESET : r, "%s",
				    vfki_wire_command_name(rq->command));
	} else if (!conn->opts.server && conn->posted % POSTS_A_LOOK == 0) {
		vfki_conn_look(conn);
	}
	leave(conn, &bound);
	pthread_mutex_unlock(&conn->lock);
	return r;
}

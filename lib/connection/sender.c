/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sender.c - putting one message on the stream.
 *
 * Messages of several threads must not mix, so one thread sends at a time. When the peer takes no more bytes it may be
 * because it is itself stuck in sending to us: a sender that cannot go on therefore reads meanwhile, if nobody else does.
 * Commands that it reads then are queued, since it is in the middle of a message and cannot answer them.
 */
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/connection/state.h"
#include <poll.h>

/* How often one that waits for another reader looks whether that has left: nothing else would tell it. */
#define LOOK_NS 20000000u

static bool may_read(const struct vfki_conn *conn)
{
	if (vfki_queue_full(conn))
		return false;
	return !conn->reading || pthread_equal(conn->reader, pthread_self());
}

/* *Waits until more can be sent; reads meanwhile. Returns 0; -ETIMEDOUT; -ENOTCONN. */
static VFKI_COLD int stalled(struct vfki_conn *conn, struct vfki_bound *bound)
{
	uint64_t deadline_ns = vfki_bound_deadline(bound);
	bool read = may_read(conn), took = read && !conn->reading;
	uint64_t until_ns = deadline_ns;
	int ev;

	conn->delays++;
	if (took)
		vfki_reader_take(conn);
	if (read)
		vfki_reader_parse(conn, false);
	else
		until_ns = vfki_min_u64(vfki_now_ns() + LOOK_NS, deadline_ns);
	pthread_mutex_unlock(&conn->lock);
	ev = conn->transport.ops->wait(&conn->transport, read ? POLLIN | POLLOUT : POLLOUT,
				       until_ns);
	pthread_mutex_lock(&conn->lock);
	if (read && ev & ~POLLOUT && !conn->error && !vfki_reader_receive(conn, false))
		vfki_reader_parse(conn, false);
	if (took)
		vfki_reader_give(conn);
	if (conn->error)
		return vfki_conn_gone(conn);
	if (vfki_now_ns() >= deadline_ns)
		return vfki_err(-ETIMEDOUT, "the peer takes no more messages");
	return 0;
}

static void advance(struct iovec **iov, size_t *n, size_t sent)
{
	while (*n && sent >= (*iov)->iov_len) {
		sent -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + sent;
		(*iov)->iov_len -= sent;
	}
}

/* *The whole message. */
static int push(struct vfki_conn *conn, struct iovec *iov, size_t n, const int *fds, size_t nfds,
		struct vfki_bound *bound, bool *sent)
{
	while (n) {
		ssize_t r;

		pthread_mutex_unlock(&conn->lock);
		r = conn->transport.ops->send(&conn->transport, iov, n, fds, nfds);
		pthread_mutex_lock(&conn->lock);
		if (r > 0) {
			*sent = true;
			nfds = 0;
			advance(&iov, &n, (size_t)r);
			continue;
		}
		if (r == -EAGAIN)
			r = stalled(conn, bound);
		else if (r == -ENOTCONN)
			r = vfki_err(-ENOTCONN, "the peer is gone");
		else
			r = vfki_err_sys((int)r, "send");
		if (r)
			return (int)r;
	}
	return 0;
}

/* *False when it did not come in time. */
static bool wait_turn(struct vfki_conn *conn, struct vfki_bound *bound)
{
	bool in_time = true;

	while (in_time && conn->sending && !conn->error) {
		conn->senders++;
		in_time = vfki_conn_sleep(conn, &conn->send_turn, vfki_bound_deadline(bound));
		conn->senders--;
	}
	return in_time;
}

int vfki_send(struct vfki_conn *conn, struct iovec *iov, size_t n, const int *fds, size_t nfds,
	      struct vfki_bound *bound, bool *sent)
{
	int r;

	*sent = false;
	if (!wait_turn(conn, bound))
		return vfki_err(-ETIMEDOUT, "the peer takes no more messages");
	if (conn->error)
		return vfki_conn_gone(conn);
	conn->sending = true;
	r = push(conn, iov, n, fds, nfds, bound, sent);
	conn->sending = false;
	if (conn->senders)
		pthread_cond_signal(&conn->send_turn);
	/* Half a message cannot be taken back. */
	if (r && (*sent || r == -ENOTCONN))
		vfki_conn_end_locked(conn, r);
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reconnect.c - waiting for a server that was lost, and beginning anew with it; see reconnect.h.
 *
 * What can change while one waits is tried again, at growing intervals: nobody listens yet, there is no socket yet, the
 * server has a client still, it dies again, it says nothing. What waiting does not mend is returned at once.
 */
#include "lib/io/user/reconnect.h"
#include "lib/base/clock.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include "lib/io/user/client.h"
#include <string.h>
#include <time.h>

#define FIRST_PAUSE_NS (10 * VFKI_NS_PER_MS)
#define LAST_PAUSE_NS  (500 * VFKI_NS_PER_MS)

int vfki_user_set_lost(struct vfk_io *io, void (*lost)(void *ctx, uint64_t epoch), void *ctx)
{
	struct vfki_user_gate *gate = &vfki_user_of(io)->gate;

	gate->lost = lost;
	gate->ctx = ctx;
	return 0;
}

/* What the old server was told. Pages that it may have written and did not report count as written. */
static void forget_server(struct vfki_user *user)
{
	vfki_user_posted_fini(user);
	vfki_user_twin_end(user);
	vfki_user_memory_clear(user);
	atomic_store(&user->unflushed, false);
	user->one_by_one = false;
	for (size_t i = 0; i < sizeof(user->armed) / sizeof(user->armed[0]); i++)
		atomic_store(&user->armed[i], 0);
}

static bool may_pass(int r)
{
	return r == -ECONNREFUSED || r == -ENOENT || r == -EBUSY || r == -ECONNRESET ||
	       r == -ENOTCONN || r == -ETIMEDOUT;
}

/* At least 1; a connection's bound is no longer than what is left of the wait. */
static uint32_t bound_ms(const struct vfki_user *user, uint64_t deadline_ns)
{
	uint64_t now = vfki_now_ns(), left = 1;

	if (now < deadline_ns)
		left = (deadline_ns - now) / VFKI_NS_PER_MS + 1;
	return (uint32_t)vfki_min_u64(left, user->timeout_ms);
}

static int begin_with(struct vfki_user *user, int fd, uint64_t deadline_ns)
{
	struct vfki_transport t;
	int r = vfki_unix_transport(fd, user->timeout_ms, &t);

	if (!r)
		r = vfki_conn_reopen(user->conn, &t);
	if (r) {
		vfki_fd_close(fd);
		return r;
	}
	r = vfki_user_greet(user, bound_ms(user, deadline_ns));
	/* After a failure that did not end it. */
	if (r)
		vfki_conn_fail(user->conn, r);
	return r;
}

static int try_once(struct vfki_user *user, uint64_t deadline_ns)
{
	int fd = vfki_unix_connect(user->path, bound_ms(user, deadline_ns));

	return fd < 0 ? fd : begin_with(user, fd, deadline_ns);
}

static void pause_until(uint64_t ns)
{
	const struct timespec ts = vfki_timespec(ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* The server answers, or what is in its way does not pass. */
static int wait_until(struct vfki_user *user, uint64_t deadline_ns)
{
	uint64_t pause_ns = FIRST_PAUSE_NS;

	for (;;) {
		int r = try_once(user, deadline_ns);
		uint64_t now = vfki_now_ns();

		if (!r)
			return 0;
		if (!may_pass(r))
			return vfki_err_prefix(r, "reconnect");
		if (now >= deadline_ns)
			return vfki_err_prefix(-ETIMEDOUT, "reconnect: not within %u s",
					       (unsigned int)user->options.reconnect_s);
		if (user->debug_name)
			vfki_debug("%s: reconnect: %s; the next try is in %u ms", user->debug_name,
				   vfk_error(), (unsigned int)(pause_ns / VFKI_NS_PER_MS));
		pause_until(vfki_min_u64(now + pause_ns, deadline_ns));
		pause_ns = vfki_min_u64(2 * pause_ns, LAST_PAUSE_NS);
	}
}

static int wait_for_server(struct vfki_user *user)
{
	int r = wait_until(user, vfki_now_ns() + user->options.reconnect_s * VFKI_NS_PER_S);

	if (user->debug_name)
		vfki_debug("%s: %s", user->debug_name,
			   r ? vfk_error() : "reconnect: the server is back");
	return r;
}

static int begin(struct vfki_user *user)
{
	int r;

	if (!vfki_conn_ended(user->conn))
		return vfki_err(-EALREADY, "reconnect: the server is there");
	vfki_user_gate_shut(user);
	forget_server(user);
	r = wait_for_server(user);
	if (r)
		vfki_user_gate_open(user, false);
	return r;
}

static int finish(struct vfki_user *user)
{
	bool lost = vfki_conn_ended(user->conn);

	vfki_user_gate_open(user, !lost);
	return lost ? vfki_err(-ECONNRESET, "reconnect: %s", vfki_conn_reason(user->conn)) : 0;
}

/* Alike, whether it is being restored or in use. */
static int abandon(struct vfki_user *user)
{
	int r = vfki_user_gate_enter(user);
	bool restoring;

	if (r)
		return r;
	restoring = user->gate.restoring;
	vfki_conn_fail(user->conn, vfki_err_prefix(-ENOTCONN, "given up"));
	vfki_user_gate_leave(user, -ENOTCONN);
	if (restoring)
		vfki_user_gate_open(user, false);
	return 0;
}

int vfki_user_reconnect(struct vfk_io *io, enum vfk_reconnect step)
{
	struct vfki_user *user = vfki_user_of(io);

	switch (step) {
	case VFK_RECONNECT_BEGIN:
		return begin(user);
	case VFK_RECONNECT_DONE:
		return finish(user);
	default:
		return abandon(user);
	}
}

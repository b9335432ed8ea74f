/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c - a server's loop; see loop.h.
 *
 * A client's doings end at most its own session: what a function of the session returns is a count, or the client's end.
 *
 * Threads: the server's, one at a time.
 */
#include "loop.h"
#include "client_memory.h"
#include "lib/base/clock.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <vfiokit/reconnect.h>

/* When the process has no descriptors left, a waiting connection would keep the loop spinning. */
#define ACCEPT_PAUSE_NS (VFKI_NS_PER_S / 10)

/* How often in a row the client is tried before the set is asked who is ready; and for how long, since each may take its time. */
#define MAX_GUESSES 16
#define GUESS_NS    (10 * VFKI_NS_PER_MS)

/* What an event is about; refusals follow, one a place. */
enum source {
	SOURCE_LISTENER,
	SOURCE_CLIENT,
	SOURCE_WAKE,
	SOURCE_DEVICE,
	SOURCE_RECALL,
	SOURCE_TIMER,
	SOURCE_REFUSAL,
	SOURCE_END = SOURCE_REFUSAL + VFKI_REFUSALS_MAX,
};

static void tell(struct vfk_server *s, enum vfk_server_event event, const char *text)
{
	s->counts.clients += event == VFK_SERVER_CONNECTED;
	s->counts.refused += event == VFK_SERVER_REFUSED;
	if (s->session.limits.debug_name && event == VFK_SERVER_REFUSED)
		vfki_debug("%s: a client is refused: %s", s->session.limits.debug_name, text);
	if (s->event)
		s->event(s->ctx, event, text);
}

/* ---- the epoll set ---- */

static int watch(struct vfk_server *s, int op, int fd, uint32_t events, uint32_t source)
{
	struct epoll_event e = { .events = events, .data.u32 = source };

	return epoll_ctl(s->epoll_fd, op, fd, &e) ? vfki_err_sys(-errno, "epoll") : 0;
}

static void unwatch_client(struct vfk_server *s)
{
	if (!s->polled)
		return;
	watch(s, EPOLL_CTL_DEL, vfki_conn_fd(s->session.conn), 0, 0);
	watch(s, EPOLL_CTL_DEL, vfki_conn_wake_fd(s->session.conn), 0, 0);
	s->polled = false;
}

static int watch_client(struct vfk_server *s)
{
	int ret;

	ret = watch(s, EPOLL_CTL_ADD, vfki_conn_fd(s->session.conn), EPOLLIN, SOURCE_CLIENT);
	if (ret)
		return ret;
	ret = watch(s, EPOLL_CTL_ADD, vfki_conn_wake_fd(s->session.conn), EPOLLIN, SOURCE_WAKE);
	if (ret) {
		watch(s, EPOLL_CTL_DEL, vfki_conn_fd(s->session.conn), 0, 0);
		return ret;
	}
	s->polled = true;
	s->taking = true;
	return 0;
}

/* A client whose commands have to wait is not polled for input, or the loop would spin. Its end is always reported. */
static void update_taking(struct vfk_server *s)
{
	bool take = vfki_session_ready(&s->session);

	if (!s->polled || take == s->taking)
		return;
	watch(s, EPOLL_CTL_MOD, vfki_conn_fd(s->session.conn), take ? EPOLLIN : 0, SOURCE_CLIENT);
	watch(s, EPOLL_CTL_MOD, vfki_conn_wake_fd(s->session.conn), take ? EPOLLIN : 0,
	      SOURCE_WAKE);
	s->taking = take;
}

/* The next client waits in the kernel's queue while the last one's memory is in use. */
static void update_accepting(struct vfk_server *s, uint64_t now)
{
	bool want = s->listener.fd >= 0 && s->session.phase != VFKI_SESSION_ENDING &&
		    now >= s->accept_again;

	if (want == s->accepting)
		return;
	if (watch(s, want ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, s->listener.fd, EPOLLIN,
		  SOURCE_LISTENER))
		s->accept_again = now + ACCEPT_PAUSE_NS;
	else
		s->accepting = want;
}

/* One that fires too early does no harm, and saves a system call for each command. */
static void arm_timer(struct vfk_server *s, uint64_t when)
{
	const struct itimerspec spec = { .it_value = vfki_timespec(when) };

	if (when >= s->armed)
		return;
	timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
	s->armed = when;
}

static void update_timer(struct vfk_server *s, uint64_t now)
{
	uint64_t when = vfki_session_deadline(&s->session, now);
	uint64_t refusal = vfki_refusals_deadline(&s->refusals);

	if (refusal < when)
		when = refusal;
	if (s->accept_again > now && s->accept_again < when)
		when = s->accept_again;
	arm_timer(s, when);
}

/* ---- the client ---- */

static void end_client(struct vfk_server *s, int err, uint64_t now)
{
	unwatch_client(s);
	vfki_session_end(&s->session, err, now);
	tell(s, s->told ? VFK_SERVER_DISCONNECTED : VFK_SERVER_REFUSED,
	     vfki_conn_reason(s->session.conn));
	s->told = false;
	vfki_session_tick(&s->session, now);
}

/* What a function of the session returned: a count, or the client's end. */
static int settle(struct vfk_server *s, int ret, uint64_t now)
{
	char version[16];

	if (s->session.greeted && !s->told) {
		s->told = true;
		snprintf(version, sizeof(version), "%d.%u", VFKI_WIRE_MAJOR,
			 s->session.agreed.minor);
		tell(s, VFK_SERVER_CONNECTED, version);
	}
	if (ret >= 0)
		return ret;
	end_client(s, ret, now);
	return 1;
}

static int serve_client(struct vfk_server *s, bool hung_up, uint64_t now)
{
	int ret;

	if (!s->polled)
		return 0;
	if (!vfki_session_ready(&s->session))
		ret = hung_up ? vfki_err(-ENOTCONN, "the peer is gone") : 0;
	else
		ret = vfki_session_serve(&s->session, now);
	return settle(s, ret, now);
}

/* @fd is taken on success. */
static int start_client(struct vfk_server *s, int fd, uint64_t now)
{
	int ret;

	ret = vfki_session_start(&s->session, fd, now);
	if (ret)
		return ret;
	s->told = false;
	ret = watch_client(s);
	if (ret)
		vfki_session_cancel(&s->session);
	return ret;
}

/* ---- the device ---- */

/* With this thread's text as the reason; returns @err. */
static int lose_device(struct vfk_server *s, int err, uint64_t now)
{
	char why[256];

	snprintf(why, sizeof(why), "%s", vfk_error());
	s->dead = err;
	if (s->polled)
		end_client(s, err, now);
	return vfki_err(err, "%s", why);
}

/* A proxy's, whose own server is gone: what its client had made of the device is gone with it, and so the client goes. */
static int miss_device(struct vfk_server *s, uint64_t now)
{
	s->lost = true;
	if (s->polled)
		end_client(s, -ENOTCONN, now);
	return 1;
}

static int dispatch_device(struct vfk_server *s, uint64_t now)
{
	int ret;

	vfki_turn_begin(&s->session);
	ret = vfk_device_dispatch(s->dev);
	vfki_turn_end(&s->session);
	if (ret >= 0)
		return ret;
	watch(s, EPOLL_CTL_DEL, vfk_device_poll_fd(s->dev), 0, 0);
	if (ret == -ECONNRESET && vfk_device_epoch(s->dev))
		return miss_device(s, now);
	return lose_device(s, ret, now);
}

/* There is somebody who wants it. Waits, as long as the device was opened to. */
static int find_device(struct vfk_server *s, uint64_t now)
{
	int ret = vfk_device_reconnect(s->dev, vfk_device_epoch(s->dev));

	if (!ret || ret == -EALREADY)
		ret = watch(s, EPOLL_CTL_ADD, vfk_device_poll_fd(s->dev), EPOLLIN, SOURCE_DEVICE);
	if (ret)
		return lose_device(s, ret, now);
	s->lost = false;
	return 0;
}

static int answer_recall(struct vfk_server *s, uint64_t now)
{
	if (!vfki_recall_came(&s->session.recall))
		return 0;
	return lose_device(s,
			   vfki_err(-ENODEV,
				    "%s: the kernel asks for the device back, which is unplugged "
				    "or unbound",
				    vfk_device_name(s->dev)),
			   now);
}

/* ---- the listener ---- */

/* Whether the present client has gone, which its successor knew before we do. */
static bool client_leaving(const struct vfk_server *s)
{
	struct pollfd p = { .events = POLLRDHUP };

	if (!s->polled || !s->taking)
		return false;
	p.fd = vfki_conn_fd(s->session.conn);
	return poll(&p, 1, 0) > 0;
}

static void refuse_client(struct vfk_server *s, int fd, uint64_t now)
{
	int place = vfki_refusals_add(&s->refusals, fd, now);

	if (place >= 0 && watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, SOURCE_REFUSAL + (uint32_t)place))
		vfki_refusals_drop(&s->refusals, (size_t)place);
	tell(s, VFK_SERVER_REFUSED, "there is a client already");
}

static int accept_client(struct vfk_server *s, uint64_t now)
{
	int fd, ret;

	if (!s->accepting || s->session.spoiled || client_leaving(s))
		return 0;
	fd = vfki_listener_accept(&s->listener);
	if (fd == -EAGAIN)
		return 0;
	if (fd < 0) {
		s->accept_again = now + ACCEPT_PAUSE_NS;
		return 0;
	}
	if (vfki_allow_check(&s->allow, fd)) {
		vfki_fd_close(fd);
		s->counts.not_allowed++;
		tell(s, VFK_SERVER_REFUSED, vfk_error());
		return 1;
	}
	if (s->session.phase != VFKI_SESSION_NONE) {
		refuse_client(s, fd, now);
		return 1;
	}
	ret = s->lost ? find_device(s, now) : 0;
	if (ret) {
		vfki_fd_close(fd);
		return ret;
	}
	/* it may have taken a while, which is not the client's */
	ret = start_client(s, fd, vfki_now_ns());
	if (ret) {
		vfki_fd_close(fd);
		tell(s, VFK_SERVER_REFUSED, vfk_error());
	}
	return 1;
}

/* ---- the loop ---- */

static int run_refusals(struct vfk_server *s, uint32_t ready, uint64_t now)
{
	int done = 0;

	for (size_t i = 0; i < VFKI_REFUSALS_MAX; i++) {
		if (ready & (1u << (SOURCE_REFUSAL + i)))
			done += vfki_refusals_ready(&s->refusals, i);
	}
	if (ready & (1u << SOURCE_TIMER))
		vfki_refusals_expire(&s->refusals, now);
	return done;
}

static void fired(struct vfk_server *s)
{
	uint64_t times;

	(void)!read(s->timer_fd, &times, sizeof(times));
	s->armed = UINT64_MAX;
}

/* @ready has a bit for each source; @hung_up: the client's connection has no other end any more. */
static int run(struct vfk_server *s, uint32_t ready, bool hung_up, uint64_t now)
{
	int done = 0, ret;

	if (ready & (1u << SOURCE_TIMER))
		fired(s);
	if (ready & (1u << SOURCE_CLIENT | 1u << SOURCE_WAKE))
		done += serve_client(s, hung_up, now);
	if (ready & 1u << SOURCE_DEVICE) {
		ret = dispatch_device(s, now);
		if (ret < 0)
			return ret;
		done += ret;
	}
	if (ready & 1u << SOURCE_RECALL) {
		ret = answer_recall(s, now);
		if (ret < 0)
			return ret;
	}
	if (ready & (1u << SOURCE_TIMER | 1u << SOURCE_DEVICE))
		done += settle(s, vfki_session_tick(&s->session, now), now);
	done += run_refusals(s, ready, now);
	if (ready & 1u << SOURCE_LISTENER) {
		ret = accept_client(s, now);
		if (ret < 0)
			return ret;
		done += ret;
	}
	return done;
}

/* Asks the set who is ready, and does what is to be done. */
static int look(struct vfk_server *s, uint64_t now)
{
	struct epoll_event events[SOURCE_END];
	bool hung_up = false;
	uint32_t ready = 0;
	int n = epoll_wait(s->epoll_fd, events, SOURCE_END, 0);

	for (int i = 0; i < n; i++) {
		ready |= 1u << events[i].data.u32;
		if (events[i].data.u32 == SOURCE_CLIENT && events[i].events & EPOLLHUP)
			hung_up = true;
	}
	s->guesses = ready == 1u << SOURCE_CLIENT ? MAX_GUESSES : 0;
	s->looked = now;
	return run(s, ready, hung_up, now);
}

/*
 * Where one request of the client's followed another, the next one is most likely what the program was woken for: that it
 * is tried at once saves the question. One who sends more than it waits for gets no such favour.
 */
static int guess(struct vfk_server *s, uint64_t now)
{
	int ret;

	if (!s->guesses || now - s->looked > GUESS_NS)
		return 0;
	ret = serve_client(s, false, now);
	s->guesses = ret == 1 ? s->guesses - 1 : 0;
	return ret;
}

int vfk_server_dispatch(struct vfk_server *s)
{
	uint64_t now = vfki_now_ns();
	int ret;

	if (s->dead)
		return vfki_err(s->dead, "the device is gone");
	ret = guess(s, now);
	if (!ret)
		ret = look(s, now);
	if (ret < 0)
		return ret;
	if (s->listener.fd < 0 && s->session.phase == VFKI_SESSION_NONE)
		return vfki_err(-ENOTCONN, "the only client is gone");
	if (s->session.spoiled && s->session.phase == VFKI_SESSION_NONE)
		return vfki_err(s->session.spoiled, "%s; no other client gets it as it was left",
				s->session.spoilt_by);
	update_taking(s);
	update_accepting(s, now);
	update_timer(s, now);
	return ret;
}

/* ---- waiting in the receive ---- */

/* Whether nothing but its client, and what can wait for a moment, may happen to a server whose device needs no dispatch. */
static bool client_alone(const struct vfk_server *s)
{
	return !s->dead && s->polled && s->session.phase == VFKI_SESSION_SERVING &&
	       vfki_session_ready(&s->session);
}

/* Takes the client's socket out of the set, or puts it back. */
static int watch_socket(struct vfk_server *s, bool in)
{
	return watch(s, in ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, vfki_conn_fd(s->session.conn),
		     s->taking ? EPOLLIN : 0, SOURCE_CLIENT);
}

/* Every message to a socket in a set costs its sender a call into the set: from the second one on this one is in none. */
static int await_client(struct vfk_server *s, uint64_t end)
{
	int done = 0, ret, in;
	bool out = false, more;
	uint64_t now;

	do {
		ret = vfki_session_await(&s->session);
		now = vfki_now_ns();
		more = ret > 0 && now < end && client_alone(s);
		if (out != more) {
			in = watch_socket(s, out);
			if (in && ret >= 0)
				ret = in;
			out = more;
		}
		done += settle(s, ret, now);
	} while (more && ret > 0);
	return done;
}

int vfk_server_linger(struct vfk_server *s, uint32_t time_ms)
{
	uint64_t end = vfki_now_ns() + time_ms * (uint64_t)VFKI_NS_PER_MS, now;
	bool can = vfk_device_poll_fd(s->dev) == -ENOTSUP;
	int done = 0;

	if (time_ms > VFKI_LINGER_MAX_MS)
		return vfki_err(-ERANGE, "server: lingers for %u ms, at most %u", time_ms,
				VFKI_LINGER_MAX_MS);
	if (can && client_alone(s))
		done = await_client(s, end);
	now = vfki_now_ns();
	update_taking(s);
	update_accepting(s, now);
	update_timer(s, now);
	/* What comes of a client's end is told by a dispatch. */
	if (!s->polled)
		arm_timer(s, now);
	return done;
}

int vfk_server_poll_fd(const struct vfk_server *s)
{
	return s->epoll_fd;
}

bool vfk_server_has_client(const struct vfk_server *s)
{
	return s->session.phase == VFKI_SESSION_SERVING;
}

/* ---- its life ---- */

int vfki_loop_init(struct vfk_server *s)
{
	int fd, ret;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return vfki_err_sys(-errno, "epoll");
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer_fd < 0) {
		ret = vfki_err_sys(-errno, "timer");
		goto close_epoll;
	}
	s->armed = UINT64_MAX;
	ret = watch(s, EPOLL_CTL_ADD, s->timer_fd, EPOLLIN, SOURCE_TIMER);
	if (ret)
		goto close_timer;
	fd = vfk_device_poll_fd(s->dev);
	if (fd != -ENOTSUP)
		ret = fd < 0 ? fd : watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, SOURCE_DEVICE);
	if (ret)
		goto close_timer;
	return 0;

close_timer:
	vfki_fd_close(s->timer_fd);
close_epoll:
	vfki_fd_close(s->epoll_fd);
	return ret;
}

void vfki_loop_fini(struct vfk_server *s)
{
	vfki_fd_close(s->timer_fd);
	vfki_fd_close(s->epoll_fd);
}

int vfki_loop_watch_recall(struct vfk_server *s)
{
	int fd = s->session.recall.fd;

	return fd < 0 ? 0 : watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, SOURCE_RECALL);
}

int vfki_loop_listen(struct vfk_server *s)
{
	update_accepting(s, vfki_now_ns());
	return s->accepting ? 0 : vfki_err(-ENOMEM, "the socket cannot be polled");
}

int vfki_loop_start_client(struct vfk_server *s, int fd)
{
	uint64_t now = vfki_now_ns();
	int ret = vfki_allow_check(&s->allow, fd);

	if (ret)
		return ret;
	ret = start_client(s, fd, now);
	update_timer(s, now);
	return ret;
}

void vfki_loop_end_client(struct vfk_server *s, int err)
{
	if (s->polled)
		end_client(s, err, vfki_now_ns());
}

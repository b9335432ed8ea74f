/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * twin.c - the second socket, on which a server sends its own commands; see twin.h.
 */
#include "lib/io/user/twin.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"
#include "lib/io/user/client.h"
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* One of the two sockets alone is no connection. */
static void ended(struct vfki_user *user, int err)
{
	if (!vfki_conn_ended(user->conn))
		vfki_conn_fail(user->conn,
			       vfki_err_prefix(err, "the socket of the server's commands"));
}

static void *run(void *ctx)
{
	struct vfki_user *user = ctx;
	struct pollfd p[2] = { { .fd = user->twin.stop, .events = POLLIN },
			       { .fd = vfki_conn_fd(user->twin.conn), .events = POLLIN } };
	int r = 0;

	while (r >= 0) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			return NULL;
		r = vfki_conn_dispatch(user->twin.conn);
	}
	ended(user, r);
	return NULL;
}

/* The program's signals are its own threads' business; a fault of this one is its own, for the guard. */
static int start_thread(struct vfki_user *user)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&user->twin.thread, NULL, run, user);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? vfki_err_sys(-r, "a thread for the server's commands") : 0;
}

static int make_conn(struct vfki_user *user, int fd, struct vfki_conn **conn)
{
	const struct vfki_conn_opts opts = {
		.timeout_ms = user->timeout_ms,
		.max_xfer = user->agreed.recv_xfer,
		.max_fds = user->agreed.recv_fds,
		.command = vfki_user_command,
		.ctx = user,
		.debug_name = user->debug_name,
	};
	struct vfki_transport t;
	int r = vfki_unix_transport(fd, user->timeout_ms, &t);

	if (r)
		return vfki_err_prefix(-EPROTO, "version: twin socket");
	return vfki_conn_create(&t, &opts, conn);
}

int vfki_user_twin_start(struct vfki_user *user, int fd)
{
	struct vfki_user_twin *twin = &user->twin;
	int r = vfki_eventfd_create();

	if (r < 0) {
		vfki_err_sys(r, "twin socket");
		goto close_fd;
	}
	twin->stop = r;
	r = make_conn(user, fd, &twin->conn);
	if (r)
		goto close_stop;
	r = start_thread(user);
	if (r)
		goto destroy_conn;
	return 0;

destroy_conn:
	vfki_conn_destroy(twin->conn);
	twin->conn = NULL;
	fd = -1;
close_stop:
	vfki_fd_close(twin->stop);
close_fd:
	vfki_fd_close(fd);
	return r;
}

void vfki_user_twin_end(struct vfki_user *user)
{
	struct vfki_user_twin *twin = &user->twin;
	uint64_t one = 1;

	if (!twin->conn)
		return;
	/* A command that is being answered to a peer that does not read has the connection's bound; now it has none. */
	vfki_conn_fail(twin->conn, vfki_err(-ENOTCONN, "closed"));
	if (write(twin->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(twin->thread, NULL);
	vfki_conn_destroy(twin->conn);
	twin->conn = NULL;
	vfki_fd_close(twin->stop);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transport.h - how messages travel: the vector below a connection, and its UNIX stream socket.
 *
 * A transport moves bytes in order, and descriptors beside them. It knows nothing of messages. Sending never blocks: the
 * connection waits itself, so that it can read meanwhile. Receiving may block, for at most the bound that the transport
 * was made with. Descriptors arrive close-on-exec.
 *
 * Threads: one sends and one receives at a time; the connection sees to that. end may be called by any thread, and makes
 * a blocked receive return.
 */
#ifndef VFKI_CONNECTION_TRANSPORT_H
#define VFKI_CONNECTION_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The kernel passes no more in one message (SCM_MAX_FD). */
#define VFKI_TRANSPORT_MAX_FDS 253

struct vfki_transport;

/* Descriptors that came with the bytes of one receive. */
struct vfki_arrived {
	size_t count;
	bool lost; /* there were more than could be had; those in fd are ours all the same */
	int fd[VFKI_TRANSPORT_MAX_FDS];
};

struct vfki_transport_ops {
	const char *name;

	/*
	 * Sends what can be sent now, descriptors with the first byte. Returns the count of bytes, > 0; -EAGAIN nothing
	 * could; -ENOTCONN the peer is gone; another -errno.
	 */
	ssize_t (*send)(struct vfki_transport *t, const struct iovec *iov, size_t n, const int *fds,
			size_t nfds);

	/*
	 * Receives what is there; with @block and nothing there, waits once, at most the transport's bound. Returns the
	 * count of bytes, > 0; -EAGAIN nothing came; -ENOTCONN the peer is gone; another -errno. @arrived is always set.
	 */
	ssize_t (*recv)(struct vfki_transport *t, const struct iovec *iov, size_t n, bool block,
			struct vfki_arrived *arrived);

	/* Waits until @events (POLLIN, POLLOUT) or @deadline_ns of CLOCK_MONOTONIC. Returns what happened; 0: late. */
	int (*wait)(struct vfki_transport *t, short events, uint64_t deadline_ns);

	/* No byte goes either way any more; the peer sees the end. The descriptor stays valid. */
	void (*end)(struct vfki_transport *t);

	/*
	 * Takes @from's stream in place of its own, which has ended, under the descriptor's old number; @from is closed.
	 * Alone. Returns 0; -errno: nothing changed.
	 */
	int (*replace)(struct vfki_transport *t, struct vfki_transport *from);

	void (*close)(struct vfki_transport *t);
};

struct vfki_transport {
	const struct vfki_transport_ops *ops;
	int fd; /* readable when there is something to receive */
	uint64_t spin_ns; /* how long a receive that may block asks again and again before; 0; may be set at any time */
};

/*
 * A transport on a connected UNIX stream socket, which must be one (-ENOTSOCK, with a text). Makes it close-on-exec and
 * sets its receive timeout. @fd is taken on success: t->ops->close() closes it.
 */
int vfki_unix_transport(int fd, uint32_t timeout_ms, struct vfki_transport *t);

/*
 * Connects to the socket at @path. Returns the descriptor, close-on-exec; -ENOENT, -ECONNREFUSED, -EACCES,
 * -ENAMETOOLONG; -ETIMEDOUT when nobody accepts within the bound and the backlog is full. With a text.
 */
int vfki_unix_connect(const char *path, uint32_t timeout_ms);

#endif

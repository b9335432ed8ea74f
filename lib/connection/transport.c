/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transport.c - the UNIX stream socket as a transport.
 *
 * The kernel gives descriptors out with the first byte of the send that carried them, and ends a receive behind that
 * send's bytes: what comes with a receive belongs to its last bytes (unix(7), and net/unix/af_unix.c).
 *
 * Threads: see transport.h; there is no state but the descriptor.
 */
#include "lib/connection/transport.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

union fd_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(VFKI_TRANSPORT_MAX_FDS * sizeof(int))];
};

/* Up to so many bytes, joining a message's pieces costs less than having the kernel walk over them. */
#define SMALL_MESSAGE 256

static bool is_gone(int err)
{
	return err == EPIPE || err == ECONNRESET || err == ENOTCONN || err == ESHUTDOWN;
}

/* Puts the pieces together; 0: there is no room for them. */
static size_t join(const struct iovec *iov, size_t n, char *to, size_t room)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > room - len)
			return 0;
		memcpy(to + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return len;
}

static ssize_t send_pieces(const struct vfki_transport *t, const struct iovec *iov, size_t n,
			   const int *fds, size_t nfds)
{
	union fd_control control;
	struct msghdr mh = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };

	if (nfds) {
		struct cmsghdr *c = &control.align;

		memset(&control, 0, CMSG_SPACE(nfds * sizeof(int)));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	}
	return sendmsg(t->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t unix_send(struct vfki_transport *t, const struct iovec *iov, size_t n,
			 const int *fds, size_t nfds)
{
	char small[SMALL_MESSAGE];
	size_t len = nfds ? 0 : join(iov, n, small, sizeof(small));
	ssize_t r;

	do
		r = len ? send(t->fd, small, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
			  send_pieces(t, iov, n, fds, nfds);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	return is_gone(errno) ? -ENOTCONN : -errno;
}

static void take_fds(struct msghdr *mh, struct vfki_arrived *arrived)
{
	struct cmsghdr *c;

	arrived->lost = mh->msg_flags & MSG_CTRUNC;
	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		/* The control buffer holds no more than fit here. */
		memcpy(arrived->fd + arrived->count, CMSG_DATA(c), n * sizeof(int));
		arrived->count += n;
	}
}

/* As recvmsg(), for a while without sleeping: a sleep and the wake-up cost more than many empty calls. */
static ssize_t spin(const struct vfki_transport *t, struct msghdr *mh)
{
	uint64_t end = vfki_now_ns() + t->spin_ns;
	ssize_t r;

	do
		r = recvmsg(t->fd, mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (r < 0 && errno == EAGAIN && vfki_now_ns() < end);
	return r;
}

static ssize_t receive(const struct vfki_transport *t, struct msghdr *mh, bool block)
{
	ssize_t r = -1;

	errno = EAGAIN;
	if (block && t->spin_ns)
		r = spin(t, mh);
	if (r < 0 && errno == EAGAIN)
		r = recvmsg(t->fd, mh, MSG_CMSG_CLOEXEC | (block ? 0 : MSG_DONTWAIT));
	return r;
}

static ssize_t unix_recv(struct vfki_transport *t, const struct iovec *iov, size_t n, bool block,
			 struct vfki_arrived *arrived)
{
	union fd_control control;
	struct msghdr mh = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = n,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t r = receive(t, &mh, block);
	int err = errno;

	arrived->count = 0;
	arrived->lost = false;
	if (r > 0) {
		if (mh.msg_controllen || mh.msg_flags & MSG_CTRUNC)
			take_fds(&mh, arrived);
		return r;
	}
	if (!r || is_gone(err))
		return -ENOTCONN;
	/* A signal came: the caller looks at its clock and asks again. */
	return err == EINTR || err == EWOULDBLOCK ? -EAGAIN : -err;
}

static int unix_wait(struct vfki_transport *t, short events, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	uint64_t now;
	int r;

	do {
		struct timespec left = { 0 };

		now = vfki_now_ns();
		if (now < deadline_ns) {
			left = vfki_timespec(deadline_ns - now);
		}
		r = ppoll(&p, 1, &left, NULL);
	} while (r < 0 && errno == EINTR && now < deadline_ns);
	return r > 0 ? p.revents : 0;
}

static void unix_end(struct vfki_transport *t)
{
	shutdown(t->fd, SHUT_RDWR);
}

static void unix_close(struct vfki_transport *t)
{
	vfki_fd_close(t->fd);
	t->fd = -1;
}

static int unix_replace(struct vfki_transport *t, struct vfki_transport *from)
{
	int r;

	do
		r = dup3(from->fd, t->fd, O_CLOEXEC);
	while (r < 0 && (errno == EINTR || errno == EBUSY));
	if (r < 0)
		return -errno;
	unix_close(from);
	return 0;
}

static const struct vfki_transport_ops unix_ops = {
	.name = "unix",
	.send = unix_send,
	.recv = unix_recv,
	.wait = unix_wait,
	.end = unix_end,
	.replace = unix_replace,
	.close = unix_close,
};

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -1 : value;
}

static int set_timeout(int fd, int option, uint32_t timeout_ms)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) ? -errno : 0;
}

int vfki_unix_transport(int fd, uint32_t timeout_ms, struct vfki_transport *t)
{
	int r;

	if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != SOCK_STREAM ||
	    socket_option(fd, SO_ACCEPTCONN) != 0)
		return vfki_err(-ENOTSOCK, "descriptor %d is no connected UNIX stream socket", fd);
	r = vfki_fd_set_cloexec(fd);
	if (!r)
		r = set_timeout(fd, SO_RCVTIMEO, timeout_ms);
	if (r)
		return vfki_err_sys(r, "descriptor %d", fd);
	t->ops = &unix_ops;
	t->fd = fd;
	t->spin_ns = 0;
	return 0;
}

static int connect_until(int fd, const struct sockaddr_un *addr, uint64_t deadline_ns)
{
	for (;;) {
		uint64_t now = vfki_now_ns();
		uint32_t left;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		/* A full backlog is the only thing that a UNIX connect waits for, and SO_SNDTIMEO bounds that. */
		left = (uint32_t)((deadline_ns - now) / VFKI_NS_PER_MS) + 1;
		set_timeout(fd, SO_SNDTIMEO, left);
		if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
			return set_timeout(fd, SO_SNDTIMEO, 0);
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

int vfki_unix_connect(const char *path, uint32_t timeout_ms)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd, r;

	if (!len)
		return vfki_err(-EINVAL, "no socket is named");
	if (len >= sizeof(addr.sun_path))
		return vfki_err(-ENAMETOOLONG, "connect: a socket's path has at most %zu bytes",
				sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vfki_err_sys(-errno, "socket");
	r = connect_until(fd, &addr, vfki_deadline_ns(timeout_ms));
	if (r) {
		vfki_fd_close(fd);
		return vfki_err_sys(r, "connect");
	}
	return fd;
}

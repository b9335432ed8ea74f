/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fd.c - file descriptors.
 *
 * Threads: any; nothing is kept.
 */
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void vfki_fd_close(int fd)
{
	const struct linger off = { 0 };
	int saved = errno;

	if (fd >= 0) {
		/* A peer can hand us a TCP socket whose close would wait for hours; on all else this does nothing. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
		close(fd);
	}
	errno = saved;
}

void vfki_fd_close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		vfki_fd_close(fds[i]);
		fds[i] = -1;
	}
}

int vfki_fd_dup(int fd)
{
	/* In the place of a closed stdin it would be read and written by accident. */
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

int vfki_fd_set_cloexec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int vfki_fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

bool vfki_fd_is_anon(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && !(st.st_mode & S_IFMT);
}

bool vfki_fd_is_eventfd(int fd)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)], target[64];
	ssize_t len;

	if (!vfki_fd_is_anon(fd))
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target));
	if (len < 0)
		return true;
	return (size_t)len == strlen("anon_inode:[eventfd]") &&
	       !memcmp(target, "anon_inode:[eventfd]", len);
}

int vfki_fd_seals(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals < 0 ? -errno : seals;
}

ssize_t vfki_fd_writev(int fd, const struct iovec *iov, int n)
{
	const struct timespec now = { 0 };
	sigset_t sigpipe, pending, before;
	ssize_t ret;

	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
	do
		ret = writev(fd, iov, n);
	while (ret < 0 && errno == EINTR);
	ret = ret < 0 ? -errno : ret;
	/* the signal is this thread's; one that was there before is somebody else's business */
	if (ret == -EPIPE && !sigismember(&pending, SIGPIPE)) {
		while (sigtimedwait(&sigpipe, NULL, &now) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

int vfki_fd_size(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	*size = (uint64_t)st.st_size;
	return 0;
}

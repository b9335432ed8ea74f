/* SPDX-License-Identifier: BSD-3-Clause */
/* output.c - see output.h. */
#include "output.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define READER_MS      3000
#define READER_STEP_NS (10 * VFKI_NS_PER_MS)

/* -ENXIO stands for a pipe without a reader (fifo(7)) alone: a socket, or a device that is not there, gives it too. */
static int open_once(const char *path, bool readable)
{
	struct stat st;
	bool there = !stat(path, &st);
	int mode = readable && (!there || S_ISREG(st.st_mode)) ? O_RDWR : O_WRONLY;
	int fd = open(path, mode | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);

	if (fd >= 0)
		return fd;
	return errno == ENXIO && !(there && S_ISFIFO(st.st_mode)) ? -ENODEV : -errno;
}

int vfki_output_open(const char *path, bool readable)
{
	const struct timespec step = vfki_timespec(READER_STEP_NS);
	uint64_t deadline = vfki_deadline_ns(READER_MS);
	int fd = open_once(path, readable);

	while (fd == -ENXIO && vfki_now_ns() < deadline) {
		nanosleep(&step, NULL);
		fd = open_once(path, readable);
	}
	if (fd == -ENXIO)
		return vfki_err(fd, "trace: %s: nobody reads the pipe since %d ms", path,
				READER_MS);
	return fd < 0 ? vfki_err_sys(fd, "trace: %s", path) : fd;
}

static int await_room(int fd, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t now = vfki_now_ns();
	struct timespec left = vfki_timespec(now < deadline ? deadline - now : 0);
	int n = ppoll(&p, 1, &left, NULL);

	if (n > 0)
		return 0;
	if (!n)
		return -ETIMEDOUT;
	return errno == EINTR ? -EAGAIN : -errno;
}

/* Drops what is written from the front. */
static void advance(struct iovec **iov, int *n, size_t done)
{
	while (*n && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

int vfki_output_write(int fd, struct iovec *iov, int n, uint32_t timeout_ms)
{
	uint64_t deadline = vfki_deadline_ns(timeout_ms);

	for (advance(&iov, &n, 0); n;) {
		int ret = await_room(fd, deadline);
		ssize_t done = ret ? ret : vfki_fd_writev(fd, iov, n);

		if (!done)
			return -EIO;
		if (done == -EAGAIN && vfki_now_ns() >= deadline)
			return -ETIMEDOUT;
		if (done < 0 && done != -EAGAIN)
			return (int)done;
		if (done > 0)
			advance(&iov, &n, (size_t)done);
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eventfd.c - signalling and reading eventfds that somebody else can change.
 *
 * A signal is a native asynchronous read (io_submit(2)) of an empty memfd: it completes inside the
 * system call, and its completion signals the eventfd. Completions collect in the context's ring,
 * which is emptied when it is full, so that most signals cost one system call. The kernel
 * serialises all of it: there is no lock here.
 *
 * Threads: any number, on one signaller.
 */
#include "lib/base/eventfd.h"

#include "lib/base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Signals before the ring has to be emptied; taken from the system's aio-max-nr (often 65536). */
#define RING 128

/* Other threads may fill the ring as fast as we empty it; nobody is held up by more than this. */
#define MAX_TRIES 64

/*
 * The context is made by the first signal: the kernel takes tens of milliseconds to end one, which a device that never
 * raises an interrupt should not pay at its close.
 */
struct vfki_signaller {
	pthread_mutex_t lock; /* making the context */
	atomic_bool made;     /* ctx is what it will be */
	aio_context_t ctx;    /* 0: poll and write */
	int empty;	      /* the memfd that is read; -1: no ctx either */
};

int vfki_signaller_create(struct vfki_signaller **out)
{
	struct vfki_signaller *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->empty = memfd_create("vfiokit-signal", MFD_CLOEXEC);
	pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

static void make_context(struct vfki_signaller *s)
{
	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&s->made)) {
		if (s->empty < 0 || syscall(SYS_io_setup, RING, &s->ctx))
			s->ctx = 0;
		atomic_store(&s->made, true);
	}
	pthread_mutex_unlock(&s->lock);
}

void vfki_signaller_force_write(struct vfki_signaller *s)
{
	if (s->ctx)
		syscall(SYS_io_destroy, s->ctx);
	s->ctx = 0;
	vfki_fd_close(s->empty);
	s->empty = -1;
	atomic_store(&s->made, true);
}

void vfki_signaller_destroy(struct vfki_signaller *s)
{
	if (!s)
		return;
	vfki_signaller_force_write(s);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool vfki_signaller_is_async(struct vfki_signaller *s)
{
	if (!atomic_load(&s->made))
		make_context(s);
	return s->ctx != 0;
}

static void reap(const struct vfki_signaller *s)
{
	struct io_event events[RING];
	struct timespec now = { 0, 0 };

	syscall(SYS_io_getevents, s->ctx, 0, RING, events, &now);
}

static int submit(const struct vfki_signaller *s, int fd)
{
	char nothing;
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)s->empty,
		.aio_buf = (uintptr_t)&nothing,
		.aio_nbytes = 1,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *cbs[1] = { &cb };

	for (int i = 0; i < MAX_TRIES; i++) {
		if (syscall(SYS_io_submit, s->ctx, 1, cbs) == 1)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		reap(s);
	}
	return -EAGAIN;
}

static int poll_and_write(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t one = 1;

	if (!vfki_fd_is_eventfd(fd))
		return fcntl(fd, F_GETFD) < 0 ? -EBADF : -EINVAL;
	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLOUT))
		return 0;
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

int vfki_signaller_signal(struct vfki_signaller *s, int fd)
{
	if (vfki_signaller_is_async(s)) {
		int r = submit(s, fd);

		/*
		 * The context is refused as well, with the same code, in the child of a fork(): it
		 * was the parent's.
		 */
		if (r != -EINVAL && r != -EAGAIN)
			return r;
	}
	return poll_and_write(fd);
}

int vfki_eventfd_create(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int vfki_eventfd_drain(int fd, uint64_t *count)
{
	struct iovec iov = { .iov_base = count, .iov_len = sizeof(*count) };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	/* Before Linux 5.9 an eventfd had no non-waiting read of its own. */
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
		if (poll(&p, 1, 0) <= 0)
			return -EAGAIN;
		n = read(fd, count, sizeof(*count));
	}
	if (n < 0)
		return -errno;
	return n == sizeof(*count) ? 0 : -EINVAL;
}

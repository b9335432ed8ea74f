/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_lifecycle.c - opening, closing, waiting and several threads at once, done wrong. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "wrapper.h"

static void close_leaks(struct vfk_io *io)
{
	fcntl(wrapper(io)->fd, F_DUPFD_CLOEXEC, 0);
	right.close(io);
}

static void close_nothing(struct vfk_io *io)
{
	(void)io;
}

static int disable_nothing(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return set->count ? right.set_irqs(io, set) : 0;
}

static void close_and_count(struct vfk_io *io)
{
	wrapper(io)->calls++;
	right.close(io);
}

static int open_few_times(struct vfk_io *io, struct vfio_device_info *info)
{
	return wrapper(io)->calls > 10 ? -EMFILE : right.get_device_info(io, info);
}

static int dispatch_nothing(struct vfk_io *io)
{
	(void)io;
	return 0;
}

static int no_poll_fd(struct vfk_io *io)
{
	(void)io;
	return -ENOTSUP;
}

static int dispatch_gone(struct vfk_io *io)
{
	(void)io;
	return -ENOTCONN;
}

static int dispatch_blocks(struct vfk_io *io)
{
	struct pollfd p = { .fd = right.poll_fd(io), .events = POLLIN };

	poll(&p, 1, -1);
	return right.dispatch(io);
}

static int new_poll_fd(struct vfk_io *io)
{
	return fcntl(right.poll_fd(io), F_DUPFD_CLOEXEC, 0);
}

/* Where to read is kept in one place for all threads. */
static ssize_t shared_offset(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			     size_t len)
{
	const struct timespec moment = { .tv_nsec = 20000 };
	struct wrapper *w = wrapper(io);

	__atomic_store_n(&w->shadow, off, __ATOMIC_RELAXED);
	if (region == CONFIG)
		nanosleep(&moment, NULL);
	return right.region_read(io, region, __atomic_load_n(&w->shadow, __ATOMIC_RELAXED), buf,
				 len);
}

static int can_come_back(struct vfk_io *io, struct vfio_device_info *info)
{
	io->flags |= VFK_IO_RECONNECT;
	return right.get_device_info(io, info);
}

static int lost_at_once(struct vfk_io *io, void (*lost)(void *ctx, uint64_t epoch), void *ctx)
{
	(void)io;
	lost(ctx, 1);
	return 0;
}

static int reconnect_nothing(struct vfk_io *io, enum vfk_reconnect step)
{
	(void)io;
	(void)step;
	return 0;
}

const struct flaw flaws_lifecycle[] = {
	{ .name = "close leaves a descriptor behind",
	  .fails = "reopen_many_times",
	  .says = "descriptors before",
	  .rule = "close: frees all but the instance itself",
	  .ops = { .close = close_leaks } },
	{ .name = "close does nothing",
	  .fails = "reopen_many_times",
	  .says = "descriptors before",
	  .rule = "close: frees all but the instance itself",
	  .ops = { .close = close_nothing } },
	{ .name = "armed interrupts outlive the close",
	  .fails = "close_with_everything_alive",
	  .says = "got 0 (0x0), want -EINVAL",
	  .rule = "close: disables the device's interrupts",
	  .ops = { .close = close_nothing, .set_irqs = disable_nothing } },
	{ .name = "the device can be opened ten times",
	  .fails = "reopen_many_times",
	  .says = "got -24",
	  .rule = "open and close mirror each other",
	  .ops = { .close = close_and_count, .get_device_info = open_few_times } },
	{ .name = "dispatch does nothing",
	  .fails = "engine_dma_while_waiting",
	  .says = "got -110",
	  .rule = "dispatch: do the work that is there",
	  .base = BASE_LATENCY,
	  .ops = { .dispatch = dispatch_nothing } },
	{ .name = "there is work and no descriptor to wait for it",
	  .fails = "engine_dma_while_waiting",
	  .says = "got -110",
	  .rule = "poll_fd: -ENOTSUP when there never is any work",
	  .base = BASE_LATENCY,
	  .ops = { .poll_fd = no_poll_fd } },
	{ .name = "dispatch says that the peer is gone",
	  .fails = "engine_dma_while_waiting",
	  .says = "got -107",
	  .rule = "dispatch: -ENOTCONN when the peer is gone for good",
	  .base = BASE_LATENCY,
	  .ops = { .dispatch = dispatch_gone } },
	{ .name = "dispatch waits for more",
	  .fails = "dispatch_idle",
	  .says = "did not end in time",
	  .rule = "dispatch: without blocking for more",
	  .base = BASE_LATENCY,
	  .ops = { .dispatch = dispatch_blocks } },
	{ .name = "another descriptor to poll each time",
	  .fails = "irq_loopback",
	  .says = "descriptors before",
	  .rule = "poll_fd: borrowed, the same while the io is open",
	  .base = BASE_LATENCY,
	  .ops = { .poll_fd = new_poll_fd } },
	{ .name = "tells of a loss that was none",
	  .fails = "reconnect_without_loss",
	  .says = "got 1 (0x1), want 0",
	  .rule = "set_lost: by each op that fails because the connection has ended",
	  .ops = { .get_device_info = can_come_back,
		   .set_lost = lost_at_once,
		   .reconnect = reconnect_nothing } },
	{ .name = "threads disturb each other",
	  .fails = "threads_share_a_device",
	  .says = "w[i].bad: got",
	  .rule = "io.h: any number of threads at once",
	  .ops = { .region_read = shared_offset } },
	{ .name = NULL },
};

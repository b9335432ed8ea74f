/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq_wait.c - waiting for interrupts, while the device is served.
 *
 * A server whose device does DMA through messages gets no further unless somebody answers them: so the wait polls the
 * device's own descriptor too. Any thread; several may wait at once, each on eventfds of its own.
 */
#include "device.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define MAX_FDS 2048
/* Fewer need no allocation. */
#define SMALL	16

struct wait {
	struct vfk_device *dev;
	struct pollfd *fds; /* @num eventfds, then the device's descriptor if it has one */
	size_t num;
	size_t all;
	uint64_t *counts;
};

static int check_fds(const struct wait *w, const int *fds)
{
	for (size_t i = 0; i < w->num; i++) {
		if (fds[i] < 0)
			return vfki_err(-EINVAL, "%s: irq wait: descriptor %d",
					vfk_device_name(w->dev), fds[i]);
	}
	return 0;
}

static void fill(struct wait *w, const int *fds)
{
	int fd = vfk_device_poll_fd(w->dev);

	for (size_t i = 0; i < w->num; i++) {
		w->fds[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		w->counts[i] = 0;
	}
	w->all = w->num;
	if (fd >= 0)
		w->fds[w->all++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* Reads what was signalled; the number, or -errno. */
static int collect(struct wait *w)
{
	int signalled = 0;

	for (size_t i = 0; i < w->num; i++) {
		int ret;

		if (!w->fds[i].revents)
			continue;
		ret = vfki_eventfd_drain(w->fds[i].fd, &w->counts[i]);
		/* another reader, or a mistaken wakeup */
		if (ret == -EAGAIN)
			continue;
		if (ret < 0)
			return vfki_err(-EINVAL, "%s: irq wait: descriptor %d is no eventfd",
					vfk_device_name(w->dev), w->fds[i].fd);
		signalled += w->counts[i] > 0;
	}
	return signalled;
}

/* A single one may have been signalled already, as by a write that raised it: that takes no poll. */
static int take_ready(struct wait *w)
{
	if (w->num > 1)
		return 0;
	w->fds[0].revents = POLLIN;
	return collect(w);
}

/* One poll and what follows from it: > 0 signalled, 0 go on, or -errno. */
static int step(struct wait *w, const struct timespec *left)
{
	int n = ppoll(w->fds, w->all, left, NULL), ret;

	if (n < 0) {
		ret = -errno;
		return vfki_err_sys(ret, "%s: irq wait", vfk_device_name(w->dev));
	}
	ret = collect(w);
	if (ret || w->all == w->num || !w->fds[w->num].revents)
		return ret;
	ret = vfk_device_dispatch(w->dev);
	if (ret < 0)
		return ret;
	/* what the device's work signalled is there now */
	for (size_t i = 0; i < w->num; i++)
		w->fds[i].revents = POLLIN;
	return collect(w);
}

static int wait_loop(struct wait *w, int timeout_ms)
{
	int ret = vfki_device_check(w->dev);
	uint64_t end;

	if (!ret)
		ret = take_ready(w);
	if (ret)
		return ret;
	end = vfki_deadline_ns(timeout_ms > 0 ? (uint32_t)timeout_ms : 0);
	for (;;) {
		uint64_t now = vfki_now_ns(), left = now < end ? end - now : 0;
		struct timespec ts = vfki_timespec(left);

		ret = vfki_device_check(w->dev);
		if (!ret)
			ret = vfki_loss_check(w->dev);
		if (!ret)
			ret = step(w, timeout_ms < 0 ? NULL : &ts);
		if (ret)
			return ret;
		if (timeout_ms >= 0 && !left)
			return vfki_err(-ETIMEDOUT, "%s: no interrupt within %d ms",
					vfk_device_name(w->dev), timeout_ms);
	}
}

int vfk_irq_wait(struct vfk_device *dev, const int *fds, size_t num, int timeout_ms,
		 uint64_t *counts)
{
	struct pollfd small[SMALL + 1];
	struct wait w = { .dev = dev, .fds = small, .num = num, .counts = counts };
	int ret;

	if (!num || num > MAX_FDS)
		return vfki_err(-EINVAL, "%s: irq wait: %zu descriptors, need 1 to %d",
				vfk_device_name(dev), num, MAX_FDS);
	if (timeout_ms < -1)
		return vfki_err(-EINVAL, "%s: irq wait: timeout %d", vfk_device_name(dev),
				timeout_ms);
	ret = check_fds(&w, fds);
	if (ret < 0)
		return ret;
	if (num > SMALL) {
		w.fds = calloc(num + 1, sizeof(*w.fds));
		if (!w.fds)
			return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	}
	ret = vfki_loss_wait_begin(dev);
	if (!ret) {
		fill(&w, fds);
		ret = wait_loop(&w, timeout_ms);
		vfki_loss_wait_end(dev);
	}
	if (w.fds != small)
		free(w.fds);
	return ret;
}

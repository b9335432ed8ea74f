/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c - one client, from its connection to the end of what it left behind.
 *
 * Nothing here waits for a client but the sending of a reply, which the connection bounds, and a device that reads or
 * writes memory which the client did not share: client_memory.c bounds that.
 *
 * Threads: the server's.
 */
#include "session.h"
#include "client_memory.h"
#include "handlers.h"
#include "handover.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/device/device.h"
#include "lib/wire/dma_access.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vfiokit/server.h>

/* Commands handled before the device, and others in the caller's loop, have their turn. */
#define BURST	 64
/* And how long no further one is begun: each may have had to wait for the client. */
#define BURST_NS (10 * VFKI_NS_PER_MS)

#define RETRY_NS      (1 * VFKI_NS_PER_MS)
/* For a device that holds a gone client's memory beyond all bounds. */
#define SLOW_RETRY_NS (100 * VFKI_NS_PER_MS)
#define RETRY_SOON_NS (1000ull * VFKI_NS_PER_MS)

static int learn_shape(struct vfki_session *s)
{
	struct vfki_shape *shape = &s->shape;

	shape->num_regions = vfk_device_num_regions(s->dev);
	shape->num_irqs = vfk_device_num_irqs(s->dev);
	shape->irq_counts = calloc((size_t)shape->num_irqs + 1, sizeof(*shape->irq_counts));
	if (!shape->irq_counts)
		return vfki_err(-ENOMEM, "server: no memory");
	for (uint32_t i = 0; i < shape->num_irqs; i++) {
		struct vfk_irq_info info;
		int ret = vfk_irq_get_info(s->dev, i, &info);

		if (ret)
			return ret;
		shape->irq_counts[i] = info.count;
	}
	return 0;
}

/* A device that takes no mappings never does DMA: what the client maps is kept, and nobody uses it. */
static int attach(struct vfki_session *s)
{
	int ret = vfk_device_attach_dma(s->dev, s->space);

	return ret == -ENOTSUP ? 0 : ret;
}

/* With it a client could write anywhere; and this process has more rights than its clients, else nobody would need it. */
static int check_iommu(const struct vfk_device *dev, const struct vfki_limits *limits)
{
	if (!(vfki_device_io_flags(dev) & VFK_IO_NOIOMMU) ||
	    limits->flags & VFK_SERVER_WITHOUT_IOMMU)
		return 0;
	return vfki_err(-EPERM,
			"%s: without an IOMMU, a client would reach all memory of this machine",
			vfk_device_name(dev));
}

int vfki_session_init(struct vfki_session *s, struct vfk_device *dev,
		      const struct vfki_limits *limits)
{
	int ret = check_iommu(dev, limits);

	if (ret)
		return ret;
	memset(s, 0, sizeof(*s));
	s->dev = dev;
	s->hardware = vfki_device_io_flags(dev) & VFK_IO_HARDWARE;
	s->limits = *limits;
	s->windows.guard = limits->guard;
	s->buf_size = limits->max_xfer > VFKI_WIRE_MAX_INFO ? limits->max_xfer : VFKI_WIRE_MAX_INFO;
	s->buf = malloc(s->buf_size);
	if (!s->buf)
		return vfki_err(-ENOMEM, "server: no memory");
	ret = learn_shape(s);
	if (ret)
		goto free_memory;
	ret = vfk_dma_space_create(&s->space);
	if (ret)
		goto free_memory;
	ret = attach(s);
	if (ret)
		goto destroy_space;
	ret = vfki_recall_init(&s->recall, dev, s->hardware);
	if (ret)
		goto detach;
	return 0;

detach:
	vfk_device_detach_dma(dev);
destroy_space:
	vfk_dma_space_destroy(s->space);
free_memory:
	free(s->shape.irq_counts);
	free(s->buf);
	return ret;
}

void vfki_session_fini(struct vfki_session *s)
{
	vfki_recall_fini(&s->recall);
	vfk_device_detach_dma(s->dev);
	vfk_dma_space_destroy(s->space);
	vfki_windows_fini(&s->windows);
	free(s->shape.irq_counts);
	free(s->buf);
}

int vfki_session_start(struct vfki_session *s, int fd, uint64_t now)
{
	const struct vfki_conn_opts opts = {
		.server = true,
		.timeout_ms = s->limits.timeout_ms,
		.max_xfer = s->limits.max_xfer,
		.max_fds = VFKI_WIRE_MAX_FDS,
		.debug_name = s->limits.debug_name,
	};
	struct vfki_transport transport;
	int ret;

	/* Whoever waits in the receive has other things to look after; a longer wait for a reply asks again. */
	ret = vfki_unix_transport(
		fd, s->limits.timeout_ms < VFKI_RECEIVE_MS ? s->limits.timeout_ms : VFKI_RECEIVE_MS,
		&transport);
	if (ret)
		return ret;
	transport.spin_ns = s->limits.spin_us * 1000ull;
	ret = vfki_conn_create(&transport, &opts, &s->conn);
	if (ret)
		return ret;
	s->phase = VFKI_SESSION_GREETING;
	s->greeted = false;
	s->posted = false;
	s->unmapping.cmd = NULL;
	s->deadline = now + (uint64_t)s->limits.timeout_ms * VFKI_NS_PER_MS;
	s->guard_hits = vfki_guard_hits(s->limits.guard);
	atomic_store(&s->dma_form, VFKI_WIRE_DMA_UNKNOWN);
	return 0;
}

void vfki_session_cancel(struct vfki_session *s)
{
	vfki_conn_abandon(s->conn);
	s->conn = NULL;
	s->phase = VFKI_SESSION_NONE;
}

/* What may have happened while the device worked: the connection ended, or a file was cut off. */
static int check_client(struct vfki_session *s)
{
	uint64_t hits = vfki_guard_hits(s->limits.guard);
	int ret = vfki_conn_ended(s->conn);

	if (ret)
		return vfki_err(ret, "%s", vfki_conn_reason(s->conn));
	if (hits == s->guard_hits)
		return 0;
	s->guard_hits = hits;
	if (!vfki_windows_hit(&s->windows))
		return 0;
	return vfki_err(-EPROTO, "the client cut off a file that is mapped for DMA");
}

bool vfki_session_ready(const struct vfki_session *s)
{
	return (s->phase == VFKI_SESSION_GREETING || s->phase == VFKI_SESSION_SERVING) &&
	       !s->unmapping.cmd;
}

/* Whether another command may follow, by the clock. @began 0: this is when it is started. */
static bool is_time_up(uint64_t *began)
{
	uint64_t now = vfki_now_ns();

	if (!*began)
		*began = now;
	return now - *began >= BURST_NS;
}

static int serve(struct vfki_session *s, bool wait, uint64_t began)
{
	struct vfki_command *cmd;
	int n = 0, ret;

	do {
		if (!vfki_session_ready(s))
			return n;
		ret = wait && !n ? vfki_conn_await(s->conn, &cmd) : vfki_conn_next(s->conn, &cmd);
		if (ret <= 0)
			return ret < 0 ? ret : n;
		vfki_turn_begin(s);
		ret = vfki_command_run(s, cmd);
		vfki_turn_end(s);
		if (!ret)
			ret = check_client(s);
		if (ret)
			return ret;
		n++;
		if (!s->unmapping.cmd && !vfki_conn_release(s->conn))
			return n;
	} while (n < BURST && !is_time_up(&began));
	vfki_conn_wake(s->conn);
	return n;
}

int vfki_session_serve(struct vfki_session *s, uint64_t now)
{
	return serve(s, false, now);
}

int vfki_session_await(struct vfki_session *s)
{
	return serve(s, true, 0);
}

uint64_t vfki_session_deadline(const struct vfki_session *s, uint64_t now)
{
	if (s->phase == VFKI_SESSION_GREETING)
		return s->deadline;
	if (s->phase == VFKI_SESSION_ENDING)
		return now + (now < s->deadline ? RETRY_NS : SLOW_RETRY_NS);
	return s->unmapping.cmd ? now + RETRY_NS : UINT64_MAX;
}

static int tick_ending(struct vfki_session *s)
{
	if (vfki_windows_unmap(&s->windows, s->space, 0, UINT64_MAX))
		return 0;
	vfki_conn_destroy(s->twin);
	vfki_conn_destroy(s->conn);
	s->twin = NULL;
	s->conn = NULL;
	s->phase = VFKI_SESSION_NONE;
	return 1;
}

int vfki_session_tick(struct vfki_session *s, uint64_t now)
{
	int ret;

	if (s->phase == VFKI_SESSION_NONE)
		return 0;
	if (s->phase == VFKI_SESSION_ENDING)
		return tick_ending(s);
	ret = check_client(s);
	if (ret)
		return ret;
	if (s->phase == VFKI_SESSION_GREETING && now >= s->deadline)
		return vfki_err(-ETIMEDOUT, "no version within %u ms", s->limits.timeout_ms);
	if (!s->unmapping.cmd)
		return 0;
	ret = vfki_dma_unmap_retry(s, now);
	if (ret || s->unmapping.cmd)
		return ret;
	/* What waited behind it is shown by no poll if it was received together with it. */
	vfki_conn_wake(s->conn);
	return 1;
}

/*
 * Failures do not matter: a device that is gone raises no interrupt. One that is silent is not asked for each index, or
 * it would hold up the loop for as many times its bound.
 */
static void disarm_interrupts(struct vfki_session *s)
{
	for (uint32_t i = 0; i < s->shape.num_irqs; i++) {
		if (s->shape.irq_counts[i] && vfk_irq_disable(s->dev, i) == -ETIMEDOUT)
			return;
	}
}

static void spoil(struct vfki_session *s, int err)
{
	s->spoiled = err;
	snprintf(s->spoilt_by, sizeof(s->spoilt_by), "%s", vfk_error());
}

/* Nothing of the client's goes on in the device when its memory is unmapped. */
static void stop_device(struct vfki_session *s, bool used)
{
	bool handover = s->hardware && used && !(s->limits.flags & VFK_SERVER_KEEP);
	int ret = handover ? vfki_handover_quiet(s->dev) : 0;

	if (ret)
		spoil(s, ret);
	disarm_interrupts(s);
	ret = handover ? vfki_handover_reset(s->dev) : 0;
	if (ret && !s->spoiled && !(ret == -ENOTSUP && s->limits.flags & VFK_SERVER_WITHOUT_RESET))
		spoil(s, ret);
	vfki_recall_again(&s->recall);
}

void vfki_session_end(struct vfki_session *s, int err, uint64_t now)
{
	bool used = s->phase == VFKI_SESSION_SERVING;

	/* First, so that a transfer that waits for the client's answer gives up. */
	vfki_conn_fail(s->conn, err);
	if (s->twin)
		vfki_conn_fail(s->twin, err);
	vfki_conn_release(s->conn);
	s->unmapping.cmd = NULL;
	free(s->unmapping.bitmap);
	s->unmapping.bitmap = NULL;
	s->greeted = false;
	stop_device(s, used);
	vfki_logging_end(s);
	vfki_io_fds_take_back(s);
	s->phase = VFKI_SESSION_ENDING;
	s->deadline = now + RETRY_SOON_NS;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - making a server and closing it; what it does in between is loop.c's.
 *
 * Threads: the server's.
 */
#include "lib/base/clock.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "loop.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vfiokit/server.h>

#define DEFAULT_TIMEOUT_MS  5000u
#define MAX_TIMEOUT_MS	    3600000u
#define DEFAULT_SOCKET_MODE 0600u
#define DEFAULT_XFER	    (1u << 20)
#define MIN_XFER	    4096u
#define MAX_XFER	    (16u << 20)
#define MAX_SPIN_US	    1000000u

#define KNOWN_FLAGS                                                           \
	(VFK_SERVER_SHARE_BARS | VFK_SERVER_KEEP | VFK_SERVER_WITHOUT_RESET | \
	 VFK_SERVER_WITHOUT_IOMMU)

/* How long closing waits for transfers of the device that use the client's memory, and how often it looks. */
#define CLOSE_BOUND_NS 1000000000ull
#define CLOSE_PAUSE_NS 1000000

static int check_range(const char *what, uint32_t value, uint32_t min, uint32_t max)
{
	if (value >= min && value <= max)
		return 0;
	return vfki_err(-ERANGE, "server: %s is %u, must be %u to %u", what, value, min, max);
}

static int read_opts(const struct vfk_server_opts *given, struct vfk_server_opts *o)
{
	int ret;

	memset(o, 0, sizeof(*o));
	if (given && given->size < sizeof(given->size))
		return vfki_err(-EINVAL, "server: the size of the options is not set");
	if (given)
		memcpy(o, given, given->size < sizeof(*o) ? given->size : sizeof(*o));
	if (o->flags & ~KNOWN_FLAGS)
		return vfki_err(-EINVAL, "server: flags 0x%x are not known",
				o->flags & ~KNOWN_FLAGS);
	o->timeout_ms = o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
	o->socket_mode = o->socket_mode ? o->socket_mode : DEFAULT_SOCKET_MODE;
	o->max_dma_maps = o->max_dma_maps ? o->max_dma_maps : VFKI_WIRE_MAX_DMA_MAPS;
	o->max_data_xfer_size = o->max_data_xfer_size ? o->max_data_xfer_size : DEFAULT_XFER;
	ret = check_range("timeout_ms", o->timeout_ms, 1, MAX_TIMEOUT_MS);
	if (!ret)
		ret = check_range("socket_mode", o->socket_mode, 1, 0777);
	if (!ret)
		ret = check_range("spin_us", o->spin_us, 0, MAX_SPIN_US);
	if (!ret)
		ret = check_range("max_dma_maps", o->max_dma_maps, 1, VFKI_WIRE_MAX_DMA_MAPS);
	if (!ret)
		ret = check_range("max_data_xfer_size", o->max_data_xfer_size, MIN_XFER, MAX_XFER);
	return ret;
}

/* A server that neither listens nor has a client yet. */
static int create(struct vfk_device *dev, const struct vfk_server_opts *o, struct vfk_server **out)
{
	const struct vfki_limits limits = {
		.timeout_ms = o->timeout_ms,
		.max_dma_maps = o->max_dma_maps,
		.max_xfer = o->max_data_xfer_size,
		.guard = o->guard,
		.flags = o->flags,
		.spin_us = o->spin_us,
		.debug_name = vfki_debug_asked() ? vfk_device_name(dev) : NULL,
	};
	struct vfk_server *s;
	int ret;

	s = calloc(1, sizeof(*s));
	if (!s)
		return vfki_err(-ENOMEM, "server: no memory");
	s->dev = dev;
	s->event = o->event;
	s->ctx = o->ctx;
	vfki_listener_init(&s->listener);
	vfki_refusals_init(&s->refusals);
	ret = vfki_allow_init(&s->allow, o);
	if (ret)
		goto free_server;
	ret = vfki_loop_init(s);
	if (ret)
		goto free_allow;
	ret = vfki_session_init(&s->session, dev, &limits);
	if (ret)
		goto close_loop;
	ret = vfki_loop_watch_recall(s);
	if (ret)
		goto end_session;
	*out = s;
	return 0;

end_session:
	vfki_session_fini(&s->session);
close_loop:
	vfki_loop_fini(s);
free_allow:
	vfki_allow_fini(&s->allow);
free_server:
	free(s);
	return ret;
}

static void destroy(struct vfk_server *s)
{
	vfki_session_fini(&s->session);
	vfki_refusals_close(&s->refusals);
	vfki_listener_close(&s->listener);
	vfki_loop_fini(s);
	vfki_allow_fini(&s->allow);
	free(s);
}

int vfk_server_listen(struct vfk_device *dev, const char *path, const struct vfk_server_opts *opts,
		      struct vfk_server **server)
{
	struct vfk_server_opts o;
	struct vfk_server *s;
	int ret;

	ret = read_opts(opts, &o);
	if (!ret)
		ret = create(dev, &o, &s);
	if (ret)
		return ret;
	ret = vfki_listener_open(&s->listener, path, o.socket_mode);
	if (!ret)
		ret = vfki_loop_listen(s);
	if (ret) {
		destroy(s);
		return ret;
	}
	*server = s;
	return 0;
}

static int adopt_listener(struct vfk_server *s, int fd)
{
	int ret;

	ret = vfki_fd_set_nonblock(fd, true);
	if (!ret)
		ret = vfki_fd_set_cloexec(fd);
	if (ret)
		return vfki_err_sys(ret, "descriptor %d", fd);
	vfki_listener_adopt(&s->listener, fd);
	ret = vfki_loop_listen(s);
	/* It stays the caller's. */
	if (ret)
		vfki_listener_init(&s->listener);
	return ret;
}

int vfk_server_on_fd(struct vfk_device *dev, int fd, const struct vfk_server_opts *opts,
		     struct vfk_server **server)
{
	struct vfk_server_opts o;
	struct vfk_server *s;
	bool listens;
	int ret;

	ret = vfki_socket_check(fd, &listens);
	if (!ret)
		ret = read_opts(opts, &o);
	if (!ret)
		ret = create(dev, &o, &s);
	if (ret)
		return ret;
	ret = listens ? adopt_listener(s, fd) : vfki_loop_start_client(s, fd);
	if (ret) {
		destroy(s);
		return ret;
	}
	*server = s;
	return 0;
}

int vfk_server_get_counts(const struct vfk_server *s, struct vfk_server_counts *counts)
{
	struct vfk_server_counts all = s->counts;
	size_t size = counts->size;

	if (size < offsetof(struct vfk_server_counts, refused))
		return vfki_err(-EINVAL, "server: %zu bytes have no room for a count", size);
	all.size = size;
	memcpy(counts, &all, size < sizeof(all) ? size : sizeof(all));
	return 0;
}

/* The device finishes what it does with the gone client's memory; its deferred work may be what that takes. */
static bool finish_session(struct vfk_server *s)
{
	const struct timespec pause = { .tv_nsec = CLOSE_PAUSE_NS };
	uint64_t now = vfki_now_ns(), deadline = now + CLOSE_BOUND_NS;

	while (s->session.phase != VFKI_SESSION_NONE) {
		if (now >= deadline)
			return false;
		nanosleep(&pause, NULL);
		if (!s->dead)
			vfk_device_dispatch(s->dev);
		now = vfki_now_ns();
		vfki_session_tick(&s->session, now);
	}
	return true;
}

void vfk_server_close(struct vfk_server *s)
{
	if (!s)
		return;
	vfki_loop_end_client(s, vfki_err(-ENOTCONN, "the server was closed"));
	if (finish_session(s)) {
		destroy(s);
		return;
	}
	/*
	 * The device breaks its promise to let go of memory. Freeing it would corrupt what the device is doing, so it
	 * stays, with all that its callbacks need; everything else goes.
	 */
	vfki_refusals_close(&s->refusals);
	vfki_listener_close(&s->listener);
	vfki_loop_fini(s);
}

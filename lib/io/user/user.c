/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user.c - opening and closing a vfio-user device: the socket, and what VERSION settles.
 *
 * We propose 0.2 and take any minor below it, with JSON or without. Open and close run alone; everything else in this
 * room runs on any number of threads.
 */
#include "lib/io/user/user.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/connection/agreed.h"
#include "lib/io/user/client.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 5000
#define MAX_TIMEOUT_MS	   3600000
#define MAX_HOLD_US	   1000000
#define MAX_SPIN_US	   1000000
#define MAX_RECONNECT_S	   3600

ssize_t vfki_user_request(struct vfki_user *user, uint16_t command, const void *out, size_t out_len,
			  void *in, size_t in_len)
{
	const struct iovec to = { .iov_base = (void *)out, .iov_len = out_len };
	const struct iovec from = { .iov_base = in, .iov_len = in_len };
	struct vfki_request rq = {
		.command = command,
		.out = &to,
		.n_out = out_len ? 1 : 0,
		.in = &from,
		.n_in = in_len ? 1 : 0,
	};
	int r = vfki_user_ask(user, &rq);

	return r ? r : (ssize_t)rq.in_len;
}

/* ---- VERSION ---- */

static int receive_version(struct vfki_user *user, const struct vfki_wire_hello *own,
			   const void *payload, size_t len, size_t nfds)
{
	struct vfki_wire_hello server;
	int r = vfki_dec_version(payload, len, &server);

	/* To a server a bad capability is an error to answer; here it is a reply that is none. */
	if (r)
		return r == -ENOMEM ? r : -EPROTO;
	r = vfki_wire_negotiate_client(own, &server, nfds, &user->agreed);
	if (!r)
		vfki_agreed_tell(user->debug_name, &user->agreed);
	return r;
}

/* @twin is set to the second socket, or -1. @buf has twice @room. */
static int converse(struct vfki_user *user, const struct vfki_wire_hello *own, uint8_t *buf,
		    size_t room, uint32_t timeout_ms, int *twin)
{
	struct iovec out = { .iov_base = buf };
	const struct iovec in = { .iov_base = buf + room, .iov_len = room };
	struct vfki_request rq = {
		.command = VFKI_WIRE_VERSION,
		.timeout_ms = timeout_ms,
		.out = &out,
		.n_out = 1,
		.in = &in,
		.n_in = 1,
		.in_fds = twin,
		.max_in_fds = own->caps.twin_socket ? 1 : 0,
	};
	int r = vfki_enc_version(buf, room, own);

	if (r < 0)
		return r;
	out.iov_len = (size_t)r;
	r = vfki_conn_request(user->conn, &rq);
	if (r == -EBUSY)
		return vfki_err(-EBUSY, "version: the server has a client already");
	return r ? r : receive_version(user, own, buf + room, rq.in_len, rq.n_in_fds);
}

static void own_caps(const struct vfki_user *user, struct vfki_wire_caps *caps)
{
	vfki_wire_caps_own(caps, VFKI_WIRE_DEFAULT_XFER, user->options.twin);
}

static int negotiate(struct vfki_user *user, uint32_t timeout_ms, int *twin)
{
	struct vfki_wire_hello own = {
		.major = VFKI_WIRE_MAJOR,
		.minor = VFKI_WIRE_MINOR,
	};
	const size_t room = sizeof(struct vfki_wire_version) + VFKI_WIRE_MAX_VERSION;
	uint8_t *buf = malloc(2 * room);
	int r;

	if (!buf)
		return vfki_err(-ENOMEM, "version: no memory");
	own_caps(user, &own.caps);
	user->agreed = (struct vfki_wire_agreed){ .minor = 0 };
	r = converse(user, &own, buf, room, timeout_ms, twin);
	free(buf);
	return r;
}

static size_t transfer(uint64_t a, uint64_t b)
{
	uint64_t most = a < b ? a : b;

	/* Pieces of a long transfer begin where an 8-byte access could. */
	return (size_t)(most & ~7ull);
}

static void set_transfers(struct vfki_user *user)
{
	const struct vfki_wire_agreed *a = &user->agreed;

	user->max_write = transfer(a->send_xfer, VFKI_WIRE_MAX_XFER);
	user->max_read = transfer(a->send_xfer, a->recv_xfer);
}

/* ---- open, close ---- */

static int get_number(const struct vfk_uri *uri, const char *key, uint64_t min, uint64_t max,
		      uint64_t *value)
{
	int r = vfk_uri_get_u64(uri, key, min, max, value);

	return r == -ENOENT ? 0 : r;
}

static int get_socket(const struct vfk_uri *uri, uint32_t timeout_ms)
{
	const char *path = vfk_uri_target(uri);
	uint64_t fd;
	int r;

	if (!vfk_uri_get(uri, "fd"))
		return vfki_unix_connect(path, timeout_ms);
	if (*path)
		return vfki_err(-EINVAL, "a path or fd=, not both");
	r = vfk_uri_get_u64(uri, "fd", 0, INT_MAX, &fd);
	if (r)
		return r;
	/* Like all descriptors that are handed in, it is borrowed. */
	r = vfki_fd_dup((int)fd);
	return r < 0 ? vfki_err_sys(r, "descriptor %d", (int)fd) : r;
}

static int get_timeout(const struct vfk_uri *uri, const struct vfk_open_opts *opts,
		       uint32_t *timeout_ms)
{
	uint64_t value = opts && opts->timeout_ms ? opts->timeout_ms : DEFAULT_TIMEOUT_MS;
	int r = get_number(uri, "timeout", 1, MAX_TIMEOUT_MS, &value);

	*timeout_ms = (uint32_t)value;
	return r;
}

static int get_switch(const struct vfk_uri *uri, const char *key, bool *on)
{
	const char *text = vfk_uri_get(uri, key);

	if (text && strcmp(text, "on") && strcmp(text, "off"))
		return vfki_err(-EINVAL, "%s=%s: on or off", key, text);
	*on = text && !strcmp(text, "on");
	return 0;
}

static int get_options(const struct vfk_uri *uri, const struct vfk_open_opts *opts,
		       struct vfki_user_options *o)
{
	static const char *const keys[] = { "batch",   "fd",   "reconnect", "spin",
					    "timeout", "twin", NULL };
	int r = vfk_uri_only(uri, keys);

	if (!r)
		r = get_timeout(uri, opts, &o->timeout_ms);
	if (!r)
		r = get_number(uri, "batch", 0, MAX_HOLD_US, &o->hold_us);
	if (!r)
		r = get_number(uri, "spin", 0, MAX_SPIN_US, &o->spin_us);
	if (!r)
		r = get_number(uri, "reconnect", 1, MAX_RECONNECT_S, &o->reconnect_s);
	if (!r)
		r = get_switch(uri, "twin", &o->twin);
	if (!r && o->reconnect_s && vfk_uri_get(uri, "fd"))
		r = vfki_err(-EINVAL, "reconnect= needs a path to connect to, not fd=");
	return r;
}

static int connect_to(struct vfki_user *user, const struct vfk_uri *uri)
{
	struct vfki_conn_opts opts = {
		.timeout_ms = user->timeout_ms,
		.command = vfki_user_command,
		.ctx = user,
		.debug_name = user->debug_name,
	};
	struct vfki_wire_caps caps;
	struct vfki_transport t;
	int fd = get_socket(uri, user->timeout_ms), r;

	if (fd < 0)
		return fd;
	own_caps(user, &caps);
	opts.max_xfer = caps.max_data_xfer_size;
	opts.max_fds = caps.max_msg_fds;
	r = vfki_unix_transport(fd, user->timeout_ms, &t);
	t.spin_ns = user->options.spin_us * 1000;
	/* The program knows its own descriptor, not our duplicate. */
	if (r == -ENOTSOCK && vfk_uri_get(uri, "fd"))
		vfki_err(r, "descriptor %s is no connected UNIX stream socket",
			 vfk_uri_get(uri, "fd"));
	if (!r)
		r = vfki_conn_create(&t, &opts, &user->conn);
	if (r)
		vfki_fd_close(fd);
	return r;
}

/* The second socket and the thread for posted writes, as far as they were asked for and agreed on. */
static int start_rest(struct vfki_user *user, int twin)
{
	int r = vfki_user_posted_init(user, user->options.hold_us);

	if (r || twin < 0) {
		vfki_fd_close(twin);
		return r;
	}
	r = vfki_user_twin_start(user, twin);
	if (r)
		vfki_user_posted_fini(user);
	return r;
}

int vfki_user_greet(struct vfki_user *user, uint32_t timeout_ms)
{
	int twin = -1, r = negotiate(user, timeout_ms, &twin);

	if (r) {
		vfki_fd_close(twin);
		return r;
	}
	set_transfers(user);
	return start_rest(user, twin);
}

/* Last in open: from now on its ops are others. */
static void set_vectors(struct vfki_user *user)
{
	user->io.dma = &vfki_user_dma_ops;
	if (!user->options.reconnect_s)
		return;
	vfki_user_gate_init(&user->gate);
	user->io.ops = &vfki_user_gated_io_ops;
	user->io.dma = &vfki_user_gated_dma_ops;
	user->io.flags |= VFK_IO_RECONNECT;
}

static int user_open(struct vfk_io *io, const struct vfk_uri *uri, const struct vfk_open_opts *opts)
{
	struct vfki_user *user = vfki_user_of(io);
	int r = get_options(uri, opts, &user->options);

	user->timeout_ms = user->options.timeout_ms;
	user->debug_name = vfki_debug_asked() ? io->name : NULL;
	if (!r)
		r = vfki_user_memory_init(&user->memory);
	if (r)
		return r;
	if (user->options.reconnect_s) {
		user->path = strdup(vfk_uri_target(uri));
		r = user->path ? 0 : vfki_err(-ENOMEM, "no memory");
	}
	if (!r)
		r = connect_to(user, uri);
	if (r)
		goto fini_memory;
	r = vfki_user_greet(user, user->timeout_ms);
	if (r)
		goto destroy_conn;
	set_vectors(user);
	return 0;

destroy_conn:
	vfki_conn_destroy(user->conn);
fini_memory:
	free(user->path);
	vfki_user_memory_fini(&user->memory);
	return r;
}

static void user_close(struct vfk_io *io)
{
	struct vfki_user *user = vfki_user_of(io);

	/* The server drops interrupts and mappings when the connection ends, but later than we return. */
	if (vfki_user_flush(io) == -ETIMEDOUT)
		vfki_conn_fail(user->conn, -ETIMEDOUT);
	vfki_user_posted_fini(user);
	vfki_user_disarm_all(user);
	vfki_user_unmap_all(user);
	vfki_user_dirty_forget(user);
	vfki_user_twin_end(user);
	vfki_conn_destroy(user->conn);
	vfki_user_memory_fini(&user->memory);
	if (user->options.reconnect_s)
		vfki_user_gate_fini(&user->gate);
	free(user->path);
}

static int user_poll_fd(struct vfk_io *io)
{
	return vfki_conn_fd(vfki_user_of(io)->conn);
}

static int user_dispatch(struct vfk_io *io)
{
	struct vfki_user *user = vfki_user_of(io);

	/* Whoever dispatches is about to wait, perhaps for what a posted write begins. */
	if (user->posted.limit)
		vfki_user_posted_send(user);
	return vfki_conn_dispatch(user->conn);
}

const struct vfk_io_ops vfki_user_io_ops = {
	.size = sizeof(struct vfk_io_ops),
	.name = "vfio-user",
	.help = "a vfio-user server's socket: vfio-user:PATH or vfio-user:fd=N; "
		"timeout=MS (5000); batch=US (0): hold posted writes so long, to send them together; "
		"spin=US (0): ask so long for an answer before sleeping; "
		"twin=on|off: the server's own requests on a second socket; "
		"reconnect=S: wait so long for a server that was lost, when asked to",
	.instance_size = sizeof(struct vfki_user),
	.open = user_open,
	.close = user_close,
	.get_device_info = vfki_user_get_device_info,
	.get_region_info = vfki_user_get_region_info,
	.get_irq_info = vfki_user_get_irq_info,
	.set_irqs = vfki_user_set_irqs,
	.region_read = vfki_user_region_read,
	.region_write = vfki_user_region_write,
	.device_feature = vfki_user_device_feature,
	.reset = vfki_user_reset,
	.write_multi = vfki_user_write_multi,
	.flush = vfki_user_flush,
	.mig_read = vfki_user_mig_read,
	.mig_write = vfki_user_mig_write,
	.poll_fd = user_poll_fd,
	.dispatch = user_dispatch,
	.precopy_info = vfki_user_precopy_info,
	.region_io_fds = vfki_user_region_io_fds,
};

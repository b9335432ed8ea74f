/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export.c - one device that "vfiokit serve" exports.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "export.h"
#include "failure.h"
#include "opening.h"
#include "subcommand.h"

/* How long a busy client is served before signals and other clients have their turn. */
#define LINGER_MS 100

static void on_event(void *ctx, enum vfk_server_event event, const char *text)
{
	static const char *const names[] = {
		[VFK_SERVER_CONNECTED] = "client connected",
		[VFK_SERVER_DISCONNECTED] = "client gone",
		[VFK_SERVER_REFUSED] = "client refused",
	};
	const struct export *export = ctx;

	fprintf(stderr, "vfiokit: %s: %s: %s\n", export->uri, names[event], text);
}

static bool is_connected(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && !listens;
}

static int listen_on(struct export *export, const struct vfk_server_opts *opts)
{
	int r;

	if (export->fd >= 0) {
		export->one_client = is_connected(export->fd);
		r = vfk_server_on_fd(export->dev, export->fd, opts, &export->server);
		return r < 0 ? fail(export->uri, r) : STATUS_OK;
	}
	if (!export->path) {
		r = socket_place_make(&export->place);
		if (r < 0)
			return fail_text(export->uri, "no folder for a socket: %s", strerror(-r));
		export->path = export->place.path;
	}
	r = vfk_server_listen(export->dev, export->path, opts, &export->server);
	return r < 0 ? fail(export->uri, r) : STATUS_OK;
}

int export_open(struct export *export, struct args *args, const struct vfk_server_opts *opts,
		bool verbose)
{
	struct vfk_server_opts own = *opts;
	/* What is to be dispatched cannot wait in a receive: a model's deferred work gets a thread instead. */
	uint32_t flags = export->lingers ? 0 : VFK_OPEN_DISPATCH;
	int status = opening_open(args, export->uri, flags, &export->dev);

	own.event = verbose ? on_event : NULL;
	own.ctx = export;
	return status == STATUS_OK ? listen_on(export, &own) : status;
}

void export_announce(const struct export *export)
{
	if (export->fd >= 0)
		printf("serving %s on fd %d\n", export->uri, export->fd);
	else
		printf("serving %s on %s\n", export->uri, export->path);
	/* That nobody reads it is no reason not to serve, nor to fail in the end. */
	fflush(stdout);
	clearerr(stdout);
}

/* The server cannot go on: the device is gone, or its only client. */
static void handle_loss(struct export *export, int err)
{
	export->ended = true;
	export->client_gone = export->one_client && err == -ENOTCONN;
	if (export->client_gone)
		return;
	if (err == -ENOTSUP)
		export->status = fail_text(export->uri,
					   "it cannot be reset after its client, so no other one "
					   "gets it (--without-reset gives it all the same)");
	else
		export->status = fail(export->uri, err);
}

void export_dispatch(struct export *export)
{
	int r = vfk_server_dispatch(export->server);

	if (r < 0 && r != -EINTR)
		handle_loss(export, r);
	else if (r > 0 && export->lingers)
		vfk_server_linger(export->server, LINGER_MS);
}

/* -ENOTCONN says both; the device itself knows which it was. */
static int ask_device(struct export *export)
{
	int r = vfk_device_dispatch(export->dev);

	return r < 0 && r != -ENOTSUP ? fail(export->uri, r) : STATUS_OK;
}

void export_close(struct export *export)
{
	vfk_server_close(export->server);
	export->server = NULL;
	if (export->client_gone)
		export->status = ask_device(export);
	export->client_gone = false;
	socket_place_remove(&export->place);
	vfk_device_close(export->dev);
	export->dev = NULL;
}

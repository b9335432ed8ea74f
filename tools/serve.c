/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serve.c - "vfiokit serve": a device exported on a vfio-user socket.
 *
 * One thread, one loop: the server's descriptor and a signalfd. Signals are blocked from the start, so
 * that one which comes early ends the loop all the same, and the socket is removed on every way out.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vfiokit/device.h>
#include <vfiokit/server.h>

#include "args.h"
#include "captive.h"
#include "descriptors.h"
#include "failure.h"
#include "number.h"
#include "opening.h"
#include "socket_place.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit serve URI --socket-path=PATH | --fd=N | --run CMD [options]\n"
	"\n"
	"Exports the device on a vfio-user socket, in the foreground, and says \"serving URI on PATH\"\n"
	"once clients can connect. Ends on SIGTERM or SIGINT, and removes the socket. One client at a\n"
	"time; another one is answered with EBUSY.\n"
	"\n"
	"  --socket-path=PATH   listen on a new socket\n"
	"  --fd=N               serve on an inherited socket, which listens or is connected; with a\n"
	"                       connected one, end when that client is gone\n"
	"  --run CMD            run CMD in a shell with $VFIOKIT_URI set, and end with its exit status;\n"
	"                       without --socket-path the socket is in a folder of its own\n"
	"  --socket-mode=MODE   permissions of a new socket, octal (0600)\n"
	"  --exit-with-parent   end when the process that started this one is gone\n"
	"  --verbose            show on stderr when clients come and go\n"
	"\n"
	"A kernel: device is made quiet and reset when its client goes; what cannot be reset is not given\n"
	"to another client, and the server ends with a failure. For such devices:\n"
	"  --share-bars         let the client map BARs, instead of messages for each access. This hands\n"
	"                       it the device's descriptor: it can do everything with the device that\n"
	"                       the kernel permits, unseen by the server, for as long as it keeps that,\n"
	"                       also after it was disconnected and others are served\n"
	"  --keep               leave the device as its client left it: running, not reset\n"
	"  --without-reset      give what cannot be reset to the next client, made quiet only\n"
	"  --without-iommu      serve a device without an IOMMU, although its client can make it reach all\n"
	"                       memory of this machine\n" ARGS_DEVICE_HELP;

enum {
	OPTION_PATH = 1,
	OPTION_FD,
	OPTION_RUN,
	OPTION_PARENT,
	OPTION_VERBOSE,
	OPTION_MODE,
	OPTION_SHARE_BARS,
	OPTION_KEEP,
	OPTION_WITHOUT_RESET,
	OPTION_WITHOUT_IOMMU,
};

static const struct option options[] = {
	{ "socket-path", required_argument, NULL, OPTION_PATH },
	{ "fd", required_argument, NULL, OPTION_FD },
	{ "run", required_argument, NULL, OPTION_RUN },
	{ "exit-with-parent", no_argument, NULL, OPTION_PARENT },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "socket-mode", required_argument, NULL, OPTION_MODE },
	{ "share-bars", no_argument, NULL, OPTION_SHARE_BARS },
	{ "keep", no_argument, NULL, OPTION_KEEP },
	{ "without-reset", no_argument, NULL, OPTION_WITHOUT_RESET },
	{ "without-iommu", no_argument, NULL, OPTION_WITHOUT_IOMMU },
	{ NULL },
};

struct serve {
	struct args args;
	const char *path;    /* NULL: none given */
	int fd;		     /* -1: none given */
	const char *command; /* NULL: none */
	bool with_parent, verbose;
	uint32_t flags;		   /* VFK_SERVER_ */
	uint32_t mode;		   /* of a new socket; 0: the default */
	int signals;		   /* signalfd */
	struct socket_place place; /* of a socket without --socket-path */
	struct vfk_device *dev;
	struct vfk_server *server;
	struct captive captive; /* the command's process */
	bool one_client;	/* fd is a connected socket */
	bool client_gone;	/* and the server said so, or that the device is */
	bool ended;
	int status; /* to exit with, once ended */
};

/* ---- arguments ---- */

/* Permissions are written in octal, with or without a leading 0. */
static bool parse_mode(struct serve *serve, const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	serve->mode = (uint32_t)mode;
	if (*text >= '0' && *text <= '7' && !*end && mode > 0 && mode <= 0777)
		return true;
	args_wrong(&serve->args, "--socket-mode %s: not permissions like 0660", text);
	return false;
}

static uint32_t server_flag(int option)
{
	switch (option) {
	case OPTION_SHARE_BARS:
		return VFK_SERVER_SHARE_BARS;
	case OPTION_KEEP:
		return VFK_SERVER_KEEP;
	case OPTION_WITHOUT_RESET:
		return VFK_SERVER_WITHOUT_RESET;
	default:
		return VFK_SERVER_WITHOUT_IOMMU;
	}
}

static bool parse_option(struct serve *serve, int option)
{
	uint64_t fd;

	switch (option) {
	case OPTION_PATH:
		serve->path = optarg;
		return true;
	case OPTION_FD:
		if (!number_parse(optarg, 0, INT32_MAX, &fd)) {
			args_wrong(&serve->args, "--fd %s: not a descriptor", optarg);
			return false;
		}
		serve->fd = (int)fd;
		return true;
	case OPTION_RUN:
		serve->command = optarg;
		return true;
	case OPTION_PARENT:
		serve->with_parent = true;
		return true;
	case OPTION_VERBOSE:
		serve->verbose = true;
		return true;
	case OPTION_MODE:
		return parse_mode(serve, optarg);
	default:
		serve->flags |= server_flag(option);
		return true;
	}
}

static bool parse(struct serve *serve, int argc, char **argv)
{
	struct args *args = &serve->args;
	const char *wrong = NULL;
	int option;

	*serve = (struct serve){ .fd = -1, .signals = -1 };
	args_init(args, argc, argv, help, options, ARGS_DEVICE);
	while ((option = args_next(args)) > 0)
		if (!parse_option(serve, option))
			return false;
	if (option < 0 || !args_words(args, 1, 1))
		return false;
	if (serve->fd >= 0 && serve->path)
		wrong = "--socket-path and --fd exclude each other";
	else if (serve->fd >= 0 && serve->command)
		wrong = "--run needs a socket with a path, not --fd";
	else if (serve->fd >= 0 && serve->mode)
		wrong = "--socket-mode is for a new socket, not for --fd";
	else if (serve->fd < 0 && !serve->path && !serve->command)
		wrong = "needs --socket-path=PATH, --fd=N or --run CMD";
	if (wrong)
		args_wrong(args, "%s", wrong);
	return !wrong;
}

/* ---- start ---- */

static int take_signals(struct serve *serve)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A client that is gone, or a closed standard output, is an error to handle, not our end. */
	signal(SIGPIPE, SIG_IGN);
	serve->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (serve->signals < 0)
		return fail_text(serve->args.words[0], "signalfd: %m");
	return STATUS_OK;
}

/* Whether the parent is there still; from now on SIGTERM comes when it goes. */
static bool bind_to_parent(void)
{
	pid_t parent = getppid();

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() == parent;
}

static void on_event(void *ctx, enum vfk_server_event event, const char *text)
{
	static const char *const names[] = {
		[VFK_SERVER_CONNECTED] = "client connected",
		[VFK_SERVER_DISCONNECTED] = "client gone",
		[VFK_SERVER_REFUSED] = "client refused",
	};
	const struct serve *serve = ctx;

	fprintf(stderr, "vfiokit: %s: %s: %s\n", serve->args.words[0], names[event], text);
}

static bool is_connected(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && !listens;
}

static int listen_on(struct serve *serve)
{
	struct vfk_server_opts opts = {
		.size = sizeof(opts),
		.timeout_ms = serve->args.open.timeout_ms,
		.socket_mode = serve->mode,
		.flags = serve->flags,
		.guard = opening_guard(),
		.event = serve->verbose ? on_event : NULL,
		.ctx = serve,
	};
	const char *uri = serve->args.words[0];
	int r;

	if (serve->fd >= 0) {
		serve->one_client = is_connected(serve->fd);
		r = vfk_server_on_fd(serve->dev, serve->fd, &opts, &serve->server);
		return r < 0 ? fail(uri, r) : STATUS_OK;
	}
	if (!serve->path) {
		r = socket_place_make(&serve->place);
		if (r < 0)
			return fail_text(uri, "no folder for a socket: %s", strerror(-r));
		serve->path = serve->place.path;
	}
	r = vfk_server_listen(serve->dev, serve->path, &opts, &serve->server);
	return r < 0 ? fail(uri, r) : STATUS_OK;
}

/* Tells whoever waits for it; a captive command's output is its own. */
static int announce(struct serve *serve)
{
	char uri[SOCKET_URI_SIZE];

	if (serve->command) {
		socket_place_uri(serve->path, uri);
		return captive_start(&serve->captive, serve->command, uri);
	}
	if (serve->fd >= 0)
		printf("serving %s on fd %d\n", serve->args.words[0], serve->fd);
	else
		printf("serving %s on %s\n", serve->args.words[0], serve->path);
	/* That nobody reads it is no reason not to serve, nor to fail in the end. */
	fflush(stdout);
	clearerr(stdout);
	return STATUS_OK;
}

/* ---- the loop ---- */

static void end(struct serve *serve, int status)
{
	serve->ended = true;
	serve->status = status;
}

static void handle_signals(struct serve *serve)
{
	struct signalfd_siginfo info;

	while (read(serve->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			if (captive_reap(&serve->captive))
				end(serve, serve->captive.status);
		} else if (captive_running(&serve->captive)) {
			captive_stop(&serve->captive);
		} else {
			end(serve, STATUS_OK);
		}
	}
}

/* The server cannot go on: the device is gone, or its only client. */
static void handle_loss(struct serve *serve, int err)
{
	const char *uri = serve->args.words[0];

	serve->client_gone = serve->one_client && err == -ENOTCONN;
	if (serve->client_gone)
		end(serve, STATUS_OK);
	else if (err == -ENOTSUP)
		end(serve,
		    fail_text(uri, "it cannot be reset after its client, so no other one gets it "
				   "(--without-reset gives it all the same)"));
	else
		end(serve, fail(uri, err));
}

static void loop(struct serve *serve)
{
	struct pollfd polls[] = {
		{ .fd = serve->signals, .events = POLLIN },
		{ .fd = vfk_server_poll_fd(serve->server), .events = POLLIN },
	};
	int r;

	while (!serve->ended) {
		r = poll(polls, 2, captive_patience(&serve->captive));
		if (r < 0 && errno != EINTR) {
			end(serve, fail_text(serve->args.words[0], "poll: %m"));
			return;
		}
		captive_urge(&serve->captive);
		if (r > 0 && polls[0].revents)
			handle_signals(serve);
		if (r <= 0 || !polls[1].revents || serve->ended)
			continue;
		r = vfk_server_dispatch(serve->server);
		if (r < 0 && r != -EINTR)
			handle_loss(serve, r);
	}
}

/* -ENOTCONN says both; the device itself knows which it was. */
static int ask_device(struct serve *serve)
{
	int r = vfk_device_dispatch(serve->dev);

	return r < 0 && r != -ENOTSUP ? fail(serve->args.words[0], r) : STATUS_OK;
}

static int run(struct serve *serve)
{
	int status =
		opening_open(&serve->args, serve->args.words[0], VFK_OPEN_DISPATCH, &serve->dev);

	if (status == STATUS_OK)
		status = listen_on(serve);
	if (status == STATUS_OK)
		status = announce(serve);
	if (status == STATUS_OK) {
		loop(serve);
		status = serve->status;
	}
	captive_end(&serve->captive);
	vfk_server_close(serve->server);
	if (serve->client_gone)
		status = ask_device(serve);
	socket_place_remove(&serve->place);
	vfk_device_close(serve->dev);
	return status;
}

int cmd_serve(int argc, char **argv)
{
	struct serve serve;
	int status;

	if (!parse(&serve, argc, argv))
		return serve.args.status;
	descriptors_allow_all();
	status = take_signals(&serve);
	if (status != STATUS_OK)
		return status;
	if (serve.with_parent && !bind_to_parent())
		return STATUS_OK;
	status = run(&serve);
	close(serve.signals);
	return status;
}

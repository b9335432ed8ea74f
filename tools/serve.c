/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serve.c - "vfiokit serve": devices exported on vfio-user sockets.
 *
 * One thread, one loop: the servers' descriptors and a signalfd; or a thread for each device, and the loop has signals only.
 * Signals are blocked from the start, so that one which comes early ends the loop all the same, and the sockets are removed
 * on every way out.
 *
 * Rights are given up when all is set up and before a client is listened to: first the user, so that the command is that
 * user's as well and can be stopped by it; then the command and the threads are started; the filter, under which neither
 * could be, is last.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vfiokit/device.h>
#include <vfiokit/server.h>

#include "args.h"
#include "captive.h"
#include "descriptors.h"
#include "export.h"
#include "export_threads.h"
#include "failure.h"
#include "number.h"
#include "opening.h"
#include "privileges.h"
#include "sandbox.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit serve URI --socket-path=PATH | --fd=N | --run CMD [options]\n"
	"       vfiokit serve URI --socket-path=PATH URI --socket-path=PATH ... [options]\n"
	"\n"
	"Exports the device on a vfio-user socket, in the foreground, and says \"serving URI on PATH\"\n"
	"once clients can connect. Ends on SIGTERM or SIGINT, and removes the socket. One client at a\n"
	"time; another one is answered with EBUSY.\n"
	"\n"
	"Several devices are served by one process: the first --socket-path or --fd is the first URI's,\n"
	"and so on; other options are for all. Each has clients of its own. One that cannot go on is\n"
	"closed, and the others are served; the exit status is 1 then.\n"
	"\n"
	"  --socket-path=PATH   listen on a new socket\n"
	"  --fd=N               serve on an inherited socket, which listens or is connected; with a\n"
	"                       connected one, end when that client is gone\n"
	"  --run CMD            run CMD in a shell with $VFIOKIT_URI set ($VFIOKIT_URI2 for a second\n"
	"                       device, ...), and end with its exit status; without --socket-path the\n"
	"                       socket is in a folder of its own\n"
	"  --threads            a thread for each device, so that a slow one holds up no other\n"
	"  --exit-with-parent   end when the process that started this one is gone\n"
	"  --spin=US            look for the client's next request for US microseconds before sleeping;\n"
	"                       takes a processor while a client is busy. For one device, or with\n"
	"                       --threads; not with --sandbox\n"
	"  --verbose            show on stderr when clients come and go\n"
	"\n"
	"Who may connect, and what an intruder could do:\n"
	"  --socket-mode=MODE   permissions of a new socket, octal (0600)\n"
	"  --allow-uid=N        only clients of this user, or of another that is named; repeatable\n"
	"  --allow-gid=N        only clients with this group, or what else is named; repeatable\n"
	"  --user=NAME          become this user once devices and sockets are open. A socket stays behind\n"
	"                       if that user may not remove it\n"
	"  --sandbox            give up all capabilities, and all system calls that serving does not need:\n"
	"                       opening a file fails, any other one ends the server\n"
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
	OPTION_THREADS,
	OPTION_ALLOW_UID,
	OPTION_ALLOW_GID,
	OPTION_USER,
	OPTION_SANDBOX,
	OPTION_SPIN,
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
	{ "threads", no_argument, NULL, OPTION_THREADS },
	{ "allow-uid", required_argument, NULL, OPTION_ALLOW_UID },
	{ "allow-gid", required_argument, NULL, OPTION_ALLOW_GID },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "sandbox", no_argument, NULL, OPTION_SANDBOX },
	{ "spin", required_argument, NULL, OPTION_SPIN },
	{ NULL },
};

/* Where a device is served: one of the two, in the order of the arguments. */
struct place {
	const char *path; /* NULL: fd */
	int fd;
};

/* Users or groups. */
struct ids {
	uint32_t *ids; /* room for as many as there are arguments */
	size_t count;
};

struct serve {
	struct args args;
	struct place *places; /* room for as many as there are arguments */
	size_t num_places, num_fds;
	const char *command; /* NULL: none */
	const char *user;    /* NULL: whoever we are */
	struct ids uids, gids;
	bool with_parent, verbose, threaded, sandboxed;
	uint32_t flags; /* VFK_SERVER_ */
	uint32_t mode;	/* of a new socket; 0: the default */
	uint32_t spin_us;
	int signals; /* signalfd */
	struct export *exports;
	size_t num_exports;
	struct pollfd *polls; /* signals, then the exports or the threads' end */
	struct export_threads threads;
	struct captive captive; /* the command's process */
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

static bool parse_spin(struct serve *serve, const char *text)
{
	uint64_t us;

	if (!number_parse(text, 0, 1000000, &us)) {
		args_wrong(&serve->args, "--spin %s: not microseconds, at most 1000000", text);
		return false;
	}
	serve->spin_us = (uint32_t)us;
	return true;
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

static bool parse_fd(struct serve *serve, const char *text)
{
	uint64_t fd;

	if (!number_parse(text, 0, INT32_MAX, &fd)) {
		args_wrong(&serve->args, "--fd %s: not a descriptor", text);
		return false;
	}
	serve->places[serve->num_places++] = (struct place){ .fd = (int)fd };
	serve->num_fds++;
	return true;
}

static bool parse_id(struct serve *serve, const char *option, const char *text, struct ids *ids)
{
	uint64_t id;

	/* The highest is the kernel's "none". */
	if (!number_parse(text, 0, UINT32_MAX - 1, &id)) {
		args_wrong(&serve->args, "%s %s: not a number of one", option, text);
		return false;
	}
	ids->ids[ids->count++] = (uint32_t)id;
	return true;
}

static bool parse_option(struct serve *serve, int option)
{
	switch (option) {
	case OPTION_PATH:
		serve->places[serve->num_places++] = (struct place){ optarg, -1 };
		return true;
	case OPTION_FD:
		return parse_fd(serve, optarg);
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
	case OPTION_THREADS:
		serve->threaded = true;
		return true;
	case OPTION_ALLOW_UID:
		return parse_id(serve, "--allow-uid", optarg, &serve->uids);
	case OPTION_ALLOW_GID:
		return parse_id(serve, "--allow-gid", optarg, &serve->gids);
	case OPTION_USER:
		serve->user = optarg;
		return true;
	case OPTION_SANDBOX:
		serve->sandboxed = true;
		return true;
	case OPTION_SPIN:
		return parse_spin(serve, optarg);
	default:
		serve->flags |= server_flag(option);
		return true;
	}
}

/*
 * Whether whoever serves a device has nothing else to do, and may wait in its client's receive. A model's deferred work
 * needs a thread then, which may start late and would have the rights of before: a sandbox does without.
 */
static bool can_linger(const struct serve *serve)
{
	return !serve->sandboxed && (serve->threaded || serve->args.num_words == 1);
}

/* Why these arguments do not go together; NULL: they do. */
static const char *find_conflict(const struct serve *serve)
{
	if (serve->num_fds && serve->command)
		return "--run needs a socket with a path, not --fd";
	if (serve->num_fds && serve->num_fds == serve->num_places && serve->mode)
		return "--socket-mode is for a new socket, not for --fd";
	if (!serve->num_places && !serve->command)
		return "needs --socket-path=PATH, --fd=N or --run CMD";
	if (serve->num_places && serve->num_places != (size_t)serve->args.num_words)
		return "needs one --socket-path or --fd for each device";
	if (serve->sandboxed && serve->flags & VFK_SERVER_WITHOUT_IOMMU)
		return "--sandbox holds nobody who drives a device without an IOMMU "
		       "(--without-iommu)";
	if (serve->spin_us && !can_linger(serve))
		return "--spin is for one device, or for --threads, and not for --sandbox";
	if (serve->sandboxed && !sandbox_is_built_in())
		return "--sandbox: this build has none, libseccomp was not there";
	return NULL;
}

static bool parse(struct serve *serve, int argc, char **argv)
{
	struct args *args = &serve->args;
	const char *wrong;
	int option;

	args_init(args, argc, argv, help, options, ARGS_DEVICE);
	while ((option = args_next(args)) > 0)
		if (!parse_option(serve, option))
			return false;
	if (option < 0 || !args_words(args, 1, argc))
		return false;
	wrong = find_conflict(serve);
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

static int open_all(struct serve *serve)
{
	const struct vfk_server_opts opts = {
		.size = sizeof(opts),
		.timeout_ms = serve->args.open.timeout_ms,
		.socket_mode = serve->mode,
		.flags = serve->flags,
		.spin_us = serve->spin_us,
		.guard = opening_guard(),
		.allow_uids = serve->uids.ids,
		.num_allow_uids = serve->uids.count,
		.allow_gids = serve->gids.ids,
		.num_allow_gids = serve->gids.count,
	};
	int status = STATUS_OK;

	for (size_t i = 0; i < serve->num_exports && status == STATUS_OK; i++) {
		serve->exports[i].lingers = can_linger(serve);
		status = export_open(&serve->exports[i], &serve->args, &opts, serve->verbose);
	}
	return status;
}

/* $VFIOKIT_URI is the first device, $VFIOKIT_URI2 the second. */
static int start_command(struct serve *serve)
{
	char uri[SOCKET_URI_SIZE], name[32];

	for (size_t i = 1; i < serve->num_exports; i++) {
		socket_place_uri(serve->exports[i].path, uri);
		snprintf(name, sizeof(name), "VFIOKIT_URI%zu", i + 1);
		setenv(name, uri, 1);
	}
	socket_place_uri(serve->exports[0].path, uri);
	return captive_start(&serve->captive, serve->command, uri);
}

static int become_user(struct serve *serve)
{
	const char *uri = serve->exports[0].uri;
	const struct passwd *user = privileges_find(uri, serve->user);
	int status, r = 0;

	if (!user)
		return STATUS_FAILED;
	for (size_t i = 0; i < serve->num_exports && !r; i++)
		r = socket_place_give(&serve->exports[i].place, user->pw_uid, user->pw_gid);
	if (r)
		return fail_text(uri, "the socket's folder: %s", strerror(-r));
	status = privileges_become(uri, user);
	/* The kernel forgets it when rights change. */
	if (status == STATUS_OK && serve->with_parent && !bind_to_parent())
		return STATUS_FAILED;
	return status;
}

/* What is said in the head of this file. */
static int settle(struct serve *serve)
{
	const char *uri = serve->exports[0].uri;
	int status = STATUS_OK;

	descriptors_keep_from_children();
	if (serve->user)
		status = become_user(serve);
	if (status == STATUS_OK && serve->command)
		status = start_command(serve);
	if (status == STATUS_OK && serve->sandboxed)
		status = privileges_drop(uri);
	if (status == STATUS_OK && serve->threaded)
		status = export_threads_start(&serve->threads);
	if (status == STATUS_OK && serve->sandboxed)
		status = sandbox_enter(uri, serve->captive.pid);
	return status;
}

/* Tells whoever waits for it; a captive command's output is its own. */
static void announce(struct serve *serve)
{
	for (size_t i = 0; i < serve->num_exports && !serve->command; i++)
		export_announce(&serve->exports[i]);
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

/* Those that cannot go on are closed at once: clients wait for that, and the kernel where it asks for a device back. */
static void dispatch_all(struct serve *serve)
{
	size_t running = 0;

	for (size_t i = 0; i < serve->num_exports; i++) {
		struct export *export = &serve->exports[i];
		struct pollfd *poll_fd = &serve->polls[1 + i];

		if (poll_fd->fd >= 0 && poll_fd->revents)
			export_dispatch(export);
		if (poll_fd->fd >= 0 && export->ended) {
			export_close(export);
			poll_fd->fd = -1;
		}
		running += !export->ended;
	}
	if (!running)
		end(serve, STATUS_OK);
}

static void look_at_threads(struct serve *serve)
{
	uint64_t times;

	if (!serve->polls[1].revents)
		return;
	(void)!read(serve->threads.ended, &times, sizeof(times));
	if (!serve->threads.running)
		end(serve, STATUS_OK);
}

static nfds_t prepare_polls(struct serve *serve)
{
	serve->polls[0] = (struct pollfd){ .fd = serve->signals, .events = POLLIN };
	if (serve->threaded) {
		serve->polls[1] = (struct pollfd){ .fd = serve->threads.ended, .events = POLLIN };
		return 2;
	}
	for (size_t i = 0; i < serve->num_exports; i++)
		serve->polls[1 + i] = (struct pollfd){
			.fd = vfk_server_poll_fd(serve->exports[i].server),
			.events = POLLIN,
		};
	return 1 + serve->num_exports;
}

static void loop(struct serve *serve)
{
	nfds_t count = prepare_polls(serve);
	int r;

	while (!serve->ended) {
		r = poll(serve->polls, count, captive_patience(&serve->captive));
		if (r < 0 && errno != EINTR) {
			end(serve, fail_text(serve->exports[0].uri, "poll: %m"));
			return;
		}
		captive_urge(&serve->captive);
		if (r > 0 && serve->polls[0].revents)
			handle_signals(serve);
		if (r <= 0 || serve->ended)
			continue;
		if (serve->threaded)
			look_at_threads(serve);
		else
			dispatch_all(serve);
	}
}

static int run(struct serve *serve)
{
	int status = open_all(serve);

	if (status == STATUS_OK)
		status = settle(serve);
	if (status == STATUS_OK) {
		announce(serve);
		if (serve->threaded)
			export_threads_go(&serve->threads);
		loop(serve);
		status = serve->status;
	}
	captive_end(&serve->captive);
	export_threads_stop(&serve->threads);
	for (size_t i = 0; i < serve->num_exports; i++) {
		export_close(&serve->exports[i]);
		if (status == STATUS_OK)
			status = serve->exports[i].status;
	}
	return status;
}

/* ---- the subcommand ---- */

/* Room for what the arguments can name. */
static bool make_room(struct serve *serve, int argc)
{
	size_t most = (size_t)argc;

	serve->places = calloc(most, sizeof(*serve->places));
	serve->uids.ids = calloc(most, sizeof(*serve->uids.ids));
	serve->gids.ids = calloc(most, sizeof(*serve->gids.ids));
	serve->exports = calloc(most, sizeof(*serve->exports));
	serve->polls = calloc(most + 1, sizeof(*serve->polls));
	return serve->places && serve->uids.ids && serve->gids.ids && serve->exports &&
	       serve->polls;
}

static void free_room(struct serve *serve)
{
	free(serve->places);
	free(serve->uids.ids);
	free(serve->gids.ids);
	free(serve->exports);
	free(serve->polls);
}

static void name_exports(struct serve *serve)
{
	serve->num_exports = (size_t)serve->args.num_words;
	for (size_t i = 0; i < serve->num_exports; i++) {
		struct export *export = &serve->exports[i];

		export->uri = serve->args.words[i];
		export->fd = -1;
		if (!serve->num_places)
			continue;
		export->path = serve->places[i].path;
		export->fd = serve->places[i].fd;
	}
	serve->threads.exports = serve->exports;
	serve->threads.count = serve->num_exports;
}

static int serve_all(struct serve *serve)
{
	int status;

	name_exports(serve);
	descriptors_allow_all();
	status = take_signals(serve);
	if (status != STATUS_OK)
		return status;
	if (!serve->with_parent || bind_to_parent())
		status = run(serve);
	close(serve->signals);
	return status;
}

int cmd_serve(int argc, char **argv)
{
	struct serve serve = { .signals = -1 };
	int status;

	if (!make_room(&serve, argc))
		status = fail_text("serve", "no memory");
	else
		status = parse(&serve, argc, argv) ? serve_all(&serve) : serve.args.status;
	free_room(&serve);
	return status;
}

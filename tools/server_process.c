/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_process.c - another process, which serves a device: this program again, as "vfiokit serve".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failure.h"
#include "server_process.h"
#include "subcommand.h"

#define START_MS 20000
#define STOP_MS	 5000

extern char **environ;

static int spawn(struct server_process *server, int output)
{
	char option[SOCKET_PATH_SIZE + 16], spin[32];
	char *const argv[] = { (char *)"vfiokit",
			       (char *)"serve",
			       (char *)server->device,
			       option,
			       spin,
			       (char *)"--exit-with-parent",
			       NULL };
	posix_spawn_file_actions_t actions;
	int r;

	snprintf(option, sizeof(option), "--socket-path=%s", server->place.path);
	snprintf(spin, sizeof(spin), "--spin=%u", server->spin_us);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	r = posix_spawn(&server->pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return fail_text(server->device, "cannot start a server: %s", strerror(r));
	return STATUS_OK;
}

/* Its first line says that it listens; the end of its output, that it never will. */
static int wait_ready(struct server_process *server)
{
	struct pollfd poll_fd = { .fd = server->output, .events = POLLIN };
	char line[512];
	int r = poll(&poll_fd, 1, START_MS);

	if (r < 0)
		return fail_text(server->device, "waiting for the server: %m");
	if (r == 0)
		return fail_text(server->device, "the server is not ready after %d s",
				 START_MS / 1000);
	if (read(server->output, line, sizeof(line)) <= 0)
		return fail_text(server->device, "the server ended before it was ready");
	return STATUS_OK;
}

/* The child inherits where we may run. */
static int spawn_on(struct server_process *server, int output, int cpu)
{
	cpu_set_t mine, its;
	int r;

	if (cpu < 0)
		return spawn(server, output);
	CPU_ZERO(&its);
	CPU_SET((unsigned int)cpu, &its);
	if (sched_getaffinity(0, sizeof(mine), &mine) < 0 ||
	    sched_setaffinity(0, sizeof(its), &its) < 0)
		return fail_text(server->device, "processor %d: %m", cpu);
	r = spawn(server, output);
	sched_setaffinity(0, sizeof(mine), &mine);
	return r;
}

int server_process_start(struct server_process *server, const char *device, int cpu,
			 uint32_t spin_us)
{
	int output[2], r;

	*server = (struct server_process){ .device = device, .output = -1, .spin_us = spin_us };
	r = socket_place_make(&server->place);
	if (r < 0)
		return fail_text(server->device, "no folder for a socket: %s", strerror(-r));
	socket_place_uri(server->place.path, server->uri);
	if (pipe2(output, O_CLOEXEC) < 0) {
		failure_print_text(server->device, "pipe: %m");
		goto remove_place;
	}
	server->output = output[0];
	fflush(stdout);
	r = spawn_on(server, output[1], cpu);
	close(output[1]);
	if (r != STATUS_OK)
		goto close_output;
	if (wait_ready(server) == STATUS_OK)
		return STATUS_OK;
	server_process_stop(server);
	return STATUS_FAILED;

close_output:
	close(server->output);
remove_place:
	socket_place_remove(&server->place);
	return STATUS_FAILED;
}

int server_process_stop(struct server_process *server)
{
	struct pollfd poll_fd = { .fd = server->output };
	bool late;
	int status, r;

	kill(server->pid, SIGTERM);
	/* The other end of its output closes when it ends. */
	do
		r = poll(&poll_fd, 1, STOP_MS);
	while (r < 0 && errno == EINTR);
	late = r == 0;
	if (late)
		kill(server->pid, SIGKILL);
	while (waitpid(server->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(server->output);
	socket_place_remove(&server->place);
	if (late)
		return fail_text(server->device, "the server did not end within %d s",
				 STOP_MS / 1000);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return fail_text(server->device, "the server ended with status 0x%x",
				 (unsigned)status);
	return STATUS_OK;
}

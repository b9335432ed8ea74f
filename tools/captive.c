/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * captive.c - the command that a server runs for, and ends with.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "captive.h"
#include "failure.h"
#include "subcommand.h"

#define PATIENCE_MS 3000

extern char **environ;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int captive_start(struct captive *captive, const char *command, const char *uri)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	posix_spawnattr_t attr;
	sigset_t none, ignored;
	int r;

	/* What we did to signals for ourselves is not the command's. */
	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	setenv("VFIOKIT_URI", uri, 1);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &ignored);
	fflush(stdout);
	r = posix_spawn(&captive->pid, "/bin/sh", NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (r == 0)
		return STATUS_OK;
	captive->pid = 0;
	return fail_text(uri, "/bin/sh: %s", strerror(r));
}

bool captive_running(const struct captive *captive)
{
	return captive->pid != 0;
}

static bool reap(struct captive *captive, int options)
{
	int status;
	pid_t pid;

	if (!captive->pid)
		return false;
	do
		pid = waitpid(captive->pid, &status, options);
	while (pid < 0 && errno == EINTR);
	if (pid != captive->pid)
		return false;
	captive->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	captive->pid = 0;
	captive->kill_at = 0;
	return true;
}

bool captive_reap(struct captive *captive)
{
	return reap(captive, WNOHANG);
}

void captive_stop(struct captive *captive)
{
	if (!captive->pid)
		return;
	kill(captive->pid, SIGTERM);
	if (!captive->kill_at)
		captive->kill_at = now_ms() + PATIENCE_MS;
}

int captive_patience(const struct captive *captive)
{
	uint64_t now = now_ms();

	if (!captive->kill_at)
		return -1;
	return captive->kill_at > now ? (int)(captive->kill_at - now) : 0;
}

void captive_urge(struct captive *captive)
{
	if (!captive->pid || !captive->kill_at || now_ms() < captive->kill_at)
		return;
	kill(captive->pid, SIGKILL);
	captive->kill_at = now_ms() + PATIENCE_MS;
}

void captive_end(struct captive *captive)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	captive_stop(captive);
	while (captive->pid && !captive_reap(captive)) {
		nanosleep(&pause, NULL);
		captive_urge(captive);
	}
}

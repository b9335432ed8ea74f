/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * captive.h - the command that a server runs for, and ends with.
 *
 * All zero: no command. The caller has SIGCHLD blocked and waits for it.
 */
#ifndef CAPTIVE_H
#define CAPTIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct captive {
	pid_t pid;	  /* 0: not running */
	int status;	  /* once it ended: its exit status, 128 + signal as a shell has it */
	uint64_t kill_at; /* ms of CLOCK_MONOTONIC at which SIGKILL follows; 0: not being stopped */
};

/* Runs command in a shell, $VFIOKIT_URI set to uri. STATUS_OK, or the failure printed. */
int captive_start(struct captive *captive, const char *command, const char *uri);

bool captive_running(const struct captive *captive);

/* Whether it has ended by now; its status is set then. */
bool captive_reap(struct captive *captive);

/* Asks it to end: SIGTERM now, SIGKILL by captive_urge() some seconds later. */
void captive_stop(struct captive *captive);

/* For poll(): milliseconds until captive_urge() has something to do, or -1. */
int captive_patience(const struct captive *captive);
void captive_urge(struct captive *captive);

/* Stops it and waits until it is gone. */
void captive_end(struct captive *captive);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_process.h - another process, which serves a device on a socket of its own.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "socket_place.h"

struct server_process {
	const char *device; /* what it serves; borrowed */
	struct socket_place place;
	char uri[SOCKET_URI_SIZE]; /* where the device is, once started */
	uint32_t spin_us;
	pid_t pid;
	int output; /* its standard output: closed when it ends */
};

/*
 * Starts one that serves @device, a URI, and waits until clients can connect. @cpu is the processor that it stays on,
 * -1: any; @spin_us: how long it spins. STATUS_OK, or the failure printed.
 */
int server_process_start(struct server_process *server, const char *device, int cpu,
			 uint32_t spin_us);

/* Ends it and removes what it had. STATUS_OK if it ended as it should, or the failure printed. */
int server_process_stop(struct server_process *server);

#endif

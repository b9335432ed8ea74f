/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu_server.h - another process, which serves model:edu on a socket of its own.
 */
#ifndef EDU_SERVER_H
#define EDU_SERVER_H

#include <sys/types.h>

#include "socket_place.h"

struct edu_server {
	struct socket_place place;
	char uri[SOCKET_URI_SIZE]; /* where the device is, once started */
	pid_t pid;
	int output; /* its standard output: closed when it ends */
};

/* Starts it, and waits until clients can connect. STATUS_OK, or the failure printed. */
int edu_server_start(struct edu_server *server);

/* Ends it and removes what it had. STATUS_OK if it ended as it should, or the failure printed. */
int edu_server_stop(struct edu_server *server);

#endif

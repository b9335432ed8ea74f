/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export.h - one device that "vfiokit serve" exports: opened, listening, served, closed.
 *
 * Threads: one at a time for each export; different ones are independent of each other.
 */
#ifndef EXPORT_H
#define EXPORT_H

#include <stdbool.h>
#include <vfiokit/device.h>
#include <vfiokit/server.h>

#include "args.h"
#include "socket_place.h"

/* Zeroed but for uri, path or fd, and lingers: nothing is open. */
struct export
{
	const char *uri;
	const char *path;	   /* of a new socket; NULL: fd, or a folder of its own */
	int fd;			   /* -1: none */
	struct socket_place place; /* the folder */
	struct vfk_device *dev;
	struct vfk_server *server;
	bool lingers; /* whoever serves it serves nothing else: in the client's receive while it is busy */
	bool one_client;  /* fd is a connected socket */
	bool client_gone; /* and the server said so, or that the device is */
	bool ended;	  /* nothing more is served */
	int status;	  /* STATUS_FAILED: and that should not have happened */
};

/* Opens the device and its socket. opts is what the server gets. STATUS_OK, or the failure printed; export_close() after both. */
int export_open(struct export *export, struct args *args, const struct vfk_server_opts *opts,
		bool verbose);

/* Says on standard output where it is served. */
void export_announce(const struct export *export);

/* Does what is to be done, poll() having said that there is something, and what follows at once. Afterwards look at ended. */
void export_dispatch(struct export *export);

/* Closes all of it, as far as it is open; status is final then. */
void export_close(struct export *export);

#endif

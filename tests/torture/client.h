/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h - a device behind a socket, and everything that its client holds.
 */
#ifndef TESTS_TORTURE_CLIENT_H
#define TESTS_TORTURE_CLIENT_H

#include "workload.h"
#include <vfiokit/vfiokit.h>

#define EDU_LIVENESS	   0x04
#define CLIENT_EVENTS	   4
#define CLIENT_BUFFERS	   3
/* Memory without a file: the device reaches it by messages. */
#define CLIENT_CALLED	   0x8000000u
#define CLIENT_CALLED_SIZE 0x4000u

struct client {
	struct vfk_device *dev; /* NULL: not open */
	struct vfk_dma_space *space;
	bool attached;
	struct vfk_dma_buffer buffer[CLIENT_BUFFERS]; /* fd -1: not there */
	int event[CLIENT_EVENTS];
	uint32_t identity; /* vendor and device */
	uint8_t called[CLIENT_CALLED_SIZE];
	const char *wrong; /* the first thing that was, with vfk_error() */
	char text[512];
};

/*
 * Takes @fd, also on failure; *c is valid in both cases, for client_close(). @options follow the URI. Returns 0 or -errno.
 */
int client_open(struct client *c, int fd, enum workload_device which, const char *options,
		uint32_t timeout_ms);
/* A dma space with CLIENT_CALLED mapped, if the server takes it. */
void client_attach(struct client *c);
/* Gives everything back; c->wrong, in memory that stays until the next call. */
const char *client_close(struct client *c);

void client_want(struct client *c, bool good, const char *what);

/* edu's engine: between @iova and its buffer. Returns 0 or -errno. */
int client_transfer(struct client *c, uint64_t iova, uint32_t count, bool to_memory);

#endif

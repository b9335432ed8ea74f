/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h - a server, and its loop: what is ready is done, one thing after the other.
 *
 * An epoll descriptor holds the listening socket, the client's connection, the device, the clients that are being turned
 * away, and one timer for everything that must not take for ever. It is what the program polls.
 *
 * Threads: the server's, one at a time.
 */
#ifndef VFKI_SERVER_LOOP_H
#define VFKI_SERVER_LOOP_H

#include "allow.h"
#include "listen.h"
#include "refuse.h"
#include "session.h"
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/server.h>

#define VFKI_LINGER_MAX_MS 1000u

struct vfk_server {
	struct vfk_device *dev;
	int epoll_fd;
	int timer_fd;
	uint64_t armed; /* when the timer fires, UINT64_MAX: never; never later than needed */
	struct vfki_listener listener;
	struct vfki_allow allow;
	bool accepting;	       /* the listener is in the epoll set */
	uint64_t accept_again; /* not before then */
	struct vfki_refusals refusals;
	struct vfki_session session;
	bool polled;	      /* the client is in the epoll set */
	bool taking;	      /* and input of it is waited for */
	bool told;	      /* VFK_SERVER_CONNECTED was */
	unsigned int guesses; /* how often it may still be tried before the set is asked */
	uint64_t looked;      /* when that was */
	struct vfk_server_counts counts;
	int dead;  /* the -errno with which the device went; 0 */
	bool lost; /* it went, and may come back: before there is another client */
	void (*event)(void *ctx, enum vfk_server_event event, const char *text);
	void *ctx;
};

/* Makes the descriptor, and puts timer and device into it. Returns 0; -EMFILE and the like, with a text. */
int vfki_loop_init(struct vfk_server *s);
void vfki_loop_fini(struct vfk_server *s);

/* Listens to what the kernel says of the device; the session was made. Returns 0; -ENOMEM, with a text. */
int vfki_loop_watch_recall(struct vfk_server *s);

/* A listening socket was put into s->listener. Returns 0; -ENOMEM, with a text, when it cannot be polled. */
int vfki_loop_listen(struct vfk_server *s);

/* A client connected on @fd, which is taken on success. Returns 0; -EACCES not allowed; what vfki_session_start() says. */
int vfki_loop_start_client(struct vfk_server *s, int fd);

/* Ends the client that there is because of @err, with this thread's text as the reason. */
void vfki_loop_end_client(struct vfk_server *s, int err);

#endif

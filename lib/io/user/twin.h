/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * twin.h - the second socket, on which a server sends its own commands.
 *
 * Specification: "twin_socket" of "VFIO_USER_VERSION". Asked for by the option twin=on. With it a server's DMA_READ and DMA_WRITE
 * never stand behind replies, nor wait for a thread of the program that looks at the one socket: a thread of ours answers
 * them. The same commands on the first socket are refused then.
 *
 * Threads: start and end alone, in open and close.
 */
#ifndef VFKI_IO_USER_TWIN_H
#define VFKI_IO_USER_TWIN_H

#include <pthread.h>

struct vfki_conn;
struct vfki_user;

struct vfki_user_twin {
	struct vfki_conn *conn; /* NULL: there is none; constant once open returned */
	int stop;		/* eventfd that ends the thread */
	pthread_t thread;
};

/* @fd is what came with VERSION; taken in any case. Returns 0; -EPROTO it is no such socket; -EMFILE, -ENOMEM, -EAGAIN. */
int vfki_user_twin_start(struct vfki_user *user, int fd);

/* Ends the thread and the socket; nothing where there is none. */
void vfki_user_twin_end(struct vfki_user *user);

#endif

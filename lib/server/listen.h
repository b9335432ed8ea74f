/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listen.h - the socket that clients connect to.
 *
 * Either made at a path, which is ours to remove, or handed in by the caller.
 *
 * Threads: the server's.
 */
#ifndef VFKI_SERVER_LISTEN_H
#define VFKI_SERVER_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct vfki_listener {
	int fd;	      /* non-blocking; -1: nobody listens */
	int dir;      /* of the path, so that a chdir() does not matter; -1: no path of ours */
	char *name;   /* in dir; NULL without one */
	dev_t device; /* of our socket's inode: another file at the path is not ours */
	ino_t inode;
};

/* What a closed one looks like. */
void vfki_listener_init(struct vfki_listener *l);

/*
 * Makes a socket at @path with permissions @mode and listens. A stale one that nobody listens on is replaced.
 * Returns 0; -EADDRINUSE; -EINVAL an empty path; -ENAMETOOLONG; -ENOMEM; what bind() says. @l is as before on failure.
 */
int vfki_listener_open(struct vfki_listener *l, const char *path, uint32_t mode);

/* Listens on @fd, which is taken. */
void vfki_listener_adopt(struct vfki_listener *l, int fd);

/* A connection, close-on-exec; -EAGAIN when none is waiting; another -errno with a text. */
int vfki_listener_accept(struct vfki_listener *l);

/* Stops listening; removes the socket from its folder if it is still ours. */
void vfki_listener_close(struct vfki_listener *l);

/*
 * What kind of socket @fd is. Returns 0 with *listens set; -ENOTSOCK; -EINVAL when it is no UNIX stream socket, or one
 * that neither listens nor is connected.
 */
int vfki_socket_check(int fd, bool *listens);

#endif

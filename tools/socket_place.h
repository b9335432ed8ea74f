/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket_place.h - where a socket of our own is put, and the URI that leads to it.
 */
#ifndef SOCKET_PLACE_H
#define SOCKET_PLACE_H

#include <sys/types.h>

#define SOCKET_PATH_SIZE 108 /* unix(7): sun_path */
#define SOCKET_URI_SIZE	 (2 * SOCKET_PATH_SIZE + 16)

/* A socket's path in a folder of its own, which only this user can enter. */
struct socket_place {
	char folder[SOCKET_PATH_SIZE]; /* "" when there is none */
	char path[SOCKET_PATH_SIZE];
};

/* Makes the folder, under $XDG_RUNTIME_DIR, $TMPDIR or /tmp. Returns 0 or -errno. */
int socket_place_make(struct socket_place *place);

/* Folder and socket become that user's, if there are any. Returns 0 or -errno. */
int socket_place_give(const struct socket_place *place, uid_t uid, gid_t gid);

/* Removes the folder, which is empty once its socket is gone. */
void socket_place_remove(struct socket_place *place);

/* The vfio-user URI of a path of at most SOCKET_PATH_SIZE; uri is filled. */
void socket_place_uri(const char *path, char uri[SOCKET_URI_SIZE]);

#endif

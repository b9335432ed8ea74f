/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket_place.c - where a socket of our own is put, and the URI that leads to it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "socket_place.h"

static bool make_in(const char *base, struct socket_place *place)
{
	int n;

	if (!base || base[0] != '/')
		return false;
	n = snprintf(place->path, sizeof(place->path), "%s/vfiokit-XXXXXX/vfio-user.sock", base);
	if (n >= (int)sizeof(place->path))
		return false; /* no socket can have such a path; another base is shorter */
	snprintf(place->folder, sizeof(place->folder), "%.*s/vfiokit-XXXXXX",
		 (int)sizeof(place->folder) - 16, base);
	return mkdtemp(place->folder);
}

int socket_place_make(struct socket_place *place)
{
	if (!make_in(getenv("XDG_RUNTIME_DIR"), place) && !make_in(getenv("TMPDIR"), place) &&
	    !make_in("/tmp", place)) {
		place->folder[0] = '\0';
		return errno ? -errno : -ENAMETOOLONG;
	}
	memcpy(place->path, place->folder, strlen(place->folder));
	return 0;
}

int socket_place_give(const struct socket_place *place, uid_t uid, gid_t gid)
{
	if (!place->folder[0])
		return 0;
	/* The socket first: until then nobody else can enter the folder, and put something in its place. */
	if (lchown(place->path, uid, gid) || lchown(place->folder, uid, gid))
		return -errno;
	return 0;
}

void socket_place_remove(struct socket_place *place)
{
	if (!place->folder[0])
		return;
	/* A server that was killed leaves its socket. */
	unlink(place->path);
	rmdir(place->folder);
	place->folder[0] = '\0';
}

void socket_place_uri(const char *path, char uri[SOCKET_URI_SIZE])
{
	size_t n;

	/* Without a slash it could be taken for a key and its value (uri.h). */
	n = (size_t)snprintf(uri, SOCKET_URI_SIZE, "vfio-user:%s", strchr(path, '/') ? "" : "./");
	for (; *path && n < SOCKET_URI_SIZE - 2; path++) {
		if (*path == ',')
			uri[n++] = ',';
		uri[n++] = *path;
	}
	uri[n] = '\0';
}

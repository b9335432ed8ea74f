/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * allow.c - which peers may connect.
 *
 * unix(7): SO_PEERCRED and SO_PEERGROUPS are of the time of connect() or socketpair(), so that a peer which gives its
 * rights or its socket away later changes nothing.
 *
 * Threads: any.
 */
#include "allow.h"
#include "lib/base/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#define MAX_IDS 1024

static int copy(const char *what, const uint32_t *ids, size_t num, uint32_t **to)
{
	*to = NULL;
	if (!num)
		return 0;
	if (!ids)
		return vfki_err(-EINVAL, "server: %zu %s, and no list of them", num, what);
	if (num > MAX_IDS)
		return vfki_err(-ERANGE, "server: %zu %s, at most %d are possible", num, what,
				MAX_IDS);
	*to = malloc(num * sizeof(*ids));
	if (!*to)
		return vfki_err(-ENOMEM, "server: no memory");
	memcpy(*to, ids, num * sizeof(*ids));
	return 0;
}

int vfki_allow_init(struct vfki_allow *allow, const struct vfk_server_opts *o)
{
	int ret;

	memset(allow, 0, sizeof(*allow));
	ret = copy("allowed users", o->allow_uids, o->num_allow_uids, &allow->uids);
	if (!ret)
		ret = copy("allowed groups", o->allow_gids, o->num_allow_gids, &allow->gids);
	if (ret) {
		vfki_allow_fini(allow);
		return ret;
	}
	allow->num_uids = o->num_allow_uids;
	allow->num_gids = o->num_allow_gids;
	return 0;
}

void vfki_allow_fini(struct vfki_allow *allow)
{
	free(allow->uids);
	free(allow->gids);
	memset(allow, 0, sizeof(*allow));
}

static bool has(const uint32_t *ids, size_t num, uint32_t id)
{
	for (size_t i = 0; i < num; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* The kernel says how much room it needs, and a peer can have up to 65536 groups: what is not learned is not allowed. */
static bool has_group_of(const struct vfki_allow *allow, int fd)
{
	socklen_t len = 0;
	bool found = false;
	gid_t *gids;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) || errno != ERANGE)
		return false;
	gids = malloc(len);
	if (gids && !getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len)) {
		for (size_t i = 0; i < len / sizeof(*gids) && !found; i++)
			found = has(allow->gids, allow->num_gids, gids[i]);
	}
	free(gids);
	return found;
}

int vfki_allow_check(const struct vfki_allow *allow, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (!allow->num_uids && !allow->num_gids)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return vfki_err(-EACCES, "a peer that the kernel knows nothing of is not allowed");
	if (has(allow->uids, allow->num_uids, peer.uid) ||
	    has(allow->gids, allow->num_gids, peer.gid) ||
	    (allow->num_gids && has_group_of(allow, fd)))
		return 0;
	return vfki_err(-EACCES, "user %u, group %u, process %d: not allowed", peer.uid, peer.gid,
			peer.pid);
}

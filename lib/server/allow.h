/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * allow.h - which peers may connect: by the credentials that the kernel keeps of each UNIX socket's other end.
 *
 * Threads: any; it does not change once made.
 */
#ifndef VFKI_SERVER_ALLOW_H
#define VFKI_SERVER_ALLOW_H

#include <stddef.h>
#include <stdint.h>
#include <vfiokit/server.h>

/* All zero: everybody. */
struct vfki_allow {
	uint32_t *uids; /* owned, as are gids */
	uint32_t *gids;
	size_t num_uids;
	size_t num_gids;
};

/* Copies the lists of @o. Returns 0; -EINVAL, -ERANGE, -ENOMEM with a text, and @allow is all zero then. */
int vfki_allow_init(struct vfki_allow *allow, const struct vfk_server_opts *o);
void vfki_allow_fini(struct vfki_allow *allow);

/* Whether the peer of the connected socket @fd may be a client: 0, or -EACCES with a text that names it. Reads nothing. */
int vfki_allow_check(const struct vfki_allow *allow, int fd);

#endif

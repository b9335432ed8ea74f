/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.h - what every op of a device that may be lost and come back goes through.
 *
 * A device that was opened with reconnect=S has vectors of its own, whose ops are those of the room with the gate around
 * them; without the option nothing is there that could cost. The gate counts who is inside, so that nobody is when the
 * connection begins anew, and nothing of one call reaches two servers. It makes whatever error the end of the connection
 * showed as into the one that says so, and tells of each loss. While the device is being restored only the thread that
 * does it is let in.
 *
 * Threads: any. The lock is held for reading across ops, and so is above all others of this room.
 */
#ifndef VFKI_IO_USER_GATE_H
#define VFKI_IO_USER_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/io.h>

struct vfki_user;

struct vfki_user_gate {
	pthread_rwlock_t
		lock; /* written with it: all but lost and ctx, which are constant after set_lost */
	bool restoring;
	pthread_t restorer; /* while restoring */
	uint64_t epoch;	    /* what the present connection's end will be told as; 1 for the first */
	void (*lost)(void *ctx, uint64_t epoch);
	void *ctx;
};

extern const struct vfk_dma_ops vfki_user_gated_dma_ops;

void vfki_user_gate_init(struct vfki_user_gate *gate);
void vfki_user_gate_fini(struct vfki_user_gate *gate);

/* Returns 0; -ECONNRESET: not now. After 0, leave must be called with the op's result, and returns what is to be. */
int vfki_user_gate_enter(struct vfki_user *user);
ssize_t vfki_user_gate_leave(struct vfki_user *user, ssize_t ret);

/* From now on this thread alone is let in; whoever was inside has left. */
void vfki_user_gate_shut(struct vfki_user *user);
/* Everybody is. @restored: the next loss is another one. */
void vfki_user_gate_open(struct vfki_user *user, bool restored);

#endif

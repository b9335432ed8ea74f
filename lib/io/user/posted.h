/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * posted.h - posted writes that are held back, to go several in one message.
 *
 * Asked for by the option batch=US. Small posted writes are collected, and sent together as a REGION_WRITE_MULTI without a
 * reply: before any other request, when there are so many as a message should have, by flush and dispatch, and by a thread of
 * ours when the first of them has waited for US microseconds. That thread is the only one that this backend has. A server
 * that did not say write_multiple gets each write at once, in a REGION_WRITE.
 *
 * Threads: any. The lock is held while a batch is sent, so that nobody's request overtakes it; the connection's lock is
 * below it.
 */
#ifndef VFKI_IO_USER_POSTED_H
#define VFKI_IO_USER_POSTED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/io.h>

struct vfki_user;

/* QEMU's client sends as many; every server that takes any takes these. */
#define VFKI_USER_BATCH 200

struct vfki_user_posted {
	pthread_mutex_t lock;
	atomic_uint
		count; /* held back; 0 may be read without the lock by whoever posted none since */
	unsigned int limit; /* 0: nothing is held back */
	uint64_t hold_ns;
	uint64_t due_ns; /* of the first one, while count is not 0 */
	bool stop;
	pthread_cond_t changed; /* what the thread waits for */
	pthread_t thread;
	struct vfk_region_write writes[VFKI_USER_BATCH];
};

/* In open, when VERSION is settled. @hold_us of 0: nothing is held back. Returns 0; -EAGAIN there is no thread. */
int vfki_user_posted_init(struct vfki_user *user, uint64_t hold_us);

/* Sends what is held back, as far as it can be, and ends the thread. What cannot be sent is dropped. */
void vfki_user_posted_fini(struct vfki_user *user);

/* Whether a write is one that is held back at all. */
static inline bool vfki_user_posted_takes(const struct vfki_user_posted *p, size_t len)
{
	return p->limit && (len == 1 || len == 2 || len == 4 || len == 8);
}

/* Holds one back, and sends all of them if they are enough. Returns 0; a transport error: it was not taken. */
int vfki_user_posted_add(struct vfki_user *user, uint32_t region, uint64_t off, const void *buf,
			 size_t len);

/* Sends all. Returns 0; a transport error: they are held back still, unless the connection has ended. */
int vfki_user_posted_send(struct vfki_user *user);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * messages.h - calls as the vfio-user messages that they would be, written to a capture.
 *
 * A filter stands on the vector and sees no socket; so the same capture can be had of a model, of a kernel device and of
 * a vfio-user device. Each call is one request and one reply, but for: set_irqs, cut where one message cannot say it;
 * write_multi, cut at the most writes of a message; a posted write, which has no reply. dirty_* are the DMA_LOGGING
 * features. What has no message (flush, poll_fd, dispatch, dma_limits, dma_address, hot resets, features that are not for
 * peers) is left out, and so are the server's DMA messages, which are no calls. Long accesses are not cut.
 *
 * Threads: any; the lock is held while a message is written.
 */
#ifndef VFKI_IO_FILTER_MESSAGES_H
#define VFKI_IO_FILTER_MESSAGES_H

#include "call.h"
#include "pcapng.h"
#include <pthread.h>
#include <sys/types.h>

struct vfki_messages {
	struct vfki_pcapng file;
	pthread_mutex_t lock;
	uint16_t next_id;
};

/* What the replies need to know of the requests; in the frame of the call. */
struct vfki_exchange {
	uint16_t first_id;
	uint32_t count; /* of messages */
	uint32_t argsz; /* room that an info was asked with */
};

/* As vfki_pcapng_open(). */
int vfki_messages_open(struct vfki_messages *m, const char *path, const char *device);
void vfki_messages_close(struct vfki_messages *m);

/* Before the call is passed on, and after it came back with @ret. */
void vfki_messages_request(struct vfki_messages *m, const struct vfki_call *call,
			   struct vfki_exchange *x);
void vfki_messages_reply(struct vfki_messages *m, const struct vfki_call *call,
			 const struct vfki_exchange *x, ssize_t ret);

#endif

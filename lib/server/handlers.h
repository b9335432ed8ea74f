/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handlers.h - one function a command, and the table that names them.
 *
 * A handler decodes, asks the device, and fills the answer; who sends it, or the error in its place, is command.c. A new
 * command is a handler in the file of its family, and a line in the table there.
 *
 * Threads: the server's.
 */
#ifndef VFKI_SERVER_HANDLERS_H
#define VFKI_SERVER_HANDLERS_H

#include "session.h"
#include <errno.h>
#include <sys/uio.h>

/* Room for the fixed part of every reply but an info's. */
#define VFKI_ANSWER_HEAD 64

/* What goes back. Zero-initialised it is a reply without payload. */
struct vfki_answer {
	uint8_t head[VFKI_ANSWER_HEAD] __attribute__((aligned(8)));
	struct iovec iov[2]; /* into head, the session's buffer, the command, or memory */
	size_t n;
	size_t nfds;
	bool owns_fds;		     /* they are closed after the reply */
	void *memory;		     /* owned: freed after the reply; NULL: none */
	struct vfk_region_fds files; /* owned: closed after the reply */
	int fds[VFKI_WIRE_MAX_FDS];  /* sent; borrowed from files, unless owns_fds */
};

/* A handler's result when the command waits for something; it is answered by vfki_command_finish() later. */
#define VFKI_LATER 1

/*
 * Returns 0: the answer is to be sent; VFKI_LATER; -errno: an Error reply. What cannot be a message at all goes through
 * vfki_command_decoded(), which makes the connection end.
 */
typedef int vfki_handler(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a);

vfki_handler vfki_handle_version;
vfki_handler vfki_handle_device_info;
vfki_handler vfki_handle_reset;
vfki_handler vfki_handle_region_info;
vfki_handler vfki_handle_region_io_fds;
vfki_handler vfki_handle_region_read;
vfki_handler vfki_handle_region_write;
vfki_handler vfki_handle_write_multi;
vfki_handler vfki_handle_irq_info;
vfki_handler vfki_handle_set_irqs;
vfki_handler vfki_handle_dma_map;
vfki_handler vfki_handle_dma_unmap;
vfki_handler vfki_handle_feature;
vfki_handler vfki_handle_mig_read;
vfki_handler vfki_handle_mig_write;
vfki_handler vfki_handle_precopy_info;

/* One command, from the table to the reply. Returns 0; -errno when the connection must end, with a text. */
int vfki_command_run(struct vfki_session *s, struct vfki_command *cmd);

/*
 * Sends the answer, or an Error reply if @result is a -errno, and gives back what the answer owns. Returns as
 * vfki_command_run().
 */
int vfki_command_finish(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a,
			int result);

/* Tries again what a waiting DMA_UNMAP could not do, and answers it when it is done, or late. As vfki_command_run(). */
int vfki_dma_unmap_retry(struct vfki_session *s, uint64_t now);

/* io_fds.c: after a client that was given doorbells. */
void vfki_io_fds_take_back(struct vfki_session *s);

/* Passes on what a decoder of lib/wire returned, and notes when that means the end. */
static inline int vfki_command_decoded(struct vfki_session *s, int ret)
{
	if (ret == -EPROTO)
		s->verdict = VFKI_VERDICT_END;
	return ret;
}

/* The answer's payload is the first @len bytes of its head. */
static inline void vfki_answer_head(struct vfki_answer *a, size_t len)
{
	a->iov[0] = (struct iovec){ .iov_base = a->head, .iov_len = len };
	a->n = 1;
}

/* And then @len bytes at @data. */
static inline void vfki_answer_data(struct vfki_answer *a, const void *data, size_t len)
{
	a->iov[a->n++] = (struct iovec){ .iov_base = (void *)data, .iov_len = len };
}

#endif

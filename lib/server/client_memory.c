/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client_memory.c - a client's memory that is not shared: reached by DMA_READ and DMA_WRITE messages.
 *
 * Specification: "VFIO_USER_DMA_READ", "VFIO_USER_DMA_WRITE". The device waits for the client's answers, within a
 * bound for all of them; commands that arrive meanwhile are queued there, so that no access of the device is entered twice.
 *
 * Threads: any that does the device's DMA, several at once.
 */
#include "client_memory.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/wire/dma_access.h"
#include "lib/wire/header.h"
#include "session.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A reply up to this size is received on the stack: a descriptor or a page, and what stands before it. */
#define SMALL (VFKI_WIRE_DMA_FRONT + 4096)

/* Where our commands travel. */
static struct vfki_conn *conn_of(const struct vfki_session *s)
{
	return s->twin ? s->twin : s->conn;
}

/* The reply is the client's; one that cannot be ends its connection. So does the end of one of its two sockets. */
static int checked(struct vfki_session *s, int ret)
{
	if (ret == -EPROTO)
		return vfki_conn_fail(s->conn, ret);
	if (ret && s->twin && vfki_conn_ended(s->twin))
		vfki_conn_fail(s->conn, vfki_err_prefix(-ENOTCONN, "twin socket"));
	return ret;
}

/*
 * Shorter than the usual bound of a client's own requests (QEMU: 5 s). A client that cannot answer while it waits for us,
 * as QEMU's when its guest polls the device, then loses this transfer; else it would give up first, and drop the device.
 * It is for all messages of an access, and for all accesses of a turn: the client decides how small a message is.
 */
#define ANSWER_MS 2000

static uint64_t answer_deadline(const struct vfki_session *s)
{
	return vfki_deadline_ns(s->limits.timeout_ms < ANSWER_MS ? s->limits.timeout_ms :
								   ANSWER_MS);
}

void vfki_turn_begin(struct vfki_session *s)
{
	s->turn.deadline = 0;
	atomic_store_explicit(&s->turn.thread, (uintptr_t)pthread_self(), memory_order_relaxed);
}

void vfki_turn_end(struct vfki_session *s)
{
	atomic_store_explicit(&s->turn.thread, 0, memory_order_relaxed);
}

/*
 * Until when an access that begins now may wait. The clock of a turn starts with the first one, so that nobody reads it
 * for a device that asks nothing; a thread of the device's own holds up nobody else, and has the time for each access.
 */
static uint64_t access_deadline(struct vfki_session *s)
{
	struct vfki_turn *turn = &s->turn;

	if (atomic_load_explicit(&turn->thread, memory_order_relaxed) != (uintptr_t)pthread_self())
		return answer_deadline(s);
	if (!turn->deadline)
		turn->deadline = answer_deadline(s);
	return turn->deadline;
}

static int ask(struct vfki_session *s, struct vfki_request *rq, uint64_t deadline_ns)
{
	uint64_t now = vfki_now_ns();

	if (now >= deadline_ns)
		return vfki_err(-ETIMEDOUT, "%s: the client's time for this is used up",
				vfki_wire_command_name(rq->command));
	rq->timeout_ms = (uint32_t)((deadline_ns - now + VFKI_NS_PER_MS - 1) / VFKI_NS_PER_MS);
	return vfki_conn_request(conn_of(s), rq);
}

static size_t chunk_of(const struct vfki_session *s, size_t len)
{
	uint64_t max = s->agreed.send_xfer < s->limits.max_xfer ? s->agreed.send_xfer :
								  s->limits.max_xfer;

	return len < max ? len : (size_t)max;
}

/*
 * Finds out how wide the client's counts are, where nothing has told yet (dma_access.h). Wrong, it would put every
 * byte four places beside where it belongs. Returns 0, and s->dma_form is known; a transport error.
 */
static int learn_form(struct vfki_session *s, uint64_t iova, size_t len, uint64_t deadline_ns)
{
	const struct vfki_wire_dma_access asked = {
		.addr = iova,
		.count = len < VFKI_WIRE_DMA_QUESTION ? len : VFKI_WIRE_DMA_QUESTION,
	};
	uint8_t request[sizeof(asked)], reply[VFKI_WIRE_DMA_FRONT + VFKI_WIRE_DMA_QUESTION];
	const struct iovec out = {
		request,
		vfki_enc_dma_access(request, iova, asked.count + VFKI_WIRE_DMA_QUESTION_EXTRA)
	};
	const struct iovec in = { reply, sizeof(reply) };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DMA_READ, .out = &out, .n_out = 1, .in = &in, .n_in = 1
	};
	int ret;

	if (atomic_load(&s->dma_form) != VFKI_WIRE_DMA_UNKNOWN)
		return 0;
	ret = ask(s, &rq, deadline_ns);
	if (ret && (ret == -ETIMEDOUT || vfki_conn_ended(conn_of(s))))
		return checked(s, ret);
	if (!ret) {
		ret = vfki_dec_dma_question_reply(reply, rq.in_len, &asked);
		if (ret)
			return checked(s, ret);
		atomic_store(&s->dma_form, VFKI_WIRE_DMA_32);
	} else {
		atomic_store(&s->dma_form, VFKI_WIRE_DMA_64);
	}
	return 0;
}

/* @reply has room for the front and @len bytes. */
static int read_chunk(struct vfki_session *s, uint64_t iova, void *buf, size_t len, void *reply,
		      uint64_t deadline_ns)
{
	const struct vfki_wire_dma_access asked = { .addr = iova, .count = len };
	enum vfki_wire_dma_form form = atomic_load(&s->dma_form);
	uint8_t request[sizeof(asked)];
	const struct iovec out = { request, vfki_enc_dma_access(request, iova, len) };
	const struct iovec in = { reply, VFKI_WIRE_DMA_FRONT + len };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DMA_READ, .out = &out, .n_out = 1, .in = &in, .n_in = 1
	};
	const void *data;
	int ret;

	ret = ask(s, &rq, deadline_ns);
	if (ret)
		return checked(s, ret);
	ret = vfki_dec_dma_read_reply(reply, rq.in_len, &asked, &form, &data);
	if (ret < 0)
		return checked(s, ret);
	if (form == VFKI_WIRE_DMA_UNKNOWN) {
		ret = learn_form(s, iova, len, deadline_ns);
		if (ret)
			return ret;
		data = vfki_wire_dma_data(reply, atomic_load(&s->dma_form));
	} else {
		atomic_store(&s->dma_form, form);
	}
	memcpy(buf, data, len);
	return 0;
}

static int memory_read(void *ctx, uint64_t iova, void *buf, size_t len)
{
	struct vfki_session *s = ctx;
	uint8_t small[SMALL] __attribute__((aligned(8)));
	uint64_t deadline_ns = access_deadline(s);
	size_t chunk = chunk_of(s, len);
	uint8_t *reply = small;
	int ret = 0;

	if (VFKI_WIRE_DMA_FRONT + chunk > sizeof(small)) {
		reply = malloc(VFKI_WIRE_DMA_FRONT + chunk);
		if (!reply)
			return vfki_err(-ENOMEM, "dma_read: no memory for %zu bytes", chunk);
	}
	for (size_t done = 0; !ret && done < len; done += chunk) {
		chunk = chunk_of(s, len - done);
		ret = read_chunk(s, iova + done, (uint8_t *)buf + done, chunk, reply, deadline_ns);
	}
	if (reply != small)
		free(reply);
	return ret;
}

static int write_chunk(struct vfki_session *s, uint64_t iova, const void *buf, size_t len,
		       uint64_t deadline_ns)
{
	static const uint8_t zeros[8];
	const struct vfki_wire_dma_access asked = { .addr = iova, .count = len };
	uint8_t front[sizeof(asked)], reply[sizeof(asked)];
	size_t pad;
	size_t front_len =
		vfki_enc_dma_write_request(front, atomic_load(&s->dma_form), iova, len, &pad);
	const struct iovec out[] = {
		{ front, front_len },
		{ (void *)buf, len },
		{ (void *)zeros, pad },
	};
	const struct iovec in = { reply, sizeof(reply) };
	struct vfki_request rq = { .command = VFKI_WIRE_DMA_WRITE,
				   .out = out,
				   .n_out = pad ? 3 : 2,
				   .in = &in,
				   .n_in = 1 };
	int ret;

	ret = ask(s, &rq, deadline_ns);
	if (ret)
		return checked(s, ret);
	return checked(s, vfki_dec_dma_write_reply(reply, rq.in_len, &asked));
}

static int memory_write(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	struct vfki_session *s = ctx;
	uint64_t deadline_ns = access_deadline(s);
	size_t chunk;
	int ret = learn_form(s, iova, len, deadline_ns);

	for (size_t done = 0; !ret && done < len; done += chunk) {
		chunk = chunk_of(s, len - done);
		ret = write_chunk(s, iova + done, (const uint8_t *)buf + done, chunk, deadline_ns);
	}
	return ret;
}

const struct vfk_dma_callbacks vfki_client_memory = {
	.size = sizeof(struct vfk_dma_callbacks),
	.read = memory_read,
	.write = memory_write,
};

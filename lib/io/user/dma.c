/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma.c - the sink: the server is told of mappings, with their files where they have one.
 *
 * A map or unmap that the server does not answer in time leaves it unknown what it can reach: the connection ends, and
 * with it every mapping. The dma space calls no two of these at once.
 */
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include "lib/wire/dma_map.h"
#include <stdio.h>
#include <stdlib.h>

/* Asks. Without an answer the mapping's fate is not known; a server that answers ETIMEDOUT has refused. */
static int settle(struct vfki_user *user, struct vfki_request *rq)
{
	int r = vfki_user_ask(user, rq);

	return r == -ETIMEDOUT && !rq->answered ? vfki_conn_fail(user->conn, r) : r;
}

static int send_map(struct vfki_user *user, const struct vfk_dma_mapping *m, int fd)
{
	uint8_t request[sizeof(struct vfki_wire_dma_map)];
	const struct iovec out = { .iov_base = request, .iov_len = sizeof(request) };
	struct vfki_request rq = { .command = VFKI_WIRE_DMA_MAP, .out = &out, .n_out = 1 };

	vfki_enc_dma_map_request(request, m->prot, fd >= 0 ? m->fd_offset : 0, m->iova, m->length);
	/* Without a descriptor the server asks by message. */
	if (fd >= 0 && user->agreed.send_fds) {
		rq.out_fds = &fd;
		rq.n_out_fds = 1;
	}
	return settle(user, &rq);
}

static int dma_map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	struct vfki_user *user = vfki_user_of(io);
	int fd, r;

	/* Before the server is told: it may ask for memory as soon as it knows of it. */
	r = vfki_user_memory_add(&user->memory, m, &fd);
	if (r)
		return r;
	r = send_map(user, m, fd);
	if (r) {
		char text[VFKI_ERROR_SIZE];

		snprintf(text, sizeof(text), "%s", vfk_error());
		/* One that asked for it already, and is in it: the connection's end is what takes it away then. */
		if (vfki_user_memory_remove(&user->memory, m->iova, m->length, user->timeout_ms) ==
		    -EBUSY)
			vfki_conn_fail(user->conn, -ETIMEDOUT);
		return vfki_err(r, "%s", text);
	}
	addr->addr = m->iova;
	addr->contiguous = m->length;
	return 0;
}

static int send_unmap(struct vfki_user *user, const struct vfki_wire_unmap *unmap)
{
	uint8_t request[VFKI_WIRE_UNMAP_MAX], reply[VFKI_WIRE_UNMAP_MAX];
	const struct iovec out = { .iov_base = request,
				   .iov_len = vfki_enc_dma_unmap_request(request, unmap) };
	const struct iovec in = { .iov_base = reply, .iov_len = sizeof(reply) };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DMA_UNMAP, .out = &out, .n_out = 1, .in = &in, .n_in = 1
	};
	const void *bitmap;
	int r = settle(user, &rq);

	if (r)
		return r;
	return vfki_user_decoded(user, vfki_dec_dma_unmap_reply(reply, rq.in_len, unmap, &bitmap));
}

/* Into @bits, which have room for unmap->bitmap_size bytes. */
static int send_unmap_bitmap(struct vfki_user *user, const struct vfki_wire_unmap *unmap,
			     uint64_t *bits)
{
	uint8_t request[VFKI_WIRE_UNMAP_MAX], front[VFKI_WIRE_UNMAP_MAX];
	const struct iovec out = { .iov_base = request,
				   .iov_len = vfki_enc_dma_unmap_request(request, unmap) };
	const struct iovec in[] = { { .iov_base = front, .iov_len = sizeof(front) },
				    { .iov_base = bits, .iov_len = unmap->bitmap_size } };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DMA_UNMAP, .out = &out, .n_out = 1, .in = in, .n_in = 2
	};
	const void *bitmap;
	int r = settle(user, &rq);

	if (r)
		return r;
	return vfki_user_decoded(user, vfki_dec_dma_unmap_reply(front, rq.in_len, unmap, &bitmap));
}

/* A server that has no bitmap for this says so in one of these ways, and is asked again without. */
static bool without_bitmap(int r)
{
	return r == -EINVAL || r == -ENOTSUP || r == -E2BIG;
}

static int unmap_one(struct vfki_user *user, uint64_t iova, uint64_t length)
{
	struct vfki_wire_unmap unmap = { .addr = iova, .size = length };
	uint64_t *bits = NULL;
	int r;

	unmap.bitmap_size = vfki_user_dirty_size(user, iova, length);
	if (unmap.bitmap_size)
		bits = malloc(unmap.bitmap_size);
	if (bits) {
		unmap.bitmap = true;
		unmap.pgsize = user->dirty.page_size;
		r = send_unmap_bitmap(user, &unmap, bits);
		if (!r)
			vfki_user_dirty_unmapped(user, iova, length, bits);
		free(bits);
		if (!without_bitmap(r))
			return r;
	}
	unmap.bitmap = false;
	r = send_unmap(user, &unmap);
	if (!r || r == -ENOENT)
		vfki_user_dirty_unmapped(user, iova, length, NULL);
	return r;
}

/*
 * What an Error reply to an unmap means: not there, which is as good as gone; or the server keeps the memory, and the mapping is
 * intact. In that case a code by which a sink says that the device is gone (<vfiokit/dma.h>, unmap) would free memory that it
 * still reaches.
 */
static int refused(struct vfki_user *user, int r)
{
	if (vfki_conn_ended(user->conn))
		return r;
	switch (r) {
	case -ENOENT:
		return 0;
	case -ENODEV:
	case -ENOTCONN:
	case -ECONNRESET:
	case -EPROTO:
	case -ETIMEDOUT:
		return vfki_err_prefix(-EBUSY, "the server keeps memory");
	default:
		return r;
	}
}

static int dma_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	struct vfki_user *user = vfki_user_of(io);
	int r = vfki_user_memory_check(&user->memory, iova, length);

	(void)timeout_ms; /* how long its own users may take is the server's to bound */
	if (r)
		return r;
	r = refused(user, unmap_one(user, iova, length));
	if (r && !vfki_conn_ended(user->conn))
		return r;
	/*
	 * The server has let go, or is gone; what is left is an access that this process is carrying out for it. That has
	 * to end before the memory is the program's again, also after a failure.
	 */
	if (vfki_user_memory_remove(&user->memory, iova, length, user->timeout_ms) == -EBUSY) {
		vfki_conn_fail(user->conn, -ETIMEDOUT);
		return -EBUSY;
	}
	/* Whether a server that is gone wrote there nobody will say. */
	if (r)
		vfki_user_dirty_unmapped(user, iova, length, NULL);
	return r;
}

static int dma_limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	const struct vfki_wire_agreed *a = &vfki_user_of(io)->agreed;

	limits->pgsizes = a->pgsizes;
	limits->max_maps = a->max_dma_maps;
	limits->num_ranges = 0;
	return 0;
}

/* The server has let go of everything, or is gone; accesses that are being carried out for it have to end. */
static int forget_all(struct vfki_user *user)
{
	struct vfki_mappings *table = &user->memory.table;

	while (table->count) {
		const struct vfki_mapping *m = vfki_mappings_from(table, 0);
		uint64_t iova = m->first, length = vfki_mapping_length(m);

		if (vfki_user_memory_remove(&user->memory, iova, length, user->timeout_ms) ==
		    -EBUSY) {
			vfki_conn_fail(user->conn, -ETIMEDOUT);
			return -EBUSY;
		}
	}
	return 0;
}

/*
 * One message for all. The flag is in no text of the specification: a server that refuses it is not asked again, and neither
 * is one of which only one mapping, or what was written to each, is wanted.
 */
static int dma_unmap_all(struct vfk_io *io, uint32_t timeout_ms)
{
	struct vfki_user *user = vfki_user_of(io);
	const struct vfki_wire_unmap unmap = { .all = true };
	int r;

	(void)timeout_ms; /* as above */
	if (user->one_by_one || user->dirty.page_size || user->memory.table.count < 2)
		return vfki_err(-ENOTSUP, "dma unmap: one by one");
	r = send_unmap(user, &unmap);
	if (r && !vfki_conn_ended(user->conn)) {
		user->one_by_one = r != -EBUSY;
		return r == -EBUSY ? r : vfki_err_prefix(-ENOTSUP, "dma unmap of all");
	}
	return forget_all(user) ? -EBUSY : r;
}

void vfki_user_unmap_all(struct vfki_user *user)
{
	struct vfki_mappings *table = &user->memory.table;
	uint64_t deadline_ns = vfki_deadline_ns(user->timeout_ms);

	user->dirty.page_size = 0;
	if (vfki_conn_ended(user->conn) || !dma_unmap_all(&user->io, user->timeout_ms))
		return;
	/*
	 * Closing is alone: nobody else changes the table. A server that takes its time for each is not asked for all:
	 * the connection's end takes the rest.
	 */
	while (table->count && !vfki_conn_ended(user->conn) && vfki_now_ns() < deadline_ns) {
		const struct vfki_mapping *m = vfki_mappings_from(table, 0);

		if (dma_unmap(&user->io, m->first, vfki_mapping_length(m), user->timeout_ms))
			break;
	}
}

const struct vfk_dma_ops vfki_user_dma_ops = {
	.size = sizeof(struct vfk_dma_ops),
	.map = dma_map,
	.unmap = dma_unmap,
	.unmap_all = dma_unmap_all,
	.limits = dma_limits,
	.dirty_start = vfki_user_dirty_start,
	.dirty_stop = vfki_user_dirty_stop,
	.dirty_report = vfki_user_dirty_report,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.c - accesses to regions.
 *
 * An access of up to the transfer size that was settled is one request: one send, one receive, nothing allocated. A longer
 * one is cut; pieces are multiples of 8 bytes, so no access of 1, 2, 4 or 8 bytes ever is. The server does one
 * connection's commands in order, posted ones too: any reply that comes after them says that they are done. Whether one of
 * those failed nobody is told; those behind it are done all the same.
 *
 * Any thread; the order of one thread's calls is kept.
 */
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include "lib/wire/device_info.h"
#include "lib/wire/region_access.h"
#include <inttypes.h>

static int nothing_moved(const char *what, uint32_t region, uint64_t off)
{
	return vfki_err(-EIO, "%s: region %" PRIu32 ": nothing at 0x%" PRIx64, what, region, off);
}

static ssize_t read_piece(struct vfki_user *user, uint32_t region, uint64_t off, void *buf,
			  size_t len)
{
	const struct vfki_wire_region_access asked = { .offset = off,
						       .region = region,
						       .count = (uint32_t)len };
	struct vfki_wire_region_access front;
	const struct iovec out = { .iov_base = (void *)&asked, .iov_len = sizeof(asked) };
	const struct iovec in[] = { { .iov_base = &front, .iov_len = sizeof(front) },
				    { .iov_base = buf, .iov_len = len } };
	struct vfki_request rq = {
		.command = VFKI_WIRE_REGION_READ, .out = &out, .n_out = 1, .in = in, .n_in = 2
	};
	int r = vfki_user_ask(user, &rq);

	if (r)
		return r;
	r = vfki_user_decoded(user, vfki_dec_region_read_reply(&front, rq.in_len, &asked));
	return r ? r : nothing_moved("region_read", region, off);
}

ssize_t vfki_user_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			      size_t len)
{
	struct vfki_user *user = vfki_user_of(io);
	size_t done = 0;

	while (done < len) {
		size_t piece = len - done < user->max_read ? len - done : user->max_read;
		ssize_t r = read_piece(user, region, off + done, (char *)buf + done, piece);

		if (r < 0)
			return r;
		done += (size_t)r;
		if ((size_t)r < piece)
			break;
	}
	return (ssize_t)done;
}

/* Posted, it is all taken for done. */
static ssize_t write_piece(struct vfki_user *user, uint32_t region, uint64_t off, const void *buf,
			   size_t len, bool post)
{
	const struct vfki_wire_region_access asked = { .offset = off,
						       .region = region,
						       .count = (uint32_t)len };
	struct vfki_wire_region_access front;
	const struct iovec out[] = { { .iov_base = (void *)&asked, .iov_len = sizeof(asked) },
				     { .iov_base = (void *)buf, .iov_len = len } };
	const struct iovec in = { .iov_base = &front, .iov_len = sizeof(front) };
	struct vfki_request rq = {
		.command = VFKI_WIRE_REGION_WRITE, .out = out, .n_out = 2, .in = &in, .n_in = 1
	};
	int r;

	if (post) {
		r = vfki_conn_post(user->conn, &rq);
		return r ? r : (ssize_t)len;
	}
	r = vfki_user_ask(user, &rq);
	if (r)
		return r;
	r = vfki_user_decoded(user, vfki_dec_region_write_reply(&front, rq.in_len, &asked));
	return r ? r : nothing_moved("region_write", region, off);
}

/* Before one that goes out at once: an earlier one may be held back. Returns 1 when this one is, 0, or -errno. */
static int hold_back(struct vfki_user *user, uint32_t region, uint64_t off, const void *buf,
		     size_t len)
{
	int r;

	atomic_store_explicit(&user->unflushed, true, memory_order_relaxed);
	if (!user->posted.limit)
		return 0;
	if (!vfki_user_posted_takes(&user->posted, len))
		return vfki_user_posted_send(user);
	r = vfki_user_posted_add(user, region, off, buf, len);
	return r ? r : 1;
}

ssize_t vfki_user_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			       size_t len, unsigned int flags)
{
	struct vfki_user *user = vfki_user_of(io);
	size_t done = 0;

	if (flags & VFK_WRITE_POSTED) {
		int r = hold_back(user, region, off, buf, len);

		if (r)
			return r < 0 ? r : (ssize_t)len;
	}
	while (done < len) {
		size_t piece = len - done < user->max_write ? len - done : user->max_write;
		ssize_t r = write_piece(user, region, off + done, (const char *)buf + done, piece,
					flags & VFK_WRITE_POSTED);

		if (r < 0)
			return r;
		done += (size_t)r;
		if ((size_t)r < piece)
			break;
	}
	return (ssize_t)done;
}

static int multi_piece(struct vfki_user *user, const struct vfk_region_write *writes, size_t count)
{
	struct vfki_wire_write_multi head, front;
	const struct iovec out[] = { { .iov_base = &head, .iov_len = sizeof(head) },
				     { .iov_base = (void *)writes,
				       .iov_len = count * sizeof(*writes) } };
	const struct iovec in = { .iov_base = &front, .iov_len = sizeof(front) };
	struct vfki_request rq = { .command = VFKI_WIRE_REGION_WRITE_MULTI,
				   .out = out,
				   .n_out = 2,
				   .in = &in,
				   .n_in = 1 };
	int r;

	vfki_enc_write_multi_request(&head, count);
	r = vfki_user_ask(user, &rq);
	if (r)
		return r;
	r = vfki_user_decoded(user, vfki_dec_write_multi_reply(&front, rq.in_len, (uint32_t)count));
	if (r >= 0 && (size_t)r < count)
		return vfki_err(-EIO, "region_write_multi: %d of %zu writes done", r, count);
	return r < 0 ? r : 0;
}

/* For a server that does not know REGION_WRITE_MULTI. */
static int write_singly(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct vfk_region_write *w = &writes[i];
		ssize_t n = vfki_user_region_write(io, w->region, w->offset, w->data, w->len, 0);

		if (n < 0)
			return (int)n;
		if ((size_t)n < w->len)
			return nothing_moved("region_write", w->region, w->offset + (size_t)n);
	}
	return 0;
}

int vfki_user_write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	struct vfki_user *user = vfki_user_of(io);
	size_t most = user->max_write / sizeof(*writes);
	int r = 0;

	if (!user->agreed.write_multiple || !most)
		return write_singly(io, writes, count);
	if (most > VFKI_WIRE_MAX_WRITES)
		most = VFKI_WIRE_MAX_WRITES;
	while (!r && count) {
		size_t piece = count < most ? count : most;

		r = multi_piece(user, writes, piece);
		writes += piece;
		count -= piece;
	}
	return r;
}

int vfki_user_flush(struct vfk_io *io)
{
	struct vfki_user *user = vfki_user_of(io);
	uint8_t request[sizeof(struct vfki_wire_device_info)];
	uint8_t reply[sizeof(struct vfki_wire_device_info)];
	ssize_t r;

	if (!atomic_exchange_explicit(&user->unflushed, false, memory_order_relaxed))
		return 0;
	vfki_enc_device_info_request(request, sizeof(reply));
	r = vfki_user_request(user, VFKI_WIRE_DEVICE_GET_INFO, request, sizeof(request), reply,
			      sizeof(reply));
	return r < 0 ? (int)r : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - the program's memory as the server reaches it by messages.
 *
 * Every mapping is in the table, those that the server got a file for too: it may ask all the same. An access takes hold
 * of all mappings that it touches, or of none; a mapping that is held stays in the table, so the parts can be found
 * again without the lock being held across a callback. One that is being taken away is not given out any more.
 *
 * vfki_user_command() runs on whichever thread reads the socket of the server's commands, one at a time; the other functions
 * on any.
 */
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/io/user/client.h"
#include "lib/wire/dma_access.h"
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

struct vfki_user_mapping {
	struct vfki_mapping m;
	unsigned int users; /* accesses under way */
	bool leaving;
};

static struct vfki_user_mapping *mapping_of(struct vfki_mapping *m)
{
	return (struct vfki_user_mapping *)m;
}

int vfki_user_memory_init(struct vfki_user_memory *mem)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r)
		return vfki_err_sys(-r, "memory");
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&mem->let_go, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&mem->lock, NULL);
	return 0;
}

static void drop(struct vfki_user_memory *mem, struct vfki_mapping *m)
{
	vfki_mappings_remove(&mem->table, m);
	vfki_mapping_fini(m);
	free(mapping_of(m));
}

void vfki_user_memory_clear(struct vfki_user *user)
{
	struct vfki_user_memory *mem = &user->memory;

	pthread_mutex_lock(&mem->lock);
	while (mem->table.count) {
		struct vfki_mapping *m = vfki_mappings_from(&mem->table, 0);

		vfki_user_dirty_unmapped(user, m->first, vfki_mapping_length(m), NULL);
		drop(mem, m);
	}
	user->dirty.gone_page = user->dirty.page_size;
	user->dirty.page_size = 0;
	/* What a message may have is settled anew. */
	free(mem->bounce);
	mem->bounce = NULL;
	pthread_mutex_unlock(&mem->lock);
}

void vfki_user_memory_fini(struct vfki_user_memory *mem)
{
	while (mem->table.count)
		drop(mem, vfki_mappings_from(&mem->table, 0));
	vfki_mappings_fini(&mem->table);
	free(mem->bounce);
	pthread_cond_destroy(&mem->let_go);
	pthread_mutex_destroy(&mem->lock);
}

int vfki_user_memory_add(struct vfki_user_memory *mem, const struct vfk_dma_mapping *src, int *fd)
{
	struct vfki_user_mapping *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return vfki_err(-ENOMEM, "dma map: no memory");
	r = vfki_mapping_init(&new->m, src);
	if (r)
		goto free_new;
	pthread_mutex_lock(&mem->lock);
	r = vfki_mappings_insert(&mem->table, &new->m);
	pthread_mutex_unlock(&mem->lock);
	if (r)
		goto fini_mapping;
	*fd = new->m.fd;
	return 0;

fini_mapping:
	vfki_mapping_fini(&new->m);
free_new:
	free(new);
	return r;
}

static struct vfki_mapping *find_exact(struct vfki_user_memory *mem, uint64_t iova, uint64_t length)
{
	struct vfki_mapping *m = vfki_mappings_exact(&mem->table, iova, length);

	if (!m)
		vfki_err(-ENOENT, "dma unmap: no mapping of 0x%" PRIx64 " bytes at 0x%" PRIx64,
			 length, iova);
	return m;
}

int vfki_user_memory_check(struct vfki_user_memory *mem, uint64_t iova, uint64_t length)
{
	const struct vfki_mapping *m;

	pthread_mutex_lock(&mem->lock);
	m = find_exact(mem, iova, length);
	pthread_mutex_unlock(&mem->lock);
	return m ? 0 : -ENOENT;
}

/* With the lock, which is given up meanwhile. False: some did not let go in time. */
static bool until_unused(struct vfki_user_memory *mem, const struct vfki_user_mapping *m,
			 uint32_t timeout_ms)
{
	const struct timespec ts = vfki_timespec(vfki_deadline_ns(timeout_ms));

	while (m->users)
		if (pthread_cond_timedwait(&mem->let_go, &mem->lock, &ts) && m->users)
			return false;
	return true;
}

int vfki_user_memory_remove(struct vfki_user_memory *mem, uint64_t iova, uint64_t length,
			    uint32_t timeout_ms)
{
	struct vfki_mapping *m;
	int r = 0;

	pthread_mutex_lock(&mem->lock);
	m = find_exact(mem, iova, length);
	if (!m) {
		r = -ENOENT;
		goto unlock;
	}
	mapping_of(m)->leaving = true;
	if (until_unused(mem, mapping_of(m), timeout_ms)) {
		drop(mem, m);
	} else {
		mapping_of(m)->leaving = false;
		r = vfki_err(-EBUSY, "dma unmap: a callback does not return");
	}
unlock:
	pthread_mutex_unlock(&mem->lock);
	return r;
}

/* ---- the server's accesses ---- */

/* With the lock: adds @by to the users of all mappings of a range that is mapped throughout. */
static void count_users(struct vfki_user_memory *mem, const struct vfki_wire_dma_access *a, int by)
{
	uint64_t last = a->addr + (a->count - 1);
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m;

	for (m = vfki_mappings_begin(&mem->table, a->addr, &walk); m && m->first <= last;
	     m = vfki_mappings_next(&walk))
		mapping_of(m)->users += (unsigned int)by;
}

static bool any_leaving(const struct vfki_user_memory *mem, const struct vfki_wire_dma_access *a)
{
	uint64_t last = a->addr + (a->count - 1);
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m = vfki_mappings_begin(&mem->table, a->addr, &walk);

	while (m && m->first <= last && !mapping_of(m)->leaving)
		m = vfki_mappings_next(&walk);
	return m && m->first <= last;
}

static int hold(struct vfki_user_memory *mem, const struct vfki_wire_dma_access *a, uint32_t prot)
{
	int r;

	pthread_mutex_lock(&mem->lock);
	r = vfki_mappings_check(&mem->table, a->addr, a->count, prot);
	if (!r && any_leaving(mem, a))
		r = vfki_err(-EFAULT, "0x%" PRIx64 " is being unmapped", a->addr);
	if (!r)
		count_users(mem, a, 1);
	pthread_mutex_unlock(&mem->lock);
	return r;
}

static void let_go(struct vfki_user_memory *mem, const struct vfki_wire_dma_access *a)
{
	pthread_mutex_lock(&mem->lock);
	count_users(mem, a, -1);
	pthread_cond_broadcast(&mem->let_go);
	pthread_mutex_unlock(&mem->lock);
}

static struct vfki_mapping *held_at(struct vfki_user_memory *mem, uint64_t iova)
{
	struct vfki_mapping *m;

	pthread_mutex_lock(&mem->lock);
	m = vfki_mappings_find(&mem->table, iova);
	pthread_mutex_unlock(&mem->lock);
	return m;
}

/* A range that is held, mapping by mapping. */
static int move(struct vfki_user_memory *mem, const struct vfki_wire_dma_access *a, uint8_t *buf,
		bool to_memory)
{
	uint64_t iova = a->addr, left = a->count;

	while (left) {
		const struct vfki_mapping *m = held_at(mem, iova);
		size_t len = (size_t)vfki_min_u64(left - 1, m->last - iova) + 1;
		int r = to_memory ? vfki_mapping_write(m, iova, buf, len) :
				    vfki_mapping_read(m, iova, buf, len);

		if (r)
			return r;
		buf += len;
		iova += len;
		left -= len;
	}
	return 0;
}

/* Where the data of a held range can be sent from; NULL with *r set. */
static const void *readable(struct vfki_user *user, const struct vfki_wire_dma_access *a, int *r)
{
	struct vfki_user_memory *mem = &user->memory;
	const struct vfki_mapping *m = held_at(mem, a->addr);

	*r = 0;
	if (m->vaddr && a->count - 1 <= m->last - a->addr)
		return (const char *)m->vaddr + (a->addr - m->first);
	if (!mem->bounce)
		mem->bounce = malloc(user->max_read);
	if (!mem->bounce) {
		*r = vfki_err(-ENOMEM, "dma_read: no memory");
		return NULL;
	}
	*r = move(mem, a, mem->bounce, false);
	return *r ? NULL : mem->bounce;
}

static void answer_read(struct vfki_user *user, struct vfki_conn *conn,
			const struct vfki_command *cmd, const struct vfki_wire_dma_access *a)
{
	struct vfki_wire_dma_access front = *a;
	const void *data;
	int r;

	data = readable(user, a, &r);
	if (data) {
		const struct iovec iov[] = { { .iov_base = &front, .iov_len = sizeof(front) },
					     { .iov_base = (void *)data, .iov_len = a->count } };

		r = vfki_conn_reply(conn, cmd, iov, 2, NULL, 0);
	}
	if (r)
		vfki_conn_reply_error(conn, cmd, r);
}

static void answer_write(struct vfki_user *user, struct vfki_conn *conn,
			 const struct vfki_command *cmd, const struct vfki_wire_dma_access *a)
{
	struct vfki_wire_dma_access front = *a;
	const struct iovec iov = { .iov_base = &front, .iov_len = sizeof(front) };
	uint8_t *data = (uint8_t *)cmd->payload + sizeof(front);
	int r = move(&user->memory, a, data, true);

	if (r)
		vfki_conn_reply_error(conn, cmd, r);
	else
		vfki_conn_reply(conn, cmd, &iov, 1, NULL, 0);
}

static void dma_command(struct vfki_user *user, struct vfki_conn *conn,
			const struct vfki_command *cmd)
{
	bool read = cmd->command == VFKI_WIRE_DMA_READ;
	struct vfki_wire_dma_access a;
	int r = read ? vfki_dec_dma_read_request(cmd->payload, cmd->len, user->max_read, &a) :
		       vfki_dec_dma_write_request(cmd->payload, cmd->len, user->agreed.recv_xfer,
						  &a);

	if (!r)
		r = hold(&user->memory, &a, read ? VFK_DMA_READ : VFK_DMA_WRITE);
	if (r) {
		if (r == -EPROTO)
			vfki_conn_fail(conn, r);
		else
			vfki_conn_reply_error(conn, cmd, r);
		return;
	}
	if (read)
		answer_read(user, conn, cmd, &a);
	else
		answer_write(user, conn, cmd, &a);
	let_go(&user->memory, &a);
}

void vfki_user_command(void *ctx, struct vfki_conn *conn, struct vfki_command *cmd)
{
	struct vfki_user *user = ctx;

	if (cmd->command != VFKI_WIRE_DMA_READ && cmd->command != VFKI_WIRE_DMA_WRITE)
		vfki_conn_reply_error(conn, cmd, -ENOTSUP);
	else if (user->agreed.twin_socket && conn == user->conn)
		vfki_conn_reply_error(conn, cmd, -EINVAL);
	else
		dma_command(user, conn, cmd);
}

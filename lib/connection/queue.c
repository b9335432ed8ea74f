/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.c - the peer's commands, whole and in order, until somebody handles them.
 *
 * Usually there is one at a time: it has a buffer of its own, made with the connection. Those that come while that is
 * taken are allocated. What a peer can make us keep is limited in number, bytes and descriptors; more is a violation.
 */
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"
#include "lib/connection/state.h"
#include "lib/wire/header.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int vfki_queue_init(struct vfki_conn *conn)
{
	struct vfki_queue *q = &conn->queue;

	/* Only touched pages of it are ever there. */
	q->own = malloc(sizeof(*q->own) + conn->max_message);
	if (!q->own)
		return -ENOMEM;
	q->own->cmd.nfds = 0;
	q->tail = &q->head;
	return 0;
}

void vfki_queue_fini(struct vfki_conn *conn)
{
	free(conn->queue.own);
}

static size_t node_size(size_t len)
{
	return sizeof(struct vfki_node) + len;
}

struct vfki_node *vfki_queue_node(struct vfki_conn *conn, size_t len)
{
	struct vfki_queue *q = &conn->queue;
	struct vfki_node *node;

	if (!q->own_taken) {
		q->own_taken = true;
		node = q->own;
	} else if (q->commands >= conn->opts.queue_commands ||
		   node_size(len) > conn->opts.queue_bytes - q->bytes) {
		vfki_err(-EPROTO, "more commands than can be kept while a reply is awaited");
		return NULL;
	} else {
		node = malloc(node_size(len));
		if (!node) {
			vfki_err(-EPROTO, "no memory for a command");
			return NULL;
		}
		q->commands++;
		q->bytes += node_size(len);
	}
	node->cmd.nfds = 0;
	node->cmd.len = len;
	return node;
}

int vfki_queue_add(struct vfki_conn *conn, struct vfki_incoming *in)
{
	struct vfki_queue *q = &conn->queue;
	struct vfki_node *node = in->node;

	if (in->nfds > conn->opts.queue_fds - q->fds)
		return vfki_err(-EPROTO,
				"more descriptors than can be kept while a reply is awaited");
	node->cmd.id = in->head.id;
	node->cmd.command = in->head.command;
	node->cmd.no_reply = in->head.flags & VFKI_WIRE_NO_REPLY;
	node->cmd.payload = node->payload;
	node->cmd.fds = node->fds;
	node->cmd.nfds = in->nfds;
	if (in->nfds)
		memcpy(node->fds, in->fds, in->nfds * sizeof(in->fds[0]));
	q->fds += in->nfds;
	in->nfds = 0;
	in->node = NULL;
	node->next = NULL;
	*q->tail = node;
	q->tail = &node->next;
	if (!conn->taking)
		vfki_queue_wake(conn);
	return 0;
}

struct vfki_node *vfki_queue_take(struct vfki_conn *conn)
{
	struct vfki_queue *q = &conn->queue;
	struct vfki_node *node = q->head;

	if (!node)
		return NULL;
	q->head = node->next;
	if (!q->head)
		q->tail = &q->head;
	q->fds -= node->cmd.nfds;
	return node;
}

void vfki_queue_drop(struct vfki_conn *conn, struct vfki_node *node)
{
	struct vfki_queue *q = &conn->queue;

	if (!node)
		return;
	vfki_fd_close_all(node->fds, node->cmd.nfds);
	if (node == q->own) {
		q->own_taken = false;
		return;
	}
	q->commands--;
	q->bytes -= node_size(node->cmd.len);
	free(node);
}

void vfki_queue_drop_all(struct vfki_conn *conn)
{
	struct vfki_node *node;

	while ((node = vfki_queue_take(conn)))
		vfki_queue_drop(conn, node);
}

bool vfki_queue_full(const struct vfki_conn *conn)
{
	const struct vfki_queue *q = &conn->queue;
	const struct vfki_conn_opts *o = &conn->opts;

	/* A receive can still bring a stage full of small commands, or one large one. */
	return q->commands >= o->queue_commands / 2 || q->fds >= o->queue_fds / 2 ||
	       q->bytes + conn->max_message > o->queue_bytes;
}

int vfki_queue_serve(struct vfki_conn *conn, uint64_t deadline_ns)
{
	struct vfki_node *node;
	int n = 0;

	/* While an answer is sent more may come: the peer, not the queue, decides whether it is ever empty. */
	while (!conn->error && conn->queue.head && (!n || vfki_now_ns() < deadline_ns)) {
		node = vfki_queue_take(conn);
		pthread_mutex_unlock(&conn->lock);
		conn->opts.command(conn->opts.ctx, conn, &node->cmd);
		vfki_fd_close_all(node->fds, node->cmd.nfds);
		pthread_mutex_lock(&conn->lock);
		vfki_queue_drop(conn, node);
		n++;
	}
	return n;
}

void vfki_queue_wake(struct vfki_conn *conn)
{
	uint64_t one = 1;

	if (conn->wake_fd < 0 || conn->woken)
		return;
	/* Ours alone, non-blocking, and at most 1: it cannot fail. */
	conn->woken = write(conn->wake_fd, &one, sizeof(one)) == sizeof(one);
}

void vfki_queue_unwake(struct vfki_conn *conn)
{
	uint64_t count;

	if (!conn->woken)
		return;
	conn->woken = false;
	vfki_eventfd_drain(conn->wake_fd, &count);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.h - the inside of a connection, for the files of this room only.
 *
 * One mutex guards everything but what a role guards. There are two roles, each held by one thread at a time, taken and
 * given back under the lock: the reader (@reading) receives and takes messages apart; the sender (@sending) puts one
 * message on the stream. A role's holder makes its system calls without the lock. The reader touches @stage and
 * @arrived without it, @in only with it.
 */
#ifndef VFKI_CONNECTION_STATE_H
#define VFKI_CONNECTION_STATE_H

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/connection/connection.h"
#include <pthread.h>
#include <stdatomic.h>

/* One place less than ids have: the last one marks posted commands. */
#define SLOT_BITS   6u
#define SLOT_POSTED VFKI_CONN_MAX_REQUESTS
_Static_assert(SLOT_POSTED == (1u << SLOT_BITS) - 1, "ids");
_Static_assert(VFKI_TRANSPORT_MAX_FDS == VFKI_WIRE_SCM_MAX_FDS, "the kernel has one limit");

/* A small reply and its header come in one receive; the rest of a large one goes straight to its place. */
#define STAGE_SIZE 8192u

/* Receives of one call that must not block: nobody stays in it for ever because the peer keeps sending. */
#define MAX_BURST 64

enum vfki_slot_state {
	VFKI_SLOT_FREE,
	VFKI_SLOT_WAITING,
	VFKI_SLOT_DONE, /* the reply is in its place */
	VFKI_SLOT_ABANDONED, /* nobody waits any more, but the reply may still come: the id stays taken */
};

/* A request under way. */
struct vfki_slot {
	enum vfki_slot_state state;
	bool asleep; /* its thread waits on cond, and may be given the reader's role */
	bool busy;   /* the reader receives into rq's buffers, without the lock */
	uint16_t id; /* generation and index: a duplicate of an earlier reply fits no later request */
	uint16_t command;
	int result;	 /* DONE */
	size_t capacity; /* bytes of rq->in */
	struct vfki_request *rq;
	pthread_cond_t cond;
};

/* A command of the peer's, with its payload behind it. */
struct vfki_node {
	int fds[VFKI_WIRE_MAX_FDS];
	struct vfki_node *next;
	struct vfki_command cmd;
	uint8_t payload[] __attribute__((aligned(16)));
};

/* Whole commands in order, and the accounts of what is allocated for them. */
struct vfki_queue {
	struct vfki_node *head, **tail;
	struct vfki_node *own; /* for the usual case of one at a time; as large as a message can be */
	bool own_taken;
	size_t commands; /* nodes beside own: queued, handled, or being received */
	size_t bytes;
	size_t fds; /* of what is queued */
};

/* The message that is being received. */
struct vfki_incoming {
	bool known; /* its header is complete */
	struct vfki_wire_header head;
	uint64_t end;		/* its last byte's position in the stream, plus one */
	size_t len, got;	/* of the payload */
	struct vfki_slot *slot; /* a reply's; NULL: not a reply, or one that nobody wants */
	struct vfki_node *node; /* a command's */
	size_t nfds;
	int fds[VFKI_WIRE_MAX_FDS];
};

/* What every message needs stands together; arrays that are touched at their begin only, or never, stand behind. */
struct vfki_conn {
	pthread_mutex_t lock;
	struct vfki_transport transport;
	struct vfki_conn_opts opts;
	uint32_t max_message;
	atomic_int error; /* 0 while it lives; changed under the lock, once the reason stands */

	bool sending;
	size_t senders; /* threads that wait for their turn */
	uint64_t delays; /* how often a thread had to wait: whoever saw none has its whole time left */
	size_t posted; /* No_reply commands sent, less the replies that came back for them */

	bool reading;
	pthread_t reader;     /* valid while reading */
	bool receiving;	      /* the reader is in a receive: @arrived is its own */
	bool taking;	      /* vfki_conn_next() reads: it takes the command itself */
	size_t wanting;	      /* threads that wait for a slot */
	size_t asleep;	      /* slots that are */
	uint64_t received;    /* bytes of the stream */
	uint64_t arrived_end; /* @received when @arrived came */
	size_t stage_begin, stage_end;

	struct vfki_queue queue;
	struct vfki_node *current; /* server: being handled */
	int wake_fd;
	bool woken;

	struct vfki_incoming in;
	struct vfki_arrived arrived; /* count 0: none that wait for their message */
	struct vfki_slot slots[VFKI_CONN_MAX_REQUESTS];
	uint8_t stage[STAGE_SIZE];
	pthread_cond_t send_turn;
	pthread_cond_t slot_free;
	char reason[256];
};

/* All functions below are called with the lock held, and return with it. Those marked * give it up meanwhile. */

/* connection.c: ends the connection because of @err, with this thread's text as the reason. Returns @err. */
VFKI_COLD int vfki_conn_end_locked(struct vfki_conn *conn, int err);
/* What a caller gets that comes too late, with a text. */
VFKI_COLD int vfki_conn_gone(struct vfki_conn *conn);
/* *Waits on @cond; false at the deadline. */
bool vfki_conn_sleep(struct vfki_conn *conn, pthread_cond_t *cond, uint64_t deadline_ns);

/*
 * command.c: *client: handles the peer's commands that are there, unless another thread reads; their number. It ends
 * within the connection's bound, and that of the one answer that is being sent then.
 */
int vfki_conn_look(struct vfki_conn *conn);

/*
 * Until when something may take. Most things take no time at all, and then nobody need look at the clock: it is read when
 * the first wait begins.
 */
struct vfki_bound {
	uint32_t timeout_ms;
	uint64_t deadline_ns; /* 0: it has not begun */
};

static inline uint64_t vfki_bound_deadline(struct vfki_bound *bound)
{
	if (!bound->deadline_ns)
		bound->deadline_ns = vfki_deadline_ns(bound->timeout_ms);
	return bound->deadline_ns;
}

/* sender.c: *one message, as vfki_conn_request() says. *sent tells whether the peer may have seen any of it. */
int vfki_send(struct vfki_conn *conn, struct iovec *iov, size_t n, const int *fds, size_t nfds,
	      struct vfki_bound *bound, bool *sent);

/* reader.c: the role; take it only while nobody has it. Giving it back wakes somebody who waits for a reply. */
void vfki_reader_take(struct vfki_conn *conn);
void vfki_reader_give(struct vfki_conn *conn);
/* For the reader: takes apart what is staged, up to the first command if @one. */
void vfki_reader_parse(struct vfki_conn *conn, bool one);
/* *For the reader, after parse: receives once. Returns 0; -EAGAIN; the error with which the connection ended. */
int vfki_reader_receive(struct vfki_conn *conn, bool block);

/* request.c: for the reader: the slot that a reply belongs to, *slot NULL if it is to be dropped; or -EPROTO. */
int vfki_slot_for(struct vfki_conn *conn, const struct vfki_wire_header *h,
		  struct vfki_slot **slot);
/* The reply is complete; takes its descriptors. Returns 0 or -EPROTO. */
int vfki_slot_finish(struct vfki_conn *conn, struct vfki_slot *slot, struct vfki_incoming *in);

/* queue.c */
int vfki_queue_init(struct vfki_conn *conn);
void vfki_queue_fini(struct vfki_conn *conn);
/* A node for a command of @len bytes; NULL with a text when the peer has too many already. */
struct vfki_node *vfki_queue_node(struct vfki_conn *conn, size_t len);
/* Appends a command that is complete. */
int vfki_queue_add(struct vfki_conn *conn, struct vfki_incoming *in);
struct vfki_node *vfki_queue_take(struct vfki_conn *conn);
/* Closes what is left of its descriptors, and forgets it. NULL is allowed. */
void vfki_queue_drop(struct vfki_conn *conn, struct vfki_node *node);
void vfki_queue_drop_all(struct vfki_conn *conn);
/* Whether there is so much that reading on can wait. */
bool vfki_queue_full(const struct vfki_conn *conn);
/* Server: makes wake_fd readable, or not. */
void vfki_queue_wake(struct vfki_conn *conn);
void vfki_queue_unwake(struct vfki_conn *conn);
/*
 * *Client, for the reader: handles what is queued, and what is queued meanwhile; after the deadline no more than one.
 * Returns the number of commands.
 */
int vfki_queue_serve(struct vfki_conn *conn, uint64_t deadline_ns);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connection.h - one vfio-user connection: requests, replies, ids and order.
 *
 * Either side sends commands (requests) and answers those of the other; both travel on one stream. A connection has no
 * thread of its own. Whoever waits for a reply and finds nobody reading becomes the reader: it puts replies for others
 * into their buffers and wakes them, and hands the role on when its own has come. With one thread a request is one send
 * and one receive, and nothing is allocated.
 *
 * The peer's commands. A client handles each at once, by a callback, on whichever thread reads it: inside a request that
 * waits, or inside vfki_conn_dispatch(). A server takes them one by one with vfki_conn_next(), never re-entrantly: those
 * that arrive while a request waits are queued, within limits.
 *
 * Everything that arrives is checked against header.h of wire. What is wrong ends the connection: -EPROTO for whoever
 * finds it and for all that wait, -ENOTCONN for every later request or reply. When the peer goes, those that wait get
 * -ECONNRESET. vfki_conn_next() and _dispatch() go on to return the error with which it ended.
 * At the end queued descriptors are closed and the socket is shut down; the socket's own descriptor stays open until
 * vfki_conn_destroy(), so that a poll loop that holds it sees the end.
 *
 * Threads. vfki_conn_request(), _post() and _reply(): any number at once. vfki_conn_next(), _release() and all that
 * belongs to the command being handled: one thread. vfki_conn_dispatch(): any, several share the work.
 * vfki_conn_destroy(): alone. One lock, a leaf: it is held across no system call that may block and no callback.
 */
#ifndef VFKI_CONNECTION_CONNECTION_H
#define VFKI_CONNECTION_CONNECTION_H

#include "lib/base/error.h"
#include "lib/connection/transport.h"
#include "lib/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Requests that may be under way at once, those given up on and not yet answered included; more wait for a place. */
#define VFKI_CONN_MAX_REQUESTS 63

struct vfki_conn;

/* A command of the peer, whole. Valid until it is released; a client's, until the callback returns. */
struct vfki_command {
	uint16_t id;
	uint16_t command;    /* not necessarily a known one */
	bool no_reply;	     /* the peer wants none, not even an error */
	const void *payload; /* aligned to 16 */
	size_t len;
	int *fds;    /* closed with the command; who keeps one puts -1 in its place */
	size_t nfds; /* at most max_fds */
};

struct vfki_conn_opts {
	bool server;	     /* which side we are */
	uint32_t timeout_ms; /* bound of a request or a reply; > 0 */
	uint64_t max_xfer;   /* data bytes that we take in a message */
	uint32_t max_fds;    /* descriptors that we take in a message; at most VFKI_WIRE_MAX_FDS */
	/* Client, mandatory: handles a command; must answer it with vfki_conn_reply() or _reply_error(). No lock is held. */
	void (*command)(void *ctx, struct vfki_conn *conn, struct vfki_command *cmd);
	void *ctx;
	uint32_t queue_commands; /* commands kept while nobody takes them; 0: 4096 */
	size_t queue_bytes;	 /* and their bytes; 0: 16 MiB and what one message may have */
	uint32_t queue_fds;	 /* and their descriptors; 0: 512 */
	const char *debug_name;	 /* for vfki_debug(), borrowed as long; NULL: silent */
};

/*
 * A connection on @transport, which is copied and taken on success, untouched on failure. @opts is borrowed for the call,
 * its ctx for the connection's life. Returns 0; -ENOMEM, -EMFILE with a text.
 */
int vfki_conn_create(const struct vfki_transport *transport, const struct vfki_conn_opts *opts,
		     struct vfki_conn **conn);

/*
 * Client: begins anew with another peer on @transport, which is taken on success, untouched on failure. To be called alone,
 * after the end. Nothing of the old peer's is left: no request, no command, no late reply, no descriptor; vfki_conn_fd()
 * keeps its number. Returns 0; -errno with a text: it has ended as before.
 */
int vfki_conn_reopen(struct vfki_conn *conn, struct vfki_transport *transport);

/* Ends it if it has not ended, closes, frees; NULL is allowed. */
void vfki_conn_destroy(struct vfki_conn *conn);

/* Frees it, and leaves the transport open, which is the caller's again: for one that nothing was done with. */
void vfki_conn_abandon(struct vfki_conn *conn);

/* ---- requests ---- */

/* A request and where its reply goes. Zero-initialise. Everything is borrowed for the call. */
struct vfki_request {
	uint16_t command;
	uint32_t timeout_ms;	 /* 0: the connection's */
	const struct iovec *out; /* payload */
	size_t n_out;		 /* at most VFKI_CONN_MAX_IOV */
	const int *out_fds;
	size_t n_out_fds;
	const struct iovec *in; /* for the reply's payload; a longer reply ends the connection */
	size_t n_in;		/* at most VFKI_CONN_MAX_IOV */
	int *in_fds;		/* for its descriptors; more than max_in_fds end the connection */
	size_t max_in_fds;
	bool answered; /* set: its own reply came, and if that is an Error the peer lives on, whatever the code */
	/* set on success */
	size_t in_len;	 /* bytes of the reply's payload */
	size_t n_in_fds; /* owned by the caller */
};

#define VFKI_CONN_MAX_IOV 6

/*
 * Sends a command and waits for its reply. The reply's header is checked; its payload is for the caller to decode, who
 * calls vfki_conn_fail() when it is no such reply.
 * Returns 0; the -errno of an Error reply, as vfki_wire_errno() has it; -ETIMEDOUT: the request is forgotten, its late
 * reply will be recognised and dropped, and a client may first have to send the answer that it is in; -ENOTCONN: it was not
 * sent, the connection has ended; -ECONNRESET: the peer went while it was under way; -EPROTO. With a text.
 */
int vfki_conn_request(struct vfki_conn *conn, struct vfki_request *rq);

/* Sends a command that asks for no reply (No_reply); the members for the reply are not looked at. Returns as above. */
int vfki_conn_post(struct vfki_conn *conn, const struct vfki_request *rq);

/* ---- the peer's commands ---- */

/*
 * Server: the next whole command, without blocking. The one before it is released. To be called until it returns 0 or
 * vfki_conn_release() false, since more than one may have been received at once: those are seen by no poll; whoever stops
 * earlier calls vfki_conn_wake().
 * Returns 1; 0 when there is none; -ENOTCONN the peer is gone, -EPROTO it broke the protocol, -ETIMEDOUT it did not take
 * an answer, what vfki_conn_fail() was given: then, for good.
 */
int vfki_conn_next(struct vfki_conn *conn, struct vfki_command **cmd);

/* Server: the same, but waits in the receive, at most for the transport's bound; at once 0 while another thread reads. */
int vfki_conn_await(struct vfki_conn *conn, struct vfki_command **cmd);

/*
 * Server: closes the descriptors of the command being handled, if there is one, and forgets it. Returns whether
 * vfki_conn_next() has something that no poll shows: if not, a call of it costs a receive in vain.
 */
bool vfki_conn_release(struct vfki_conn *conn);

/*
 * Client: reads what is there, without blocking, and handles the commands in it. Returns their number; 0 also when
 * another thread is reading; an error as above.
 */
int vfki_conn_dispatch(struct vfki_conn *conn);

/*
 * Answers @cmd, in one send; nothing is sent when it wants no reply. A peer that does not take it within the bound loses
 * the connection. Returns 0; -ENOTCONN, -ETIMEDOUT with a text; -E2BIG for more than VFKI_CONN_MAX_IOV pieces or
 * VFKI_TRANSPORT_MAX_FDS descriptors (borrowed).
 */
int vfki_conn_reply(struct vfki_conn *conn, const struct vfki_command *cmd, const struct iovec *iov,
		    size_t n, const int *fds, size_t nfds);

/* Answers @cmd with an Error reply; @err is a -errno. */
int vfki_conn_reply_error(struct vfki_conn *conn, const struct vfki_command *cmd, int err);

/* ---- polling and the end ---- */

/* Readable when something has arrived, or the connection has ended. Constant; borrowed. */
int vfki_conn_fd(const struct vfki_conn *conn);

/*
 * Server: readable when there are commands that vfki_conn_fd() does not show: queued by a thread that waited for a reply.
 * vfki_conn_next() clears it. Constant; borrowed. A client has none: -1.
 */
int vfki_conn_wake_fd(const struct vfki_conn *conn);

/* Server: makes vfki_conn_wake_fd() readable, so that the loop comes back. */
void vfki_conn_wake(struct vfki_conn *conn);

/*
 * Ends the connection because of @err (-EPROTO: the peer sent what cannot be), with this thread's present text as the
 * reason that others are told. Returns @err. One that has ended stays as it is.
 */
VFKI_COLD int vfki_conn_fail(struct vfki_conn *conn, int err);

/* 0 while it lives; else the -errno with which it ended: -ENOTCONN, -EPROTO, -ETIMEDOUT, what vfki_conn_fail() said. */
int vfki_conn_ended(struct vfki_conn *conn);

/* Why it ended, for texts; "" while it lives. Valid as long as @conn, once vfki_conn_ended() said so. */
const char *vfki_conn_reason(struct vfki_conn *conn);

#endif

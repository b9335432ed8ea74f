/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h - export any open device on a vfio-user socket.
 *
 *	vfk_server_listen(dev, "/run/x.sock", NULL, &server);
 *	while (running) {
 *		poll vfk_server_poll_fd(server) for POLLIN
 *		vfk_server_dispatch(server);
 *	}
 *	vfk_server_close(server);
 *
 * A server creates no thread. It has one client at a time; another that connects meanwhile is answered with EBUSY. When
 * its client goes away, the client's mappings and interrupts are dropped and the device's state is kept (vfio-user
 * specification, "Connection"); the next client begins anew. Hardware (VFK_IO_HARDWARE: a device of the kernel's) is not
 * left running: it is made quiet and reset before the client's memory is unmapped.
 *
 * A device that is itself behind a socket and can come back (reconnect.h) is found again when it was lost: its client is
 * disconnected, and before the next one is let in vfk_server_dispatch() waits, as long as the device was opened to. The
 * wait is the loop's; servers that share a thread share it. When it was in vain, the device is gone for good.
 *
 * The client is not trusted: SECURITY.md says what it can and cannot do.
 */
#ifndef VFK_SERVER_H
#define VFK_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <vfiokit/api.h>
#include <vfiokit/device.h>

VFK_BEGIN

struct vfk_server;

enum vfk_server_event {
	VFK_SERVER_CONNECTED,	 /* a client has negotiated; the text is its version */
	VFK_SERVER_DISCONNECTED, /* it is gone; the text is why */
	VFK_SERVER_REFUSED, /* one was turned away: a second one, not allowed, or it did not negotiate; the text is why */
};

/**
 * Hardware's regions are mapped by the client itself. That takes the device's own descriptor, with which the client can do
 * everything with the device, past all checks of the server, for as long as it keeps it: also when other clients have come.
 */
#define VFK_SERVER_SHARE_BARS	 (1u << 0)
/** hardware is left as its client left it, running and not reset, and the next client gets it so */
#define VFK_SERVER_KEEP		 (1u << 1)
/** hardware that cannot be reset is made quiet, and is then given to the next client; else there is no next one */
#define VFK_SERVER_WITHOUT_RESET (1u << 2)
/** hardware without an IOMMU is exported, although whoever drives it reaches all memory of the machine */
#define VFK_SERVER_WITHOUT_IOMMU (1u << 3)

/** struct vfk_server_opts - zero-initialise, set size */
struct vfk_server_opts {
	size_t size;	       /* sizeof(struct vfk_server_opts) */
	uint32_t timeout_ms;   /* bound on every wait for the client; 0: 5000; at most 3600000 */
	uint32_t socket_mode;  /* permissions of the socket; 0: 0600 */
	uint32_t max_dma_maps; /* mappings a client may have; 0: 65535 */
	uint32_t max_data_xfer_size; /* bytes of data in a message; 0: 1 MiB; 4096 to 16 MiB */
	struct vfk_guard *guard;     /* NULL: a client's memory files are not guarded; borrowed */
	/* called from vfk_server_dispatch() and vfk_server_close(); may be NULL */
	void (*event)(void *ctx, enum vfk_server_event event, const char *text);
	void *ctx;
	uint32_t flags; /* VFK_SERVER_*; others are -EINVAL */
	/*
	 * Who may be a client, beyond what the socket's permissions say: whose user is in the one list, or who has a group
	 * of the other, its supplementary ones included, as they were when it connected (unix(7): SO_PEERCRED,
	 * SO_PEERGROUPS). Both empty: everybody. Root is allowed when it is listed. Others are closed before a byte of
	 * theirs is read. At most 1024 each; copied.
	 */
	const uint32_t *allow_uids;
	const uint32_t *allow_gids;
	size_t num_allow_uids;
	size_t num_allow_gids;
	uint32_t spin_us; /* vfk_server_linger() asks for so long before it sleeps in a receive; 0; at most 1000000 */
};

/** struct vfk_server_counts - since the server was made; zero-initialise, set size */
struct vfk_server_counts {
	size_t size;	      /* sizeof(struct vfk_server_counts) */
	uint64_t clients;     /* that negotiated */
	uint64_t refused;     /* VFK_SERVER_REFUSED, not_allowed included */
	uint64_t not_allowed; /* by allow_uids and allow_gids */
};

/**
 * vfk_server_listen - export a device on a new socket
 * @dev: borrowed; used by nobody else until vfk_server_close(); in no dma space (the server has its own)
 * @path: made with the permissions asked for; removed by vfk_server_close(). A stale socket that nobody listens on is
 *        replaced; one that somebody listens on, or another kind of file, is not
 * @opts: NULL for the defaults; borrowed for the call, but for guard and ctx
 * @server: set to the server, owned by the caller
 *
 * Returns 0; -EADDRINUSE; -ENAMETOOLONG; -EACCES; -EINVAL; -ERANGE; -ENOMEM; -EMFILE; -EBUSY the device is in a space; -EPERM
 * there is no IOMMU before it (VFK_SERVER_WITHOUT_IOMMU).
 */
VFK_API int vfk_server_listen(struct vfk_device *dev, const char *path,
			      const struct vfk_server_opts *opts, struct vfk_server **server);

/**
 * vfk_server_on_fd - export a device on a socket that is there already
 * @fd: a UNIX stream socket that listens, or one that is connected (one end of a socketpair, or inherited); taken on
 *      success, untouched on failure
 *
 * With a connected one the server has that one client, and ends with it; for allow_uids the peer is then whoever made the
 * connection or the pair. Returns as vfk_server_listen(); -ENOTSOCK; -EACCES that one is not allowed.
 */
VFK_API int vfk_server_on_fd(struct vfk_device *dev, int fd, const struct vfk_server_opts *opts,
			     struct vfk_server **server);

/** vfk_server_poll_fd - one descriptor to poll for readability; borrowed, constant */
VFK_API int vfk_server_poll_fd(const struct vfk_server *server);

/**
 * vfk_server_dispatch - do what is to be done, without blocking for more
 *
 * Accepts, handles the requests that are there, runs a model's deferred work. What a client does wrong ends its
 * connection, not the server. A request that makes the device do DMA to memory that the client did not share waits for
 * the client's answers, all together for 2 s, or timeout_ms if that is less; so do the model's deferred work and a reply,
 * that one for timeout_ms. After a request that took longer than 10 ms no other one is begun.
 * While the client's requests follow each other, whoever else has something for this server (another client, the device, a
 * timer) waits for up to 16 of them, and no longer than 10 ms and the request that is being handled then.
 *
 * Returns the number of things done, 0 if there was nothing; -ENOTCONN when the only client is gone and no socket
 * listens; -ENODEV, -ENOTCONN, -EPROTO when the device itself is gone (vfk_error() says so), -ENODEV also when the kernel
 * asks for it back (the device-request interrupt, where the client does not listen to it itself): close the server and the
 * device then, the kernel waits for that; another -errno, at each call
 * from then on, when a client went and left hardware that could not be made quiet or reset: no other client gets it.
 *
 * Threads: one at a time.
 */
VFK_API int vfk_server_dispatch(struct vfk_server *server);

/**
 * vfk_server_linger - serve the client that there is, without a poll for each of its requests
 * @time_ms: go on for so long while requests come; at most 1000
 *
 * For a program that has nothing else to do: after vfk_server_dispatch() did something, this waits for the client's next
 * request in the receive itself, which saves the program's poll of each request. It comes back when the time is over, when
 * nothing came for 50 ms (and opts.spin_us), or when something else is to be done; a second client that connects
 * meanwhile, and whatever the program polls besides, waits so long. It returns at once while there is no client, and with
 * a device that has to be dispatched: open a model without VFK_OPEN_DISPATCH, its deferred work then has a thread.
 *
 *	while (running) {
 *		poll vfk_server_poll_fd(server), and the program's own
 *		if (vfk_server_dispatch(server) > 0)
 *			vfk_server_linger(server, 100);
 *	}
 *
 * Returns the number of things done; -ERANGE. What ends a server is told by vfk_server_dispatch(), for which
 * vfk_server_poll_fd() is readable then.
 *
 * Threads: as vfk_server_dispatch().
 */
VFK_API int vfk_server_linger(struct vfk_server *server, uint32_t time_ms);

/** vfk_server_has_client - whether a client is connected and has negotiated */
VFK_API bool vfk_server_has_client(const struct vfk_server *server);

/**
 * vfk_server_get_counts - how many came, and how many were turned away
 * @counts: size is the caller's; what it does not reach is not written
 *
 * Returns 0; -EINVAL when size is too small for the first count. Threads: as vfk_server_dispatch().
 */
VFK_API int vfk_server_get_counts(const struct vfk_server *server,
				  struct vfk_server_counts *counts);

/** vfk_server_close - drop the client, stop listening, remove the socket, give the device back; NULL is allowed */
VFK_API void vfk_server_close(struct vfk_server *server);

VFK_END

#endif

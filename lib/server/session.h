/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.h - one client, from its connection to the end of what it left behind.
 *
 *	GREETING --VERSION--> SERVING --gone, or it broke the protocol--> ENDING --nobody uses its memory--> NONE
 *
 * At the end its interrupts are disarmed and its mappings dropped; the device's state is kept (specification, "Socket
 * Disconnection Behavior"), but for hardware's (handover.h). A mapping that a transfer of the device still uses lives on
 * until that lets go, and so long the next client waits.
 *
 * Threads: the server's; but for client_memory.c, which any thread of the device's may enter.
 */
#ifndef VFKI_SERVER_SESSION_H
#define VFKI_SERVER_SESSION_H

#include "lib/connection/connection.h"
#include "lib/wire/dma_map.h"
#include "lib/wire/version.h"
#include "logging.h"
#include "recall.h"
#include "window.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/device.h>

/* What a client can have; from struct vfk_server_opts, defaults filled in. */
struct vfki_limits {
	uint32_t timeout_ms;
	uint32_t max_dma_maps;
	uint32_t max_xfer;
	struct vfk_guard *guard; /* NULL: none */
	uint32_t flags;		 /* VFK_SERVER_* */
	uint32_t spin_us;
	const char *debug_name; /* NULL: silent (lib/base/debug.h) */
};

/* Longest wait in a client's receive. */
#define VFKI_RECEIVE_MS 50u

/* What the device is; asked once, since it does not change. */
struct vfki_shape {
	uint32_t num_regions;
	uint32_t num_irqs;
	uint32_t *irq_counts; /* num_irqs of them */
};

enum vfki_phase {
	VFKI_SESSION_NONE,
	VFKI_SESSION_GREETING, /* connected; VERSION must come before the deadline */
	VFKI_SESSION_SERVING,
	VFKI_SESSION_ENDING, /* the client is gone, its memory is in use */
};

/* What becomes of the connection after the command being handled. */
enum vfki_verdict {
	VFKI_VERDICT_GO_ON,
	VFKI_VERDICT_ANSWER_AND_END,
	VFKI_VERDICT_END,
};

/* A DMA_UNMAP that waits for the device's transfers. Later commands of the client wait behind it. */
struct vfki_unmapping {
	struct vfki_command *cmd;    /* NULL: none */
	struct vfki_wire_unmap what; /* as decoded, for the answer */
	uint64_t *bitmap;	     /* owned, for the answer; NULL: none was asked for */
	uint64_t deadline;	     /* CLOCK_MONOTONIC, ns; then the answer is EBUSY */
};

/*
 * The server's thread is in the device, for a command or for what the device does by itself: whoever is in its loop
 * waits, so all that the device asks of the client meanwhile has one bound.
 */
struct vfki_turn {
	atomic_uintptr_t thread; /* whose turn it is; 0: nobody's */
	uint64_t deadline;	 /* that thread's alone; 0: nothing was asked yet */
};

struct vfki_session {
	/* the same for all clients of a server */
	struct vfk_device *dev;
	struct vfk_dma_space *space;
	struct vfki_limits limits;
	struct vfki_shape shape;
	uint8_t *buf;	 /* for replies */
	size_t buf_size; /* at least limits.max_xfer and VFKI_WIRE_MAX_INFO */
	bool hardware;	 /* what a client leaves in it must not meet the next one */
	struct vfki_recall recall;
	int spoiled;	     /* the -errno for which no further client gets it; 0 */
	char spoilt_by[256]; /* its text */

	/* this client's */
	enum vfki_phase phase;
	struct vfki_conn *conn; /* NULL in phase NONE only */
	struct vfki_conn *
		twin; /* for our commands; NULL: they go on conn. Constant after VERSION, as long as conn is there */
	uint64_t deadline; /* GREETING: for VERSION; ENDING: until then it is retried often */
	struct vfki_wire_agreed agreed; /* valid after VERSION; constant from then on */
	struct vfki_windows windows;
	struct vfki_unmapping unmapping;
	struct vfki_logging logging;
	uint64_t guard_hits; /* of the guard, when it was last looked at */
	atomic_int dma_form; /* enum vfki_wire_dma_form */
	struct vfki_turn turn;
	enum vfki_verdict verdict;
	bool rang;    /* it was given doorbells */
	bool posted;  /* it posted writes, and the device was not seen to have done them */
	bool greeted; /* VERSION was answered well: there was a client */
};

/*
 * Fills in what is the same for all clients, and puts the device into a space of the server's own.
 * Returns 0; -ENOMEM; -EBUSY the device is in a space; -EPERM it has no IOMMU; what the device says when it is asked what
 * it is.
 */
int vfki_session_init(struct vfki_session *s, struct vfk_device *dev,
		      const struct vfki_limits *limits);

/* In phase NONE. */
void vfki_session_fini(struct vfki_session *s);

/* A client connected on @fd, which is taken on success. Phase NONE becomes GREETING. Returns 0; -ENOMEM, -EMFILE. */
int vfki_session_start(struct vfki_session *s, int fd, uint64_t now);

/* Takes the start back, before anything was served: the descriptor is the caller's again, open. Phase NONE. */
void vfki_session_cancel(struct vfki_session *s);

/*
 * Handles commands that are there, a bounded number, and for a bounded time since @now. Returns how many; -errno when the
 * session must end, with a text.
 */
int vfki_session_serve(struct vfki_session *s, uint64_t now);

/* The same, but waits for the first one, at most VFKI_RECEIVE_MS and limits.spin_us, in the receive of the connection. */
int vfki_session_await(struct vfki_session *s);

/* Whether commands may be taken: false while a DMA_UNMAP waits. */
bool vfki_session_ready(const struct vfki_session *s);

/* When vfki_session_tick() wants to be called; UINT64_MAX: never. */
uint64_t vfki_session_deadline(const struct vfki_session *s, uint64_t now);

/* Time has passed, or the device did something. Returns as vfki_session_serve(). */
int vfki_session_tick(struct vfki_session *s, uint64_t now);

/*
 * Ends it because of @err, with this thread's text as the reason: no byte goes either way any more, nothing of the device
 * points to the client. The phase is ENDING then; vfki_session_tick() makes it NONE. vfki_conn_reason() tells the reason.
 */
void vfki_session_end(struct vfki_session *s, int err, uint64_t now);

/* Bytes of a bitmap in a reply: what was agreed for those, else what any reply may have. */
static inline uint64_t vfki_session_max_bitmap(const struct vfki_session *s)
{
	return s->agreed.migration_max_bitmap ? s->agreed.migration_max_bitmap :
						s->agreed.send_xfer;
}

#endif

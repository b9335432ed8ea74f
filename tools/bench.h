/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h - what a measurement is: some operations on the device, and the bare thing that they are held against.
 *
 * A machine that others use too makes every absolute figure a guess. So each case runs beside its limit, turn about, and
 * what counts is the ratio of the two.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/device.h>

#include "access.h"
#include "args.h"

/*
 * The other end of a bare socket: a process that does with a message what any server must, and nothing else. It
 * answers until the socket is closed.
 */
struct bench_peer {
	int fd;		  /* -1: not there */
	pid_t pid;	  /* 0: not there */
	uint64_t spin_us; /* how long both ends receive before they sleep */
};

enum bench_peer_does {
	PEER_NOTHING,
	PEER_MAPS,    /* the file that came with the message, and unmaps it again */
	PEER_SIGNALS, /* the eventfd that came with the first message */
};

/* Starts it, on processor @cpu (-1: any). STATUS_OK, or the failure printed. */
int bench_peer_start(struct bench_peer *peer, int cpu, uint64_t spin_us);
void bench_peer_stop(struct bench_peer *peer);

/*
 * Sends @size bytes, with @fd unless it is -1, and takes @reply_size bytes (0: none) in answer. Both are at least 16
 * unless 0, at most 2 MiB. 0 or -errno.
 */
int bench_peer_ask(struct bench_peer *peer, enum bench_peer_does what, uint32_t size,
		   uint32_t reply_size, int fd);

#define BENCH_LARGE (1u << 20) /* bytes of a large transfer */

struct bench {
	struct args args;
	struct vfk_device *dev;
	struct vfk_dma_space *space; /* NULL: the device takes no mappings */
	struct bench_peer peer;
	bool socket;   /* the device is behind one, and so is the limit */
	int kernel_fd; /* the kernel's device, borrowed, and so is the limit; -1: it is none */
	struct access read;
	struct access write; /* of a register that may be written again and again */
	struct access raise; /* a write that raises the interrupt */
	bool can_write, can_raise;
	uint32_t irq;	 /* the interrupt's index */
	uint64_t millis; /* of one round */
	uint64_t rounds;
	uint64_t spin_us; /* of --spin */
	int cpus[2];	  /* ours and the server's; -1: any */

	/* what the case that is running holds */
	int fd, bare_fd;
	volatile uint32_t *mapped;
	uint32_t *memory;
	uint32_t region;
	uint64_t at;
	uint64_t first; /* of the mappings that are held */
	uint32_t held;
	struct bench_lookup *lookup;
};

/* bench_cases.c: a page that can be mapped at b->at */
int bench_prepare_map(struct bench *b, const char **why);
void bench_finish_map(struct bench *b);

/* bench_maps.c */
int bench_prepare_16(struct bench *b, const char **why);
int bench_prepare_256(struct bench *b, const char **why);
int bench_prepare_4096(struct bench *b, const char **why);
int bench_prepare_65000(struct bench *b, const char **why);
void bench_finish_maps(struct bench *b);
int bench_prepare_lookup(struct bench *b, const char **why);
void bench_finish_lookup(struct bench *b);
int bench_device_lookup(struct bench *b, uint64_t n);
int bench_bare_lookup(struct bench *b, uint64_t n);
int bench_device_last(struct bench *b, uint64_t n);
int bench_bare_last(struct bench *b, uint64_t n);
int bench_device_held(struct bench *b, uint64_t n);
int bench_bare_held(struct bench *b, uint64_t n);

struct bench_case {
	const char *name;
	const char *help;
	const char *limit;  /* what @bare is */
	const char *socket; /* the same where the device is behind a socket; NULL: no other */
	bool rate; /* the ratio is how many times as many are done in the same time; else the time's part more */

	/* Makes ready: STATUS_OK; STATUS_FAILED, printed; or why it cannot be measured here. */
	int (*prepare)(struct bench *b, const char **why);
	/* Do it n times: 0 or -errno. */
	int (*device)(struct bench *b, uint64_t n);
	int (*bare)(struct bench *b, uint64_t n);
	void (*finish)(struct bench *b);
	uint64_t bytes; /* moved by one; 0: of no interest */
};

/* All of them; the last has no name. */
extern const struct bench_case bench_cases[];

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_nvme.c - QEMU's NVMe controller as an engine, by its admin queue alone: no command here touches media.
 *
 * Registers, queue entries and commands: NVM Express Base Specification 1.4, sections 3.1, 4.2, 4.6, 5.15, 5.21.
 *
 * Out of the device comes the feature Host Behavior Support (16h), 512 bytes that belong to the host, and into it goes the
 * same. QEMU's controller keeps all of them as they are, which one of silicon need not: so it is known by its id, and not
 * by its class. What the feature was is put back.
 */
#include "engine_nvme.h"

#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE	 4096u
#define DEPTH	 32u
#define BEHAVIOR 512u

/* registers in BAR0 */
#define CAP  0x00
#define CC   0x14
#define CSTS 0x1c
#define AQA  0x24
#define ASQ  0x28
#define ACQ  0x30
#define SQ0  0x1000

#define CC_ENABLE (6u << 16 | 4u << 20 | 1u) /* entries of 64 and 16 bytes, pages of 4 KiB */
#define CSTS_RDY  1u
#define CSTS_CFS  2u

#define SET_FEATURES  0x09
#define GET_FEATURES  0x0a
#define NUM_OF_QUEUES 0x07
#define HOST_BEHAVIOR 0x16

struct submission {
	uint8_t opcode, flags;
	uint16_t id;
	uint32_t nsid;
	uint64_t reserved, metadata;
	uint64_t prp[2];
	uint32_t dw10[6];
};

struct completion {
	uint32_t dw0, dw1;
	uint16_t sq_head, sq_id, id;
	uint16_t status; /* bit 0 is the phase */
};

_Static_assert(sizeof(struct submission) == 64 && sizeof(struct completion) == 16, "4.2, 4.6");

struct nvme {
	struct vfk_dma_space *space;
	struct vfk_dma_buffer
		memory; /* a page each: submissions, completions, the feature as it was */
	uint32_t submitted, completed, acked; /* entries since the controller was enabled */
	uint16_t status;		      /* of the last one that completed */
	uint64_t given_up; /* when a command that cannot complete is not waited for any more */
};

static struct nvme *state(struct t *t)
{
	return t->engine;
}

/* ---- the controller ---- */

static void wait_ready(struct t *t, uint32_t want)
{
	/* CAP.TO, in units of 500 ms */
	uint64_t end = case_now_ms() + (case_get(t, 0, CAP, 8) >> 24 & 0xff) * 500;

	while ((case_get(t, 0, CSTS, 4) & CSTS_RDY) != want) {
		struct timespec ms = { .tv_nsec = 1000000 };

		CHECK(t, case_now_ms() <= end);
		nanosleep(&ms, NULL);
	}
}

static void put_address(struct t *t, uint64_t reg, uint64_t addr)
{
	case_put(t, 0, reg, 4, addr & UINT32_MAX);
	case_put(t, 0, reg + 4, 4, addr >> 32);
}

/* Looks at what has completed since. */
static void reap(struct nvme *n)
{
	const volatile struct completion *queue =
		(const void *)((const char *)n->memory.vaddr + PAGE);

	while (n->completed != n->submitted) {
		uint16_t status = le16toh(queue[n->completed % DEPTH].status);

		/* the phase of the first round is 1 */
		if ((status & 1) == (n->completed / DEPTH & 1))
			break;
		n->status = status >> 1;
		n->completed++;
	}
}

/* Takes the interrupt back: that is what telling it the queue's head does. */
static void ack_reaped(struct t *t)
{
	uint32_t stride = 4u << (case_get(t, 0, CAP, 8) >> 32 & 0xf);
	struct nvme *n = state(t);

	n->acked = n->completed;
	case_put(t, 0, SQ0 + stride, 4, n->acked % DEPTH);
}

static void enable(struct t *t)
{
	struct nvme *n = state(t);
	bool lost;

	reap(n);
	lost = n->completed != n->acked;
	case_put(t, 0, CC, 4, 0);
	wait_ready(t, 0);
	memset(n->memory.vaddr, 0, (size_t)2 * PAGE);
	n->submitted = n->completed = n->acked = 0;
	case_put(t, 0, AQA, 4, (DEPTH - 1) << 16 | (DEPTH - 1));
	put_address(t, ASQ, n->memory.dev.addr);
	put_address(t, ACQ, n->memory.dev.addr + PAGE);
	case_put(t, 0, CC, 4, CC_ENABLE);
	wait_ready(t, CSTS_RDY);
	/*
	 * QEMU's counts the queues that have something to tell, and a reset does away with the queue but not with the
	 * count: its INTx would be high for ever. Telling it of an empty queue that it is empty takes one off.
	 */
	if (lost)
		ack_reaped(t);
}

/* A reset has disabled it, a command that could not be fetched has made it fail. */
static void make_ready(struct t *t)
{
	if ((case_get(t, 0, CSTS, 4) & (CSTS_RDY | CSTS_CFS)) != CSTS_RDY)
		enable(t);
}

/* ---- commands ---- */

static void submit(struct t *t, uint8_t opcode, uint8_t feature, uint64_t addr)
{
	struct nvme *n = state(t);
	struct submission *queue = n->memory.vaddr;

	make_ready(t);
	reap(n);
	if (n->completed - n->acked >= DEPTH / 2)
		ack_reaped(t);
	CHECK(t, n->submitted - n->acked < DEPTH - 1);
	queue[n->submitted % DEPTH] = (struct submission){
		.opcode = opcode,
		.id = htole16((uint16_t)n->submitted),
		.prp = { htole64(addr) },
		.dw10 = { htole32(feature) },
	};
	n->submitted++;
	n->given_up = case_now_ms() + 100;
	/* no mapping, but a call that ends in the kernel or in this thread: the command is in memory before it */
	case_put(t, 0, SQ0, 4, n->submitted % DEPTH);
}

/* One that may not master the bus cannot fetch its commands. */
static bool done(struct t *t)
{
	struct nvme *n = state(t);

	reap(n);
	if (n->completed == n->submitted || case_get(t, 0, CSTS, 4) & CSTS_CFS)
		return true;
	return case_now_ms() > n->given_up &&
	       !(case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
}

static void raise_irq(struct t *t)
{
	submit(t, GET_FEATURES, NUM_OF_QUEUES, 0);
}

static void ack(struct t *t)
{
	struct nvme *n = state(t);

	engine_wait(t, &vfk_engine_nvme);
	/* QEMU's counts queues down for each telling that empties one, an empty one among them: see enable() */
	if (n->completed != n->acked)
		ack_reaped(t);
}

static void start_in(struct t *t, uint64_t src, size_t len)
{
	CHECK_EQ(t, len, BEHAVIOR);
	submit(t, SET_FEATURES, HOST_BEHAVIOR, src);
}

static void start_out(struct t *t, uint64_t dst, size_t len)
{
	CHECK_EQ(t, len, BEHAVIOR);
	submit(t, GET_FEATURES, HOST_BEHAVIOR, dst);
}

/* ---- begin and end ---- */

/* Moves the feature as it was; everything it needs is there, so that it has to succeed. */
static void move_old(struct t *t, uint8_t opcode)
{
	submit(t, opcode, HOST_BEHAVIOR, state(t)->memory.dev.addr + (uint64_t)2 * PAGE);
	ack(t);
	CHECK_EQ(t, state(t)->completed, state(t)->submitted);
	CHECK_EQ(t, state(t)->status, 0);
}

static void begin(struct t *t, struct vfk_dma_space *space)
{
	struct nvme *n = calloc(1, sizeof(*n));

	CHECK(t, n);
	t->engine = n;
	n->space = space;
	n->memory.size = sizeof(n->memory);
	CHECK_OK(t, vfk_dma_alloc(space, (uint64_t)3 * PAGE, VFK_DMA_READ | VFK_DMA_WRITE,
				  &n->memory));
	CHECK(t, n->memory.dev.contiguous >= (uint64_t)3 * PAGE);
	enable(t);
	move_old(t, GET_FEATURES);
}

static void end(struct t *t)
{
	struct nvme *n = state(t);

	move_old(t, SET_FEATURES);
	case_put(t, 0, CC, 4, 0);
	wait_ready(t, 0);
	CHECK_OK(t, vfk_dma_free(n->space, &n->memory));
	t->engine = NULL;
	free(n);
}

static uint32_t as_written(uint32_t v)
{
	return v;
}

const struct engine vfk_engine_nvme = {
	.vendor = 0x1b36,
	.device = 0x0010,
	.bar = 0,
	.scratch = ASQ + 4, /* any value, as long as the controller is not enabled */
	.scratch_reads = as_written,
	.dma_bits = 64,
	.max_copy = BEHAVIOR,
	.begin = begin,
	.end = end,
	.raise = raise_irq,
	.ack = ack,
	.start_in = start_in,
	.start_out = start_out,
	.done = done,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_e1000.c - two network cards as engines: a packet that is sent in MAC loopback is DMA out of memory and into it.
 *
 * Registers and descriptors: Intel 82574 GbE Controller Family datasheet, sections 7.1.4 (receive), 7.2.10.1 (transmit,
 * legacy), 7.4 (interrupts), 10.2; Intel 82576EB Gigabit Ethernet Controller datasheet, sections 7.1.4, 7.2.2.3 (transmit,
 * advanced), 8. What one has in the place of the other's is struct card.
 *
 * A card keeps nothing: what goes in is sent from the source and received into a page of the engine's, what comes out is
 * sent from that page. What comes after a transfer that failed begins with a reset of the MAC, which then has nothing left.
 */
#include "engine_e1000.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE	 4096u
#define MAX_COPY 1024u /* within a packet, and neither padded nor cut */

/* registers in BAR0 */
#define CTRL   0x0000
#define STATUS 0x0008
#define MDIC   0x0020
#define ICR    0x00c0
#define ICS    0x00c8
#define IMS    0x00d0
#define IMC    0x00d8
#define IVAR   0x00e4 /* the 82574's */
#define RCTL   0x0100
#define TCTL   0x0400
#define LEDCTL 0x0e00

/* and in the block of a queue */
#define BASE_LOW  0x00
#define BASE_HIGH 0x04
#define LENGTH	  0x08
#define HEAD	  0x10
#define TAIL	  0x18
#define CONTROL	  0x28

#define CTRL_FULL_DUPLEX 0x00000001u
#define CTRL_LINK_UP	 0x00000040u
#define CTRL_RESET	 0x04000000u
#define STATUS_LINK_UP	 0x00000002u
#define MDIC_RESTART \
	0x04201200u /* write to the PHY: register 0, negotiate, and anew (IEEE 802.3 section 22.2.4.1) */

/* on, also bad packets, to and from all, loopback in the MAC, without the checksum */
#define RCTL_VALUE (0x2u | 0x4u | 0x8u | 0x10u | 0x40u | 0x8000u | 0x04000000u)
#define TCTL_VALUE (0x2u | 0x8u) /* on, short packets padded */

#define SENT	   0x1u	      /* the cause: a transmit descriptor is written back */
#define SENT_FIRST (1u << 22) /* the 82574's, of queue 0, which MSI-X has; by IVAR it is vector 0 */
#define IVAR_FIRST 0x800u

#define DONE 1u /* in a descriptor that was written back */

#define DEPTH 8u /* a ring's bytes are a multiple of 128 */

struct descriptor {
	uint64_t addr;
	uint32_t low, high;
};

_Static_assert(sizeof(struct descriptor) * DEPTH == 128, "a ring");

struct card {
	uint64_t receive, transmit; /* blocks of their first queues */
	uint32_t causes, ivar;	    /* IVAR; 0: there is none, and it needs none */
	uint32_t enable;	    /* of a queue; 0: it needs none */
	/* Both of a whole packet, whose end is written back, with a checksum; and how far its length is shifted. */
	uint32_t command;
	unsigned int high_length;
};

/* legacy: EOP, IFCS, RS */
static const struct card card_82574 = {
	.receive = 0x2800,
	.transmit = 0x3800,
	.causes = SENT | SENT_FIRST,
	.ivar = IVAR_FIRST,
	.command = 0x0b000000,
	.high_length = 32,
};

/* advanced, of data: the same, and DEXT, DTYP 3; PAYLEN */
static const struct card card_82576 = {
	.receive = 0xc000,
	.transmit = 0xe000,
	.causes = SENT,
	.enable = 1u << 25,
	.command = 0x2b300000,
	.high_length = 14,
};

struct e1000 {
	const struct card *card;
	struct vfk_dma_space *space;
	struct vfk_dma_buffer memory; /* a page each: both rings, what has gone in */
	bool started;
};

static struct e1000 *state(struct t *t)
{
	return t->engine;
}

/* ---- interrupts ---- */

static void unmask(struct t *t)
{
	const struct card *c = state(t)->card;

	if (c->ivar)
		case_put(t, 0, IVAR, 4, c->ivar);
	case_put(t, 0, IMS, 4, c->causes);
}

static void raise_irq(struct t *t)
{
	unmask(t); /* a reset has masked it */
	case_put(t, 0, ICS, 4, state(t)->card->causes);
}

/* Reading takes all causes back, but not with MSI-X; writing those that are written. Section 7.4.5 of the 82574's. */
static void ack(struct t *t)
{
	case_put(t, 0, ICR, 4, case_get(t, 0, ICR, 4));
}

/* ---- transfers ---- */

static void reset(struct t *t)
{
	struct timespec loads = { .tv_nsec = 10000000 }; /* its settings */

	case_put(t, 0, IMC, 4, UINT32_MAX);
	case_put(t, 0, CTRL, 4, CTRL_RESET);
	nanosleep(&loads, NULL);
	case_put(t, 0, IMC, 4, UINT32_MAX);
	(void)case_get(t, 0, ICR, 4);
	case_put(t, 0, CTRL, 4, case_get(t, 0, CTRL, 4) | CTRL_LINK_UP | CTRL_FULL_DUPLEX);
	state(t)->started = false;
}

/* Without a link nothing is received. */
static void need_link(struct t *t)
{
	uint64_t end = case_now_ms() + 5000;

	if (!(case_get(t, 0, STATUS, 4) & STATUS_LINK_UP))
		case_put(t, 0, MDIC, 4, MDIC_RESTART);
	while (!(case_get(t, 0, STATUS, 4) & STATUS_LINK_UP)) {
		struct timespec ms = { .tv_nsec = 1000000 };

		CHECK(t, case_now_ms() < end);
		nanosleep(&ms, NULL);
	}
}

static void set_up_queue(struct t *t, uint64_t block, uint64_t ring)
{
	uint32_t enable = state(t)->card->enable;

	if (enable)
		case_put(t, 0, block + CONTROL, 4, case_get(t, 0, block + CONTROL, 4) & ~enable);
	case_put(t, 0, block + BASE_LOW, 4, ring & UINT32_MAX);
	case_put(t, 0, block + BASE_HIGH, 4, ring >> 32);
	case_put(t, 0, block + LENGTH, 4, DEPTH * sizeof(struct descriptor));
	case_put(t, 0, block + HEAD, 4, 0);
	case_put(t, 0, block + TAIL, 4, 0);
	if (enable)
		case_put(t, 0, block + CONTROL, 4, case_get(t, 0, block + CONTROL, 4) | enable);
}

static void start(struct t *t, uint64_t src, uint64_t dst, size_t len)
{
	struct e1000 *e = state(t);
	struct descriptor *transmit = e->memory.vaddr, *receive = transmit + DEPTH;
	const struct card *c = e->card;

	CHECK_EQ(t, len, MAX_COPY);
	if (e->started && !(le32toh(transmit->high) & DONE))
		reset(t);
	need_link(t);
	case_put(t, 0, RCTL, 4, 0);
	case_put(t, 0, TCTL, 4, 0);
	ack(t);
	e->started = true;
	memset(e->memory.vaddr, 0, PAGE);
	*receive = (struct descriptor){ .addr = htole64(dst) };
	*transmit = (struct descriptor){
		.addr = htole64(src),
		.low = htole32(c->command | (uint32_t)len),
		.high = htole32((uint32_t)((uint64_t)len << c->high_length)),
	};
	set_up_queue(t, c->receive, e->memory.dev.addr + DEPTH * sizeof(*receive));
	set_up_queue(t, c->transmit, e->memory.dev.addr);
	case_put(t, 0, RCTL, 4, RCTL_VALUE);
	case_put(t, 0, TCTL, 4, TCTL_VALUE);
	unmask(t);
	/* no mapping, but a call that ends in the kernel or in this thread: the descriptors are in memory before it */
	case_put(t, 0, c->receive + TAIL, 4, 1);
	case_put(t, 0, c->transmit + TAIL, 4, 1);
}

static void start_in(struct t *t, uint64_t src, size_t len)
{
	start(t, src, state(t)->memory.dev.addr + PAGE, len);
}

static void start_out(struct t *t, uint64_t dst, size_t len)
{
	start(t, state(t)->memory.dev.addr + PAGE, dst, len);
}

/* By the register: one that may not master the bus writes no descriptor back. */
static bool done(struct t *t)
{
	return case_get(t, 0, state(t)->card->transmit + HEAD, 4) == 1;
}

/* ---- begin and end ---- */

static void begin(struct t *t, struct vfk_dma_space *space, const struct card *card)
{
	struct e1000 *e = calloc(1, sizeof(*e));

	CHECK(t, e);
	t->engine = e;
	e->card = card;
	e->space = space;
	e->memory.size = sizeof(e->memory);
	CHECK_OK(t, vfk_dma_alloc(space, (uint64_t)2 * PAGE, VFK_DMA_READ | VFK_DMA_WRITE,
				  &e->memory));
	CHECK(t, e->memory.dev.contiguous >= (uint64_t)2 * PAGE);
	reset(t);
}

static void begin_82574(struct t *t, struct vfk_dma_space *space)
{
	begin(t, space, &card_82574);
}

static void begin_82576(struct t *t, struct vfk_dma_space *space)
{
	begin(t, space, &card_82576);
}

static void end(struct t *t)
{
	struct e1000 *e = state(t);

	reset(t);
	CHECK_OK(t, vfk_dma_free(e->space, &e->memory));
	t->engine = NULL;
	free(e);
}

static uint32_t as_written(uint32_t v)
{
	return v;
}

#define ENGINE                                                                            \
	.vendor = 0x8086, .bar = 0, .scratch = LEDCTL, .scratch_reads = as_written,       \
	.dma_bits = 64, .max_copy = MAX_COPY, .end = end, .raise = raise_irq, .ack = ack, \
	.start_in = start_in, .start_out = start_out, .done = done

const struct engine vfk_engine_82574 = { ENGINE, .device = 0x10d3, .forgets_nothing = true,
					 .begin = begin_82574 };
const struct engine vfk_engine_82576 = { ENGINE, .device = 0x10c9, .begin = begin_82576 };

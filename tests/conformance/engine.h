/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - a device that can do DMA and raise an interrupt on request.
 *
 * The suite knows how to drive some devices to these two ends; a case that needs one is skipped on the others. What
 * engine_copy() guarantees: the device reads @len bytes at @src, and writes them at @dst, no other byte.
 */
#ifndef VFK_ENGINE_H
#define VFK_ENGINE_H

#include "case.h"

struct engine {
	uint16_t vendor, device;
	uint32_t bar;	  /* region of its registers */
	uint64_t scratch; /* a register that can be written and read without effect */
	uint32_t (*scratch_reads)(uint32_t written);
	bool forgets_nothing; /* by a reset, as QEMU has the device: its driver's is by the power state */
	unsigned int dma_bits;
	size_t max_copy;

	/* Optional: what it needs beside registers, memory in @space among it, from before the first of those below; and back. */
	void (*begin)(struct t *t, struct vfk_dma_space *space);
	void (*end)(struct t *t);
	/* Raise the device's interrupt, and take it back. */
	void (*raise)(struct t *t);
	void (*ack)(struct t *t);
	/* Send one message of MSI or MSI-X; raise the error or the request notifier. NULL: it cannot be told to. */
	void (*raise_vector)(struct t *t, uint32_t vector);
	void (*notify)(struct t *t, uint32_t irq);
	/* Begin a transfer into the device, or out of it, and raise the interrupt when it is done. */
	void (*start_in)(struct t *t, uint64_t src, size_t len);
	void (*start_out)(struct t *t, uint64_t dst, size_t len);
	/* Whether the last transfer has ended, one that could not be made among them. */
	bool (*done)(struct t *t);
};

/* The engine that drives this device, with nothing done to it; NULL when there is none. */
const struct engine *engine_known(struct t *t);
/* The same, ready for use: it decodes its memory and is a bus master; a skip when there is none. */
const struct engine *engine_find(struct t *t);

/*
 * Before the engine is driven, and after it. @space is the device's, which it is attached to from before the begin until
 * after the end; NULL where the case has none: one is made if the engine needs it.
 */
struct engine_run {
	const struct engine *e;
	struct vfk_dma_space *own;
};
struct engine_run engine_begin(struct t *t, const struct engine *e, struct vfk_dma_space *space);
void engine_end(struct t *t, struct engine_run *run);

/* The index of its interrupts by message, MSI where it has that, else MSI-X; a skip when it has neither. */
uint32_t engine_message_irq(struct t *t);

/* Waits as below until the last transfer has ended. */
void engine_wait(struct t *t, const struct engine *e);

/* Starts a transfer and waits, serving the device, at most 5 seconds, until it has ended. */
void engine_in(struct t *t, const struct engine *e, uint64_t src, size_t len);
void engine_out(struct t *t, const struct engine *e, uint64_t dst, size_t len);

#endif

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
	unsigned int dma_bits;
	size_t max_copy;

	/* Raise the device's interrupt, and take it back. */
	void (*raise)(struct t *t);
	void (*ack)(struct t *t);
	/* Send one message of MSI or MSI-X; raise the error or the request notifier. NULL: it cannot be told to. */
	void (*raise_vector)(struct t *t, uint32_t vector);
	void (*notify)(struct t *t, uint32_t irq);
	/* Begin a transfer into the device, or out of it, and raise the interrupt when it is done. */
	void (*start_in)(struct t *t, uint64_t src, size_t len);
	void (*start_out)(struct t *t, uint64_t dst, size_t len);
	/* Whether the last transfer has ended. */
	bool (*done)(struct t *t);
};

/* The engine that drives this device, with nothing done to it; NULL when there is none. */
const struct engine *engine_known(struct t *t);
/* The same, ready for use: it decodes its memory and is a bus master; a skip when there is none. */
const struct engine *engine_find(struct t *t);

/* Starts a transfer and waits, serving the device, at most 5 seconds, until it has ended. */
void engine_in(struct t *t, const struct engine *e, uint64_t src, size_t len);
void engine_out(struct t *t, const struct engine *e, uint64_t dst, size_t len);

#endif

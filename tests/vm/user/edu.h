/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu.h - an edu device in full use: registers, an MSI, DMA into memory of this process.
 *
 * What fails ends the process with a line that says what; a device that is gone is not one of these, since the programs
 * that use this are about it.
 */
#ifndef VFK_EDU_H
#define VFK_EDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/vfiokit.h>

#define EDU_BYTES 2048

struct edu {
	struct vfk_device *dev;
	struct vfk_dma_space *space;
	struct vfk_dma_buffer buffer; /* two halves of EDU_BYTES: what goes in, where it comes out */
	int irq;		      /* eventfd of the MSI */
	int request;   /* eventfd of the kernel's wish to have the device back, -1: none */
	uint8_t round; /* makes each transfer's bytes differ from the one before */
};

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

void edu_open(struct edu *edu, const char *uri);
void edu_arm_request(struct edu *edu);
void edu_close(struct edu *edu);

/* Begins a transfer that ends with an interrupt. */
void edu_start(struct edu *edu, bool out);
/* Moves EDU_BYTES into the device and out again, by interrupt, and compares. */
void edu_round_trip(struct edu *edu);
/* 10! by interrupt. */
void edu_factorial(struct edu *edu);
/* Raises the interrupt and takes it back, without waiting for it; 0 or -errno. */
int edu_raise(struct edu *edu);
/* Whether the kernel has asked for the device back; waits at most @ms. */
bool edu_requested(struct edu *edu, int ms);

#endif

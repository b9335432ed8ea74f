/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu.c - drives an edu device (QEMU documentation, "EDU device") by the library's public calls.
 */
#include "edu.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONFIG	    VFIO_PCI_CONFIG_REGION_INDEX
#define REG_FACT    0x08
#define REG_STATUS  0x20
#define REG_PENDING 0x24
#define REG_RAISE   0x60
#define REG_ACK	    0x64
#define REG_SOURCE  0x80
#define REG_DEST    0x88
#define REG_COUNT   0x90
#define REG_COMMAND 0x98
#define EDU_BUFFER  0x40000
#define WAIT_MS	    10000

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stdout, fmt, ap);
	va_end(ap);
	printf(": %s\n", vfk_error());
	fflush(stdout);
	_exit(1);
}

static void put(struct edu *edu, uint64_t reg, unsigned int width, uint64_t value)
{
	if (vfk_region_put(edu->dev, 0, reg, width, value) != 0)
		die("write of register 0x%x", (unsigned int)reg);
}

static uint64_t get(struct edu *edu, uint64_t reg)
{
	uint64_t value;

	if (vfk_region_get(edu->dev, 0, reg, 4, &value) != 0)
		die("read of register 0x%x", (unsigned int)reg);
	return value;
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		die("eventfd");
	return fd;
}

static void attach_memory(struct edu *edu)
{
	edu->buffer.size = sizeof(edu->buffer);
	if (vfk_device_set_dma_mask(edu->dev, 28) != 0 || vfk_dma_space_create(&edu->space) != 0 ||
	    vfk_device_attach_dma(edu->dev, edu->space) != 0)
		die("dma space");
	if (vfk_dma_alloc(edu->space, 2 * EDU_BYTES, VFK_DMA_READ | VFK_DMA_WRITE, &edu->buffer))
		die("dma memory");
}

void edu_open(struct edu *edu, const char *uri)
{
	uint64_t command;

	memset(edu, 0, sizeof(*edu));
	edu->request = -1;
	if (vfk_device_open(uri, NULL, &edu->dev) != 0)
		die("open");
	attach_memory(edu);
	edu->irq = new_eventfd();
	if (vfk_irq_set_eventfds(edu->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &edu->irq) != 0)
		die("MSI");
	if (vfk_region_get(edu->dev, CONFIG, PCI_COMMAND, 2, &command) != 0 ||
	    vfk_region_put(edu->dev, CONFIG, PCI_COMMAND, 2,
			   command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER) != 0)
		die("command register");
}

void edu_arm_request(struct edu *edu)
{
	edu->request = new_eventfd();
	if (vfk_irq_set_eventfds(edu->dev, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &edu->request) != 0)
		die("request interrupt");
}

void edu_close(struct edu *edu)
{
	if (vfk_dma_free(edu->space, &edu->buffer) != 0 || vfk_device_detach_dma(edu->dev) != 0 ||
	    vfk_dma_space_destroy(edu->space) != 0)
		die("giving back the memory");
	vfk_device_close(edu->dev);
	close(edu->irq);
	if (edu->request >= 0)
		close(edu->request);
}

static void wait_for_interrupt(struct edu *edu, const char *what)
{
	uint64_t count;

	if (vfk_irq_wait(edu->dev, &edu->irq, 1, WAIT_MS, &count) != 1)
		die("%s: no interrupt", what);
	put(edu, REG_ACK, 4, get(edu, REG_PENDING));
}

void edu_start(struct edu *edu, bool out)
{
	uint64_t memory = edu->buffer.dev.addr + (out ? EDU_BYTES : 0);

	put(edu, REG_SOURCE, 8, out ? EDU_BUFFER : memory);
	put(edu, REG_DEST, 8, out ? memory : EDU_BUFFER);
	put(edu, REG_COUNT, 8, EDU_BYTES);
	put(edu, REG_COMMAND, 8, out ? 1 | 2 | 4 : 1 | 4);
}

void edu_round_trip(struct edu *edu)
{
	uint8_t *in = edu->buffer.vaddr, *out = in + EDU_BYTES;

	edu->round++;
	for (size_t i = 0; i < EDU_BYTES; i++)
		in[i] = (uint8_t)(i * 13 + (i >> 8) + edu->round);
	memset(out, 0, EDU_BYTES);
	edu_start(edu, false);
	wait_for_interrupt(edu, "DMA in");
	edu_start(edu, true);
	wait_for_interrupt(edu, "DMA out");
	if (memcmp(in, out, EDU_BYTES) != 0)
		die("DMA: what came out is not what went in");
}

void edu_factorial(struct edu *edu)
{
	put(edu, REG_STATUS, 4, 0x80);
	put(edu, REG_FACT, 4, 10);
	wait_for_interrupt(edu, "factorial");
	if (get(edu, REG_FACT) != 3628800)
		die("factorial: 0x%x", (unsigned int)get(edu, REG_FACT));
	put(edu, REG_STATUS, 4, 0);
}

int edu_raise(struct edu *edu)
{
	int ret = vfk_region_put(edu->dev, 0, REG_RAISE, 4, 1);

	return ret ? ret : vfk_region_put(edu->dev, 0, REG_ACK, 4, 1);
}

bool edu_requested(struct edu *edu, int ms)
{
	struct pollfd p = { .fd = edu->request, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

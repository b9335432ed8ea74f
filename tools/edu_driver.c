/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu_driver.c - a driver of QEMU's edu device, wherever it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "edu_driver.h"
#include "failure.h"
#include "inventory.h"
#include "subcommand.h"

/* QEMU, docs/specs/edu: registers of BAR 0 */
#define REG_ID		    0x00
#define REG_LIVENESS	    0x04
#define REG_FACTORIAL	    0x08
#define REG_STATUS	    0x20
#define STATUS_COMPUTING    0x01
#define STATUS_INTERRUPT    0x80
#define REG_IRQ_STATUS	    0x24
#define REG_IRQ_ACK	    0x64
#define IRQ_FACTORIAL	    0x001
#define IRQ_DMA		    0x100
#define REG_DMA_SOURCE	    0x80
#define REG_DMA_DESTINATION 0x88
#define REG_DMA_COUNT	    0x90
#define REG_DMA_COMMAND	    0x98
#define DMA_START	    0x1
#define DMA_FROM_DEVICE	    0x2
#define DMA_INTERRUPT	    0x4
#define DMA_BUFFER	    0x40000
#define DMA_BITS	    28 /* what its engine reaches by default */

/* PCI 3.0 section 6.2.2 */
#define PCI_COMMAND	   0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4

#define WAIT_MS 10000 /* no latency is promised; QEMU's own device takes 100 ms for a transfer */

static int failed(const struct edu *edu, int err)
{
	return fail(vfk_device_name(edu->dev), err);
}

static int get(struct edu *edu, uint64_t reg, uint32_t *value)
{
	uint64_t wide;
	int r = vfk_region_get(edu->dev, VFIO_PCI_BAR0_REGION_INDEX, reg, 4, &wide);

	if (r < 0)
		return failed(edu, r);
	*value = (uint32_t)wide;
	return STATUS_OK;
}

static int put(struct edu *edu, uint64_t reg, uint64_t value)
{
	/* The address registers take 8 bytes too, which are needed only where there is no IOMMU. */
	unsigned int width = value >> 32 ? 8 : 4;
	int r = vfk_region_put(edu->dev, VFIO_PCI_BAR0_REGION_INDEX, reg, width, value);

	return r < 0 ? failed(edu, r) : STATUS_OK;
}

/* ---- interrupts ---- */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Takes back the reasons that are pending; an INTx was masked when it fired. */
static int acknowledge(struct edu *edu, uint32_t pending)
{
	int r;

	if (put(edu, REG_IRQ_ACK, pending) != STATUS_OK)
		return STATUS_FAILED;
	if (edu->irq_index != VFIO_PCI_INTX_IRQ_INDEX)
		return STATUS_OK;
	r = vfk_irq_unmask(edu->dev, edu->irq_index, 0, 1);
	return r < 0 ? failed(edu, r) : STATUS_OK;
}

/* Sleeps until an interrupt came whose reason is bit; other reasons are acknowledged on the way. */
static int wait_for(struct edu *edu, uint32_t bit, const char *what)
{
	uint64_t deadline = now_ms() + WAIT_MS, now, count;
	uint32_t pending;
	int r;

	for (;;) {
		now = now_ms();
		r = vfk_irq_wait(edu->dev, &edu->irq_fd, 1,
				 now < deadline ? (int)(deadline - now) : 0, &count);
		if (r == -ETIMEDOUT)
			return fail_text(vfk_device_name(edu->dev), "%s: no interrupt within %d s",
					 what, WAIT_MS / 1000);
		if (r == -EINTR)
			return fail_text(vfk_device_name(edu->dev), "%s: ended by a signal", what);
		if (r < 0)
			return failed(edu, r);
		edu->interrupts += (unsigned int)count;
		if (get(edu, REG_IRQ_STATUS, &pending) != STATUS_OK ||
		    acknowledge(edu, pending) != STATUS_OK)
			return STATUS_FAILED;
		if (pending & bit)
			return STATUS_OK;
	}
}

/* Something may be pending from whoever had the device before: it is not ours to count. */
static int arm(struct edu *edu)
{
	struct vfk_irq_info info;
	uint32_t pending;
	int r = inventory_irq(edu->dev, VFIO_PCI_MSI_IRQ_INDEX, &info);

	if (r < 0)
		return failed(edu, r);
	edu->irq_index = info.count ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_INTX_IRQ_INDEX;
	if (get(edu, REG_IRQ_STATUS, &pending) != STATUS_OK ||
	    put(edu, REG_IRQ_ACK, pending) != STATUS_OK)
		return STATUS_FAILED;
	edu->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (edu->irq_fd < 0)
		return fail_text(vfk_device_name(edu->dev), "eventfd: %m");
	r = vfk_irq_set_eventfds(edu->dev, edu->irq_index, 0, 1, &edu->irq_fd);
	if (r == 0)
		return STATUS_OK;
	close(edu->irq_fd);
	edu->irq_fd = -1;
	return failed(edu, r > 0 ? -ENOSPC : r);
}

static int disarm(struct edu *edu)
{
	int r;

	if (edu->irq_fd < 0)
		return STATUS_OK;
	r = vfk_irq_disable(edu->dev, edu->irq_index);
	close(edu->irq_fd);
	edu->irq_fd = -1;
	return r < 0 ? failed(edu, r) : STATUS_OK;
}

/* ---- memory ---- */

static int alloc_page(struct edu *edu, uint32_t prot, struct vfk_dma_buffer *buffer)
{
	int r = vfk_dma_alloc(edu->space, EDU_PAGE, prot, buffer);

	if (r < 0) {
		buffer->fd = -1;
		return failed(edu, r);
	}
	if (buffer->dev.contiguous < EDU_PAGE)
		return fail_text(vfk_device_name(edu->dev), "a page is not contiguous");
	return STATUS_OK;
}

static int attach_memory(struct edu *edu)
{
	int r = vfk_dma_space_create(&edu->space);

	if (r == 0)
		r = vfk_device_set_dma_mask(edu->dev, DMA_BITS);
	if (r == 0)
		r = vfk_device_attach_dma(edu->dev, edu->space);
	if (r < 0)
		return failed(edu, r);
	if (alloc_page(edu, VFK_DMA_READ, &edu->source) != STATUS_OK)
		return STATUS_FAILED;
	return alloc_page(edu, VFK_DMA_WRITE, &edu->sink);
}

static int detach_memory(struct edu *edu)
{
	int r = 0;

	if (!edu->space)
		return STATUS_OK;
	if (edu->sink.fd >= 0)
		r = vfk_dma_free(edu->space, &edu->sink);
	if (r == 0 && edu->source.fd >= 0)
		r = vfk_dma_free(edu->space, &edu->source);
	if (r == 0)
		r = vfk_device_detach_dma(edu->dev);
	if (r == 0)
		r = vfk_dma_space_destroy(edu->space);
	edu->space = NULL;
	return r < 0 ? failed(edu, r) : STATUS_OK;
}

/* ---- attaching ---- */

static int set_command(struct edu *edu, uint64_t command)
{
	int r = vfk_region_put(edu->dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, command);

	return r < 0 ? failed(edu, r) : STATUS_OK;
}

static int take_device(struct edu *edu)
{
	struct pci_identity id;
	int r;

	if (!(vfk_device_flags(edu->dev) & VFIO_DEVICE_FLAGS_PCI))
		return fail_text(vfk_device_name(edu->dev), "no edu: it is no PCI device");
	r = inventory_pci(edu->dev, &id);
	if (r < 0)
		return failed(edu, r);
	if (id.vendor != 0x1234 || id.device != 0x11e8)
		return fail_text(vfk_device_name(edu->dev), "no edu (1234:11e8): it is %04x:%04x",
				 id.vendor, id.device);
	r = vfk_region_get(edu->dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, &edu->command);
	if (r < 0)
		return failed(edu, r);
	return STATUS_OK;
}

int edu_attach(struct edu *edu, struct vfk_device *dev)
{
	*edu = (struct edu){
		.dev = dev,
		.source = { .size = sizeof(edu->source), .fd = -1 },
		.sink = { .size = sizeof(edu->sink), .fd = -1 },
		.irq_fd = -1,
	};
	if (take_device(edu) != STATUS_OK)
		return STATUS_FAILED;
	if (attach_memory(edu) != STATUS_OK)
		goto detach_memory;
	/* Bus mastering last: before it is on, the device reaches no memory. */
	if (set_command(edu, edu->command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER) != STATUS_OK)
		goto detach_memory;
	if (arm(edu) != STATUS_OK)
		goto restore_command;
	return STATUS_OK;

restore_command:
	set_command(edu, edu->command);
detach_memory:
	detach_memory(edu);
	return STATUS_FAILED;
}

int edu_detach(struct edu *edu)
{
	int status = disarm(edu);

	if (set_command(edu, edu->command) != STATUS_OK)
		status = STATUS_FAILED;
	if (detach_memory(edu) != STATUS_OK)
		status = STATUS_FAILED;
	return status;
}

/* ---- what it does ---- */

int edu_identification(struct edu *edu, uint32_t *id)
{
	return get(edu, REG_ID, id);
}

int edu_liveness(struct edu *edu, uint32_t value, uint32_t *answer)
{
	if (put(edu, REG_LIVENESS, value) != STATUS_OK)
		return STATUS_FAILED;
	return get(edu, REG_LIVENESS, answer);
}

int edu_factorial(struct edu *edu, uint32_t n, uint32_t *result)
{
	uint32_t status;

	if (put(edu, REG_STATUS, STATUS_INTERRUPT) != STATUS_OK ||
	    put(edu, REG_FACTORIAL, n) != STATUS_OK ||
	    wait_for(edu, IRQ_FACTORIAL, "factorial") != STATUS_OK ||
	    get(edu, REG_STATUS, &status) != STATUS_OK || put(edu, REG_STATUS, 0) != STATUS_OK)
		return STATUS_FAILED;
	if (status & STATUS_COMPUTING)
		return fail_text(vfk_device_name(edu->dev),
				 "factorial: the interrupt came before the result");
	return get(edu, REG_FACTORIAL, result);
}

static int transfer(struct edu *edu, uint64_t from, uint64_t to, uint32_t direction)
{
	uint32_t command;

	if (put(edu, REG_DMA_SOURCE, from) != STATUS_OK ||
	    put(edu, REG_DMA_DESTINATION, to) != STATUS_OK ||
	    put(edu, REG_DMA_COUNT, EDU_HALF) != STATUS_OK ||
	    put(edu, REG_DMA_COMMAND, DMA_START | DMA_INTERRUPT | direction) != STATUS_OK ||
	    wait_for(edu, IRQ_DMA, "DMA") != STATUS_OK ||
	    get(edu, REG_DMA_COMMAND, &command) != STATUS_OK)
		return STATUS_FAILED;
	if (command & DMA_START)
		return fail_text(vfk_device_name(edu->dev),
				 "DMA: the interrupt came before the transfer ended");
	return STATUS_OK;
}

/*
 * Both halves go through the front of the device's buffer: QEMU 7.2 ends itself over a transfer that
 * touches the buffer's last byte.
 */
int edu_move_page(struct edu *edu)
{
	for (uint64_t at = 0; at < EDU_PAGE; at += EDU_HALF)
		if (transfer(edu, edu->source.dev.addr + at, DMA_BUFFER, 0) != STATUS_OK ||
		    transfer(edu, DMA_BUFFER, edu->sink.dev.addr + at, DMA_FROM_DEVICE) !=
			    STATUS_OK)
			return STATUS_FAILED;
	return STATUS_OK;
}

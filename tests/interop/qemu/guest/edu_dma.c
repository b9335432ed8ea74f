/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The edu device's DMA: a page of the guest goes into the device's buffer and comes back elsewhere, in
 * two halves each (QEMU 7.2's device does not stand the whole at once). See edu.h.
 */
#include "edu.h"
#include "edu_regs.h"
#include "memory.h"
#include "tap.h"
#include "vfio.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

#define PAGE	 4096u
#define HALF	 2048u
/* Pages: what goes out, a guard, what comes back, a guard. */
#define PAGES	 4
#define POISON	 0xa5
#define COMES_MS 5000

typedef bool transfer(struct vfio *vfio, int fd, uint64_t src, uint64_t dst, uint32_t cmd);

static void fill(uint8_t *page, uint32_t seed)
{
	unsigned i;

	for (i = 0; i < PAGE; i++) {
		seed = seed * 1664525u + 1013904223u;
		page[i] = (uint8_t)(seed >> 24);
	}
}

static bool is_poison(const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len && bytes[i] == POISON; i++)
		;
	return i == len;
}

/* 4-byte accesses by read and write, an interrupt at the end. */
static bool transfer_by_irq(struct vfio *vfio, int fd, uint64_t src, uint64_t dst, uint32_t cmd)
{
	edu_set(vfio, EDU_DMA_SRC, (uint32_t)src);
	edu_set(vfio, EDU_DMA_DST, (uint32_t)dst);
	edu_set(vfio, EDU_DMA_COUNT, HALF);
	edu_set(vfio, EDU_DMA_CMD, cmd | EDU_DMA_START | EDU_DMA_IRQ);
	if (vfio_irq_wait(fd, COMES_MS) != 1 || edu_get(vfio, EDU_IRQ_STATUS) != EDU_IRQ_DMA)
		return false;
	edu_set(vfio, EDU_IRQ_ACK, EDU_IRQ_DMA);
	return !(edu_get(vfio, EDU_DMA_CMD) & EDU_DMA_START);
}

/* 8-byte accesses through the mapping, and polling for the end. */
static bool transfer_by_polling(struct vfio *vfio, int fd, uint64_t src, uint64_t dst, uint32_t cmd)
{
	(void)fd;
	edu_mapped_set64(vfio, EDU_DMA_SRC, src);
	edu_mapped_set64(vfio, EDU_DMA_DST, dst);
	edu_mapped_set64(vfio, EDU_DMA_COUNT, HALF);
	edu_mapped_set64(vfio, EDU_DMA_CMD, cmd | EDU_DMA_START);
	return edu_wait_clear(vfio, EDU_DMA_CMD, EDU_DMA_START);
}

static bool page_to_device(struct vfio *vfio, int fd, transfer *move, uint64_t ram)
{
	return move(vfio, fd, ram, EDU_DMA_BUFFER, 0) &&
	       move(vfio, fd, ram + HALF, EDU_DMA_BUFFER + HALF, 0);
}

static bool page_from_device(struct vfio *vfio, int fd, transfer *move, uint64_t ram)
{
	return move(vfio, fd, EDU_DMA_BUFFER, ram, EDU_DMA_TO_RAM) &&
	       move(vfio, fd, EDU_DMA_BUFFER + HALF, ram + HALF, EDU_DMA_TO_RAM);
}

static void round_trip(struct vfio *vfio, int fd, struct memory *memory, transfer *move,
		       const char *how)
{
	uint8_t *out = memory->bytes, *back = out + 2 * PAGE;
	uint8_t sent[PAGE];

	memset(memory->bytes, POISON, memory->size);
	fill(out, (uint32_t)how[0]);
	memcpy(sent, out, PAGE);
	tap_check(page_to_device(vfio, fd, move, memory->address), "DMA by %s: to the device", how);
	tap_check(!memcmp(out, sent, PAGE), "DMA by %s: the source is as it was", how);
	/* what comes back comes from the device, not from where it was */
	memset(out, POISON, PAGE);
	tap_check(page_from_device(vfio, fd, move, memory->address + 2 * PAGE),
		  "DMA by %s: from the device", how);
	tap_check(!memcmp(back, sent, PAGE), "DMA by %s: the page came back whole", how);
	tap_check(is_poison(out, 2 * PAGE) && is_poison(back + PAGE, PAGE),
		  "DMA by %s: nothing else was written", how);
}

static void with_irq(struct vfio *vfio, struct memory *memory, unsigned index, const char *how)
{
	int fd, err = vfio_irq_enable(vfio, index, &fd);

	if (!tap_check(!err, "DMA by %s: interrupt enabled", how)) {
		tap_note("%s", strerror(-err));
		return;
	}
	round_trip(vfio, fd, memory, transfer_by_irq, how);
	vfio_irq_disable(vfio, index);
	close(fd);
}

/* A device that may not is asked to write; it ends, and the page is as it was. */
static void refused(struct vfio *vfio, struct memory *memory, const char *why)
{
	memset(memory->bytes, POISON, memory->size);
	tap_check(transfer_by_polling(vfio, -1, EDU_DMA_BUFFER, memory->address, EDU_DMA_TO_RAM),
		  "DMA %s: comes to an end", why);
	tap_check(is_poison(memory->bytes, memory->size), "DMA %s: nothing was written", why);
}

void edu_test_dma(struct vfio *vfio)
{
	struct memory memory;

	memory_open(&memory, vfio, PAGES * PAGE);
	tap_note("the device reaches the pages at 0x%llx", (unsigned long long)memory.address);
	with_irq(vfio, &memory, VFIO_PCI_MSI_IRQ_INDEX, "MSI");
	round_trip(vfio, -1, &memory, transfer_by_polling, "polling");
	vfio_command(vfio, PCI_COMMAND_MASTER, false);
	refused(vfio, &memory, "without bus master");
	vfio_command(vfio, PCI_COMMAND_MASTER, true);
	round_trip(vfio, -1, &memory, transfer_by_polling, "bus master again");
	if (!vfio->noiommu) {
		memory_unmap(&memory, vfio);
		refused(vfio, &memory, "to what was unmapped");
	}
	memory_close(&memory);
}

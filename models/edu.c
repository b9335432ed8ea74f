/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu.c - QEMU's educational PCI device, after its specification (QEMU, docs/specs/edu.rst), 1234:11e8.
 *
 * Registers of BAR 0, of 4 bytes below 0x80, of 4 or 8 from there on (4 bytes written clear the upper half); accesses
 * of another size, and between registers, read as ones and write nothing:
 *
 *	0x00 identification 0x010000ed    0x04 liveness: reads as the complement of what was written
 *	0x08 factorial: write n, read n! modulo 2^32 when status bit 0 is clear
 *	0x20 status: bit 0 computing (read-only), bit 7 interrupt 0x1 after a factorial
 *	0x24 interrupt status    0x60 raise: ored into it    0x64 acknowledge: cleared from it
 *	0x80 DMA source    0x88 destination    0x90 count    0x98 command: bit 0 start and busy, bit 1 direction (0: memory
 *	to buffer), bit 2 interrupt 0x100 at the end. While busy, DMA registers ignore writes.
 *
 * The buffer of 4096 bytes is at 0x40000 of the device's own addresses; memory addresses above dma_mask are clamped to it.
 *
 * Work is done within the access that starts it, unless latency= says how many milliseconds later. What the
 * specification leaves open: a transfer that does not lie in the buffer is refused (QEMU ended, or ran over the
 * buffer, depending on its version), and one whose memory cannot be reached moves nothing. Either ends as every other
 * transfer does, bit 0 clear and the interrupt raised if asked for, since the device has no place for an error and a
 * driver that waits must not wait for ever.
 *
 * Threads: none of its own; the toolkit calls one function at a time.
 */
#include "table.h"
#include <errno.h>
#include <string.h>

#define REG_ID	      0x00
#define REG_LIVENESS  0x04
#define REG_FACTORIAL 0x08
#define REG_STATUS    0x20
#define REG_IRQ	      0x24
#define REG_RAISE     0x60
#define REG_ACK	      0x64
#define REG_DMA	      0x80 /* from here on accesses of 8 bytes too */
#define REG_DMA_SRC   0x80
#define REG_DMA_DST   0x88
#define REG_DMA_COUNT 0x90
#define REG_DMA_CMD   0x98

#define STATUS_COMPUTING 0x01
#define STATUS_IRQ	 0x80

#define IRQ_FACTORIAL 0x001
#define IRQ_DMA	      0x100

#define CMD_RUN	      0x1
#define CMD_TO_MEMORY 0x2
#define CMD_IRQ	      0x4

#define BUFFER_BASE 0x40000u
#define BUFFER_SIZE 4096u

#define DEFAULT_MASK ((1ull << 28) - 1)
#define MAX_LATENCY  60000 /* ms */

struct edu {
	uint32_t liveness;
	uint32_t factorial;
	uint32_t status;
	uint32_t irq_status;
	uint64_t src;
	uint64_t dst;
	uint64_t count;
	uint64_t cmd; /* CMD_RUN is set while dma is queued */
	uint64_t dma_mask;
	uint64_t latency; /* microseconds; 0: within the access */
	struct vfk_model_work compute;
	struct vfk_model_work dma;
	uint8_t buffer[BUFFER_SIZE];
};

/* ---- interrupts ---- */

static void raise_irq(struct vfk_model *model, struct edu *edu, uint32_t bits)
{
	edu->irq_status |= bits;
	if (!edu->irq_status)
		return;
	if (vfk_model_msi_enabled(model))
		vfk_model_msi(model, 0);
	else
		vfk_model_set_intx(model, true);
}

static void acknowledge(struct vfk_model *model, struct edu *edu, uint32_t bits)
{
	edu->irq_status &= ~bits;
	if (!edu->irq_status)
		vfk_model_set_intx(model, false);
}

/* ---- the factorial ---- */

static uint32_t factorial(uint32_t n)
{
	uint32_t product = 1;

	/* 34! has the factor 2 thirty-two times: from there on all are 0 modulo 2^32. */
	if (n >= 34)
		return 0;
	while (n > 1)
		product *= n--;
	return product;
}

static void finish_compute(struct vfk_model *model, void *self, struct vfk_model_work *work)
{
	struct edu *edu = self;

	(void)work;
	edu->factorial = factorial(edu->factorial);
	edu->status &= ~(uint32_t)STATUS_COMPUTING;
	if (edu->status & STATUS_IRQ)
		raise_irq(model, edu, IRQ_FACTORIAL);
}

static void start_compute(struct vfk_model *model, struct edu *edu, uint32_t n)
{
	if (edu->status & STATUS_COMPUTING)
		return;
	edu->factorial = n;
	edu->status |= STATUS_COMPUTING;
	vfk_model_defer(model, &edu->compute, edu->latency);
}

/* ---- DMA ---- */

static bool in_buffer(uint64_t addr, uint64_t count)
{
	return addr >= BUFFER_BASE && count <= BUFFER_SIZE &&
	       addr - BUFFER_BASE <= BUFFER_SIZE - count;
}

static void transfer(struct vfk_model *model, struct edu *edu)
{
	bool to_memory = edu->cmd & CMD_TO_MEMORY;
	uint64_t own = to_memory ? edu->src : edu->dst;
	uint64_t memory = (to_memory ? edu->dst : edu->src) & edu->dma_mask;
	uint8_t bounce[BUFFER_SIZE];

	if (!edu->count || !in_buffer(own, edu->count))
		return;
	if (to_memory) {
		vfk_model_dma_write(model, memory, edu->buffer + (own - BUFFER_BASE), edu->count);
		return;
	}
	/* A read that fails half-way leaves the buffer as it was. */
	if (!vfk_model_dma_read(model, memory, bounce, edu->count))
		memcpy(edu->buffer + (own - BUFFER_BASE), bounce, edu->count);
}

static void finish_dma(struct vfk_model *model, void *self, struct vfk_model_work *work)
{
	struct edu *edu = self;

	(void)work;
	transfer(model, edu);
	edu->cmd &= ~(uint64_t)CMD_RUN;
	if (edu->cmd & CMD_IRQ)
		raise_irq(model, edu, IRQ_DMA);
}

static void write_dma(struct vfk_model *model, struct edu *edu, uint64_t off, uint64_t value)
{
	if (edu->cmd & CMD_RUN)
		return;
	switch (off) {
	case REG_DMA_SRC:
		edu->src = value;
		break;
	case REG_DMA_DST:
		edu->dst = value;
		break;
	case REG_DMA_COUNT:
		edu->count = value;
		break;
	case REG_DMA_CMD:
		if (!(value & CMD_RUN))
			break;
		edu->cmd = value;
		vfk_model_defer(model, &edu->dma, edu->latency);
		break;
	}
}

/* ---- registers ---- */

static uint64_t read_register(const struct edu *edu, uint64_t off)
{
	switch (off) {
	case REG_ID:
		return 0x010000ed;
	case REG_LIVENESS:
		return edu->liveness;
	case REG_FACTORIAL:
		return edu->factorial;
	case REG_STATUS:
		return edu->status;
	case REG_IRQ:
		return edu->irq_status;
	case REG_DMA_SRC:
		return edu->src;
	case REG_DMA_DST:
		return edu->dst;
	case REG_DMA_COUNT:
		return edu->count;
	case REG_DMA_CMD:
		return edu->cmd;
	default:
		return UINT64_MAX;
	}
}

static void write_register(struct vfk_model *model, struct edu *edu, uint64_t off, uint64_t value)
{
	switch (off) {
	case REG_LIVENESS:
		edu->liveness = ~(uint32_t)value;
		break;
	case REG_FACTORIAL:
		start_compute(model, edu, (uint32_t)value);
		break;
	case REG_STATUS:
		edu->status = (edu->status & ~(uint32_t)STATUS_IRQ) | (value & STATUS_IRQ);
		break;
	case REG_RAISE:
		raise_irq(model, edu, (uint32_t)value);
		break;
	case REG_ACK:
		acknowledge(model, edu, (uint32_t)value);
		break;
	default:
		write_dma(model, edu, off, value);
	}
}

static bool size_ok(uint64_t off, size_t len)
{
	return len == 4 || (len == 8 && off >= REG_DMA);
}

/* A long access, as when a whole BAR is dumped, is a series of 4-byte ones. */
static size_t piece(size_t len)
{
	return len > 8 ? 4 : len;
}

static int edu_read(struct vfk_model *model, void *self, unsigned int bar, uint64_t off, void *buf,
		    size_t len)
{
	size_t n = piece(len);
	uint8_t *byte = buf;

	(void)model;
	(void)bar;
	for (; len; len -= n, off += n, byte += n) {
		uint64_t value = size_ok(off, n) ? read_register(self, off) : UINT64_MAX;

		for (size_t i = 0; i < n; i++)
			byte[i] = (uint8_t)(value >> 8 * (i % 8));
	}
	return 0;
}

static int edu_write(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
		     const void *buf, size_t len)
{
	const uint8_t *byte = buf;
	size_t n = piece(len);

	(void)bar;
	for (; len; len -= n, off += n, byte += n) {
		uint64_t value = 0;

		for (size_t i = 0; i < n; i++)
			value |= (uint64_t)byte[i] << 8 * (i % 8);
		if (size_ok(off, n))
			write_register(model, self, off, value);
	}
	return 0;
}

/* ---- the device ---- */

static int take_params(struct vfk_model *model, struct edu *edu, const struct vfk_uri *uri)
{
	uint64_t latency = 0;
	int ret;

	edu->dma_mask = DEFAULT_MASK;
	ret = vfk_uri_get_u64(uri, "dma_mask", 0, UINT64_MAX, &edu->dma_mask);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	ret = vfk_uri_get_u64(uri, "latency", 0, MAX_LATENCY, &latency);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	edu->latency = latency * 1000;
	return latency ? vfk_model_use_deferred_work(model) : 0;
}

static int edu_init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	static const struct vfk_model_identity identity = {
		.vendor = 0x1234,
		.device = 0x11e8,
		.subvendor = 0x1af4, /* what QEMU gives devices that have none */
		.subdevice = 0x1100,
		.class_code = 0x00ff00,
		.revision = 0x10,
	};
	static const struct vfk_model_bar bar = {
		.size = sizeof(bar),
		.length = 1 << 20,
		.min_access = 4,
		.fd = -1,
	};
	struct edu *edu = self;
	int ret;

	edu->compute.fn = finish_compute;
	edu->dma.fn = finish_dma;
	ret = take_params(model, edu, uri);
	if (!ret)
		ret = vfk_model_set_identity(model, &identity);
	if (!ret)
		ret = vfk_model_add_bar(model, 0, &bar);
	if (!ret)
		ret = vfk_model_add_intx(model);
	if (!ret)
		ret = vfk_model_add_msi(model, 1, false);
	return ret;
}

static void edu_reset(struct vfk_model *model, void *self)
{
	struct edu *edu = self;

	(void)model;
	edu->liveness = 0;
	edu->factorial = 0;
	edu->status = 0;
	edu->irq_status = 0;
	edu->src = 0;
	edu->dst = 0;
	edu->count = 0;
	edu->cmd = 0;
	memset(edu->buffer, 0, sizeof(edu->buffer));
}

static const char *const params[] = { "dma_mask", "latency", NULL };

const struct vfk_model_ops vfki_edu_model = {
	.size = sizeof(struct vfk_model_ops),
	.name = "edu",
	.help = "QEMU's educational device; dma_mask=MASK (0xfffffff), latency=MS (0)",
	.params = params,
	.instance_size = sizeof(struct edu),
	.init = edu_init,
	.bar_read = edu_read,
	.bar_write = edu_write,
	.reset = edu_reset,
};

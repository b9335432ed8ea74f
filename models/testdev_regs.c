/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testdev_regs.c - the test device's registers, in BAR 0.
 *
 * An access of 1, 2, 4 or 8 bytes may take part of a register, or several: bytes that it does not write keep their
 * value, and each register that it touches acts once. What is between registers reads as 0 and ignores writes.
 *
 *	0x00	4	identification, 0x01007e57; read-only
 *	0x08	1	scratch, without effect, as the next three
 *	0x0a	2	scratch
 *	0x0c	4	scratch
 *	0x10	8	scratch
 *	0x20	4	RAISE: write n: message n is sent, or INTx asserted where neither MSI nor MSI-X is enabled; reads 0
 *	0x24	4	INTX: level of INTx, 0 or 1
 *	0x28	4	NOTIFY: bit 0 the error notifier, bit 1 the device request, bit 2 a wake-up by the device; reads 0
 *	0x30	4	RESETS: how many resets there were since open; read-only
 *	0x34	4	POWER: bit 0 the device may be in runtime low power; read-only
 *	0x40	8	DMA source, 0x48 8 destination: of the device's own buffer an offset, of memory an IOVA
 *	0x50	4	DMA count
 *	0x54	4	DMA command: bit 0 start, bit 1 from the buffer to memory, else from memory to the buffer,
 *			bit 2 raise message (bits 31 to 16) or INTx at the end; reads as it was written
 *	0x58	4	DMA status: 0, or the errno of the last transfer (22: it did not lie in the buffer); read-only
 *	0x80	8	SLOW: scratch whose accesses take slow= milliseconds
 *	0x88	8	FAIL: scratch whose accesses fail as fail= says
 *
 * A transfer is over when the access that started it returns. One that fails has moved nothing into the buffer.
 *
 * Threads: as every function of a model.
 */
#include "testdev.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDENTIFICATION 0x01007e57u

#define NOTIFY_ERROR   0x1
#define NOTIFY_REQUEST 0x2
#define NOTIFY_WAKE    0x4

#define CMD_START     0x1
#define CMD_TO_MEMORY 0x2
#define CMD_RAISE     0x4

#define CHUNK 4096u

enum reg {
	REG_ID,
	REG_SCRATCH8,
	REG_SCRATCH16,
	REG_SCRATCH32,
	REG_SCRATCH64,
	REG_RAISE,
	REG_INTX,
	REG_NOTIFY,
	REG_RESETS,
	REG_POWER,
	REG_SRC,
	REG_DST,
	REG_COUNT,
	REG_CMD,
	REG_STATUS,
	REG_SLOW,
	REG_FAIL,
};

static const struct place {
	uint8_t off, width;
} places[] = {
	[REG_ID] = { 0x00, 4 },	       [REG_SCRATCH8] = { 0x08, 1 },  [REG_SCRATCH16] = { 0x0a, 2 },
	[REG_SCRATCH32] = { 0x0c, 4 }, [REG_SCRATCH64] = { 0x10, 8 }, [REG_RAISE] = { 0x20, 4 },
	[REG_INTX] = { 0x24, 4 },      [REG_NOTIFY] = { 0x28, 4 },    [REG_RESETS] = { 0x30, 4 },
	[REG_POWER] = { 0x34, 4 },     [REG_SRC] = { 0x40, 8 },	      [REG_DST] = { 0x48, 8 },
	[REG_COUNT] = { 0x50, 4 },     [REG_CMD] = { 0x54, 4 },	      [REG_STATUS] = { 0x58, 4 },
	[REG_SLOW] = { 0x80, 8 },      [REG_FAIL] = { 0x88, 8 },
};

#define NUM_REGS (sizeof(places) / sizeof(places[0]))

/* ---- DMA ---- */

static int to_memory(struct vfk_model *model, const uint8_t *from, uint64_t iova, uint64_t count)
{
	int ret = 0;

	for (uint64_t n; count && !ret; count -= n, iova += n, from += n) {
		n = count < CHUNK ? count : CHUNK;
		ret = vfk_model_dma_write(model, iova, from, n);
	}
	return ret;
}

/* By a copy, so that a transfer that fails half-way leaves the buffer as it was. */
static int from_memory(struct vfk_model *model, uint64_t iova, uint8_t *to, uint64_t count)
{
	uint8_t *copy = malloc(count);
	int ret = copy ? 0 : -ENOMEM;

	for (uint64_t done = 0, n; done < count && !ret; done += n) {
		n = count - done < CHUNK ? count - done : CHUNK;
		ret = vfk_model_dma_read(model, iova + done, copy + done, n);
	}
	if (!ret)
		memcpy(to, copy, count);
	free(copy);
	return ret;
}

static void raise_irq(struct vfk_model *model, struct testdev *dev, unsigned int vector)
{
	if (vfk_model_msi_enabled(model)) {
		/* A vector beyond those there are is the driver's mistake, and lost. */
		(void)vfk_model_msi(model, vector);
		return;
	}
	dev->intx = 1;
	vfk_model_set_intx(model, true);
}

static void finish_dma(struct vfk_model *model, void *self, struct vfk_model_work *work)
{
	struct testdev *dev = self;
	bool out = dev->cmd & CMD_TO_MEMORY;
	uint64_t own = out ? dev->src : dev->dst, iova = out ? dev->dst : dev->src, size;
	uint8_t *buffer = testdev_buffer(dev, &size);
	int ret = 0;

	(void)work;
	if (own > size || dev->count > size - own || iova + dev->count < iova)
		ret = -EINVAL;
	else if (dev->count)
		ret = out ? to_memory(model, buffer + own, iova, dev->count) :
			    from_memory(model, iova, buffer + own, dev->count);
	dev->status = (uint32_t)-ret;
	if (dev->cmd & CMD_RAISE)
		raise_irq(model, dev, dev->cmd >> 16);
}

/* ---- what a register holds, and what writing one does ---- */

static uint64_t get(const struct testdev *dev, const struct vfk_model *model, enum reg reg)
{
	switch (reg) {
	case REG_ID:
		return IDENTIFICATION;
	case REG_SCRATCH8:
		return dev->scratch8;
	case REG_SCRATCH16:
		return dev->scratch16;
	case REG_SCRATCH32:
		return dev->scratch32;
	case REG_SCRATCH64:
		return dev->scratch64;
	case REG_INTX:
		return dev->intx;
	case REG_RESETS:
		return dev->resets;
	case REG_POWER:
		return vfk_model_low_power(model);
	case REG_SRC:
		return dev->src;
	case REG_DST:
		return dev->dst;
	case REG_COUNT:
		return dev->count;
	case REG_CMD:
		return dev->cmd;
	case REG_STATUS:
		return dev->status;
	case REG_SLOW:
		return dev->slow;
	case REG_FAIL:
		return dev->fail;
	case REG_RAISE:
	case REG_NOTIFY:
		break;
	}
	return 0;
}

static void put_intx(struct testdev *dev, struct vfk_model *model, uint64_t value)
{
	dev->intx = value & 1;
	vfk_model_set_intx(model, dev->intx);
}

static void notify(struct vfk_model *model, uint64_t value)
{
	if (value & NOTIFY_ERROR)
		vfk_model_error(model);
	if (value & NOTIFY_REQUEST)
		vfk_model_request(model);
	if (value & NOTIFY_WAKE)
		vfk_model_wake(model);
}

static void put_command(struct testdev *dev, struct vfk_model *model, uint64_t value)
{
	dev->cmd = (uint32_t)value;
	if (value & CMD_START)
		vfk_model_defer(model, &dev->dma, 0);
}

static void put(struct testdev *dev, struct vfk_model *model, enum reg reg, uint64_t value)
{
	switch (reg) {
	case REG_SCRATCH8:
		dev->scratch8 = (uint8_t)value;
		break;
	case REG_SCRATCH16:
		dev->scratch16 = (uint16_t)value;
		break;
	case REG_SCRATCH32:
		dev->scratch32 = (uint32_t)value;
		break;
	case REG_SCRATCH64:
		dev->scratch64 = value;
		break;
	case REG_RAISE:
		raise_irq(model, dev, (unsigned int)value);
		break;
	case REG_INTX:
		put_intx(dev, model, value);
		break;
	case REG_NOTIFY:
		notify(model, value);
		break;
	case REG_SRC:
		dev->src = value;
		break;
	case REG_DST:
		dev->dst = value;
		break;
	case REG_COUNT:
		dev->count = (uint32_t)value;
		break;
	case REG_CMD:
		put_command(dev, model, value);
		break;
	case REG_SLOW:
		dev->slow = value;
		break;
	case REG_FAIL:
		dev->fail = value;
		break;
	case REG_ID:
	case REG_RESETS:
	case REG_POWER:
	case REG_STATUS:
		break;
	}
}

/* ---- accesses ---- */

/* Which bytes of a register an access has: from @first to before @end, both from the register's beginning. */
static bool touches(enum reg reg, uint64_t off, size_t len, unsigned int *first, unsigned int *end)
{
	const struct place *p = &places[reg];

	if (off + len <= p->off || off >= p->off + p->width)
		return false;
	*first = off > p->off ? (unsigned int)(off - p->off) : 0;
	*end = off + len < p->off + p->width ? (unsigned int)(off + len - p->off) : p->width;
	return true;
}

static int misbehave(const struct testdev *dev, enum reg reg, enum testdev_fail how)
{
	struct timespec slow = { .tv_sec = (time_t)(dev->params.slow / 1000),
				 .tv_nsec = (long)(dev->params.slow % 1000) * 1000000 };

	if (reg == REG_SLOW && dev->params.slow)
		nanosleep(&slow, NULL);
	return reg == REG_FAIL && dev->params.fail & how ? -EIO : 0;
}

int testdev_read_registers(struct testdev *dev, struct vfk_model *model, uint64_t off, void *buf,
			   size_t len)
{
	uint8_t *byte = buf;
	unsigned int first, end;

	memset(buf, 0, len);
	for (enum reg reg = 0; reg < NUM_REGS; reg++) {
		uint64_t value;
		int ret;

		if (!touches(reg, off, len, &first, &end))
			continue;
		ret = misbehave(dev, reg, TESTDEV_FAIL_READ);
		if (ret < 0)
			return ret;
		value = get(dev, model, reg);
		for (unsigned int i = first; i < end; i++)
			byte[places[reg].off + i - off] = (uint8_t)(value >> 8 * i);
	}
	return 0;
}

int testdev_write_registers(struct testdev *dev, struct vfk_model *model, uint64_t off,
			    const void *buf, size_t len)
{
	const uint8_t *byte = buf;
	unsigned int first, end;

	for (enum reg reg = 0; reg < NUM_REGS; reg++) {
		uint64_t value;
		int ret;

		if (!touches(reg, off, len, &first, &end))
			continue;
		ret = misbehave(dev, reg, TESTDEV_FAIL_WRITE);
		if (ret < 0)
			return ret;
		value = get(dev, model, reg);
		for (unsigned int i = first; i < end; i++) {
			value &= ~(0xffull << 8 * i);
			value |= (uint64_t)byte[places[reg].off + i - off] << 8 * i;
		}
		put(dev, model, reg, value);
	}
	return 0;
}

void testdev_init_registers(struct testdev *dev)
{
	dev->dma.fn = finish_dma;
}

void testdev_reset_registers(struct testdev *dev)
{
	dev->scratch8 = 0;
	dev->scratch16 = 0;
	dev->scratch32 = 0;
	dev->scratch64 = 0;
	dev->intx = 0;
	dev->src = 0;
	dev->dst = 0;
	dev->count = 0;
	dev->cmd = 0;
	dev->status = 0;
	dev->slow = 0;
	dev->fail = 0;
	dev->resets++;
}

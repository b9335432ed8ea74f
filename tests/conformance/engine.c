/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.c - the devices that the suite can drive; nvme and the network cards have files of their own.
 *
 * edu: QEMU documentation, "EDU device": registers at 0x04 (liveness, reads back inverted), 0x60 (raise), 0x64
 * (acknowledge), 0x80 to 0x98 (DMA source, destination, count, command), its buffer at 0x40000.
 *
 * testdev: models/testdev_regs.c.
 */
#include "engine.h"
#include "engine_e1000.h"
#include "engine_nvme.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <time.h>

#define CONFIG	   VFIO_PCI_CONFIG_REGION_INDEX
#define EDU_BUFFER 0x40000

static uint32_t invert(uint32_t v)
{
	return ~v;
}

static void edu_raise(struct t *t)
{
	case_put(t, 0, 0x60, 4, 1);
}

static void edu_ack(struct t *t)
{
	case_put(t, 0, 0x64, 4, case_get(t, 0, 0x24, 4));
}

static void edu_start(struct t *t, uint64_t src, uint64_t dst, size_t len, uint32_t command)
{
	case_put(t, 0, 0x80, 8, src);
	case_put(t, 0, 0x88, 8, dst);
	case_put(t, 0, 0x90, 8, len);
	case_put(t, 0, 0x98, 8, command);
}

static void edu_start_in(struct t *t, uint64_t src, size_t len)
{
	edu_start(t, src, EDU_BUFFER, len, 1 | 4);
}

static void edu_start_out(struct t *t, uint64_t dst, size_t len)
{
	edu_start(t, EDU_BUFFER, dst, len, 1 | 2 | 4);
}

static bool edu_done(struct t *t)
{
	return (case_get(t, 0, 0x98, 8) & 1) == 0;
}

static void testdev_raise(struct t *t)
{
	case_put(t, 0, 0x20, 4, 0);
}

static void testdev_ack(struct t *t)
{
	case_put(t, 0, 0x24, 4, 0);
}

static void testdev_raise_vector(struct t *t, uint32_t vector)
{
	case_put(t, 0, 0x20, 4, vector);
}

static void testdev_notify(struct t *t, uint32_t irq)
{
	case_put(t, 0, 0x28, 4, irq == VFIO_PCI_ERR_IRQ_INDEX ? 1 : 2);
}

static void testdev_start(struct t *t, uint64_t src, uint64_t dst, size_t len, uint32_t command)
{
	case_put(t, 0, 0x40, 8, src);
	case_put(t, 0, 0x48, 8, dst);
	case_put(t, 0, 0x50, 4, len);
	case_put(t, 0, 0x54, 4, command);
}

static void testdev_start_in(struct t *t, uint64_t src, size_t len)
{
	testdev_start(t, src, 0, len, 1 | 4);
}

static void testdev_start_out(struct t *t, uint64_t dst, size_t len)
{
	testdev_start(t, 0, dst, len, 1 | 2 | 4);
}

/* The write of the command was the transfer. */
static bool testdev_done(struct t *t)
{
	(void)t;
	return true;
}

static uint32_t same(uint32_t v)
{
	return v;
}

static const struct engine edu = {
	.vendor = 0x1234,
	.device = 0x11e8,
	.bar = 0,
	.scratch = 0x04,
	.scratch_reads = invert,
	.dma_bits = 28,
	.max_copy = 2048, /* QEMU 7.2's aborts on the whole buffer */
	.raise = edu_raise,
	.ack = edu_ack,
	.start_in = edu_start_in,
	.start_out = edu_start_out,
	.done = edu_done,
};

static const struct engine testdev = {
	.vendor = 0x1234,
	.device = 0x11e9,
	.bar = 0,
	.scratch = 0x0c,
	.scratch_reads = same,
	.dma_bits = 64,
	.max_copy = 4096,
	.raise = testdev_raise,
	.ack = testdev_ack,
	.raise_vector = testdev_raise_vector,
	.notify = testdev_notify,
	.start_in = testdev_start_in,
	.start_out = testdev_start_out,
	.done = testdev_done,
};

static const struct engine *const engines[] = { &edu, &testdev, &vfk_engine_nvme, &vfk_engine_82574,
						&vfk_engine_82576 };

const struct engine *engine_known(struct t *t)
{
	uint16_t vendor, device;

	if (!(vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_PCI))
		return NULL;
	vendor = (uint16_t)case_get(t, CONFIG, PCI_VENDOR_ID, 2);
	device = (uint16_t)case_get(t, CONFIG, PCI_DEVICE_ID, 2);
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		if (engines[i]->vendor == vendor && engines[i]->device == device)
			return engines[i];
	}
	return NULL;
}

const struct engine *engine_find(struct t *t)
{
	const struct engine *e;

	case_need_pci(t);
	e = engine_known(t);
	if (!e)
		case_skip("nothing known that can drive %04x:%04x",
			  (unsigned int)case_get(t, CONFIG, PCI_VENDOR_ID, 2),
			  (unsigned int)case_get(t, CONFIG, PCI_DEVICE_ID, 2));
	case_command(t, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK_OK(t, vfk_device_set_dma_mask(t->dev, e->dma_bits));
	return e;
}

struct engine_run engine_begin(struct t *t, const struct engine *e, struct vfk_dma_space *space)
{
	struct engine_run run = { .e = e };
	int ret;

	if (!e->begin)
		return run;
	if (!space) {
		CHECK_OK(t, vfk_dma_space_create(&run.own));
		ret = vfk_device_attach_dma(t->dev, run.own);
		CHECK_OK(t, ret);
		space = run.own;
	}
	e->begin(t, space);
	return run;
}

void engine_end(struct t *t, struct engine_run *run)
{
	if (run->e->end)
		run->e->end(t);
	if (!run->own)
		return;
	CHECK_OK(t, vfk_device_detach_dma(t->dev));
	CHECK_OK(t, vfk_dma_space_destroy(run->own));
}

uint32_t engine_message_irq(struct t *t)
{
	if (case_irq(t, VFIO_PCI_MSI_IRQ_INDEX).count)
		return VFIO_PCI_MSI_IRQ_INDEX;
	if (!case_irq(t, VFIO_PCI_MSIX_IRQ_INDEX).count)
		case_skip("the device has no interrupts by message");
	return VFIO_PCI_MSIX_IRQ_INDEX;
}

void engine_wait(struct t *t, const struct engine *e)
{
	uint64_t end = case_now_ms() + 5000;

	while (!e->done(t)) {
		struct timespec ms = { .tv_nsec = 1000000 };
		int ret;

		CHECK(t, case_now_ms() < end);
		ret = vfk_device_dispatch(t->dev);
		CHECK(t, ret >= 0 || ret == -ENOTSUP);
		nanosleep(&ms, NULL);
	}
}

void engine_in(struct t *t, const struct engine *e, uint64_t src, size_t len)
{
	e->start_in(t, src, len);
	engine_wait(t, e);
}

void engine_out(struct t *t, const struct engine *e, uint64_t dst, size_t len)
{
	e->start_out(t, dst, len);
	engine_wait(t, e);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* workload.c - things that a driver does, in any order; see workload.h. */
#include "workload.h"
#include "client.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const workload_uris[WORKLOAD_DEVICES] = {
	[WORKLOAD_EDU] = "model:edu",
	[WORKLOAD_TESTDEV] = "model:testdev",
};

/* ---- registers ---- */

static void read_register(struct client *c, struct dice *dice)
{
	uint64_t value;

	(void)dice;
	if (vfk_region_get(c->dev, 7, 0, 4, &value))
		return;
	client_want(c, value == c->identity, "another device's identity was read");
}

static void read_many(struct client *c, struct dice *dice)
{
	uint8_t bytes[4096];
	size_t len = 1 + dice_below(dice, sizeof(bytes));

	client_want(c, vfk_region_read(c->dev, 7, 0, bytes, len) <= (ssize_t)len,
		    "more was read than asked for");
}

static void write_register(struct client *c, struct dice *dice)
{
	vfk_region_put(c->dev, 0, EDU_LIVENESS, 4, dice_below(dice, UINT32_MAX));
}

static void post_writes(struct client *c, struct dice *dice)
{
	uint32_t value = 1, n = 1 + dice_below(dice, 40);

	for (uint32_t i = 0; i < n; i++)
		vfk_region_write(c->dev, 0, EDU_LIVENESS, &value, sizeof(value), VFK_WRITE_POSTED);
	if (dice_once_in(dice, 2))
		vfk_region_flush(c->dev);
}

static void write_batch(struct client *c, struct dice *dice)
{
	struct vfk_region_write writes[16] = { 0 };
	uint32_t n = 1 + dice_below(dice, 16);

	for (uint32_t i = 0; i < n; i++)
		writes[i] = (struct vfk_region_write){ .offset = EDU_LIVENESS, .len = 4 };
	vfk_region_write_multi(c->dev, writes, n);
}

/* ---- infos, mappings ---- */

static void ask_info(struct client *c, struct dice *dice)
{
	const struct vfk_region_info *info;

	vfk_region_get_info(c->dev, dice_below(dice, 9), &info);
}

static void map_region(struct client *c, struct dice *dice)
{
	const struct vfk_region_info *info;
	uint32_t region = dice_below(dice, 6);
	void *addr;

	if (vfk_region_get_info(c->dev, region, &info) || !info->num_areas)
		return;
	if (vfk_region_map(c->dev, region, info->areas[0].offset, info->areas[0].length,
			   PROT_READ | PROT_WRITE, &addr))
		return;
	*(volatile uint32_t *)addr = 5;
	/* Half are left for close. */
	if (dice_once_in(dice, 2))
		client_want(c, !vfk_region_unmap(c->dev, addr), "an unmap failed");
}

/* ---- interrupts ---- */

static void arm(struct client *c, struct dice *dice)
{
	static int many[2048];
	struct vfk_irq_info info;
	uint32_t index = dice_below(dice, 3), n;

	if (vfk_irq_get_info(c->dev, index, &info) || !info.count)
		return;
	n = 1 + dice_below(dice, dice_once_in(dice, 4) ? info.count : 1);
	for (uint32_t i = 0; i < n; i++)
		many[i] = c->event[i % CLIENT_EVENTS];
	vfk_irq_set_eventfds(c->dev, index, 0, n, many);
}

static void use_irqs(struct client *c, struct dice *dice)
{
	uint32_t index = dice_below(dice, 3);

	switch (dice_below(dice, 5)) {
	case 0:
		vfk_irq_mask(c->dev, index, 0, 1);
		break;
	case 1:
		vfk_irq_unmask(c->dev, index, 0, 1);
		break;
	case 2:
		vfk_irq_disable(c->dev, index);
		break;
	case 3:
		vfk_irq_set_unmask_eventfd(c->dev, 0, 0, c->event[0]);
		break;
	default:
		vfk_irq_trigger(c->dev, index, 0, 1);
		vfk_irq_wait(c->dev, c->event, 1, 0, &(uint64_t){ 0 });
	}
}

/* ---- DMA ---- */

static void map_memory(struct client *c, struct dice *dice)
{
	struct vfk_dma_buffer *b = &c->buffer[dice_below(dice, CLIENT_BUFFERS)];

	if (!c->space)
		return;
	if (b->fd >= 0) {
		/* Nothing refuses it but a device that has hold of the memory, and none has between two calls. */
		client_want(c, !vfk_dma_free(c->space, b), "memory was not given back");
		b->fd = -1;
	} else if (vfk_dma_alloc(c->space, 4096u << dice_below(dice, 4),
				 VFK_DMA_READ | VFK_DMA_WRITE, b)) {
		b->fd = -1;
	}
}

/* By descriptor where there is a buffer, by messages through the mapping that has none. */
static void transfer(struct client *c, struct dice *dice)
{
	const struct vfk_dma_buffer *b = &c->buffer[dice_below(dice, CLIENT_BUFFERS)];
	uint64_t iova = b->fd >= 0 ? b->iova : CLIENT_CALLED;

	client_transfer(c, iova, 1 + dice_below(dice, 4096), dice_once_in(dice, 2));
}

static void record_writes(struct client *c, struct dice *dice)
{
	uint64_t bitmap[1];

	if (!c->space || vfk_dma_dirty_start(c->space, 4096))
		return;
	transfer(c, dice);
	vfk_dma_dirty_report(c->space, CLIENT_CALLED, CLIENT_CALLED_SIZE, bitmap, 1);
	vfk_dma_dirty_stop(c->space);
}

/* ---- features and the rest ---- */

static void use_features(struct client *c, struct dice *dice)
{
	struct vfk_precopy_info precopy = { .argsz = sizeof(precopy) };
	uint8_t bytes[256] = { 0 };
	uint32_t ops;

	vfk_feature_probe(c->dev, 1 + dice_below(dice, 10), &ops);
	if (dice_once_in(dice, 4)) {
		vfk_feature_set(c->dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0);
		vfk_feature_set(c->dev, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0);
	}
	vfk_device_mig_read(c->dev, bytes, sizeof(bytes));
	vfk_device_mig_write(c->dev, bytes, sizeof(bytes));
	vfk_device_precopy_info(c->dev, &precopy);
}

static void reset(struct client *c, struct dice *dice)
{
	if (dice_once_in(dice, 4))
		vfk_device_reset(c->dev);
	else
		vfk_device_dispatch(c->dev);
}

static void (*const steps_of[])(struct client *c, struct dice *dice) = {
	read_register, read_many,    write_register, post_writes, write_batch, ask_info,
	map_region,    arm,	     use_irqs,	     map_memory,  transfer,    record_writes,
	transfer,      use_features, reset,	     map_memory,
};

const char *workload_run(int fd, enum workload_device which, const char *options, struct dice *dice,
			 unsigned int steps, uint32_t timeout_ms)
{
	const uint32_t kinds = sizeof(steps_of) / sizeof(steps_of[0]);
	struct client c;

	if (client_open(&c, fd, which, options, timeout_ms))
		return client_close(&c);
	client_attach(&c);
	while (steps--)
		steps_of[dice_below(dice, kinds)](&c, dice);
	return client_close(&c);
}

/* ---- what works for a client that nobody cuts ---- */

static void check_edu(struct client *c)
{
	uint8_t bytes[64];
	uint64_t value = 0;

	client_want(c, !vfk_region_put(c->dev, 0, EDU_LIVENESS, 4, 0x12345678), "a write fails");
	client_want(c, !vfk_region_get(c->dev, 0, EDU_LIVENESS, 4, &value) && value == 0xedcba987,
		    "a register does not read as it should");
	client_want(c, !vfk_dma_alloc(c->space, 4096, VFK_DMA_READ | VFK_DMA_WRITE, &c->buffer[0]),
		    "no memory can be mapped");
	if (c->wrong)
		return;
	memset(c->buffer[0].vaddr, 0x5a, sizeof(bytes));
	client_want(c,
		    !client_transfer(c, c->buffer[0].iova, sizeof(bytes), false) &&
			    !client_transfer(c, CLIENT_CALLED, sizeof(bytes), true),
		    "no transfer can be started");
	memset(bytes, 0x5a, sizeof(bytes));
	client_want(c, !memcmp(c->called, bytes, sizeof(bytes)), "memory was not moved");
}

static void check_testdev(struct client *c)
{
	uint32_t value = 0;
	void *addr;

	client_want(c, !vfk_region_map(c->dev, 2, 0, 4096, PROT_READ | PROT_WRITE, &addr),
		    "a region cannot be mapped");
	if (c->wrong)
		return;
	*(volatile uint32_t *)addr = 0x600df00d;
	client_want(c, vfk_region_read(c->dev, 2, 0, &value, 4) == 4 && value == 0x600df00d,
		    "a mapping is not the region");
}

static void check_irq(struct client *c)
{
	uint64_t count = 0;

	client_want(c, !vfk_irq_set_eventfds(c->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, c->event),
		    "MSI cannot be armed");
	client_want(c,
		    !vfk_irq_trigger(c->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1) &&
			    vfk_irq_wait(c->dev, c->event, 1, 5000, &count) == 1,
		    "an interrupt does not arrive");
}

const char *workload_check(int fd, enum workload_device which)
{
	struct client c;

	client_open(&c, fd, which, "", 0);
	client_want(&c, c.dev, "the device cannot be opened");
	if (!c.dev)
		return client_close(&c);
	client_attach(&c);
	client_want(&c, c.attached, "no memory can be shared");
	if (!c.wrong)
		(which == WORKLOAD_EDU ? check_edu : check_testdev)(&c);
	if (!c.wrong)
		check_irq(&c);
	return client_close(&c);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doorbell.c - a model with doorbells, by the toolkit.
 *
 * BAR 0: 4 bytes at 0x100 for any value, 8 at 0x108 for the values 7 and 9, 2 at 0x110. BAR 1: 100 of 4 bytes. A write that is
 * none of these registers' goes to memory. Registers: the id at 0; the number of writes to doorbells at 0x10, the last
 * one's offset at 0x14, value at 0x18, BAR at 0x1c.
 */
#include "rich.h"
#include <errno.h>
#include <string.h>

struct bells {
	uint32_t rings, offset, value, bar;
};

static int init(struct vfk_model *m, void *self, const struct vfk_uri *uri)
{
	static const struct vfk_model_identity id = { .vendor = 0x1234, .device = 0x11e9 };
	static const struct vfk_model_bar bar = { .size = sizeof(bar), .length = 4096, .fd = -1 };
	int ret = vfk_model_set_identity(m, &id);

	(void)self;
	(void)uri;
	for (unsigned int i = 0; !ret && i < 2; i++)
		ret = vfk_model_add_bar(m, i, &bar);
	if (!ret)
		ret = vfk_model_add_doorbell(m, 0, 0x100, 4, 0, 0);
	if (!ret)
		ret = vfk_model_add_doorbell(m, 0, 0x108, 8, VFK_DOORBELL_MATCH, 7);
	if (!ret)
		ret = vfk_model_add_doorbell(m, 0, 0x108, 8, VFK_DOORBELL_MATCH, 9);
	if (!ret)
		ret = vfk_model_add_doorbell(m, 0, 0x110, 2, 0, 0x1234);
	for (unsigned int i = 0; !ret && i < 100; i++)
		ret = vfk_model_add_doorbell(m, 1, 4ull * i, 4, 0, i);
	return ret;
}

static int bar_read(struct vfk_model *m, void *self, unsigned int bar, uint64_t off, void *buf,
		    size_t len)
{
	const struct bells *b = self;
	const uint32_t registers[] = { b->rings, b->offset, b->value, b->bar };
	uint32_t value = 0;

	(void)m;
	if (bar == 0 && off == 0)
		value = 0x010000ed;
	if (bar == 0 && off >= 0x10 && off < 0x20)
		value = registers[(off - 0x10) / 4];
	memset(buf, 0, len);
	memcpy(buf, &value, len < sizeof(value) ? len : sizeof(value));
	return 0;
}

static int bar_write(struct vfk_model *m, void *self, unsigned int bar, uint64_t off,
		     const void *buf, size_t len)
{
	struct bells *b = self;

	(void)m;
	if (bar == 0 && off < 0x100)
		return -EIO;
	b->rings++;
	b->offset = (uint32_t)off;
	b->bar = bar;
	b->value = 0;
	memcpy(&b->value, buf, len < sizeof(b->value) ? len : sizeof(b->value));
	return 0;
}

const struct vfk_model_ops doorbell_ops = {
	.size = sizeof(doorbell_ops),
	.name = "doorbell",
	.help = "for tests",
	.instance_size = sizeof(struct bells),
	.init = init,
	.bar_read = bar_read,
	.bar_write = bar_write,
};

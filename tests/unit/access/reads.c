/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reads.c - what test_instructions.py counts: as many reads of a register as it is told, of a model in this process.
 *
 *	reads direct|read|get COUNT
 *
 * direct calls the model's function; read is vfk_region_read(), get is vfk_region_get(). Only what runs inside
 * counted_reads() is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vfiokit/vfiokit.h>

#define REGISTER 8
#define VALUE	 0x76666b31

struct registers {
	uint32_t reg[16];
};

/* What a direct call needs. */
static struct vfk_model *the_model;
static struct registers *the_self;

static int init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	static const struct vfk_model_identity identity = { .vendor = 0x1af4, .device = 0x4242 };
	const struct vfk_model_bar bar = { .size = sizeof(bar), .length = 4096, .fd = -1 };
	int ret = vfk_model_set_identity(model, &identity);

	(void)uri;
	the_model = model;
	the_self = self;
	the_self->reg[REGISTER / 4] = VALUE;
	return ret ? ret : vfk_model_add_bar(model, 0, &bar);
}

static int bar_read(struct vfk_model *model, void *self, unsigned int bar, uint64_t off, void *buf,
		    size_t len)
{
	struct registers *s = self;

	(void)model;
	(void)bar;
	if (len != 4 || off >= sizeof(s->reg))
		return -5;
	memcpy(buf, &s->reg[off / 4], 4);
	return 0;
}

static const struct vfk_model_ops ops = {
	.size = sizeof(ops),
	.name = "registers",
	.instance_size = sizeof(struct registers),
	.init = init,
	.bar_read = bar_read,
};

/* The compiler may not know whom it calls: a server of models does not, either. */
static int (*volatile direct)(struct vfk_model *, void *, unsigned int, uint64_t, void *,
			      size_t) = bar_read;

static int read_direct(struct vfk_device *dev, uint32_t *value)
{
	(void)dev;
	return direct(the_model, the_self, 0, REGISTER, value, 4);
}

static int read_region(struct vfk_device *dev, uint32_t *value)
{
	return vfk_region_read(dev, 0, REGISTER, value, 4) == 4 ? 0 : -1;
}

static int get_region(struct vfk_device *dev, uint32_t *value)
{
	uint64_t wide = 0;
	int ret = vfk_region_get(dev, 0, REGISTER, 4, &wide);

	*value = (uint32_t)wide;
	return ret;
}

static const struct way {
	const char *name;
	int (*fn)(struct vfk_device *dev, uint32_t *value);
} ways[] = { { "direct", read_direct }, { "read", read_region }, { "get", get_region } };

__attribute__((noinline)) int counted_reads(const struct way *way, struct vfk_device *dev, long n);

int counted_reads(const struct way *way, struct vfk_device *dev, long n)
{
	for (long i = 0; i < n; i++) {
		uint32_t value = 0;

		if (way->fn(dev, &value) || value != VALUE)
			return 1;
	}
	return 0;
}

static const struct way *find(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct way *way = argc == 3 ? find(argv[1]) : NULL;
	struct vfk_device *dev = NULL;
	int ret;

	if (!way)
		return 2;
	if (vfk_device_open_model(&ops, NULL, NULL, &dev) < 0) {
		fprintf(stderr, "%s\n", vfk_error());
		return 1;
	}
	/* What the library asks once, and the loader finds once, is no part of a read. */
	ret = way->fn(dev, &(uint32_t){ 0 });
	if (!ret)
		ret = counted_reads(way, dev, atol(argv[2]));
	vfk_device_close(dev);
	return ret ? 1 : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.c - the device: memory behind two BARs, and every capability that the toolkit has.
 *
 * BAR 0 can be mapped in two areas and is reached by messages between them; BAR 2, 64 bits wide, can be mapped whole; BAR
 * 4 holds the MSI-X table. Messages and mappings see the same memory: bar_read and bar_write work on the same file.
 */
#include "model.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAR0_LEN 0x10000u
#define BAR2_LEN 0x4000u
#define VECTORS	 64

struct mapped {
	int fd;
	uint8_t *mem; /* BAR 0, behind it BAR 2 */
};

static const struct vfk_region_area bar0_areas[] = {
	{ .offset = 0x1000, .length = 0x2000 },
	{ .offset = 0x8000, .length = 0x4000 },
};

static int make_memory(struct mapped *self)
{
	self->fd = memfd_create("mapped", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (self->fd < 0)
		return -errno;
	if (ftruncate(self->fd, BAR0_LEN + BAR2_LEN) < 0)
		goto err_close;
	self->mem =
		mmap(NULL, BAR0_LEN + BAR2_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	if (self->mem == MAP_FAILED)
		goto err_close;
	return 0;

err_close:
	close(self->fd);
	return -ENOMEM;
}

static int declare(struct vfk_model *model, const struct mapped *self)
{
	const struct vfk_model_identity id = { .vendor = 0x1b36,
					       .device = 0x00ff,
					       .class_code = 0xff0000 };
	const struct vfk_model_bar bar0 = {
		.size = sizeof(bar0),
		.length = BAR0_LEN,
		.fd = self->fd,
		.areas = bar0_areas,
		.num_areas = 2,
	};
	const struct vfk_model_bar bar2 = {
		.size = sizeof(bar2),
		.length = BAR2_LEN,
		.flags = VFK_BAR_64 | VFK_BAR_PREFETCH,
		.fd = self->fd,
		.fd_offset = BAR0_LEN,
	};
	const struct vfk_model_bar bar4 = { .size = sizeof(bar4), .length = 0x1000, .fd = -1 };
	int ret;

	ret = vfk_model_set_identity(model, &id);
	ret = ret ? ret : vfk_model_add_bar(model, 0, &bar0);
	ret = ret ? ret : vfk_model_add_bar(model, 2, &bar2);
	ret = ret ? ret : vfk_model_add_bar(model, 4, &bar4);
	ret = ret ? ret : vfk_model_add_intx(model);
	ret = ret ? ret : vfk_model_add_pm(model);
	ret = ret ? ret : vfk_model_add_msi(model, 8, true);
	ret = ret ? ret : vfk_model_add_msix(model, VECTORS, 4, 0, 0x800);
	ret = ret ? ret : vfk_model_add_pcie(model);
	ret = ret ? ret : vfk_model_add_vendor_cap(model, "vfiokit", NULL, 7, NULL);
	return ret;
}

static int init(struct vfk_model *model, void *priv, const struct vfk_uri *uri)
{
	struct mapped *self = priv;
	int ret;

	(void)uri;
	ret = make_memory(self);
	if (ret < 0)
		return ret;
	ret = declare(model, self);
	if (ret < 0) {
		munmap(self->mem, BAR0_LEN + BAR2_LEN);
		close(self->fd);
	}
	return ret;
}

static void fini(struct vfk_model *model, void *priv)
{
	struct mapped *self = priv;

	(void)model;
	munmap(self->mem, BAR0_LEN + BAR2_LEN);
	close(self->fd);
}

static uint8_t *at(struct mapped *self, unsigned int bar, uint64_t off)
{
	return bar == 0 ? self->mem + off : bar == 2 ? self->mem + BAR0_LEN + off : NULL;
}

static int bar_read(struct vfk_model *model, void *priv, unsigned int bar, uint64_t off, void *buf,
		    size_t len)
{
	const uint8_t *p = at(priv, bar, off);

	(void)model;
	if (!p)
		return -EIO;
	memcpy(buf, p, len);
	return 0;
}

static int bar_write(struct vfk_model *model, void *priv, unsigned int bar, uint64_t off,
		     const void *buf, size_t len)
{
	uint8_t *p = at(priv, bar, off);

	(void)model;
	if (!p)
		return -EIO;
	memcpy(p, buf, len);
	return 0;
}

static void reset(struct vfk_model *model, void *priv)
{
	struct mapped *self = priv;

	(void)model;
	memset(self->mem, 0, BAR0_LEN + BAR2_LEN);
}

const struct vfk_model_ops mapped_model = {
	.size = sizeof(mapped_model),
	.name = "mapped",
	.help = "memory that can be mapped",
	.instance_size = sizeof(struct mapped),
	.init = init,
	.fini = fini,
	.bar_read = bar_read,
	.bar_write = bar_write,
	.reset = reset,
};

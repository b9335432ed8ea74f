/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testdev_bars.c - the test device's memory: BARs, its own region, and the MSI-X table in them.
 *
 * All memory is one file, so that reset clears it with one call, in this process and in those that map it.
 *
 * Threads: declaring inside init; the rest as every function of a model.
 */
#include "testdev.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A multiple of any page size there is. */
#define UNIT 0x10000u

#define REGISTERS_LENGTH 0x4000u
#define SUBPAGE_LENGTH	 0x100u
#define SPARSE_LENGTH	 0x20000u
#define REGION_LENGTH	 0x1000u
#define BUFFER_MIN	 0x10000u

/* VFIO_REGION_TYPE_PCI_VENDOR_TYPE, which <linux/vfio.h> gets by shifting into the sign. */
#define PCI_VENDOR_TYPE (1u << 31)

/* Where they are in the file. */
#define SUBPAGE_AT 0u
#define SPARSE_AT  UNIT
#define REGION_AT  (SPARSE_AT + SPARSE_LENGTH)
#define BUFFER_AT  (REGION_AT + UNIT)

/* Table and pending bits in BAR 4; what else is on their pages is memory that cannot be mapped. */
#define TABLE_SHARED 0x8100u
#define TABLE_OWN    0x8000u
#define PBA_SHARED   0x10800u
#define PBA_OWN	     0x10000u
#define PBA_APART    0x3000u /* in BAR 0 */

static const struct vfk_region_area sparse_areas[] = {
	{ .offset = 0, .length = 0x8000 },
	{ .offset = 0x11000, .length = SPARSE_LENGTH - 0x11000 },
};

static int make_memory(struct testdev *dev)
{
	uint64_t buffer = dev->params.buffer > BUFFER_MIN ? dev->params.buffer : BUFFER_MIN;
	void *memory;

	dev->length = BUFFER_AT + buffer;
	dev->fd = memfd_create("testdev", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (dev->fd < 0)
		return -errno;
	if (ftruncate(dev->fd, (off_t)dev->length) < 0 ||
	    fcntl(dev->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	memory = mmap(NULL, dev->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		      dev->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	dev->memory = memory;
	return 0;
}

void testdev_free_bars(struct testdev *dev)
{
	if (dev->memory)
		munmap(dev->memory, dev->length);
	if (dev->fd >= 0)
		close(dev->fd);
	dev->memory = NULL;
	dev->fd = -1;
}

void testdev_clear_bars(struct testdev *dev)
{
	/* A hole reads as zeros, for those who have mapped it, too; of a memfd this does not fail. */
	(void)fallocate(dev->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)dev->length);
	memset(dev->io, 0, sizeof(dev->io));
}

uint8_t *testdev_bar_memory(const struct testdev *dev, unsigned int bar, uint64_t off)
{
	switch (bar) {
	case TESTDEV_SUBPAGE:
		return dev->memory + SUBPAGE_AT + off;
	case TESTDEV_SPARSE:
		return dev->memory + SPARSE_AT + off;
	case TESTDEV_BUFFER:
		return dev->memory + BUFFER_AT + off;
	case TESTDEV_IO:
		return (uint8_t *)dev->io + off;
	default:
		return NULL;
	}
}

uint8_t *testdev_buffer(const struct testdev *dev, uint64_t *size)
{
	*size = dev->length - BUFFER_AT;
	return dev->memory + BUFFER_AT;
}

static int add_small_bars(struct vfk_model *model, const struct testdev *dev)
{
	const struct vfk_model_bar registers = {
		.size = sizeof(registers),
		.length = REGISTERS_LENGTH,
		.max_access = 8,
		.fd = -1,
	};
	const struct vfk_model_bar subpage = {
		.size = sizeof(subpage),
		.length = SUBPAGE_LENGTH,
		.fd = dev->fd,
		.fd_offset = SUBPAGE_AT,
	};
	const struct vfk_model_bar io = {
		.size = sizeof(io),
		.length = sizeof(dev->io),
		.flags = VFK_BAR_IO,
		.max_access = 4,
		.fd = -1,
	};
	int ret = vfk_model_add_bar(model, TESTDEV_REGISTERS, &registers);

	if (!ret && dev->params.subpage)
		ret = vfk_model_add_bar(model, TESTDEV_SUBPAGE, &subpage);
	if (!ret && dev->params.io)
		ret = vfk_model_add_bar(model, TESTDEV_IO, &io);
	return ret;
}

static int add_buffer(struct vfk_model *model, const struct testdev *dev)
{
	const struct vfk_model_bar bar = {
		.size = sizeof(bar),
		.length = dev->params.buffer,
		.flags = VFK_BAR_64 | (dev->params.prefetch ? VFK_BAR_PREFETCH : 0),
		.fd = dev->fd,
		.fd_offset = BUFFER_AT,
	};

	return bar.length ? vfk_model_add_bar(model, TESTDEV_BUFFER, &bar) : 0;
}

static int add_sparse(struct vfk_model *model, const struct testdev *dev)
{
	bool whole = dev->params.msix_table == TESTDEV_TABLE_MAPPABLE;
	const struct vfk_model_bar bar = {
		.size = sizeof(bar),
		.length = SPARSE_LENGTH,
		.fd = dev->params.sparse ? dev->fd : -1,
		.fd_offset = SPARSE_AT,
		.areas = whole ? NULL : sparse_areas,
		.num_areas = whole ? 0 : sizeof(sparse_areas) / sizeof(sparse_areas[0]),
	};

	return vfk_model_add_bar(model, TESTDEV_SPARSE, &bar);
}

static int add_region(struct vfk_model *model, const struct testdev *dev)
{
	const struct vfk_model_region region = {
		.size = sizeof(region),
		.length = REGION_LENGTH,
		.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		.type = PCI_VENDOR_TYPE | TESTDEV_VENDOR,
		.subtype = 1,
		.fd = dev->fd,
		.fd_offset = REGION_AT,
	};

	return dev->params.type_region ? vfk_model_add_region(model, &region, NULL) : 0;
}

static int add_msix(struct vfk_model *model, const struct testdev_params *params)
{
	bool own = params->msix_table == TESTDEV_TABLE_OWN;
	const struct vfk_model_msix msix = {
		.size = sizeof(msix),
		.vectors = (unsigned int)params->msix,
		.table_bar = TESTDEV_SPARSE,
		.table = own ? TABLE_OWN : TABLE_SHARED,
		.pba_bar = params->pba_apart ? TESTDEV_REGISTERS : TESTDEV_SPARSE,
		.pba = params->pba_apart ? PBA_APART :
		       own		 ? PBA_OWN :
					   PBA_SHARED,
		.flags = params->msix_table == TESTDEV_TABLE_MAPPABLE ? VFK_MSIX_MAPPABLE : 0,
	};

	return params->msix ? vfk_model_add_msix_split(model, &msix) : 0;
}

int testdev_add_bars(struct vfk_model *model, struct testdev *dev)
{
	int ret = make_memory(dev);

	if (!ret)
		ret = add_small_bars(model, dev);
	if (!ret)
		ret = add_buffer(model, dev);
	if (!ret)
		ret = add_sparse(model, dev);
	if (!ret)
		ret = add_region(model, dev);
	return ret ? ret : add_msix(model, &dev->params);
}

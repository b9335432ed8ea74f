/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wrapper.c - the io that does everything right; see wrapper.h.
 *
 * It trusts its caller as io.h allows, and hands on what the device inside says, which is checked once more there.
 */
#include "wrapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/conformance/own/model.h"

static const struct vfk_region_area memory_areas[] = {
	{ .offset = 0x1000, .length = 0x1000 },
	{ .offset = 0x3000, .length = 0x1000 },
};

#define NUM_AREAS (sizeof(memory_areas) / sizeof(memory_areas[0]))

static struct wrapper the_wrapper;
static const struct flaw *spoilt;

struct wrapper *wrapper(struct vfk_io *io)
{
	return (struct wrapper *)io;
}

/* ---- what the device is ---- */

static int get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	info->argsz = offsetof(struct vfio_device_info, cap_offset);
	info->flags = vfk_device_flags(wrapper(io)->inner);
	info->num_regions = NUM_REGIONS;
	info->num_irqs = vfk_device_num_irqs(wrapper(io)->inner);
	return 0;
}

static void fill_areas(struct vfio_region_info *info)
{
	struct vfio_region_info_cap_sparse_mmap *cap = (void *)(info + 1);

	info->cap_offset = sizeof(*info);
	*cap = (struct vfio_region_info_cap_sparse_mmap){
		.header = { .id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1 },
		.nr_areas = NUM_AREAS,
	};
	for (size_t i = 0; i < NUM_AREAS; i++) {
		cap->areas[i].offset = memory_areas[i].offset;
		cap->areas[i].size = memory_areas[i].length;
	}
}

static int memory_info(struct wrapper *w, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	uint32_t capacity = info->argsz;

	info->argsz = sizeof(*info) + sizeof(struct vfio_region_info_cap_sparse_mmap) +
		      NUM_AREAS * sizeof(struct vfio_region_sparse_mmap_area);
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		      VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
	info->size = MEMORY_SIZE;
	info->offset = 0;
	info->cap_offset = 0;
	if (info->argsz > capacity)
		return 0;
	fill_areas(info);
	if (!fds)
		return 0;
	fds->fd[0] = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
	if (fds->fd[0] < 0)
		return -errno;
	fds->count = 1;
	return 0;
}

static int get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			   struct vfk_region_fds *fds)
{
	const struct vfk_region_info *inner;
	int ret;

	if (fds)
		fds->count = 0;
	if (info->index == REGION_MEMORY)
		return memory_info(wrapper(io), info, fds);
	info->argsz = sizeof(*info);
	info->cap_offset = 0;
	info->offset = 0;
	if (info->index > REGION_MEMORY) {
		info->size = OTHER_SIZE;
		info->flags = info->index == REGION_READ_ONLY ? VFIO_REGION_INFO_FLAG_READ :
								VFIO_REGION_INFO_FLAG_WRITE;
		return 0;
	}
	ret = vfk_region_get_info(wrapper(io)->inner, info->index, &inner);
	if (ret < 0)
		return ret;
	info->size = inner->size;
	info->flags = inner->flags & (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	return 0;
}

static int get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	struct vfk_irq_info inner;
	int ret = vfk_irq_get_info(wrapper(io)->inner, info->index, &inner);

	if (ret < 0)
		return ret;
	info->flags = inner.flags;
	info->count = inner.count;
	return 0;
}

/* ---- what it does ---- */

static int set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return vfk_device_set_irqs(wrapper(io)->inner, set);
}

static off_t place(uint32_t region, uint64_t off)
{
	return (off_t)(off + (region == REGION_READ_ONLY  ? MEMORY_SIZE :
			      region == REGION_WRITE_ONLY ? MEMORY_SIZE + OTHER_SIZE :
							    0));
}

static ssize_t region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret;

	if (region < REGION_MEMORY)
		return vfk_region_read(wrapper(io)->inner, region, off, buf, len);
	ret = pread(wrapper(io)->fd, buf, len, place(region, off));
	return ret < 0 ? -errno : ret;
}

static ssize_t region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	ssize_t ret;

	if (region < REGION_MEMORY)
		return vfk_region_write(wrapper(io)->inner, region, off, buf, len, flags);
	ret = pwrite(wrapper(io)->fd, buf, len, place(region, off));
	return ret < 0 ? -errno : ret;
}

static int write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ssize_t ret = region_write(io, writes[i].region, writes[i].offset, writes[i].data,
					   writes[i].len, 0);

		if (ret != (ssize_t)writes[i].len)
			return ret < 0 ? (int)ret : -EIO;
	}
	return 0;
}

static int flush(struct vfk_io *io)
{
	return vfk_region_flush(wrapper(io)->inner);
}

static int device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	return vfk_device_feature(wrapper(io)->inner, feature);
}

static int reset(struct vfk_io *io)
{
	return vfk_device_reset(wrapper(io)->inner);
}

static int hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	return vfk_device_hot_reset_info(wrapper(io)->inner, info);
}

static int hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	(void)reset; /* without a group there is nothing in it */
	return vfk_device_hot_reset(wrapper(io)->inner, NULL, 0);
}

static ssize_t mig_read(struct vfk_io *io, void *buf, size_t len)
{
	return vfk_device_mig_read(wrapper(io)->inner, buf, len);
}

static ssize_t mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	return vfk_device_mig_write(wrapper(io)->inner, buf, len);
}

static int poll_fd(struct vfk_io *io)
{
	return vfk_device_poll_fd(wrapper(io)->inner);
}

static int dispatch(struct vfk_io *io)
{
	return vfk_device_dispatch(wrapper(io)->inner);
}

/* ---- DMA ---- */

static int dma_map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	return vfk_dma_map(wrapper(io)->space, m, addr);
}

static int dma_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	int ret = vfk_dma_set_timeout(wrapper(io)->space, timeout_ms);

	return ret ? ret : vfk_dma_unmap(wrapper(io)->space, iova, length);
}

static int dma_limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	return vfk_dma_get_limits(wrapper(io)->space, limits);
}

/* ---- its life ---- */

static void close_inner(struct wrapper *w)
{
	vfk_device_close(w->inner);
	vfk_dma_space_destroy(w->space);
	close(w->fd);
	w->inner = NULL;
	w->space = NULL;
	w->fd = -1;
}

static void wrapper_close(struct vfk_io *io)
{
	close_inner(wrapper(io));
}

const struct vfk_io_ops right = {
	.size = sizeof(right),
	.name = "wrapper",
	.help = "a model, one ops vector further away",
	.instance_size = sizeof(struct wrapper),
	.close = wrapper_close,
	.get_device_info = get_device_info,
	.get_region_info = get_region_info,
	.get_irq_info = get_irq_info,
	.set_irqs = set_irqs,
	.region_read = region_read,
	.region_write = region_write,
	.device_feature = device_feature,
	.reset = reset,
	.hot_reset_info = hot_reset_info,
	.hot_reset = hot_reset,
	.write_multi = write_multi,
	.flush = flush,
	.mig_read = mig_read,
	.mig_write = mig_write,
	.poll_fd = poll_fd,
	.dispatch = dispatch,
};

const struct vfk_dma_ops right_dma = {
	.size = sizeof(right_dma),
	.map = dma_map,
	.unmap = dma_unmap,
	.limits = dma_limits,
};

uint64_t wrapper_cap(struct vfk_io *io, uint8_t id)
{
	uint8_t at = 0, cap[2];

	if (region_read(io, CONFIG, PCI_CAPABILITY_LIST, &at, 1) != 1)
		return 0;
	for (int i = 0; at && i < 48; i++, at = cap[1]) {
		if (region_read(io, CONFIG, at, cap, sizeof(cap)) != sizeof(cap))
			return 0;
		if (cap[0] == id)
			return at;
	}
	return 0;
}

static const char *const uris[NUM_BASES] = {
	[BASE_EDU] = "model:edu",
	[BASE_LATENCY] = "model:edu,latency=5",
	[BASE_TESTDEV] = "model:testdev,msix=64",
};

static int open_inner(struct wrapper *w, enum base base)
{
	struct vfk_open_opts opts = { .size = sizeof(opts) };
	int ret;

	w->fd = memfd_create("wrapper", MFD_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	ret = ftruncate(w->fd, MEMORY_SIZE + 2 * OTHER_SIZE) < 0 ? -errno : 0;
	if (!ret)
		ret = vfk_dma_space_create(&w->space);
	if (base == BASE_LATENCY)
		opts.flags = VFK_OPEN_DISPATCH;
	if (!ret && base == BASE_MAPPED)
		ret = vfk_device_open_model(&mapped_model, NULL, &opts, &w->inner);
	else if (!ret)
		ret = vfk_device_open(uris[base], &opts, &w->inner);
	if (!ret)
		ret = vfk_device_attach_dma(w->inner, w->space);
	if (ret < 0)
		close_inner(w);
	return ret;
}

#define SPOIL(vector, flaw, member)                        \
	do {                                               \
		if ((flaw)->member)                        \
			(vector)->member = (flaw)->member; \
	} while (0)

static void spoil(struct vfk_io_ops *ops, const struct vfk_io_ops *flaw)
{
	SPOIL(ops, flaw, close);
	SPOIL(ops, flaw, get_device_info);
	SPOIL(ops, flaw, get_region_info);
	SPOIL(ops, flaw, get_irq_info);
	SPOIL(ops, flaw, set_irqs);
	SPOIL(ops, flaw, region_read);
	SPOIL(ops, flaw, region_write);
	SPOIL(ops, flaw, device_feature);
	SPOIL(ops, flaw, reset);
	SPOIL(ops, flaw, hot_reset_info);
	SPOIL(ops, flaw, hot_reset);
	SPOIL(ops, flaw, write_multi);
	SPOIL(ops, flaw, set_lost);
	SPOIL(ops, flaw, reconnect);
	SPOIL(ops, flaw, flush);
	SPOIL(ops, flaw, mig_read);
	SPOIL(ops, flaw, mig_write);
	SPOIL(ops, flaw, poll_fd);
	SPOIL(ops, flaw, dispatch);
}

void wrapper_spoil(const struct flaw *flaw)
{
	spoilt = flaw;
}

int wrapper_open(const struct vfk_open_opts *opts, struct vfk_device **dev)
{
	static struct vfk_io_ops ops;
	static struct vfk_dma_ops dma;
	struct wrapper *w = &the_wrapper;
	int ret = w->inner ? 0 : open_inner(w, spoilt->base);

	if (ret < 0)
		return ret;
	ops = right;
	dma = right_dma;
	spoil(&ops, &spoilt->ops);
	SPOIL(&dma, &spoilt->dma, map);
	SPOIL(&dma, &spoilt->dma, unmap);
	SPOIL(&dma, &spoilt->dma, limits);
	ret = vfk_io_init(&w->io, &ops, "wrapper");
	w->io.dma = &dma;
	ret = ret ? ret : vfk_device_open_io(&w->io, opts, dev);
	if (ret < 0)
		close_inner(w);
	return ret;
}

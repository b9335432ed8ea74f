/* SPDX-License-Identifier: BSD-3-Clause */
/* probe.c - a device that does what the test tells it. Its ops may trust their caller (io.h), and check nothing. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct probe *of(struct vfk_io *io)
{
	return (struct probe *)io;
}

static void close_op(struct vfk_io *io)
{
	(void)io;
}

static int get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	(void)io;
	info->argsz = 16;
	info->flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI;
	info->num_regions = 3;
	info->num_irqs = 3;
	return 0;
}

/* One area, the first page. */
struct sparse {
	struct vfio_region_info info;
	struct vfio_info_cap_header cap;
	__u32 nr_areas, reserved;
	struct vfio_region_sparse_mmap_area area;
};

static int get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			   struct vfk_region_fds *fds)
{
	static const uint64_t sizes[] = { PROBE_SIZE, 64, 0 };
	static const uint32_t flags[] = { VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
					  VFIO_REGION_INFO_FLAG_READ, 0 };
	struct probe *p = of(io);
	struct sparse all = { .info = { .argsz = sizeof(all),
					.index = info->index,
					.size = sizes[info->index],
					.flags = flags[info->index] } };
	uint32_t room = info->argsz;

	if (fds) {
		fds->count = 0;
		fds->flags = 0;
	}
	if (info->index || p->files == PROBE_NO_FILE) {
		all.info.argsz = sizeof(*info);
		*info = all.info;
		return 0;
	}
	all.info.flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
	if (room < sizeof(all)) {
		*info = all.info;
		return 0;
	}
	all.info.cap_offset = sizeof(all.info);
	all.cap.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	all.cap.version = 1;
	all.nr_areas = 1;
	all.area.size = 4096;
	memcpy(info, &all, sizeof(all));
	if (fds) {
		fds->count = 1;
		fds->flags = p->files == PROBE_WHOLE_DEVICE ? VFK_REGION_FD_DEVICE : 0;
		fds->fd[0] = fcntl(p->memfd, F_DUPFD_CLOEXEC, 3);
	}
	return 0;
}

static int get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	static const uint32_t counts[] = { 1, PROBE_VECTORS, 0 };
	static const uint32_t flags[] = { VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
						  VFIO_IRQ_INFO_AUTOMASKED,
					  VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE, 0 };

	(void)io;
	info->count = counts[info->index];
	info->flags = flags[info->index];
	return 0;
}

static void disarm(struct probe *p, uint32_t index, uint32_t vector)
{
	if (p->irq_fd[index][vector] >= 0)
		close(p->irq_fd[index][vector]);
	p->irq_fd[index][vector] = -1;
}

static int arm(struct probe *p, const struct vfio_irq_set *set)
{
	int32_t fd;

	if (p->irq_result)
		return p->irq_result;
	for (uint32_t i = 0; i < set->count; i++) {
		disarm(p, set->index, set->start + i);
		memcpy(&fd, set->data + i * sizeof(fd), sizeof(fd));
		if (fd >= 0)
			p->irq_fd[set->index][set->start + i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return 0;
}

static int set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct probe *p = of(io);

	if (set->flags & VFIO_IRQ_SET_ACTION_MASK) {
		p->masks++;
	} else if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		return arm(p, set);
	} else if (!set->count) {
		for (uint32_t i = 0; i < PROBE_VECTORS; i++)
			disarm(p, set->index, i);
	} else if (set->flags & VFIO_IRQ_SET_ACTION_TRIGGER) {
		p->triggers++;
	}
	return 0;
}

static int move(struct probe *p, bool write)
{
	uint8_t *data = p->memory + PROBE_DATA;
	const struct vfk_dma_mapping *m;
	uint64_t iova;

	memcpy(&iova, p->memory + PROBE_DMA_ADDRESS, sizeof(iova));
	m = probe_map_at(p, iova);
	if (!m)
		return -EIO;
	if (m->callbacks)
		return write ? m->callbacks->write(m->ctx, iova, data, PROBE_DATA_SIZE) :
			       m->callbacks->read(m->ctx, iova, data, PROBE_DATA_SIZE);
	if (write)
		memcpy((uint8_t *)m->vaddr + (iova - m->iova), data, PROBE_DATA_SIZE);
	else
		memcpy(data, (uint8_t *)m->vaddr + (iova - m->iova), PROBE_DATA_SIZE);
	return 0;
}

static ssize_t region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	struct probe *p = of(io);

	p->accesses++;
	if (region)
		memset(buf, 0x5a, len);
	else
		memcpy(buf, p->memory + off, len);
	return (ssize_t)len;
}

static ssize_t region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	struct probe *p = of(io);
	int ret = 0;

	(void)region;
	p->accesses++;
	if (flags & VFK_WRITE_POSTED)
		p->posted++;
	if (len == 4 && (off == PROBE_START_READ || off == PROBE_START_WRITE))
		ret = move(p, off == PROBE_START_WRITE);
	else
		memcpy(p->memory + off, buf, len);
	return ret ? ret : (ssize_t)len;
}

static int start_logging(struct probe *p, const struct vfio_device_feature *f)
{
	struct vfio_device_feature_dma_logging_control control;

	memcpy(&control, f->data, sizeof(control));
	if (control.num_ranges > 4)
		return -E2BIG;
	memcpy(p->logged, (const void *)(uintptr_t)control.ranges,
	       control.num_ranges * sizeof(p->logged[0]));
	p->num_logged = control.num_ranges;
	return 0;
}

/* The first page of the range, and every third. */
static int report_logging(const struct vfio_device_feature *f)
{
	struct vfio_device_feature_dma_logging_report report;
	uint8_t *bitmap;

	memcpy(&report, f->data, sizeof(report));
	bitmap = (uint8_t *)(uintptr_t)report.bitmap;
	for (uint64_t page = 0; page < report.length / report.page_size; page += 3)
		bitmap[page / 8] |= (uint8_t)(1u << (page % 8));
	return 0;
}

static int migration_state(struct probe *p, struct vfio_device_feature *f)
{
	struct vfio_device_feature_mig_state state = { .data_fd = 77 };

	if (f->flags & VFIO_DEVICE_FEATURE_SET) {
		memcpy(&p->mig_state, f->data, sizeof(p->mig_state));
	} else {
		state.device_state = p->mig_state;
		memcpy(f->data, &state, sizeof(state));
	}
	return 0;
}

static int device_feature(struct vfk_io *io, struct vfio_device_feature *f)
{
	struct vfio_device_feature_migration flags = { .flags = VFIO_MIGRATION_STOP_COPY };
	bool probing = f->flags & VFIO_DEVICE_FEATURE_PROBE;

	switch (f->flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_MIGRATION:
		if (!probing)
			memcpy(f->data, &flags, sizeof(flags));
		return 0;
	case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE:
		return probing ? 0 : migration_state(of(io), f);
	case VFIO_DEVICE_FEATURE_DMA_LOGGING_START:
		return probing ? 0 : start_logging(of(io), f);
	case VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT:
		return probing ? 0 : report_logging(f);
	default:
		return -ENOTSUP;
	}
}

static int flush(struct vfk_io *io)
{
	of(io)->flushes++;
	return of(io)->flush_result;
}

static int reset(struct vfk_io *io)
{
	of(io)->resets++;
	return 0;
}

/* In small pieces, as a device may. */
static ssize_t mig_read(struct vfk_io *io, void *buf, size_t len)
{
	struct probe *p = of(io);
	size_t n = p->stream_len - p->stream_at;

	n = n < len ? n : len;
	n = n < 10 ? n : 10;
	memcpy(buf, p->stream + p->stream_at, n);
	p->stream_at += (unsigned int)n;
	return (ssize_t)n;
}

static ssize_t mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	struct probe *p = of(io);
	size_t n = len < 10 ? len : 10;

	if (p->stream_len + n > sizeof(p->stream))
		return -ENOSPC;
	memcpy(p->stream + p->stream_len, buf, n);
	p->stream_len += (unsigned int)n;
	return (ssize_t)n;
}

static int poll_fd(struct vfk_io *io)
{
	return of(io)->poll_fd;
}

static int dispatch(struct vfk_io *io)
{
	struct probe *p = of(io);
	uint64_t count;

	if (read(p->poll_fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	p->dispatched++;
	if (p->lets_go)
		p->busy = false;
	return p->dispatch_result ? p->dispatch_result : 1;
}

static int map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	struct probe *p = of(io);

	for (unsigned int i = 0; i < PROBE_MAX_MAPS; i++) {
		if (p->maps[i].length)
			continue;
		p->maps[i] = *m;
		p->maps[i].fd = -1;
		p->had_fd[i] = m->fd >= 0;
		addr->addr = m->iova;
		addr->contiguous = m->length;
		return 0;
	}
	return -ENOSPC;
}

static int unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	struct probe *p = of(io);

	(void)timeout_ms;
	for (unsigned int i = 0; i < PROBE_MAX_MAPS; i++) {
		if (p->maps[i].iova != iova || p->maps[i].length != length)
			continue;
		if (p->busy)
			return -EBUSY;
		if (p->unmap_result)
			return p->unmap_result;
		p->maps[i].length = 0;
		return 0;
	}
	return -ENOENT;
}

static int limits(struct vfk_io *io, struct vfk_dma_limits *l)
{
	(void)io;
	l->pgsizes = 4096;
	l->max_maps = PROBE_MAX_MAPS;
	l->num_ranges = 1;
	l->ranges[0] = (struct vfk_iova_range){ 0, UINT64_MAX };
	return 0;
}

static const struct vfk_dma_ops dma = {
	.size = sizeof(dma),
	.map = map,
	.unmap = unmap,
	.limits = limits,
};

static const struct vfk_io_ops ops = {
	.size = sizeof(ops),
	.name = "probe",
	.help = "",
	.close = close_op,
	.get_device_info = get_device_info,
	.get_region_info = get_region_info,
	.get_irq_info = get_irq_info,
	.set_irqs = set_irqs,
	.region_read = region_read,
	.region_write = region_write,
	.device_feature = device_feature,
	.reset = reset,
	.flush = flush,
	.mig_read = mig_read,
	.mig_write = mig_write,
	.poll_fd = poll_fd,
	.dispatch = dispatch,
};

struct probe *probe_open(bool no_dma)
{
	struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	struct probe *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	memset(p->irq_fd, 0xff, sizeof(p->irq_fd));
	p->poll_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(p->poll_fd >= 0);
	p->memfd = memfd_create("probe", MFD_CLOEXEC);
	assert_true(p->memfd >= 0);
	assert_int_equal(ftruncate(p->memfd, 4096), 0);
	assert_int_equal(vfk_io_init(&p->io, &ops, "probe"), 0);
	p->io.dma = no_dma ? NULL : &dma;
	assert_int_equal(vfk_device_open_io(&p->io, &opts, &p->dev), 0);
	return p;
}

void probe_close(struct probe *p)
{
	vfk_device_close(p->dev);
	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t v = 0; v < PROBE_VECTORS; v++)
			disarm(p, i, v);
	}
	close(p->poll_fd);
	close(p->memfd);
	free(p);
}

unsigned int probe_maps(const struct probe *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PROBE_MAX_MAPS; i++)
		n += p->maps[i].length != 0;
	return n;
}

const struct vfk_dma_mapping *probe_map_at(const struct probe *p, uint64_t iova)
{
	for (unsigned int i = 0; i < PROBE_MAX_MAPS; i++) {
		if (p->maps[i].length && iova >= p->maps[i].iova &&
		    iova - p->maps[i].iova < p->maps[i].length)
			return &p->maps[i];
	}
	return NULL;
}

void probe_wake(struct probe *p)
{
	uint64_t one = 1;

	assert_int_equal(write(p->poll_fd, &one, sizeof(one)), sizeof(one));
}

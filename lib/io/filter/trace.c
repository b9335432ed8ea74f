/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.c - the trace filter; see trace.h.
 *
 * Each op puts its line together in its own frame and writes it whole under the filter's lock, which is held for
 * nothing else. Any thread. A line that cannot be written is lost: a full disk does not fail the device.
 */
#include "trace.h"
#include "filter.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/feature.h"
#include "trace_line.h"
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <unistd.h>

struct trace {
	struct vfki_filter filter; /* first */
	pthread_mutex_t lock;	   /* writing a line */
	int fd;			   /* -1: standard error */
};

static void emit(struct vfk_io *io, struct vfki_trace_line *l)
{
	struct trace *t = (struct trace *)io;
	size_t done = 0;

	vfki_trace_end(l);
	pthread_mutex_lock(&t->lock);
	while (done < l->used) {
		ssize_t n =
			write(t->fd < 0 ? STDERR_FILENO : t->fd, l->text + done, l->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	pthread_mutex_unlock(&t->lock);
}

static int emit_result(struct vfk_io *io, struct vfki_trace_line *l, int ret)
{
	vfki_trace_result(l, ret);
	emit(io, l);
	return ret;
}

static int get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	struct vfki_trace_line l;
	int ret;

	vfki_trace_begin(&l, "get_device_info(argsz=%" PRIu32, info->argsz);
	ret = vfki_filter_get_device_info(io, info);
	vfki_trace_result(&l, ret);
	if (!ret)
		vfki_trace_add(&l,
			       " argsz=%" PRIu32 " flags=0x%" PRIx32 " regions=%" PRIu32
			       " irqs=%" PRIu32,
			       info->argsz, info->flags, info->num_regions, info->num_irqs);
	emit(io, &l);
	return ret;
}

static int get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			   struct vfk_region_fds *fds)
{
	struct vfki_trace_line l;
	int ret;

	vfki_trace_begin(&l, "get_region_info(argsz=%" PRIu32 ", index=%" PRIu32, info->argsz,
			 info->index);
	ret = vfki_filter_get_region_info(io, info, fds);
	vfki_trace_result(&l, ret);
	if (!ret)
		vfki_trace_add(&l,
			       " argsz=%" PRIu32 " flags=0x%" PRIx32 " size=0x%" PRIx64
			       " files=%" PRIu32,
			       info->argsz, info->flags, (uint64_t)info->size,
			       fds ? fds->count : 0);
	emit(io, &l);
	return ret;
}

static int get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	struct vfki_trace_line l;
	int ret;

	vfki_trace_begin(&l, "get_irq_info(index=%" PRIu32, info->index);
	ret = vfki_filter_get_irq_info(io, info);
	vfki_trace_result(&l, ret);
	if (!ret)
		vfki_trace_add(&l, " flags=0x%" PRIx32 " count=%" PRIu32, info->flags, info->count);
	emit(io, &l);
	return ret;
}

static int set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "set_irqs(");
	vfki_trace_irq_set(&l, set);
	vfki_trace_start(&l);
	return emit_result(io, &l, vfki_filter_set_irqs(io, set));
}

static ssize_t region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	struct vfki_trace_line l;
	ssize_t ret;

	vfki_trace_begin(&l, "region_read(region=%" PRIu32 ", offset=0x%" PRIx64 ", length=%zu",
			 region, off, len);
	ret = vfki_filter_region_read(io, region, off, buf, len);
	vfki_trace_result(&l, ret);
	if (ret > 0)
		vfki_trace_data(&l, buf, (size_t)ret);
	emit(io, &l);
	return ret;
}

static ssize_t region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	struct vfki_trace_line l;
	ssize_t ret;

	vfki_trace_begin(&l, "region_write(region=%" PRIu32 ", offset=0x%" PRIx64 ", length=%zu%s",
			 region, off, len, flags & VFK_WRITE_POSTED ? ", posted" : "");
	vfki_trace_add(&l, ",");
	vfki_trace_data(&l, buf, len);
	vfki_trace_start(&l);
	ret = vfki_filter_region_write(io, region, off, buf, len, flags);
	vfki_trace_result(&l, ret);
	emit(io, &l);
	return ret;
}

static int device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	const struct vfki_feature *known =
		vfki_feature_find(feature->flags & VFIO_DEVICE_FEATURE_MASK);
	uint32_t flags = feature->flags;
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "device_feature(%s%s%s%s, argsz=%" PRIu32,
			 known ? known->name : "unknown",
			 flags & VFIO_DEVICE_FEATURE_PROBE ? ", probe" : "",
			 flags & VFIO_DEVICE_FEATURE_GET ? ", get" : "",
			 flags & VFIO_DEVICE_FEATURE_SET ? ", set" : "", feature->argsz);
	return emit_result(io, &l, vfki_filter_device_feature(io, feature));
}

static int reset(struct vfk_io *io)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "reset(");
	return emit_result(io, &l, vfki_filter_reset(io));
}

static int write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "write_multi(count=%zu", count);
	for (size_t i = 0; i < count && i < 4; i++) {
		vfki_trace_add(&l, ", region=%" PRIu32 " offset=0x%" PRIx64, writes[i].region,
			       writes[i].offset);
		vfki_trace_data(&l, writes[i].data, writes[i].len);
	}
	vfki_trace_add(&l, count > 4 ? ", ..." : "");
	vfki_trace_start(&l);
	return emit_result(io, &l, vfki_filter_write_multi(io, writes, count));
}

static int flush(struct vfk_io *io)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "flush(");
	return emit_result(io, &l, vfki_filter_flush(io));
}

static ssize_t mig_read(struct vfk_io *io, void *buf, size_t len)
{
	struct vfki_trace_line l;
	ssize_t ret;

	vfki_trace_begin(&l, "mig_read(length=%zu", len);
	ret = vfki_filter_mig_read(io, buf, len);
	vfki_trace_result(&l, ret);
	emit(io, &l);
	return ret;
}

static ssize_t mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	struct vfki_trace_line l;
	ssize_t ret;

	vfki_trace_begin(&l, "mig_write(length=%zu", len);
	ret = vfki_filter_mig_write(io, buf, len);
	vfki_trace_result(&l, ret);
	emit(io, &l);
	return ret;
}

/* A program that polls asks again and again; only what was done is worth a line. */
static int dispatch(struct vfk_io *io)
{
	struct vfki_trace_line l;
	int ret;

	vfki_trace_begin(&l, "dispatch(");
	ret = vfki_filter_dispatch(io);
	return ret ? emit_result(io, &l, ret) : 0;
}

static int map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	struct vfki_trace_line l;
	int ret;

	vfki_trace_begin(&l, "dma_map(iova=0x%" PRIx64 ", length=0x%" PRIx64 ", prot=%s%s, %s%s%s",
			 m->iova, m->length, m->prot & VFK_DMA_READ ? "r" : "",
			 m->prot & VFK_DMA_WRITE ? "w" : "", m->vaddr ? "address" : "",
			 m->vaddr && m->fd >= 0 ? "+" : "",
			 m->callbacks ? "callbacks" :
			 m->fd >= 0   ? "file" :
					"");
	ret = vfki_filter_map(io, m, addr);
	vfki_trace_result(&l, ret);
	if (!ret && addr->addr != m->iova)
		vfki_trace_add(&l, " addr=0x%" PRIx64 " contiguous=0x%" PRIx64, addr->addr,
			       addr->contiguous);
	emit(io, &l);
	return ret;
}

static int unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "dma_unmap(iova=0x%" PRIx64 ", length=0x%" PRIx64 ", timeout=%" PRIu32,
			 iova, length, timeout_ms);
	return emit_result(io, &l, vfki_filter_unmap(io, iova, length, timeout_ms));
}

static int limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	struct vfki_trace_line l;
	int ret;

	vfki_trace_begin(&l, "dma_limits(");
	ret = vfki_filter_limits(io, limits);
	vfki_trace_result(&l, ret);
	if (!ret)
		vfki_trace_add(&l, " pgsizes=0x%" PRIx64 " max_maps=%" PRIu64 " ranges=%" PRIu32,
			       limits->pgsizes, limits->max_maps, limits->num_ranges);
	emit(io, &l);
	return ret;
}

static int dirty_start(struct vfk_io *io, uint64_t page_size)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "dirty_start(page_size=0x%" PRIx64, page_size);
	return emit_result(io, &l, vfki_filter_dirty_start(io, page_size));
}

static int dirty_stop(struct vfk_io *io)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l, "dirty_stop(");
	return emit_result(io, &l, vfki_filter_dirty_stop(io));
}

static int dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			uint64_t *bitmap)
{
	struct vfki_trace_line l;

	vfki_trace_begin(&l,
			 "dirty_report(iova=0x%" PRIx64 ", length=0x%" PRIx64
			 ", page_size=0x%" PRIx64,
			 iova, length, page_size);
	return emit_result(io, &l, vfki_filter_dirty_report(io, iova, length, page_size, bitmap));
}

static int address(struct vfk_io *io, uint64_t iova, uint64_t length, struct vfk_dma_addr *addr)
{
	struct vfki_trace_line l;
	int ret;

	vfki_trace_begin(&l, "dma_address(iova=0x%" PRIx64 ", length=0x%" PRIx64, iova, length);
	ret = vfki_filter_address(io, iova, length, addr);
	vfki_trace_result(&l, ret);
	if (!ret)
		vfki_trace_add(&l, " addr=0x%" PRIx64 " contiguous=0x%" PRIx64, addr->addr,
			       addr->contiguous);
	emit(io, &l);
	return ret;
}

static const struct vfk_dma_ops dma_ops = {
	.size = sizeof(struct vfk_dma_ops),
	.map = map,
	.unmap = unmap,
	.limits = limits,
	.dirty_start = dirty_start,
	.dirty_stop = dirty_stop,
	.dirty_report = dirty_report,
	.address = address,
};

static int trace_open(struct vfk_io *io, const struct vfk_uri *uri,
		      const struct vfk_open_opts *opts)
{
	static const char *const known[] = { "file", "mmap", NULL };
	struct trace *t = (struct trace *)io;
	const char *path = vfk_uri_get(uri, "file");
	int ret = vfk_uri_only(uri, known);

	(void)opts;
	t->fd = -1;
	if (ret < 0)
		return ret;
	if (path) {
		t->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (t->fd < 0) {
			ret = -errno;
			return vfki_err_sys(ret, "trace: %s", path);
		}
	}
	pthread_mutex_init(&t->lock, NULL);
	ret = vfki_filter_init(&t->filter, uri, &dma_ops);
	if (ret < 0)
		goto close_file;
	return 0;
close_file:
	pthread_mutex_destroy(&t->lock);
	vfki_fd_close(t->fd);
	return ret;
}

static void trace_close(struct vfk_io *io)
{
	struct trace *t = (struct trace *)io;

	vfki_filter_fini(&t->filter);
	pthread_mutex_destroy(&t->lock);
	vfki_fd_close(t->fd);
}

const struct vfk_io_ops vfki_trace_io_ops = {
	.size = sizeof(struct vfk_io_ops),
	.name = "trace",
	.help = "one line for each operation; options: file=PATH (standard error), mmap=pass",
	.instance_size = sizeof(struct trace),
	.open = trace_open,
	.close = trace_close,
	.get_device_info = get_device_info,
	.get_region_info = get_region_info,
	.get_irq_info = get_irq_info,
	.set_irqs = set_irqs,
	.region_read = region_read,
	.region_write = region_write,
	.device_feature = device_feature,
	.reset = reset,
	.write_multi = write_multi,
	.flush = flush,
	.mig_read = mig_read,
	.mig_write = mig_write,
	.poll_fd = vfki_filter_poll_fd,
	.dispatch = dispatch,
};

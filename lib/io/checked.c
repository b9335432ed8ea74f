/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked.c - the door itself, and the ops that describe and drive the device as a whole; see checked.h.
 *
 * Any thread. The lock is held only while a limit is written, never across an op.
 */
#include "checked.h"
#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/feature.h"
#include "lib/base/range.h"
#include "lib/base/vfio_compat.h"
#include "table.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The least that get_device_info fills in; what is behind it came later. */
#define DEVICE_INFO_MIN	  offsetof(struct vfio_device_info, cap_offset)
#define DEVICE_INFO_FIXED (DEVICE_INFO_MIN + sizeof(__u32))

#define DEVICE_TYPES                                                                   \
	(VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_PLATFORM | VFIO_DEVICE_FLAGS_AMBA | \
	 VFIO_DEVICE_FLAGS_CCW | VFIO_DEVICE_FLAGS_AP | VFIO_DEVICE_FLAGS_FSL_MC |     \
	 VFKI_DEVICE_FLAGS_CDX)

#define REGION_ACCESS \
	(VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP)

/* Largest -errno that Linux has. */
#define MAX_ERRNO 4095

void vfki_checked_begin(const struct vfki_checked *c)
{
	if (c->foreign)
		vfki_err_clear();
}

int vfki_checked_broken(const struct vfki_checked *c, const char *op, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return vfki_err(-EPROTO, "%s: %s: %s", c->io->name, op, what);
}

int vfki_checked_end(const struct vfki_checked *c, const char *op, long ret)
{
	const char *text = vfk_error(), *name = c->io->name;
	int err = (int)ret;

	if (!ret)
		return 0;
	if (ret > 0 || ret < -MAX_ERRNO)
		return vfki_checked_broken(c, op, "returned %ld", ret);
	if (err == -ENOTTY || err == -ENOSYS)
		err = -ENOTSUP;
	if (!*text)
		return vfki_err_sys(err, "%s: %s", name, op);
	if (strncmp(text, name, strlen(name)))
		return vfki_err_prefix(err, "%s", name);
	return err;
}

int vfki_checked_lacks(const struct vfki_checked *c, const char *op)
{
	return vfki_err(-ENOTSUP, "%s: %s: not supported by this device", c->io->name, op);
}

int vfki_io_check_ops(const struct vfk_io_ops *ops, const char *name)
{
	const char *missing = NULL;

	if (ops->size < offsetof(struct vfk_io_ops, reset) + sizeof(ops->reset))
		return vfki_err(-EINVAL, "%s: io ops: size %zu is too small", name, ops->size);
	if (!ops->reset)
		missing = "reset";
	if (!ops->device_feature)
		missing = "device_feature";
	if (!ops->region_write)
		missing = "region_write";
	if (!ops->region_read)
		missing = "region_read";
	if (!ops->set_irqs)
		missing = "set_irqs";
	if (!ops->get_irq_info)
		missing = "get_irq_info";
	if (!ops->get_region_info)
		missing = "get_region_info";
	if (!ops->get_device_info)
		missing = "get_device_info";
	if (!ops->close)
		missing = "close";
	return missing ? vfki_err(-EINVAL, "%s: io ops: no %s", name, missing) : 0;
}

int vfki_io_check_dma(const struct vfk_dma_ops *dma, const char *name)
{
	if (!dma)
		return 0;
	if (dma->size < offsetof(struct vfk_dma_ops, limits) + sizeof(dma->limits))
		return vfki_err(-EINVAL, "%s: dma ops: size %zu is too small", name, dma->size);
	if (!dma->map || !dma->unmap || !dma->limits)
		return vfki_err(-EINVAL, "%s: dma ops: no %s", name,
				!dma->map   ? "map" :
				!dma->unmap ? "unmap" :
					      "limits");
	return 0;
}

int vfki_checked_init(struct vfki_checked *c, struct vfk_io *io)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int ret = vfki_io_check_ops(io->ops, io->name);

	if (!ret)
		ret = vfki_io_check_dma(io->dma, io->name);
	if (ret < 0)
		return ret;
	*c = (struct vfki_checked){
		.io = io,
		.region_read = io->ops->region_read,
		.region_write = io->ops->region_write,
		.foreign = !vfki_io_is_bundled(io->ops),
	};
	ret = vfki_checked_get_device_info(c, &info);
	if (ret < 0)
		return ret;
	c->num_regions = info.num_regions;
	c->usual_regions = c->foreign ? 0 : info.num_regions;
	c->num_irqs = info.num_irqs;
	c->info = info;
	c->regions = calloc((size_t)c->num_regions + 1, sizeof(*c->regions));
	c->irqs = calloc((size_t)c->num_irqs + 1, sizeof(*c->irqs));
	if (!c->regions || !c->irqs)
		goto free_limits;
	pthread_mutex_init(&c->lock, NULL);
	return 0;
free_limits:
	free(c->irqs);
	free(c->regions);
	return vfki_err(-ENOMEM, "%s: no memory", io->name);
}

void vfki_checked_fini(struct vfki_checked *c)
{
	pthread_mutex_destroy(&c->lock);
	free(c->irqs);
	free(c->regions);
}

/* The chain of an info structure of which @capacity bytes are there. */
static int check_chain(const struct vfki_checked *c, const char *op, const void *info,
		       uint32_t argsz, uint32_t capacity, size_t fixed, uint32_t *cap_offset)
{
	int ret;

	if (argsz < fixed || argsz > VFKI_MAX_INFO)
		return vfki_checked_broken(c, op, "argsz %" PRIu32, argsz);
	if (argsz > capacity)
		*cap_offset = 0;
	if (!*cap_offset)
		return 0;
	ret = vfki_caps_check(info, argsz, fixed, *cap_offset);
	return ret < 0 ? vfki_err_prefix(ret, "%s: %s", c->io->name, op) : 0;
}

static int check_device_info(const struct vfki_checked *c, struct vfio_device_info *info,
			     uint32_t capacity)
{
	uint32_t types = info->flags & DEVICE_TYPES, none = 0;
	bool room = capacity >= DEVICE_INFO_FIXED && info->argsz >= DEVICE_INFO_FIXED;

	if (info->num_regions > VFKI_MAX_INDEXES || info->num_irqs > VFKI_MAX_INDEXES)
		return vfki_checked_broken(c, "device info",
					   "%" PRIu32 " regions, %" PRIu32 " irqs",
					   info->num_regions, info->num_irqs);
	if (types & (types - 1))
		return vfki_checked_broken(c, "device info",
					   "flags 0x%" PRIx32 ": several types of device",
					   info->flags);
	if (room && !(info->flags & VFIO_DEVICE_FLAGS_CAPS))
		info->cap_offset = 0;
	return check_chain(c, "device info", info, info->argsz, capacity,
			   room ? DEVICE_INFO_FIXED : DEVICE_INFO_MIN,
			   room ? &info->cap_offset : &none);
}

static bool same_device(const struct vfki_checked *c, const struct vfio_device_info *info)
{
	return info->num_regions == c->num_regions && info->num_irqs == c->num_irqs &&
	       info->flags == c->info.flags;
}

int vfki_checked_get_device_info(struct vfki_checked *c, struct vfio_device_info *info)
{
	uint32_t capacity = info->argsz;
	int ret;

	if (capacity < DEVICE_INFO_MIN)
		return vfki_err(-EINVAL, "%s: device info: argsz %" PRIu32, c->io->name, capacity);
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "device info", c->io->ops->get_device_info(c->io, info));
	if (!ret)
		ret = check_device_info(c, info, capacity);
	if (!ret && c->regions && !same_device(c, info))
		ret = vfki_checked_broken(c, "device info",
					  "not what it was at first: flags 0x%" PRIx32 ", %" PRIu32
					  " regions, %" PRIu32 " irqs, then 0x%" PRIx32 ", %" PRIu32
					  ", %" PRIu32,
					  c->info.flags, c->num_regions, c->num_irqs, info->flags,
					  info->num_regions, info->num_irqs);
	return ret;
}

static int check_region_info(const struct vfki_checked *c, struct vfio_region_info *info,
			     uint32_t index, uint32_t capacity)
{
	uint64_t end;

	if (info->index != index)
		return vfki_checked_broken(c, "region info", "asked for %" PRIu32 ", got %" PRIu32,
					   index, info->index);
	if (info->size > INT64_MAX)
		return vfki_checked_broken(c, "region info", "region %" PRIu32 ": size 0x%" PRIx64,
					   index, (uint64_t)info->size);
	if (info->flags & VFIO_REGION_INFO_FLAG_MMAP &&
	    (!info->size || !vfki_add_u64(info->offset, info->size, &end)))
		return vfki_checked_broken(c, "region info",
					   "region %" PRIu32 ": size 0x%" PRIx64 " at 0x%" PRIx64
					   " to map",
					   index, (uint64_t)info->size, (uint64_t)info->offset);
	if (!(info->flags & VFIO_REGION_INFO_FLAG_CAPS))
		info->cap_offset = 0;
	return check_chain(c, "region info", info, info->argsz, capacity, sizeof(*info),
			   &info->cap_offset);
}

static bool fds_ok(const struct vfk_region_fds *fds)
{
	bool per_area = fds->flags & VFK_REGION_FD_PER_AREA;

	if (fds->flags & ~(VFK_REGION_FD_DEVICE | VFK_REGION_FD_PER_AREA))
		return false;
	if (per_area && fds->flags & VFK_REGION_FD_DEVICE)
		return false;
	if (!per_area && fds->count > 1)
		return false;
	for (uint32_t i = 0; i < fds->count; i++) {
		if (fds->fd[i] < (per_area ? -1 : 0))
			return false;
	}
	return true;
}

static int check_fds(const struct vfki_checked *c, const struct vfio_region_info *info,
		     uint32_t capacity, const struct vfk_region_fds *fds)
{
	if (!fds_ok(fds))
		return vfki_checked_broken(c, "region info",
					   "region %" PRIu32 ": %" PRIu32
					   " files, flags 0x%" PRIx32,
					   info->index, fds->count, fds->flags);
	if (fds->count && info->argsz > capacity)
		return vfki_checked_broken(c, "region info",
					   "region %" PRIu32 ": files with part of an answer",
					   info->index);
	return 0;
}

/* An io answers alike every time; what an access was checked against must stay true. */
static int record_region(struct vfki_checked *c, uint32_t index, uint64_t size, uint32_t flags)
{
	struct vfki_region_limit *r = &c->regions[index];
	uint32_t known;
	bool same = true;

	flags &= REGION_ACCESS;
	pthread_mutex_lock(&c->lock);
	known = atomic_load(&r->flags);
	if (known) {
		same = known == (flags | VFKI_LIMIT_KNOWN) && r->size == size;
	} else {
		r->size = size;
		if (vfki_io_is_whole(c->io->ops, index)) {
			r->whole_read = flags & VFIO_REGION_INFO_FLAG_READ ? size : 0;
			r->whole_write = flags & VFIO_REGION_INFO_FLAG_WRITE ? size : 0;
		}
		atomic_store(&r->flags, flags | VFKI_LIMIT_KNOWN);
	}
	pthread_mutex_unlock(&c->lock);
	if (!same)
		return vfki_checked_broken(c, "region info",
					   "region %" PRIu32
					   ": not what it was at first: flags 0x%" PRIx32
					   ", size 0x%" PRIx64 ", then 0x%" PRIx32 ", 0x%" PRIx64,
					   index, known & ~VFKI_LIMIT_KNOWN, r->size, flags, size);
	return 0;
}

static int no_such_region(const struct vfki_checked *c, uint32_t index)
{
	return vfki_err(-EINVAL, "%s: region %" PRIu32 ": the device has %" PRIu32, c->io->name,
			index, c->num_regions);
}

int vfki_checked_get_region_info(struct vfki_checked *c, struct vfio_region_info *info,
				 struct vfk_region_fds *fds)
{
	uint32_t capacity = info->argsz, index = info->index;
	struct vfk_region_fds got = { .size = sizeof(got) };
	int ret;

	if (index >= c->num_regions)
		return no_such_region(c, index);
	if (capacity < sizeof(*info) || (fds && fds->size < sizeof(*fds)))
		return vfki_err(-EINVAL, "%s: region info: argsz %" PRIu32, c->io->name, capacity);
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "region info",
			       c->io->ops->get_region_info(c->io, info, fds ? &got : NULL));
	if (ret < 0)
		return ret;
	if (got.count > VFK_REGION_MAX_FDS) /* not even these are believed to be descriptors */
		return vfki_checked_broken(c, "region info", "%" PRIu32 " files", got.count);
	ret = check_region_info(c, info, index, capacity);
	if (!ret)
		ret = check_fds(c, info, capacity, &got);
	if (!ret)
		ret = record_region(c, index, info->size, info->flags);
	if (ret < 0)
		vfki_fd_close_all(got.fd, got.count);
	else if (fds)
		*fds = got;
	return ret;
}

int vfki_checked_region_limit(struct vfki_checked *c, uint32_t region, uint64_t *size,
			      uint32_t *flags)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = region };
	int ret;

	if (region >= c->num_regions)
		return no_such_region(c, region);
	if (!atomic_load(&c->regions[region].flags)) {
		ret = vfki_checked_get_region_info(c, &info, NULL);
		if (ret < 0)
			return ret;
	}
	*flags = atomic_load(&c->regions[region].flags) & ~VFKI_LIMIT_KNOWN;
	*size = c->regions[region].size;
	return 0;
}

static int record_irq(struct vfki_checked *c, uint32_t index, const struct vfio_irq_info *info)
{
	struct vfki_irq_limit *q = &c->irqs[index];
	uint32_t known, flags = info->flags & ~VFKI_LIMIT_KNOWN;
	bool same = true;

	pthread_mutex_lock(&c->lock);
	known = atomic_load(&q->flags);
	if (known) {
		same = known == (flags | VFKI_LIMIT_KNOWN) && q->count == info->count;
	} else {
		q->count = info->count;
		atomic_store(&q->flags, flags | VFKI_LIMIT_KNOWN);
	}
	pthread_mutex_unlock(&c->lock);
	if (!same)
		return vfki_checked_broken(c, "irq info",
					   "irq %" PRIu32
					   ": not what it was at first: flags 0x%" PRIx32
					   ", %" PRIu32 " vectors, then 0x%" PRIx32 ", %" PRIu32,
					   index, known & ~VFKI_LIMIT_KNOWN, q->count, flags,
					   info->count);
	return 0;
}

static int check_irq_info(const struct vfki_checked *c, const struct vfio_irq_info *info,
			  uint32_t index)
{
	if (info->index != index)
		return vfki_checked_broken(c, "irq info", "asked for %" PRIu32 ", got %" PRIu32,
					   index, info->index);
	if (info->argsz < sizeof(*info) || info->argsz > VFKI_MAX_INFO)
		return vfki_checked_broken(c, "irq info", "argsz %" PRIu32, info->argsz);
	if (info->count > VFKI_MAX_VECTORS)
		return vfki_checked_broken(c, "irq info", "irq %" PRIu32 ": %" PRIu32 " vectors",
					   index, info->count);
	return 0;
}

static int ask_irq(struct vfki_checked *c, uint32_t index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };
	int ret;

	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "irq info", c->io->ops->get_irq_info(c->io, &info));
	if (!ret)
		ret = check_irq_info(c, &info, index);
	if (!ret)
		ret = record_irq(c, index, &info);
	return ret;
}

int vfki_checked_irq_limit(struct vfki_checked *c, uint32_t index, uint32_t *count, uint32_t *flags)
{
	int ret;

	if (index >= c->num_irqs)
		return vfki_err(-EINVAL, "%s: irq %" PRIu32 ": the device has %" PRIu32,
				c->io->name, index, c->num_irqs);
	if (!atomic_load(&c->irqs[index].flags)) {
		ret = ask_irq(c, index);
		if (ret < 0)
			return ret;
	}
	*flags = atomic_load(&c->irqs[index].flags) & ~VFKI_LIMIT_KNOWN;
	*count = c->irqs[index].count;
	return 0;
}

int vfki_checked_get_irq_info(struct vfki_checked *c, struct vfio_irq_info *info)
{
	uint32_t count, flags;
	int ret = 0;

	if (info->argsz < sizeof(*info))
		return vfki_err(-EINVAL, "%s: irq info: argsz %" PRIu32, c->io->name, info->argsz);
	if (info->index < c->num_irqs)
		ret = ask_irq(c, info->index);
	if (ret < 0)
		return ret;
	ret = vfki_checked_irq_limit(c, info->index, &count, &flags);
	if (ret < 0)
		return ret;
	info->flags = flags;
	info->count = count;
	return 0;
}

int vfki_checked_device_feature(struct vfki_checked *c, struct vfio_device_feature *feature)
{
	const struct vfki_feature *known;
	uint32_t flags = feature->flags, argsz = feature->argsz;
	int ret = vfki_feature_check(feature, &known);

	if (ret < 0)
		return vfki_err_prefix(ret, "%s", c->io->name);
	vfki_checked_begin(c);
	ret = c->io->ops->device_feature(c->io, feature);
	/* the one feature whose result is a descriptor */
	if (ret <= 0 || known->fd != VFKI_FD_RESULT || flags & VFIO_DEVICE_FEATURE_PROBE)
		ret = vfki_checked_end(c, known->name, ret);
	if (ret >= 0 && (feature->flags != flags || feature->argsz != argsz))
		ret = vfki_checked_broken(c, known->name, "answered another question");
	return ret;
}

int vfki_checked_reset(struct vfki_checked *c)
{
	if (!(c->info.flags & VFIO_DEVICE_FLAGS_RESET))
		return vfki_checked_lacks(c, "reset");
	vfki_checked_begin(c);
	return vfki_checked_end(c, "reset", c->io->ops->reset(c->io));
}

static ssize_t end_count(const struct vfki_checked *c, const char *op, ssize_t ret, ssize_t min,
			 size_t len)
{
	if (ret < 0)
		return vfki_checked_end(c, op, ret);
	if (ret < min || (size_t)ret > len)
		return vfki_checked_broken(c, op, "%zd of %zu bytes", ret, len);
	return ret;
}

ssize_t vfki_checked_mig_read(struct vfki_checked *c, void *buf, size_t len)
{
	ssize_t (*op)(struct vfk_io *, void *, size_t) = VFKI_OP(c->io->ops, mig_read);

	if (!op)
		return vfki_checked_lacks(c, "migration data");
	if (!len)
		return 0;
	vfki_checked_begin(c);
	return end_count(c, "migration data", op(c->io, buf, len), 0, len);
}

ssize_t vfki_checked_mig_write(struct vfki_checked *c, const void *buf, size_t len)
{
	ssize_t (*op)(struct vfk_io *, const void *, size_t) = VFKI_OP(c->io->ops, mig_write);

	if (!op)
		return vfki_checked_lacks(c, "migration data");
	if (!len)
		return 0;
	vfki_checked_begin(c);
	return end_count(c, "migration data", op(c->io, buf, len), 1, len);
}

int vfki_checked_precopy_info(struct vfki_checked *c, struct vfk_precopy_info *info)
{
	int (*op)(struct vfk_io *, struct vfk_precopy_info *) = VFKI_OP(c->io->ops, precopy_info);
	uint32_t argsz = info->argsz;
	struct vfk_precopy_info got = { .argsz = sizeof(got) };
	int ret;

	if (!op)
		return vfki_checked_lacks(c, "precopy info");
	if (argsz != sizeof(*info))
		return vfki_err(-EINVAL, "%s: precopy info: argsz %" PRIu32, c->io->name, argsz);
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "precopy info", op(c->io, &got));
	if (ret)
		return ret;
	got.argsz = argsz;
	*info = got;
	return 0;
}

int vfki_checked_poll_fd(struct vfki_checked *c)
{
	int (*op)(struct vfk_io *) = VFKI_OP(c->io->ops, poll_fd);
	int fd;

	if (!op)
		return vfki_checked_lacks(c, "events");
	vfki_checked_begin(c);
	fd = op(c->io);
	return fd >= 0 ? fd : vfki_checked_end(c, "events", fd);
}

int vfki_checked_dispatch(struct vfki_checked *c)
{
	int (*op)(struct vfk_io *) = VFKI_OP(c->io->ops, dispatch);
	int ret;

	if (!op)
		return vfki_checked_lacks(c, "events");
	vfki_checked_begin(c);
	ret = op(c->io);
	return ret >= 0 ? ret : vfki_checked_end(c, "events", ret);
}

int vfki_checked_set_lost(struct vfki_checked *c, void (*lost)(void *ctx, uint64_t epoch),
			  void *ctx)
{
	int (*op)(struct vfk_io *, void (*)(void *, uint64_t), void *) =
		VFKI_OP(c->io->ops, set_lost);

	if (!op)
		return vfki_checked_lacks(c, "reconnect");
	vfki_checked_begin(c);
	return vfki_checked_end(c, "set lost", op(c->io, lost, ctx));
}

int vfki_checked_reconnect(struct vfki_checked *c, enum vfk_reconnect step)
{
	int (*op)(struct vfk_io *, enum vfk_reconnect) = VFKI_OP(c->io->ops, reconnect);

	if (!op)
		return vfki_checked_lacks(c, "reconnect");
	vfki_checked_begin(c);
	return vfki_checked_end(c, "reconnect", op(c->io, step));
}

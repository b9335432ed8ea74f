/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io.c - the io: no PCI, a region that is read-only, one that is write-only, no reset, no DMA.
 *
 * It trusts its caller as io.h allows: what is checked there is not checked here.
 *
 * Threads: as every io; one mutex.
 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REGION_SIZE 4096u

enum {
	REGION_RW,
	REGION_READ_ONLY,
	REGION_WRITE_ONLY,
	REGION_UNUSED,
	NUM_REGIONS,
};

struct own_io {
	struct vfk_io io; /* first */
	pthread_mutex_t lock;
	int eventfd; /* of interrupt 0; -1: not enabled */
	uint8_t mem[NUM_REGIONS][REGION_SIZE];
};

static struct own_io *own(struct vfk_io *io)
{
	return (struct own_io *)io;
}

static void own_close(struct vfk_io *io)
{
	struct own_io *o = own(io);

	if (o->eventfd >= 0)
		close(o->eventfd);
	o->eventfd = -1;
}

static int own_get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	(void)io;
	info->argsz = offsetof(struct vfio_device_info, cap_offset);
	info->flags = VFIO_DEVICE_FLAGS_PLATFORM;
	info->num_regions = NUM_REGIONS;
	info->num_irqs = 1;
	return 0;
}

static int own_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			       struct vfk_region_fds *fds)
{
	static const uint32_t flags[NUM_REGIONS] = {
		[REGION_RW] = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		[REGION_READ_ONLY] = VFIO_REGION_INFO_FLAG_READ,
		[REGION_WRITE_ONLY] = VFIO_REGION_INFO_FLAG_WRITE,
	};

	(void)io;
	info->argsz = sizeof(*info);
	info->flags = flags[info->index];
	info->size = flags[info->index] ? REGION_SIZE : 0;
	info->cap_offset = 0;
	info->offset = 0;
	if (fds)
		fds->count = 0;
	return 0;
}

static int own_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	(void)io;
	info->flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	info->count = 1;
	return 0;
}

/* An anonymous inode has no file type; pipes, sockets and files have one. */
static bool may_be_eventfd(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

static int arm(struct own_io *o, const struct vfio_irq_set *set)
{
	int32_t given;
	int fd = -1;

	memcpy(&given, set->data, sizeof(given));
	if (given >= 0) {
		if (!may_be_eventfd(given))
			return -EINVAL;
		fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	}
	if (o->eventfd >= 0)
		close(o->eventfd);
	o->eventfd = fd;
	return 0;
}

static int trigger(struct own_io *o, const struct vfio_irq_set *set)
{
	struct pollfd p = { .fd = o->eventfd, .events = POLLOUT };
	const uint64_t one = 1;

	if (o->eventfd < 0)
		return -EINVAL;
	if (set->flags & VFIO_IRQ_SET_DATA_BOOL && !set->data[0])
		return 0;
	/* A full one stays full: its reader is told already. */
	if (poll(&p, 1, 0) == 1 && p.revents & POLLOUT && write(o->eventfd, &one, sizeof(one)) < 0)
		return -errno;
	return 0;
}

static int own_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct own_io *o = own(io);
	int ret = 0;

	if (!(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		return -ENOTSUP;
	pthread_mutex_lock(&o->lock);
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD)
		ret = arm(o, set);
	else if (set->count)
		ret = trigger(o, set);
	else
		own_close(io);
	pthread_mutex_unlock(&o->lock);
	return ret;
}

static ssize_t own_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			       size_t len)
{
	struct own_io *o = own(io);

	pthread_mutex_lock(&o->lock);
	memcpy(buf, o->mem[region] + off, len);
	pthread_mutex_unlock(&o->lock);
	return (ssize_t)len;
}

static ssize_t own_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				size_t len, unsigned int flags)
{
	struct own_io *o = own(io);

	(void)flags;
	pthread_mutex_lock(&o->lock);
	memcpy(o->mem[region] + off, buf, len);
	pthread_mutex_unlock(&o->lock);
	return (ssize_t)len;
}

static int own_device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	(void)io;
	(void)feature;
	return -ENOTTY; /* as a kernel says it: the library makes it -ENOTSUP */
}

static int own_reset(struct vfk_io *io)
{
	(void)io;
	return -ENOTSUP;
}

static const struct vfk_io_ops own_ops = {
	.size = sizeof(own_ops),
	.name = "own",
	.help = "the test's own io",
	.instance_size = sizeof(struct own_io),
	.close = own_close,
	.get_device_info = own_get_device_info,
	.get_region_info = own_get_region_info,
	.get_irq_info = own_get_irq_info,
	.set_irqs = own_set_irqs,
	.region_read = own_region_read,
	.region_write = own_region_write,
	.device_feature = own_device_feature,
	.reset = own_reset,
};

int own_io_open(const struct vfk_open_opts *opts, struct vfk_device **dev)
{
	static struct own_io o = { .lock = PTHREAD_MUTEX_INITIALIZER, .eventfd = -1 };
	int ret = vfk_io_init(&o.io, &own_ops, "own");

	return ret ? ret : vfk_device_open_io(&o.io, opts, dev);
}

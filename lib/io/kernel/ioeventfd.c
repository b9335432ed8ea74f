/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ioeventfd.c - registers that the kernel writes when an eventfd is signalled, and taking them back.
 *
 * The kernel forgets them with the device's last file, which may be another program's. Any thread.
 */
#include "lib/base/error.h"
#include "lib/io/kernel/instance.h"
#include <inttypes.h>
#include <stdlib.h>

struct vfki_kernel_ioeventfd {
	struct vfki_kernel_ioeventfd *next;
	uint64_t offset; /* in the device's file */
	uint64_t value;
	unsigned int width;
};

static int tell(const struct vfki_kernel *k, const struct vfki_kernel_ioeventfd *e, int fd)
{
	struct vfio_device_ioeventfd ioeventfd = {
		.argsz = sizeof(ioeventfd),
		.flags = e->width, /* the flags are the widths */
		.offset = e->offset,
		.data = e->value,
		.fd = fd,
	};

	return vfki_kernel_ioctl(k->device, VFIO_DEVICE_IOEVENTFD, &ioeventfd);
}

static void forget(struct vfki_kernel *k, const struct vfki_kernel_ioeventfd *gone)
{
	struct vfki_kernel_ioeventfd **at = &k->ioeventfds, *e;

	while ((e = *at) &&
	       (e->offset != gone->offset || e->value != gone->value || e->width != gone->width))
		at = &e->next;
	if (!e)
		return;
	*at = e->next;
	free(e);
}

/* The order in the kernel is that of the list: the lock is held across the call. */
static int set(struct vfki_kernel *k, struct vfki_kernel_ioeventfd *e, int fd)
{
	int ret;

	pthread_mutex_lock(&k->ioeventfds_lock);
	ret = tell(k, e, fd);
	if (!ret && fd < 0)
		forget(k, e);
	if (!ret && fd >= 0) {
		e->next = k->ioeventfds;
		k->ioeventfds = e;
	}
	pthread_mutex_unlock(&k->ioeventfds_lock);
	return ret;
}

int vfki_kernel_ioeventfd(struct vfk_io *io, uint32_t region, uint64_t off, unsigned int width,
			  uint64_t value, int fd)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	struct vfki_kernel_ioeventfd *e = malloc(sizeof(*e));
	int ret;

	if (!e)
		return vfki_err(-ENOMEM, "no memory");
	*e = (struct vfki_kernel_ioeventfd){ .offset = k->regions[region].offset + off,
					     .value = value,
					     .width = width };
	ret = set(k, e, fd);
	if (ret < 0 || fd < 0)
		free(e);
	return ret < 0 ? vfki_err_sys(ret, "region %" PRIu32 ": ioeventfd at 0x%" PRIx64, region,
				      off) :
			 0;
}

void vfki_kernel_end_ioeventfds(struct vfki_kernel *k)
{
	while (k->ioeventfds) {
		struct vfki_kernel_ioeventfd *e = k->ioeventfds;

		k->ioeventfds = e->next;
		(void)tell(k, e, -1); /* a device that is gone has none */
		free(e);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recall.c - the kernel asks for a device back; see recall.h.
 *
 * The kernel repeats it every ten seconds, so what comes while nobody listens is only late.
 */
#include "recall.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define REQUEST VFIO_PCI_REQ_IRQ_INDEX

static bool is_asked_for(struct vfk_device *dev, bool hardware)
{
	struct vfk_irq_info info;

	return hardware && vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI &&
	       vfk_device_num_irqs(dev) > REQUEST && !vfk_irq_get_info(dev, REQUEST, &info) &&
	       info.count;
}

int vfki_recall_init(struct vfki_recall *r, struct vfk_device *dev, bool hardware)
{
	int ret;

	*r = (struct vfki_recall){ .dev = dev, .fd = -1 };
	if (!is_asked_for(dev, hardware))
		return 0;
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->fd < 0)
		return vfki_err_sys(-errno, "eventfd");
	ret = vfk_irq_set_eventfds(dev, REQUEST, 0, 1, &r->fd);
	if (ret)
		vfki_recall_fini(r);
	return ret;
}

void vfki_recall_fini(struct vfki_recall *r)
{
	if (r->fd >= 0)
		vfk_irq_disable(r->dev, REQUEST);
	vfki_fd_close(r->fd);
	r->fd = -1;
}

void vfki_recall_again(struct vfki_recall *r)
{
	r->by_client = false;
	/* one that cannot be armed any more is about to be found gone */
	if (r->fd >= 0)
		(void)vfk_irq_set_eventfds(r->dev, REQUEST, 0, 1, &r->fd);
}

/* Whether the client listens after what it asked for, and got. */
static bool listens(const struct vfki_recall *r, const struct vfio_irq_set *set)
{
	int32_t fd;

	if (!(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		return r->by_client;
	if (set->flags & VFIO_IRQ_SET_DATA_NONE && !set->count)
		return false;
	if (!(set->flags & VFIO_IRQ_SET_DATA_EVENTFD) || !set->count)
		return r->by_client;
	memcpy(&fd, set->data, sizeof(fd));
	return fd >= 0;
}

int vfki_recall_set_irqs(struct vfki_recall *r, const struct vfio_irq_set *set)
{
	int ret;

	if (r->fd < 0 || set->index != REQUEST)
		return vfk_device_set_irqs(r->dev, set);
	if (!r->by_client)
		vfk_irq_disable(r->dev, REQUEST);
	ret = vfk_device_set_irqs(r->dev, set);
	if (!ret)
		r->by_client = listens(r, set);
	/* what fails here leaves the text of the client's failure behind, and is not told */
	if (!r->by_client)
		vfki_recall_again(r);
	return ret;
}

bool vfki_recall_came(const struct vfki_recall *r)
{
	uint64_t count;

	return r->fd >= 0 && read(r->fd, &count, sizeof(count)) == sizeof(count);
}

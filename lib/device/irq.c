/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - arming, masking and triggering interrupts.
 *
 * Everything is put into the kernel's struct vfio_irq_set, which the io takes as it is. Any thread.
 */
#include "device.h"
#include "irq_saved.h"
#include "lib/base/error.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEAD offsetof(struct vfio_irq_set, data)

int vfk_irq_get_info(struct vfk_device *dev, uint32_t index, struct vfk_irq_info *info)
{
	uint32_t count, flags;
	int ret = vfki_checked_irq_limit(&dev->io, index, &count, &flags);

	if (!ret)
		*info = (struct vfk_irq_info){ .index = index, .flags = flags, .count = count };
	return ret;
}

/* Remembers what must be disarmed at the end. */
static void note_armed(struct vfk_device *dev, const struct vfio_irq_set *set)
{
	if (!(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		return;
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD)
		atomic_store(&dev->armed[set->index], true);
	else if (!set->count)
		atomic_store(&dev->armed[set->index], false);
}

int vfk_device_set_irqs(struct vfk_device *dev, const struct vfio_irq_set *set)
{
	int ret = vfki_device_check(dev);

	if (!ret)
		ret = dev->loss.offered ? vfki_irqs_saved_set(dev, set) :
					  vfki_checked_set_irqs(&dev->io, set);
	if (!ret)
		note_armed(dev, set);
	return ret;
}

static int set_none(struct vfk_device *dev, uint32_t index, uint32_t action, uint32_t start,
		    uint32_t count)
{
	struct vfio_irq_set set = {
		.argsz = HEAD,
		.flags = VFIO_IRQ_SET_DATA_NONE | action,
		.index = index,
		.start = start,
		.count = count,
	};

	return vfk_device_set_irqs(dev, &set);
}

/* With @count elements of @each bytes as data. */
static int set_data(struct vfk_device *dev, uint32_t index, uint32_t flags, uint32_t start,
		    uint32_t count, const void *data, size_t each)
{
	struct vfio_irq_set *set;
	int ret;

	if (count > VFKI_MAX_VECTORS)
		return vfki_err(-EINVAL, "%s: irq %" PRIu32 ": %" PRIu32 " vectors",
				vfk_device_name(dev), index, count);
	set = calloc(1, HEAD + count * each);
	if (!set)
		return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	set->argsz = (uint32_t)(HEAD + count * each);
	set->flags = flags;
	set->index = index;
	set->start = start;
	set->count = count;
	memcpy(set->data, data, count * each);
	ret = vfk_device_set_irqs(dev, set);
	free(set);
	return ret;
}

_Static_assert(sizeof(int) == sizeof(int32_t), "descriptors are s32 in struct vfio_irq_set");

int vfk_irq_set_eventfds(struct vfk_device *dev, uint32_t index, uint32_t start, uint32_t count,
			 const int *fds)
{
	return set_data(dev, index, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, start,
			count, fds, sizeof(*fds));
}

int vfk_irq_mask(struct vfk_device *dev, uint32_t index, uint32_t start, uint32_t count)
{
	return set_none(dev, index, VFIO_IRQ_SET_ACTION_MASK, start, count);
}

int vfk_irq_unmask(struct vfk_device *dev, uint32_t index, uint32_t start, uint32_t count)
{
	return set_none(dev, index, VFIO_IRQ_SET_ACTION_UNMASK, start, count);
}

int vfk_irq_trigger(struct vfk_device *dev, uint32_t index, uint32_t start, uint32_t count)
{
	/* without vectors it would mean "disable" */
	if (!count)
		return vfki_err(-EINVAL, "%s: irq %" PRIu32 ": trigger of no vectors",
				vfk_device_name(dev), index);
	return set_none(dev, index, VFIO_IRQ_SET_ACTION_TRIGGER, start, count);
}

int vfk_irq_set_bools(struct vfk_device *dev, uint32_t index, enum vfk_irq_action action,
		      uint32_t start, uint32_t count, const uint8_t *bools)
{
	static const uint32_t actions[] = {
		[VFK_IRQ_MASK] = VFIO_IRQ_SET_ACTION_MASK,
		[VFK_IRQ_UNMASK] = VFIO_IRQ_SET_ACTION_UNMASK,
		[VFK_IRQ_TRIGGER] = VFIO_IRQ_SET_ACTION_TRIGGER,
	};

	if ((unsigned int)action >= sizeof(actions) / sizeof(actions[0]))
		return vfki_err(-EINVAL, "%s: irq %" PRIu32 ": action %d", vfk_device_name(dev),
				index, action);
	return set_data(dev, index, VFIO_IRQ_SET_DATA_BOOL | actions[action], start, count, bools,
			1);
}

int vfk_irq_set_unmask_eventfd(struct vfk_device *dev, uint32_t index, uint32_t start, int fd)
{
	return set_data(dev, index, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, start,
			1, &fd, sizeof(fd));
}

int vfk_irq_disable(struct vfk_device *dev, uint32_t index)
{
	int ret = set_none(dev, index, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0);
	uint32_t count, flags;

	/* for Linux an index that is not enabled cannot be disabled */
	if (ret == -EINVAL && !vfki_checked_irq_limit(&dev->io, index, &count, &flags) && count)
		ret = 0;
	return ret;
}

void vfki_irqs_disable_all(struct vfk_device *dev)
{
	for (uint32_t i = dev->io.num_irqs; i-- > 0;) {
		if (atomic_load(&dev->armed[i]))
			(void)set_none(dev, i, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0);
	}
}

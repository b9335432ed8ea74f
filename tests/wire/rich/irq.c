/* SPDX-License-Identifier: BSD-3-Clause */
/* irq.c - the interrupts of rich.h. Each request is done for all of its vectors or for none. */
#include "rich.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int rich_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	(void)io;
	info->flags = 0;
	info->count = info->index == 0 ? 1 : info->index == 2 ? RICH_VECTORS : 0;
	if (info->count)
		info->flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE;
	return 0;
}

static void replace(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

static void take_all(int *fds)
{
	for (uint32_t i = 0; i < RICH_VECTORS; i++)
		replace(&fds[i], -1);
}

uint32_t rich_count(const int *fds)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < RICH_VECTORS; i++)
		n += fds[i] >= 0;
	return n;
}

void rich_fire(const struct rich *r, uint32_t vector)
{
	uint64_t one = 1;

	if (vector < RICH_VECTORS && r->armed[vector] >= 0)
		(void)!write(r->armed[vector], &one, sizeof(one));
}

static int32_t fd_at(const struct vfio_irq_set *set, uint32_t i)
{
	int32_t fd;

	memcpy(&fd, set->data + i * sizeof(fd), sizeof(fd));
	return fd;
}

static int put_eventfds(int *slots, const struct vfio_irq_set *set)
{
	static int copies[RICH_VECTORS];
	uint32_t i;

	for (i = 0; i < set->count; i++) {
		int32_t fd = fd_at(set, i);

		copies[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (fd >= 0 && copies[i] < 0)
			break;
	}
	if (i < set->count) {
		while (i-- > 0)
			replace(&copies[i], -1);
		return -EMFILE;
	}
	for (i = 0; i < set->count; i++)
		replace(&slots[set->start + i], copies[i]);
	return 0;
}

static int arm(struct rich *r, const struct vfio_irq_set *set)
{
	uint32_t end = set->start + set->count;
	int ret;

	if (end > r->registers[RICH_GRANTED / 4])
		return (int)r->registers[RICH_GRANTED / 4];
	if (r->enabled && end > r->enabled)
		return -EINVAL;
	ret = put_eventfds(r->armed, set);
	if (!ret && !r->enabled)
		r->enabled = end;
	return ret;
}

static int set_eventfds(struct rich *r, const struct vfio_irq_set *set)
{
	if (fd_at(set, 0) >= 0 && set->start + set->count > r->registers[RICH_FAIL_AT / 4])
		return -EMFILE;
	if (set->flags & VFIO_IRQ_SET_ACTION_TRIGGER)
		return arm(r, set);
	return set->flags & VFIO_IRQ_SET_ACTION_UNMASK ? put_eventfds(r->unmasked, set) : -ENOTSUP;
}

int rich_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct rich *r = rich_of(io);

	if (set->index != 2)
		return 0;
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return set_eventfds(r, set);
	if (!(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		return 0;
	for (uint32_t i = 0; i < set->count; i++)
		if (!(set->flags & VFIO_IRQ_SET_DATA_BOOL) || set->data[i])
			rich_fire(r, set->start + i);
	if (!set->count) {
		take_all(r->armed);
		take_all(r->unmasked);
		r->enabled = 0;
	}
	return 0;
}

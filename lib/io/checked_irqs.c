/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked_irqs.c - the checked set_irqs; see checked.h.
 *
 * The rules are those of Linux's vfio_set_irqs_validate_and_prepare() (drivers/vfio/vfio_main.c), and of the irq's own
 * flags, which vfio-pci enforces by having no function for what it does not offer. Any thread.
 */
#include "checked.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>

#define HEAD offsetof(struct vfio_irq_set, data)

static bool one_bit(uint32_t v)
{
	return v && !(v & (v - 1));
}

static bool flags_ok(uint32_t flags)
{
	return !(flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK)) &&
	       one_bit(flags & VFIO_IRQ_SET_DATA_TYPE_MASK) &&
	       one_bit(flags & VFIO_IRQ_SET_ACTION_TYPE_MASK);
}

static bool is_disable(const struct vfio_irq_set *set)
{
	return set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER) && !set->count;
}

static size_t data_size(uint32_t flags)
{
	if (flags & VFIO_IRQ_SET_DATA_BOOL)
		return sizeof(uint8_t);
	return flags & VFIO_IRQ_SET_DATA_EVENTFD ? sizeof(int32_t) : 0;
}

/* -1 stands for no eventfd; whether the others are eventfds only the io finds out, when it takes them. */
static bool eventfds_ok(const struct vfio_irq_set *set)
{
	const int32_t *fds = (const int32_t *)set->data;

	if (!(set->flags & VFIO_IRQ_SET_DATA_EVENTFD))
		return true;
	for (uint32_t i = 0; i < set->count; i++) {
		if (fds[i] < -1)
			return false;
	}
	return true;
}

static int bad(const struct vfki_checked *c, const struct vfio_irq_set *set, const char *what)
{
	return vfki_err(-EINVAL,
			"%s: set irqs: index %" PRIu32 ", start %" PRIu32 ", count %" PRIu32
			", flags 0x%" PRIx32 ": %s",
			c->io->name, set->index, set->start, set->count, set->flags, what);
}

static int check_shape(const struct vfki_checked *c, const struct vfio_irq_set *set,
		       uint32_t vectors)
{
	size_t need;

	if (!flags_ok(set->flags))
		return bad(c, set, "flags");
	if (set->start >= vectors || !vfki_range_ok(set->start, set->count, vectors))
		return bad(c, set, "no such vectors");
	if (!set->count && !is_disable(set))
		return bad(c, set, "no vectors");
	if (!vfki_tail_size(HEAD, set->count, data_size(set->flags), &need) || set->argsz < need)
		return bad(c, set, "argsz is too small");
	if (!eventfds_ok(set))
		return bad(c, set, "eventfd");
	return 0;
}

static int check_offer(const struct vfki_checked *c, const struct vfio_irq_set *set, uint32_t flags)
{
	if (set->flags & (VFIO_IRQ_SET_ACTION_MASK | VFIO_IRQ_SET_ACTION_UNMASK) &&
	    !(flags & VFIO_IRQ_INFO_MASKABLE))
		return vfki_err(-ENOTSUP, "%s: irq %" PRIu32 " cannot be masked", c->io->name,
				set->index);
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD && !(flags & VFIO_IRQ_INFO_EVENTFD))
		return vfki_err(-ENOTSUP, "%s: irq %" PRIu32 " takes no eventfds", c->io->name,
				set->index);
	return 0;
}

int vfki_checked_set_irqs(struct vfki_checked *c, const struct vfio_irq_set *set)
{
	const uint32_t arm = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	uint32_t vectors, flags;
	int ret;

	if (set->argsz < HEAD)
		return vfki_err(-EINVAL, "%s: set irqs: argsz %" PRIu32, c->io->name, set->argsz);
	ret = vfki_checked_irq_limit(c, set->index, &vectors, &flags);
	if (!ret)
		ret = check_shape(c, set, vectors);
	if (!ret)
		ret = check_offer(c, set, flags);
	if (ret < 0)
		return ret;
	vfki_checked_begin(c);
	ret = c->io->ops->set_irqs(c->io, set);
	/* "only so many vectors can be had": what Linux says is of all vectors, not of those from start on */
	if (ret > 0 && set->flags == arm && (uint32_t)ret < set->start + set->count)
		return ret;
	return vfki_checked_end(c, "set irqs", ret);
}

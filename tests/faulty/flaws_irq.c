/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_irq.c - arming, triggering and disabling that goes wrong; messages that do. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "wrapper.h"

#define EDU_RAISE 0x60
#define EDU_ACK	  0x64

#define ARM	(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define TRIGGER (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

static bool is_arm(const struct vfio_irq_set *set)
{
	return set->flags == ARM;
}

static bool is_trigger(const struct vfio_irq_set *set)
{
	return set->flags == TRIGGER && set->count;
}

static bool is_disable(const struct vfio_irq_set *set)
{
	return set->flags == TRIGGER && !set->count;
}

static int32_t eventfd_of(const struct vfio_irq_set *set)
{
	int32_t fd;

	memcpy(&fd, set->data, sizeof(fd));
	return fd;
}

static int no_disable(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_disable(set) ? 0 : right.set_irqs(io, set);
}

static int disable_fails(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return is_disable(set) ? -EIO : ret;
}

static int disable_invalid(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return is_disable(set) ? -EINVAL : ret;
}

static int trigger_never_fails(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return is_trigger(set) ? 0 : ret;
}

static int trigger_does_nothing(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_trigger(set) ? 0 : right.set_irqs(io, set);
}

static int wrong_vector(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfio_irq_set other = *set;

	if (!is_trigger(set))
		return right.set_irqs(io, set);
	other.start = other.start ? other.start - 1 : 0;
	return right.set_irqs(io, &other);
}

static int all_vectors(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfio_irq_set other = *set;

	if (!is_trigger(set))
		return right.set_irqs(io, set);
	other.start = 0;
	other.count = set->start + set->count;
	return right.set_irqs(io, &other);
}

static int first_only(struct vfk_io *io, const struct vfio_irq_set *set)
{
	_Alignas(struct vfio_irq_set) char buf[sizeof(*set) + sizeof(int32_t)];
	struct vfio_irq_set *one = (void *)buf;

	if (!is_arm(set))
		return right.set_irqs(io, set);
	memcpy(buf, set, sizeof(buf));
	one->count = 1;
	return right.set_irqs(io, one);
}

static int bools_ignored(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfio_irq_set other = *set;

	if (!(set->flags & VFIO_IRQ_SET_DATA_BOOL))
		return right.set_irqs(io, set);
	other.flags ^= VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_DATA_NONE;
	return right.set_irqs(io, &other);
}

/* Signals through the caller's number, whatever that is by then. */
static int not_duplicated(struct vfk_io *io, const struct vfio_irq_set *set)
{
	const uint64_t one = 1;

	if (is_arm(set))
		wrapper(io)->eventfds[0] = eventfd_of(set);
	if (!is_trigger(set))
		return right.set_irqs(io, set);
	return write(wrapper(io)->eventfds[0], &one, sizeof(one)) < 0 ? -errno : 0;
}

/* Signals as if there were always room. */
static int blocks(struct vfk_io *io, const struct vfio_irq_set *set)
{
	const uint64_t one = 1;

	if (is_arm(set))
		wrapper(io)->eventfds[0] = fcntl(eventfd_of(set), F_DUPFD_CLOEXEC, 0);
	if (!is_trigger(set))
		return right.set_irqs(io, set);
	return write(wrapper(io)->eventfds[0], &one, sizeof(one)) < 0 ? -errno : 0;
}

static int fails_when_full(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return is_trigger(set) ? -EAGAIN : ret;
}

static int no_rearm(struct vfk_io *io, const struct vfio_irq_set *set)
{
	if (is_arm(set) && eventfd_of(set) >= 0 && wrapper(io)->calls++)
		return 0;
	return right.set_irqs(io, set);
}

static int no_disarm(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_arm(set) && eventfd_of(set) < 0 ? 0 : right.set_irqs(io, set);
}

static int arm_never_fails(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return is_arm(set) ? 0 : ret;
}

static int arm_counts(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return is_arm(set) && ret == 0 ? (int)set->count : ret;
}

static int arm_grants_half(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return is_arm(set) && ret == 0 ? (int)(set->count / 2) : ret;
}

static int arm_does_nothing(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_arm(set) ? 0 : right.set_irqs(io, set);
}

static int arm_signals(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	if (is_arm(set))
		vfk_irq_trigger(wrapper(io)->inner, set->index, set->start, 1);
	return ret;
}

static int arm_leaks(struct vfk_io *io, const struct vfio_irq_set *set)
{
	if (is_arm(set))
		fcntl(eventfd_of(set), F_DUPFD_CLOEXEC, 0);
	return right.set_irqs(io, set);
}

static int arm_inherits(struct vfk_io *io, const struct vfio_irq_set *set)
{
	if (is_arm(set))
		wrapper(io)->eventfds[0] = dup(eventfd_of(set));
	return right.set_irqs(io, set);
}

static int says_errno(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	errno = EBUSY;
	return ret < 0 ? -errno : ret;
}

static ssize_t every_second(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	if (region == 0 && off == EDU_RAISE && wrapper(io)->calls++ % 2)
		return (ssize_t)len;
	return right.region_write(io, region, off, buf, len, flags);
}

static ssize_t once_more(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			 size_t len, unsigned int flags)
{
	ssize_t ret = right.region_write(io, region, off, buf, len, flags);

	if (region == 0 && off == EDU_ACK)
		vfk_irq_trigger(wrapper(io)->inner, MSI, 0, 1);
	return ret;
}

static int takes_everything(struct vfk_io *io, const struct vfio_irq_set *set)
{
	right.set_irqs(io, set);
	return 0;
}

const struct flaw flaws_irq[] = {
	{ .name = "messages come after the disable",
	  .fails = "msi_disabled_is_silent",
	  .says = "want -ETIMEDOUT",
	  .rule = "set_irqs: count 0 disables the index",
	  .ops = { .set_irqs = no_disable } },
	{ .name = "a disable leaves the index enabled",
	  .fails = "irq_loopback",
	  .says = "got 0 (0x0), want -EINVAL",
	  .rule = "set_irqs: count 0 disables the index",
	  .ops = { .set_irqs = no_disable } },
	{ .name = "the disable of what is not enabled fails",
	  .fails = "irq_disable_idle",
	  .says = "got -5",
	  .rule = "vfk_irq_disable: one that is not enabled is success",
	  .ops = { .set_irqs = disable_fails } },
	{ .name = "a trigger of what is not enabled succeeds",
	  .fails = "irq_trigger_not_enabled",
	  .says = "got 0 (0x0), want -EINVAL",
	  .rule = "set_irqs: -EINVAL, the vector is not enabled",
	  .ops = { .set_irqs = trigger_never_fails } },
	{ .name = "a trigger does nothing",
	  .fails = "irq_loopback",
	  .says = "got -110",
	  .rule = "linux/vfio.h: ACTION_TRIGGER is a loopback",
	  .ops = { .set_irqs = trigger_does_nothing } },
	{ .name = "a trigger signals the vector before",
	  .fails = "irq_every_vector",
	  .says = "got -110",
	  .rule = "set_irqs: all vectors of the range, no other",
	  .base = BASE_MAPPED,
	  .ops = { .set_irqs = wrong_vector } },
	{ .name = "a trigger signals the vectors before as well",
	  .fails = "irq_every_vector",
	  .says = "case_count(t, fds[k])",
	  .rule = "set_irqs: all vectors of the range, no other",
	  .base = BASE_MAPPED,
	  .ops = { .set_irqs = all_vectors } },
	{ .name = "only the first of several vectors is armed",
	  .fails = "irq_every_vector",
	  .says = "vfk_irq_trigger",
	  .rule = "set_irqs: all vectors of the range, or none",
	  .base = BASE_MAPPED,
	  .ops = { .set_irqs = first_only } },
	{ .name = "the bools are ignored",
	  .fails = "irq_bools",
	  .says = "case_count(t, fd): got 1",
	  .rule = "linux/vfio.h: DATA_BOOL",
	  .ops = { .set_irqs = bools_ignored } },
	{ .name = "the eventfd is the caller's, not a duplicate",
	  .fails = "irq_device_keeps_a_duplicate",
	  .says = "got -9",
	  .rule = "set_irqs: an io that keeps one duplicates it",
	  .ops = { .set_irqs = not_duplicated } },
	{ .name = "a full eventfd blocks the device",
	  .fails = "irq_full_eventfd",
	  .says = "did not end in time",
	  .rule = "set_irqs: an io never blocks on signalling",
	  .ops = { .set_irqs = blocks } },
	{ .name = "a full eventfd is an error",
	  .fails = "irq_full_eventfd",
	  .says = "got -11",
	  .rule = "set_irqs: an io never blocks on signalling",
	  .ops = { .set_irqs = fails_when_full } },
	{ .name = "the first eventfd stays when another is given",
	  .fails = "irq_rearm",
	  .says = "got -110",
	  .rule = "set_irqs: arming",
	  .ops = { .set_irqs = no_rearm } },
	{ .name = "-1 does not disarm",
	  .fails = "irq_rearm",
	  .says = "want -ETIMEDOUT",
	  .rule = "set_irqs: -1 in place of an eventfd disarms that vector",
	  .ops = { .set_irqs = no_disarm } },
	{ .name = "INTx and MSI at once",
	  .fails = "irq_two_kinds",
	  .says = "got 0 (0x0), want -EINVAL",
	  .rule = "set_irqs: INTx, MSI and MSI-X exclude each other",
	  .ops = { .set_irqs = arm_never_fails } },
	{ .name = "a pipe is taken for an eventfd",
	  .fails = "irq_not_an_eventfd",
	  .says = "got 0 (0x0), want -EINVAL",
	  .rule = "set_irqs: an eventfd is not known to be one",
	  .ops = { .set_irqs = arm_never_fails } },
	{ .name = "arming returns the number of vectors",
	  .fails = "irq_loopback",
	  .says = "got -71",
	  .rule = "seed 6: a positive n is fewer than were asked for",
	  .ops = { .set_irqs = arm_counts } },
	{ .name = "arming grants half, though all can be had",
	  .fails = "irq_every_vector",
	  .says = "want -EINVAL",
	  .rule = "seed 6: a positive n, and none was enabled",
	  .base = BASE_MAPPED,
	  .ops = { .set_irqs = arm_grants_half } },
	{ .name = "arming does nothing",
	  .fails = "irq_loopback",
	  .says = "got -22",
	  .rule = "set_irqs: arming the first vector of an index enables it",
	  .ops = { .set_irqs = arm_does_nothing } },
	{ .name = "arming signals the eventfd",
	  .fails = "irq_loopback",
	  .says = "case_count(t, fd): got 1",
	  .rule = "set_irqs: exactly what VFIO_DEVICE_SET_IRQS does",
	  .ops = { .set_irqs = arm_signals } },
	{ .name = "an eventfd is never given up",
	  .fails = "irq_loopback",
	  .says = "descriptors before",
	  .rule = "close: frees all",
	  .ops = { .set_irqs = arm_leaks } },
	{ .name = "an eventfd stays open in programs that are run",
	  .fails = "descriptors_close_on_exec",
	  .says = "close on exec",
	  .rule = "every descriptor is close-on-exec",
	  .ops = { .set_irqs = arm_inherits } },
	{ .name = "the errno is a stale one",
	  .fails = "irq_trigger_not_enabled",
	  .says = "got -16",
	  .rule = "seed 3 and 4: errno is never read above a backend",
	  .ops = { .set_irqs = says_errno } },
	{ .name = "every second message is lost",
	  .fails = "msi_fires",
	  .says = "got -110",
	  .rule = "a message a request",
	  .ops = { .region_write = every_second } },
	{ .name = "a message more than there were requests",
	  .fails = "msi_fires",
	  .says = "want -ETIMEDOUT",
	  .rule = "a message a request",
	  .ops = { .region_write = once_more } },
	{ .name = "the disable of what is not enabled is invalid, as it is for Linux",
	  .passes = "irq_disable_idle",
	  .rule = "vfk_irq_disable() makes it 0",
	  .ops = { .set_irqs = disable_invalid } },
	{ .name = "no range, no flag and no size is refused",
	  .passes = "irq_range_at_count",
	  .rule = "the checked calls do that before the io is asked",
	  .ops = { .set_irqs = takes_everything } },
	{ .name = "no mask of what cannot be masked is refused",
	  .passes = "irq_mask_not_offered",
	  .rule = "the checked calls do that before the io is asked",
	  .ops = { .set_irqs = takes_everything } },
	{ .name = NULL },
};

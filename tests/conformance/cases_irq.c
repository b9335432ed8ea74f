/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_irq.c - interrupts by the rules of VFIO_DEVICE_SET_IRQS, without the device's own doing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "case.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX

/* An index that can be armed: MSI, MSI-X, INTx in this order, or the first there is. */
static uint32_t usable(struct t *t)
{
	static const uint32_t order[] = { VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
					  VFIO_PCI_INTX_IRQ_INDEX };

	for (size_t i = 0; i < 3 && (vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_PCI); i++) {
		if (case_irq(t, order[i]).count)
			return order[i];
	}
	for (uint32_t i = 0; i < vfk_device_num_irqs(t->dev); i++) {
		if (case_irq(t, i).count)
			return i;
	}
	case_skip("the device has no interrupt");
}

static void need_irq(struct t *t, uint32_t index)
{
	case_need_pci(t);
	if (!case_irq(t, index).count)
		case_skip("irq index %u is not used", index);
}

static void irq_index_at_count(struct t *t)
{
	int fd = case_eventfd(t);
	uint32_t n = vfk_device_num_irqs(t->dev);

	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, n, 0, 1, &fd), -EINVAL);
	CHECK_EQ(t, vfk_irq_disable(t->dev, n), -EINVAL);
	CHECK_EQ(t, vfk_irq_mask(t->dev, n, 0, 1), -EINVAL);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, UINT32_MAX, 0, 1), -EINVAL);
	close(fd);
}

static void irq_range_at_count(struct t *t)
{
	uint32_t irq = usable(t), count = case_irq(t, irq).count;
	int fds[2] = { case_eventfd(t), -1 };

	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, irq, count, 1, fds), -EINVAL);
	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, irq, count - 1, 2, fds), -EINVAL);
	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, irq, UINT32_MAX, 1, fds), -EINVAL);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, irq, UINT32_MAX, 2), -EINVAL);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, irq, 1, UINT32_MAX), -EINVAL);
	close(fds[0]);
}

static void irq_count_zero(struct t *t)
{
	uint32_t irq = usable(t);
	int fd = -1;

	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, irq, 0, 0, &fd), -EINVAL);
	CHECK_EQ(t, vfk_irq_mask(t->dev, irq, 0, 0), -EINVAL);
}

static int raw(struct t *t, uint32_t irq, uint32_t argsz, uint32_t flags, uint32_t count)
{
	char buf[sizeof(struct vfio_irq_set) + 8] = "";
	struct vfio_irq_set *set = (void *)buf;

	set->argsz = argsz;
	set->flags = flags;
	set->index = irq;
	set->count = count;
	memset(set->data, 0xff, 8);
	return vfk_device_set_irqs(t->dev, set);
}

static void irq_bad_flags(struct t *t)
{
	const uint32_t none = VFIO_IRQ_SET_DATA_NONE, trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	uint32_t irq = usable(t), full = sizeof(struct vfio_irq_set) + 8;

	CHECK_EQ(t, raw(t, irq, full, 0, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, full, none, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, full, trigger, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, full, none | VFIO_IRQ_SET_DATA_BOOL | trigger, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, full, none | trigger | VFIO_IRQ_SET_ACTION_MASK, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, full, none | trigger | 1u << 20, 1), -EINVAL);
}

static void irq_short_argsz(struct t *t)
{
	const uint32_t arm = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	uint32_t irq = usable(t), head = sizeof(struct vfio_irq_set);

	CHECK_EQ(t, raw(t, irq, head + 3, arm, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, head - 1, arm, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, 0, arm, 1), -EINVAL);
	CHECK_EQ(t, raw(t, irq, head, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, 1),
		 -EINVAL);
}

static void irq_disable_idle(struct t *t)
{
	uint32_t irq = usable(t);

	CHECK_OK(t, vfk_irq_disable(t->dev, irq));
	CHECK_OK(t, vfk_irq_disable(t->dev, irq));
}

static void irq_trigger_not_enabled(struct t *t)
{
	uint32_t irq = usable(t);

	CHECK_EQ(t, vfk_irq_trigger(t->dev, irq, 0, 1), -EINVAL);
}

static void irq_loopback(struct t *t)
{
	uint32_t irq = usable(t);
	int fd = case_eventfd(t);

	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &fd));
	CHECK_EQ(t, case_count(t, fd), 0);
	CHECK_OK(t, vfk_irq_trigger(t->dev, irq, 0, 1));
	case_wait(t, fd);
	CHECK_OK(t, vfk_irq_disable(t->dev, irq));
	CHECK_EQ(t, vfk_irq_trigger(t->dev, irq, 0, 1), -EINVAL);
	CHECK_EQ(t, case_count(t, fd), 0);
	close(fd);
}

static void irq_loopback_intx(struct t *t)
{
	int fd = case_eventfd(t);

	need_irq(t, INTX);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, INTX, 0, 1, &fd));
	CHECK_OK(t, vfk_irq_trigger(t->dev, INTX, 0, 1));
	case_wait(t, fd);
	CHECK_OK(t, vfk_irq_disable(t->dev, INTX));
	close(fd);
}

static void irq_bools(struct t *t)
{
	uint32_t irq = usable(t);
	int fd = case_eventfd(t);
	uint8_t no = 0, yes = 1;

	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &fd));
	CHECK_OK(t, vfk_irq_set_bools(t->dev, irq, VFK_IRQ_TRIGGER, 0, 1, &no));
	CHECK_EQ(t, case_count(t, fd), 0);
	CHECK_OK(t, vfk_irq_set_bools(t->dev, irq, VFK_IRQ_TRIGGER, 0, 1, &yes));
	case_wait(t, fd);
	close(fd);
}

static void irq_rearm(struct t *t)
{
	uint32_t irq = usable(t);
	int a = case_eventfd(t), b = case_eventfd(t), none = -1;

	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &a));
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &b));
	CHECK_OK(t, vfk_irq_trigger(t->dev, irq, 0, 1));
	case_wait(t, b);
	CHECK_EQ(t, case_count(t, a), 0);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &none));
	(void)vfk_irq_trigger(t->dev, irq, 0, 1); /* the index may have gone with its last vector */
	case_quiet(t, b);
	close(a);
	close(b);
}

static void irq_device_keeps_a_duplicate(struct t *t)
{
	uint32_t irq = usable(t);
	int fd = case_eventfd(t), mine = dup(fd);

	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &fd));
	close(fd);
	CHECK_OK(t, vfk_irq_trigger(t->dev, irq, 0, 1));
	case_wait(t, mine);
	close(mine);
}

static void irq_two_kinds(struct t *t)
{
	int fd = case_eventfd(t);

	need_irq(t, INTX);
	need_irq(t, MSI);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, INTX, 0, 1, &fd));
	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, MSI, 0, 1, &fd), -EINVAL);
	CHECK_OK(t, vfk_irq_disable(t->dev, INTX));
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, MSI, 0, 1, &fd));
	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, INTX, 0, 1, &fd), -EINVAL);
	CHECK_OK(t, vfk_irq_trigger(t->dev, MSI, 0, 1));
	case_wait(t, fd);
	close(fd);
}

static void irq_not_an_eventfd(struct t *t)
{
	uint32_t irq = usable(t);
	int p[2], fd = case_eventfd(t);

	CHECK_OK(t, pipe2(p, O_CLOEXEC));
	CHECK_EQ(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &p[1]), -EINVAL);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &fd));
	close(p[0]);
	close(p[1]);
	close(fd);
}

/* An eventfd that is full and blocks its writers must not stop the device. */
static void irq_full_eventfd(struct t *t)
{
	uint32_t irq = usable(t);
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t full = UINT64_MAX - 1, start = case_now_ms();

	CHECK(t, fd >= 0);
	CHECK_EQ(t, write(fd, &full, 8), 8);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &fd));
	CHECK_OK(t, vfk_irq_trigger(t->dev, irq, 0, 1));
	CHECK(t, case_now_ms() - start < 1000);
	CHECK_EQ(t, read(fd, &full, 8), 8);
	CHECK(t, full >= UINT64_MAX - 1);
	CHECK_OK(t, vfk_irq_disable(t->dev, irq));
	close(fd);
}

static void irq_mask_not_offered(struct t *t)
{
	int fd = case_eventfd(t);

	for (uint32_t i = 0; i < vfk_device_num_irqs(t->dev); i++) {
		struct vfk_irq_info info = case_irq(t, i);

		if (info.count && !(info.flags & VFIO_IRQ_INFO_MASKABLE)) {
			CHECK_OK(t, vfk_irq_set_eventfds(t->dev, i, 0, 1, &fd));
			CHECK_EQ(t, vfk_irq_mask(t->dev, i, 0, 1), -ENOTSUP);
			CHECK_EQ(t, vfk_irq_unmask(t->dev, i, 0, 1), -ENOTSUP);
			close(fd);
			return;
		}
	}
	case_skip("every interrupt can be masked");
}

/* What says that it can be masked takes a mask and an unmask, and is still there after it. */
static void irq_mask_offered(struct t *t)
{
	int fd = case_eventfd(t);
	bool seen = false;

	for (uint32_t i = 0; i < vfk_device_num_irqs(t->dev); i++) {
		struct vfk_irq_info info = case_irq(t, i);

		if (!info.count || !(info.flags & VFIO_IRQ_INFO_MASKABLE))
			continue;
		seen = true;
		CHECK_OK(t, vfk_irq_set_eventfds(t->dev, i, 0, 1, &fd));
		CHECK_OK(t, vfk_irq_mask(t->dev, i, 0, 1));
		CHECK_OK(t, vfk_irq_unmask(t->dev, i, 0, 1));
		case_quiet(t, fd);
		CHECK_OK(t, vfk_irq_trigger(t->dev, i, 0, 1));
		case_wait(t, fd);
		CHECK_OK(t, vfk_irq_disable(t->dev, i));
	}
	close(fd);
	if (!seen)
		case_skip("no interrupt can be masked");
}

static void irq_mask_not_enabled(struct t *t)
{
	need_irq(t, INTX);
	CHECK_EQ(t, vfk_irq_mask(t->dev, INTX, 0, 1), -EINVAL);
	CHECK_EQ(t, vfk_irq_unmask(t->dev, INTX, 0, 1), -EINVAL);
}

static void irq_survives_reset(struct t *t)
{
	uint32_t irq = usable(t);
	int fd = case_eventfd(t);

	if (!(vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_RESET))
		case_skip("the device has no reset");
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &fd));
	CHECK_OK(t, vfk_device_reset(t->dev));
	CHECK_OK(t, vfk_irq_trigger(t->dev, irq, 0, 1));
	case_wait(t, fd);
	close(fd);
}

static void irq_every_vector(struct t *t)
{
	uint32_t irq = usable(t), n = case_irq(t, irq).count;
	int fds[64], had;

	n = n > 64 ? 64 : n;
	for (uint32_t i = 0; i < n; i++)
		fds[i] = case_eventfd(t);
	had = vfk_irq_set_eventfds(t->dev, irq, 0, n, fds);
	if (had > 0) { /* only so many vectors can be had, and none was enabled */
		CHECK(t, (uint32_t)had < n);
		CHECK_EQ(t, vfk_irq_trigger(t->dev, irq, 0, 1), -EINVAL);
		while (n > (uint32_t)had)
			close(fds[--n]);
		had = vfk_irq_set_eventfds(t->dev, irq, 0, n, fds);
	}
	CHECK_OK(t, had);
	for (uint32_t i = 0; i < n; i++) {
		CHECK_OK(t, vfk_irq_trigger(t->dev, irq, i, 1));
		case_wait(t, fds[i]);
		for (uint32_t k = 0; k < n; k++)
			CHECK_EQ(t, case_count(t, fds[k]), 0);
	}
	for (uint32_t i = 0; i < n; i++)
		close(fds[i]);
}

static void irq_wait_timeout(struct t *t)
{
	int fd = case_eventfd(t);
	uint64_t count = 9, start = case_now_ms();

	CHECK_EQ(t, vfk_irq_wait(t->dev, &fd, 1, 50, &count), -ETIMEDOUT);
	CHECK(t, case_now_ms() - start >= 49);
	CHECK(t, case_now_ms() - start < 3000);
	CHECK_EQ(t, vfk_irq_wait(t->dev, &fd, 0, 1, &count), -EINVAL);
	close(fd);
}

static void irq_wait_many(struct t *t)
{
	int fds[40];
	uint64_t counts[40], one = 1;

	for (int i = 0; i < 40; i++)
		fds[i] = case_eventfd(t);
	CHECK_EQ(t, write(fds[3], &one, 8), 8);
	CHECK_EQ(t, write(fds[39], &one, 8), 8);
	CHECK_EQ(t, write(fds[39], &one, 8), 8);
	CHECK_EQ(t, vfk_irq_wait(t->dev, fds, 40, 1000, counts), 2);
	for (int i = 0; i < 40; i++) {
		CHECK_EQ(t, counts[i], i == 3 ? 1 : i == 39 ? 2 : 0);
		close(fds[i]);
	}
}

const struct vfk_case vfk_cases_irq[] = {
	{ "irq_index_at_count", irq_index_at_count },
	{ "irq_range_at_count", irq_range_at_count },
	{ "irq_count_zero", irq_count_zero },
	{ "irq_bad_flags", irq_bad_flags },
	{ "irq_short_argsz", irq_short_argsz },
	{ "irq_disable_idle", irq_disable_idle },
	{ "irq_trigger_not_enabled", irq_trigger_not_enabled },
	{ "irq_loopback", irq_loopback },
	{ "irq_loopback_intx", irq_loopback_intx },
	{ "irq_bools", irq_bools },
	{ "irq_rearm", irq_rearm },
	{ "irq_device_keeps_a_duplicate", irq_device_keeps_a_duplicate },
	{ "irq_two_kinds", irq_two_kinds },
	{ "irq_not_an_eventfd", irq_not_an_eventfd },
	{ "irq_full_eventfd", irq_full_eventfd },
	{ "irq_mask_not_offered", irq_mask_not_offered },
	{ "irq_mask_offered", irq_mask_offered },
	{ "irq_mask_not_enabled", irq_mask_not_enabled },
	{ "irq_survives_reset", irq_survives_reset },
	{ "irq_every_vector", irq_every_vector },
	{ "irq_wait_timeout", irq_wait_timeout },
	{ "irq_wait_many", irq_wait_many },
	{ NULL, NULL },
};

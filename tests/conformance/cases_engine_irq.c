/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_engine_irq.c - interrupts that the device itself raises: level of INTx, masking, messages. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX

struct bench {
	const struct engine *e;
	struct engine_run run;
	uint32_t irq;
	int fd;
};

static struct bench arm(struct t *t, uint32_t irq)
{
	struct bench b = { .e = engine_find(t), .irq = irq, .fd = case_eventfd(t) };

	if (!case_irq(t, irq).count)
		case_skip("irq index %u is not used", irq);
	b.run = engine_begin(t, b.e, NULL);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &b.fd));
	return b;
}

static struct bench arm_message(struct t *t)
{
	(void)engine_find(t);
	return arm(t, engine_message_irq(t));
}

static void end(struct t *t, struct bench *b)
{
	engine_end(t, &b->run);
	close(b->fd);
}

static void intx_fires_once(struct t *t)
{
	struct bench b = arm(t, INTX);

	b.e->raise(t);
	case_wait(t, b.fd);
	b.e->raise(t);
	case_quiet(t, b.fd); /* AUTOMASKED: once, until it is unmasked */
	b.e->ack(t);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_quiet(t, b.fd); /* the line is low */
	b.e->raise(t);
	case_wait(t, b.fd);
	b.e->ack(t);
	end(t, &b);
}

static void intx_unmask_while_high(struct t *t)
{
	struct bench b = arm(t, INTX);

	b.e->raise(t);
	case_wait(t, b.fd);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_wait(t, b.fd); /* still high: fires again */
	b.e->ack(t);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_quiet(t, b.fd);
	end(t, &b);
}

static void intx_masked_by_caller(struct t *t)
{
	struct bench b = arm(t, INTX);

	CHECK_OK(t, vfk_irq_mask(t->dev, INTX, 0, 1));
	b.e->raise(t);
	case_quiet(t, b.fd);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_wait(t, b.fd);
	b.e->ack(t);
	end(t, &b);
}

static void intx_disabled_in_command(struct t *t)
{
	struct bench b = arm(t, INTX);

	case_command(t, 0, PCI_COMMAND_INTX_DISABLE);
	b.e->raise(t);
	case_quiet(t, b.fd);
	case_command(t, PCI_COMMAND_INTX_DISABLE, 0);
	case_wait(t, b.fd);
	b.e->ack(t);
	end(t, &b);
}

static void intx_resample(struct t *t)
{
	int unmask = case_eventfd(t), ret;
	struct bench b = arm(t, INTX);
	uint64_t one = 1;

	ret = vfk_irq_set_unmask_eventfd(t->dev, INTX, 0, unmask);
	if (ret == -ENOTSUP)
		case_skip("no unmask eventfd");
	CHECK_OK(t, ret);
	b.e->raise(t);
	case_wait(t, b.fd);
	CHECK_EQ(t, write(unmask, &one, 8), 8);
	case_wait(t, b.fd); /* still high */
	b.e->ack(t);
	CHECK_EQ(t, write(unmask, &one, 8), 8);
	case_quiet(t, b.fd);
	CHECK_OK(t, vfk_irq_set_unmask_eventfd(t->dev, INTX, 0, -1));
	close(unmask);
	end(t, &b);
}

static void msi_fires(struct t *t)
{
	struct bench b = arm_message(t);

	for (int i = 0; i < 3; i++) {
		b.e->raise(t);
		case_wait(t, b.fd);
		b.e->ack(t);
	}
	case_quiet(t, b.fd);
	end(t, &b);
}

static void msi_disabled_is_silent(struct t *t)
{
	struct bench b = arm_message(t);

	CHECK_OK(t, vfk_irq_disable(t->dev, b.irq));
	b.e->raise(t);
	case_quiet(t, b.fd);
	b.e->ack(t);
	end(t, &b);
}

/* As many as a process of the usual limit has descriptors for, twice where the device is in the same one. */
#define MAX_VECTORS 300u

/* Each vector signals its own eventfd, and no other. */
static void msix_fires(struct t *t)
{
	const struct engine *e = engine_find(t);
	uint32_t n = case_irq(t, MSIX).count;
	int fds[MAX_VECTORS], had;

	if (!e->raise_vector || !n)
		case_skip("no message of MSI-X can be sent on request");
	n = n > MAX_VECTORS ? MAX_VECTORS : n;
	for (uint32_t i = 0; i < n; i++)
		fds[i] = case_eventfd(t);
	had = vfk_irq_set_eventfds(t->dev, MSIX, 0, n, fds);
	if (had > 0) { /* only so many vectors can be had, and none was enabled */
		while (n > (uint32_t)had)
			close(fds[--n]);
		had = vfk_irq_set_eventfds(t->dev, MSIX, 0, n, fds);
	}
	CHECK_OK(t, had);
	for (uint32_t i = 0; i < n; i++)
		e->raise_vector(t, i);
	for (uint32_t i = 0; i < n; i++) {
		case_wait(t, fds[i]);
		CHECK_EQ(t, case_count(t, fds[i]), 0);
		close(fds[i]);
	}
	CHECK_OK(t, vfk_irq_disable(t->dev, MSIX));
}

static void notifiers_fire(struct t *t)
{
	static const uint32_t irqs[] = { VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX };
	const struct engine *e = engine_find(t);

	if (!e->notify)
		case_skip("the notifiers cannot be raised on request");
	for (int i = 0; i < 2; i++) {
		int fd = case_eventfd(t), other = case_eventfd(t);

		CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irqs[i], 0, 1, &fd));
		CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irqs[!i], 0, 1, &other));
		e->notify(t, irqs[i]);
		case_wait(t, fd);
		case_quiet(t, other);
		CHECK_OK(t, vfk_irq_disable(t->dev, irqs[i]));
		e->notify(t, irqs[i]);
		case_quiet(t, fd);
		close(fd);
		close(other);
	}
}

static void reset_drops_intx(struct t *t)
{
	struct bench b = arm(t, INTX);

	if (!(vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_RESET))
		case_skip("the device has no reset");
	if (b.e->forgets_nothing)
		case_skip("a reset of the device leaves its line as it is");
	b.e->raise(t);
	case_wait(t, b.fd);
	CHECK_OK(t, vfk_device_reset(t->dev));
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_quiet(t, b.fd);
	b.e->raise(t);
	case_wait(t, b.fd);
	b.e->ack(t);
	end(t, &b);
}

const struct vfk_case vfk_cases_engine_irq[] = {
	{ "intx_fires_once", intx_fires_once },
	{ "intx_unmask_while_high", intx_unmask_while_high },
	{ "intx_masked_by_caller", intx_masked_by_caller },
	{ "intx_disabled_in_command", intx_disabled_in_command },
	{ "intx_resample", intx_resample },
	{ "msi_fires", msi_fires },
	{ "msi_disabled_is_silent", msi_disabled_is_silent },
	{ "msix_fires", msix_fires },
	{ "notifiers_fire", notifiers_fire },
	{ "reset_drops_intx", reset_drops_intx },
	{ NULL, NULL },
};

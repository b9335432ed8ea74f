/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_engine_irq.c - interrupts that the device itself raises: level of INTx, masking, messages. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX

static const struct engine *arm(struct t *t, uint32_t irq, int *fd)
{
	const struct engine *e = engine_find(t);

	if (!case_irq(t, irq).count)
		case_skip("irq index %u is not used", irq);
	*fd = case_eventfd(t);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, fd));
	return e;
}

static void intx_fires_once(struct t *t)
{
	int fd;
	const struct engine *e = arm(t, INTX, &fd);

	e->raise(t);
	case_wait(t, fd);
	e->raise(t);
	case_quiet(t, fd); /* AUTOMASKED: once, until it is unmasked */
	e->ack(t);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_quiet(t, fd); /* the line is low */
	e->raise(t);
	case_wait(t, fd);
	e->ack(t);
	close(fd);
}

static void intx_unmask_while_high(struct t *t)
{
	int fd;
	const struct engine *e = arm(t, INTX, &fd);

	e->raise(t);
	case_wait(t, fd);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_wait(t, fd); /* still high: fires again */
	e->ack(t);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_quiet(t, fd);
	close(fd);
}

static void intx_masked_by_caller(struct t *t)
{
	int fd;
	const struct engine *e = arm(t, INTX, &fd);

	CHECK_OK(t, vfk_irq_mask(t->dev, INTX, 0, 1));
	e->raise(t);
	case_quiet(t, fd);
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_wait(t, fd);
	e->ack(t);
	close(fd);
}

static void intx_disabled_in_command(struct t *t)
{
	int fd;
	const struct engine *e = arm(t, INTX, &fd);

	case_command(t, 0, PCI_COMMAND_INTX_DISABLE);
	e->raise(t);
	case_quiet(t, fd);
	case_command(t, PCI_COMMAND_INTX_DISABLE, 0);
	case_wait(t, fd);
	e->ack(t);
	close(fd);
}

static void intx_resample(struct t *t)
{
	int fd, unmask = case_eventfd(t), ret;
	const struct engine *e = arm(t, INTX, &fd);
	uint64_t one = 1;

	ret = vfk_irq_set_unmask_eventfd(t->dev, INTX, 0, unmask);
	if (ret == -ENOTSUP)
		case_skip("no unmask eventfd");
	CHECK_OK(t, ret);
	e->raise(t);
	case_wait(t, fd);
	CHECK_EQ(t, write(unmask, &one, 8), 8);
	case_wait(t, fd); /* still high */
	e->ack(t);
	CHECK_EQ(t, write(unmask, &one, 8), 8);
	case_quiet(t, fd);
	CHECK_OK(t, vfk_irq_set_unmask_eventfd(t->dev, INTX, 0, -1));
	close(unmask);
	close(fd);
}

static void msi_fires(struct t *t)
{
	int fd;
	const struct engine *e = arm(t, MSI, &fd);

	for (int i = 0; i < 3; i++) {
		e->raise(t);
		case_wait(t, fd);
		e->ack(t);
	}
	case_quiet(t, fd);
	close(fd);
}

static void msi_disabled_is_silent(struct t *t)
{
	int fd;
	const struct engine *e = arm(t, MSI, &fd);

	CHECK_OK(t, vfk_irq_disable(t->dev, MSI));
	e->raise(t);
	case_quiet(t, fd);
	e->ack(t);
	close(fd);
}

static void reset_drops_intx(struct t *t)
{
	int fd;
	const struct engine *e = arm(t, INTX, &fd);

	if (!(vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_RESET))
		case_skip("the device has no reset");
	e->raise(t);
	case_wait(t, fd);
	CHECK_OK(t, vfk_device_reset(t->dev));
	CHECK_OK(t, vfk_irq_unmask(t->dev, INTX, 0, 1));
	case_quiet(t, fd);
	e->raise(t);
	case_wait(t, fd);
	e->ack(t);
	close(fd);
}

const struct vfk_case vfk_cases_engine_irq[] = {
	{ "intx_fires_once", intx_fires_once },
	{ "intx_unmask_while_high", intx_unmask_while_high },
	{ "intx_masked_by_caller", intx_masked_by_caller },
	{ "intx_disabled_in_command", intx_disabled_in_command },
	{ "intx_resample", intx_resample },
	{ "msi_fires", msi_fires },
	{ "msi_disabled_is_silent", msi_disabled_is_silent },
	{ "reset_drops_intx", reset_drops_intx },
	{ NULL, NULL },
};

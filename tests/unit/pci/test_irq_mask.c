/* SPDX-License-Identifier: BSD-3-Clause */
/* test_irq_mask.c - vectors masked by the device and by the library, given later, quiesced and restored. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/pci/instance.h"
#include "puppet_pci.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX

#define MSI_CAP	 0x40
#define MSIX_CAP 0x70

static struct puppet_pci p;
static struct vfk_pci *pci;
static uint8_t bar[0x2000];

static void declare(uint32_t index, uint32_t count, uint32_t flags)
{
	p.irqs[index] =
		(struct vfio_irq_info){ .flags = VFIO_IRQ_INFO_EVENTFD | flags, .count = count };
}

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	declare(INTX, 1, VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED);
	declare(MSI, 32, VFIO_IRQ_INFO_NORESIZE);
	declare(MSIX, 64, 0);
	pp_cap(&p, MSI_CAP, PCI_CAP_ID_MSI);
	pp_set16(&p, MSI_CAP + 2, PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
	pp_cap(&p, MSIX_CAP, PCI_CAP_ID_MSIX);
	pp_set16(&p, MSIX_CAP + PCI_MSIX_FLAGS, 63);
	pp_set32(&p, MSIX_CAP + PCI_MSIX_PBA, 0x1000);
	memset(bar, 0, sizeof(bar));
	p.regions[0] = (struct pp_region){ .size = sizeof(bar), .flags = 3, .memory = bar };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_close(pci);
	for (uint32_t i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		assert_int_equal(pp_num_armed(&p, i), 0);
	pp_fini(&p);
	return 0;
}

static void open_with(uint32_t index, uint32_t n)
{
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, index, n, n, NULL), (int)n);
	pp_forget(&p);
}

/* How often a vector was signalled since the last time. */
static uint64_t came(uint32_t vector)
{
	uint64_t n = 0;

	return read(vfk_pci_irq_fd(pci, vector), &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static bool pending(uint32_t vector)
{
	bool is = false;

	assert_int_equal(vfk_pci_irq_pending(pci, vector, &is), 0);
	return is;
}

/* The n-th call was one of @action on @count vectors from @start on. */
static void called(size_t n, uint32_t action, uint32_t start, uint32_t count)
{
	const struct pp_call *call = pp_call(&p, PP_SET_IRQS, n);

	assert_non_null(call);
	assert_true(call->flags & action);
	assert_int_equal(call->start, start);
	assert_int_equal(call->count, count);
}

/* ---- masks ---- */

static void test_library_masks(void **state)
{
	(void)state;
	open_with(MSIX, 3);
	assert_int_equal(vfk_pci_irq_masks_in(pci, MSIX), VFK_PCI_IRQ_MASK_LIBRARY);
	assert_int_equal(vfk_pci_irq_masks_in(pci, INTX), VFK_PCI_IRQ_MASK_DEVICE);
	assert_int_equal(vfk_pci_irq_masks_in(pci, VFIO_PCI_ERR_IRQ_INDEX), -EINVAL);
	assert_true(pp_signal(&p, MSIX, 1));
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 1);
	called(0, VFIO_IRQ_SET_ACTION_TRIGGER, 1, 1);
	assert_int_equal(came(1), 1); /* from before */
	assert_false(pending(1));
	assert_true(pp_signal(&p, MSIX, 1));
	assert_true(pp_signal(&p, MSIX, 1));
	assert_true(pp_signal(&p, MSIX, 2));
	assert_int_equal(came(1), 0);
	assert_int_equal(came(2), 1);
	assert_true(pending(1));
	assert_true(pending(1));
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(came(1), 1);
	assert_false(pending(1));
	assert_true(pp_signal(&p, MSIX, 1));
	assert_int_equal(came(1), 1);
	/* nothing held back: nothing comes */
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(came(1), 0);
	assert_int_equal(vfk_pci_irq_mask(pci, 3), -EINVAL);
	assert_int_equal(vfk_pci_irq_unmask(pci, 3), -EINVAL);
}

/* A signal during the call that puts the user's eventfd back: to the old one, which is then already to be emptied. */
static int (*honest)(struct vfk_io *io, const struct vfio_irq_set *set);

static int signalling(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret;

	(void)pp_signal(&p, MSIX, 0);
	ret = honest(io, set);
	(void)pp_signal(&p, MSIX, 0);
	return ret;
}

static void test_exchange_loses_nothing(void **state)
{
	(void)state;
	open_with(MSIX, 1);
	honest = p.ops.set_irqs;
	assert_int_equal(vfk_pci_irq_mask(pci, 0), 0);
	p.ops.set_irqs = signalling;
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), 0);
	assert_int_equal(came(0), 2); /* one that came to it, one for that which came before */
	assert_int_equal(vfk_pci_irq_mask(pci, 0), 0);
	assert_int_equal(came(0), 1);
	assert_true(pending(0));
	p.ops.set_irqs = honest;
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), 0);
	assert_int_equal(came(0), 1);
}

static void test_library_mask_fails(void **state)
{
	(void)state;
	open_with(MSIX, 1);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), -EIO);
	assert_true(pp_signal(&p, MSIX, 0));
	assert_int_equal(came(0), 1);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), 0);
	assert_true(pp_signal(&p, MSIX, 0));
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), -EIO);
	assert_int_equal(came(0), 0);
	assert_true(pending(0));
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), 0);
	assert_int_equal(came(0), 1);
}

static void test_msi_without_mask_bits(void **state)
{
	(void)state;
	pp_set16(&p, MSI_CAP + 2, PCI_MSI_FLAGS_64BIT);
	open_with(MSI, 2);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	assert_false(pending(1));
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(came(1), 1);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	pp_set16(&p, MSI_CAP + 2, PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 2, 2, NULL), 2);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(came(1), 0);
}

static void test_device_masks(void **state)
{
	(void)state;
	declare(MSIX, 64, VFIO_IRQ_INFO_MASKABLE);
	open_with(MSIX, 40);
	assert_int_equal(vfk_pci_irq_masks_in(pci, MSIX), VFK_PCI_IRQ_MASK_DEVICE);
	assert_int_equal(vfk_pci_irq_mask(pci, 33), 0);
	called(0, VFIO_IRQ_SET_ACTION_MASK, 33, 1);
	assert_false(pending(33));
	bar[0x1004] = 2;
	assert_true(pending(33));
	assert_false(pending(1));
	assert_int_equal(vfk_pci_irq_unmask(pci, 33), 0);
	called(1, VFIO_IRQ_SET_ACTION_UNMASK, 33, 1);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), -EIO);
}

static void test_pending_of_msi(void **state)
{
	bool is = false;

	(void)state;
	declare(MSI, 32, VFIO_IRQ_INFO_NORESIZE | VFIO_IRQ_INFO_MASKABLE);
	open_with(MSI, 8);
	pp_set32(&p, MSI_CAP + PCI_MSI_PENDING_64, 1 << 5);
	assert_true(pending(5));
	assert_false(pending(4));
	pp_set16(&p, MSI_CAP + 2, PCI_MSI_FLAGS_MASKBIT);
	pp_set32(&p, MSI_CAP + PCI_MSI_PENDING_64, 0);
	pp_set32(&p, MSI_CAP + PCI_MSI_PENDING_32, 1 << 4);
	assert_true(pending(4));
	pp_set16(&p, MSI_CAP + 2, 0);
	assert_int_equal(vfk_pci_irq_pending(pci, 0, &is), -ENOTSUP);
}

static void test_pending_cannot_be_had(void **state)
{
	bool is = false;

	(void)state;
	declare(MSIX, 64, VFIO_IRQ_INFO_MASKABLE);
	pp_set32(&p, MSIX_CAP + PCI_MSIX_PBA, 0x2000);
	open_with(MSIX, 2);
	assert_int_equal(vfk_pci_irq_pending(pci, 0, &is), -EPROTO);
	assert_int_equal(vfk_pci_irq_pending(pci, 2, &is), -EINVAL);
}

static void test_intx(void **state)
{
	int resample = event();

	(void)state;
	open_with(INTX, 1);
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), 0); /* it masked itself */
	called(0, VFIO_IRQ_SET_ACTION_UNMASK, 0, 1);
	assert_false(pending(0));
	p.config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	assert_true(pending(0));
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, resample), 0);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, resample), 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS),
			 3); /* the first is taken away before the second */
	/* what is refused leaves the one before, and its own text */
	pp_fail(&p, PP_SET_IRQS, 1, 1, -EBUSY);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, resample), -EBUSY);
	assert_non_null(strstr(vfk_error(), "Device or resource busy"));
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 6);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, -1), 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 7);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, resample), 0);
	pp_fail(&p, PP_SET_IRQS, 1, 2, -EBUSY);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, resample), -EBUSY);
	assert_non_null(strstr(vfk_error(), "; and the one before could not be restored: "));
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, -1), 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 0);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), 1);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, resample), -EINVAL);
	close(resample);
}

/* ---- later ---- */

static void test_later(void **state)
{
	int a = event(), b = event();

	(void)state;
	open_with(MSIX, 2);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 9, a), 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 1);
	called(0, VFIO_IRQ_SET_ACTION_TRIGGER, 9, 1);
	assert_true(pp_signal(&p, MSIX, 9));
	assert_int_equal(came(9), 1);
	assert_int_equal(vfk_pci_irq_fd(pci, 8), -ENOENT);
	/* another one */
	assert_int_equal(vfk_pci_irq_set_fd(pci, 9, b), 0);
	assert_true(pp_signal(&p, MSIX, 9));
	assert_int_equal(came(9), 1);
	/* and none */
	assert_int_equal(vfk_pci_irq_set_fd(pci, 9, -1), 0);
	assert_false(pp_signal(&p, MSIX, 9));
	assert_int_equal(vfk_pci_irq_fd(pci, 9), -ENOENT);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 20, -1), 0);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 64, a), -EINVAL);
	assert_non_null(strstr(vfk_error(), "MSI-X: vector 64 of 64")); /* nothing was touched */
	pp_fail(&p, PP_SET_IRQS, 0, 1, -ENOSPC);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 30, a), -ENOSPC);
	assert_int_equal(vfk_pci_irq_fd(pci, 30), -EINVAL);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, a), -EIO);
	assert_true(pp_signal(&p, MSIX, 0));
	assert_int_equal(came(0), 1);
	close(a);
	close(b);
}

/* What is not masked any more comes to the eventfd that the vector has by then. */
static void test_later_while_masked(void **state)
{
	int fd = event();

	(void)state;
	open_with(MSIX, 1);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), 0);
	assert_true(pp_signal(&p, MSIX, 0));
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, -1), 0);
	assert_false(pp_signal(&p, MSIX, 0));
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, fd), 0);
	assert_true(pp_signal(&p, MSIX, 0));
	assert_int_equal(came(0), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), 0);
	assert_int_equal(came(0), 1);
	close(fd);
}

static void test_later_by_noresize(void **state)
{
	int fd = event();

	(void)state;
	open_with(MSI, 2);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 4, fd), 0);
	called(0, VFIO_IRQ_SET_DATA_NONE, 0, 0);
	called(1, VFIO_IRQ_SET_DATA_EVENTFD, 0, 5);
	assert_int_equal(pp_num_armed(&p, MSI), 3);
	/* the gap */
	assert_int_equal(came(0), 1);
	assert_int_equal(came(1), 0);
	/* which the new one was not in */
	assert_int_equal(came(4), 0);
	assert_true(pp_signal(&p, MSI, 1));
	assert_int_equal(came(1), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(came(1), 1);
	/* within them there is no gap */
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 3, fd), 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 1);
	assert_int_equal(came(0), 0);
	/* no more can be had: what there was comes back */
	p.granted = 5;
	assert_int_equal(vfk_pci_irq_set_fd(pci, 7, fd), -ENOSPC);
	assert_non_null(strstr(vfk_error(), "only 5 vectors"));
	assert_int_equal(vfk_pci_irq_fd(pci, 7), -EINVAL);
	assert_int_equal(pp_num_armed(&p, MSI), 4);
	assert_int_equal(came(0), 1);
	/* not even that */
	pp_fail(&p, PP_SET_IRQS, 1, 9, -EIO);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 7, fd), -EIO);
	assert_non_null(strstr(vfk_error(), "could not be restored"));
	assert_true(pci->irqs.quiesced);
	pp_fail(&p, PP_SET_IRQS, 0, 0, 0);
	close(fd);
}

/* ---- quiesced ---- */

static void test_restore(void **state)
{
	int fd = event();

	(void)state;
	open_with(MSIX, 3);
	assert_int_equal(vfki_pci_irqs_restore(pci), 0);
	assert_int_equal(vfk_pci_irq_mask(pci, 2), 0);
	assert_true(pp_signal(&p, MSIX, 2));
	assert_int_equal(vfk_pci_irq_set_fd(pci, 9, fd), 0);
	assert_int_equal(vfki_pci_irqs_quiesce(pci), 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	pp_forget(&p);
	assert_int_equal(vfki_pci_irqs_quiesce(pci), 0);
	/* what is changed meanwhile counts */
	assert_int_equal(vfk_pci_irq_mask(pci, 0), 0);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 1, -1), 0);
	assert_int_equal(p.num_calls, 0);
	assert_int_equal(vfki_pci_irqs_restore(pci), 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 3);
	called(0, VFIO_IRQ_SET_DATA_EVENTFD, 0, 3);
	called(1, VFIO_IRQ_SET_DATA_EVENTFD, 9, 1);
	assert_true(pp_signal(&p, MSIX, 0));
	assert_true(pp_signal(&p, MSIX, 9));
	assert_int_equal(came(0), 0);
	assert_int_equal(came(9), 1);
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 2), 0);
	assert_int_equal(came(0), 1);
	assert_int_equal(came(2), 1);
	close(fd);
}

static void test_restore_masks_of_the_device(void **state)
{
	(void)state;
	declare(MSIX, 64, VFIO_IRQ_INFO_MASKABLE);
	open_with(MSIX, 4);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	assert_int_equal(vfk_pci_irq_mask(pci, 2), 0);
	assert_int_equal(vfki_pci_irqs_quiesce(pci), 0);
	pp_forget(&p);
	assert_int_equal(vfki_pci_irqs_restore(pci), 0);
	/* masked before they are armed, so nothing comes between */
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 3);
	called(0, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 4);
	called(1, VFIO_IRQ_SET_ACTION_MASK, 1, 2);
	called(2, VFIO_IRQ_SET_ACTION_TRIGGER, 1, 2);
	assert_int_equal(pp_num_armed(&p, MSIX), 4);
}

static void test_restore_intx(void **state)
{
	int resample = event();

	(void)state;
	open_with(INTX, 1);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), 0);
	assert_int_equal(vfk_pci_irq_set_resample_fd(pci, resample), 0);
	assert_int_equal(vfki_pci_irqs_quiesce(pci), 0);
	pp_forget(&p);
	assert_int_equal(vfki_pci_irqs_restore(pci), 0);
	called(0, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 1);
	called(1, VFIO_IRQ_SET_ACTION_MASK, 0, 1);
	called(2, VFIO_IRQ_SET_ACTION_UNMASK, 0, 1);
	close(resample);
}

static void test_restore_fails(void **state)
{
	struct vfk_pci_irq_state s;
	bool is;

	(void)state;
	open_with(MSIX, 2);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfki_pci_irqs_quiesce(pci), -EIO);
	assert_int_equal(pp_num_armed(&p, MSIX), 2);
	assert_int_equal(vfki_pci_irqs_quiesce(pci), 0);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfki_pci_irqs_restore(pci), -EIO);
	assert_non_null(strstr(vfk_error(), "cannot be restored"));
	vfk_pci_irq_get_state(pci, &s);
	assert_true(s.quiesced);
	assert_int_equal(s.count, 2);
	assert_int_equal(vfk_pci_irq_pending(pci, 0, &is), -EBUSY);
	assert_int_equal(vfki_pci_irqs_restore(pci), 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 2);
	/* disabling what is off already needs no device */
	assert_int_equal(vfki_pci_irqs_quiesce(pci), 0);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	assert_int_equal(p.num_calls, 0);
	assert_int_equal(vfki_pci_irqs_restore(pci), 0);
	assert_int_equal(p.num_calls, 0);
}

/* One that the device has to mask; a failure is not taken for a mask, nor for its end. */
static void test_device_mask_fails(void **state)
{
	struct vfk_pci_irq_state s;

	(void)state;
	declare(MSIX, 64, VFIO_IRQ_INFO_MASKABLE);
	open_with(MSIX, 2);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), -EIO);
	assert_int_equal(vfki_pci_irqs_quiesce(pci), 0);
	/* it is armed, without its eventfd, and not masked */
	pp_fail(&p, PP_SET_IRQS, 1, 1, -EIO);
	assert_int_equal(vfki_pci_irqs_restore(pci), -EIO);
	vfk_pci_irq_get_state(pci, &s);
	assert_true(s.quiesced);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	/* still remembered as masked */
	pp_forget(&p);
	assert_int_equal(vfki_pci_irqs_restore(pci), 0);
	called(1, VFIO_IRQ_SET_ACTION_MASK, 1, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_library_masks),
		TEST(test_exchange_loses_nothing),
		TEST(test_library_mask_fails),
		TEST(test_msi_without_mask_bits),
		TEST(test_device_masks),
		TEST(test_pending_of_msi),
		TEST(test_pending_cannot_be_had),
		TEST(test_intx),
		TEST(test_later),
		TEST(test_later_while_masked),
		TEST(test_later_by_noresize),
		TEST(test_restore),
		TEST(test_restore_masks_of_the_device),
		TEST(test_restore_intx),
		TEST(test_restore_fails),
		TEST(test_device_mask_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_irq.c - enabling, switching and disabling interrupts; what comes back when the device refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "puppet_pci.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define NONE VFK_PCI_IRQ_NONE

static struct puppet_pci p;
static struct vfk_pci *pci;

static void declare(uint32_t index, uint32_t count, uint32_t flags)
{
	p.irqs[index] =
		(struct vfio_irq_info){ .flags = VFIO_IRQ_INFO_EVENTFD | flags, .count = count };
}

/* What Linux 6.1 says of a device with all kinds. */
static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	declare(INTX, 1, VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED);
	declare(MSI, 32, VFIO_IRQ_INFO_NORESIZE);
	declare(MSIX, 2048, VFIO_IRQ_INFO_NORESIZE);
	declare(VFIO_PCI_ERR_IRQ_INDEX, 1, VFIO_IRQ_INFO_NORESIZE);
	declare(VFIO_PCI_REQ_IRQ_INDEX, 1, VFIO_IRQ_INFO_NORESIZE);
	pp_cap(&p, 0x40, PCI_CAP_ID_MSI);
	pp_set16(&p, 0x42, PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
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

static void is(uint32_t index, uint32_t count, bool quiesced)
{
	struct vfk_pci_irq_state s;

	vfk_pci_irq_get_state(pci, &s);
	assert_int_equal(s.index, index);
	assert_int_equal(s.count, count);
	assert_int_equal(s.quiesced, quiesced);
}

static uint64_t count_of(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

/* A signal of the device's arrives at the vector's eventfd. */
static void arrives(uint32_t index, uint32_t vector)
{
	int fd = vfk_pci_irq_fd(pci, vector);

	assert_true(fd >= 0);
	assert_int_equal(count_of(fd), 0);
	assert_true(pp_signal(&p, index, vector));
	assert_int_equal(count_of(fd), 1);
}

/* As Linux has it: a vector's eventfd is gone before the next is looked at. */
static int (*plain_set_irqs)(struct vfk_io *, const struct vfio_irq_set *);
static unsigned int refusals;

static int let_go_and_refuse(struct vfk_io *io, const struct vfio_irq_set *set)
{
	uint32_t room[sizeof(struct vfio_irq_set) / 4 + 1] = { 0 };
	struct vfio_irq_set *none = (void *)room;
	const int32_t fd = -1;

	*none = (struct vfio_irq_set){ .argsz = sizeof(room),
				       .flags = set->flags,
				       .index = set->index,
				       .start = set->start,
				       .count = 1 };
	memcpy(none->data, &fd, sizeof(fd));
	if (!refusals || set->count != 1)
		return plain_set_irqs(io, set);
	refusals--;
	assert_int_equal(plain_set_irqs(io, none), 0);
	return -ENOMEM;
}

static void test_enable(void **state)
{
	(void)state;
	pci = pp_open(&p);
	is(NONE, 0, false);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 4, NULL), 4);
	is(MSIX, 4, false);
	assert_int_equal(pp_num_armed(&p, MSIX), 4);
	for (uint32_t i = 0; i < 4; i++)
		arrives(MSIX, i);
	assert_int_equal(vfk_pci_irq_fd(pci, 4), -EINVAL);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	is(NONE, 0, false);
	assert_int_equal(vfk_pci_irq_fd(pci, 0), -EINVAL);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
}

static void test_callers_eventfds(void **state)
{
	int fds[3] = { event(), -1, event() };

	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 3, 3, fds), 3);
	assert_int_equal(vfk_pci_irq_fd(pci, 1), -ENOENT);
	assert_false(pp_signal(&p, MSI, 1));
	assert_true(pp_signal(&p, MSI, 2));
	assert_int_equal(count_of(fds[2]), 1);
	/* a duplicate: the caller's may go */
	close(fds[0]);
	arrives(MSI, 0);
	close(fds[2]);
}

static void test_best(void **state)
{
	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 3, NULL), 3);
	is(MSIX, 3, false);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	/* it says that it has it, and then has not */
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EINVAL);
	assert_int_equal(vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 64, NULL), 32);
	is(MSI, 32, false);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	pp_fail(&p, PP_SET_IRQS, 0, 2, -EINVAL);
	assert_int_equal(vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 64, NULL), 1);
	is(INTX, 1, false);
	/* a lost peer is no reason to look further */
	pp_forget(&p);
	pp_fail(&p, PP_SET_IRQS, 1, 1, -ETIMEDOUT);
	assert_int_equal(vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 1, NULL), -ETIMEDOUT);
	is(INTX, 1, false);
}

static void test_refusals(void **state)
{
	int none = -2, no_eventfd = STDIN_FILENO;

	(void)state;
	pci = pp_open(&p);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, VFIO_PCI_ERR_IRQ_INDEX, 1, 1, NULL), -EINVAL);
	assert_int_equal(vfk_pci_irq_enable(pci, NONE, 1, 1, NULL), -EINVAL);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 2, 1, NULL), -EINVAL);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 0, 1, NULL), -EINVAL);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 0, 0, NULL), -EINVAL);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 33, 64, NULL), -ENOSPC);
	assert_non_null(strstr(vfk_error(), "MSI has 32 vectors, need 33"));
	assert_int_equal(vfk_pci_irq_enable(pci, INTX, 2, 2, NULL), -ENOSPC);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, &no_eventfd), -EINVAL);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, -1), -EINVAL);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, none), -EINVAL);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 0);
	is(NONE, 0, false);
}

static void test_absent(void **state)
{
	(void)state;
	p.irqs[MSIX].count = 0;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 1, NULL), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "no MSI-X"));
	assert_int_equal(vfk_pci_irq_masks_in(pci, MSIX), -ENOTSUP);
	assert_int_equal(vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 64, NULL), 32);
	is(MSI, 32, false);
}

/* The outcome that is neither success nor failure. */
static void test_only_n(void **state)
{
	(void)state;
	pci = pp_open(&p);
	p.granted = 5;
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 2, 100, NULL), 5);
	is(MSIX, 5, false);
	assert_int_equal(vfk_pci_irq_fd(pci, 5), -EINVAL);
	arrives(MSIX, 4);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 6, 100, NULL), -ENOSPC);
	assert_non_null(strstr(vfk_error(), "only 5 vectors can be had, need 6"));
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 1);
	is(NONE, 0, false);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
}

static void test_only_n_unsaid(void **state)
{
	(void)state;
	pci = pp_open(&p);
	p.granted = 5;
	p.granted_unsaid = true;
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 100, NULL), 3); /* 100 50 25 12 6 3 */
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 5, 8, NULL),
			 5); /* not below what is needed */
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 6, 8, NULL), -ENOSPC);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 2048, NULL), 4);
}

/* A device that takes back what it said, one by one. */
static int (*honest)(struct vfk_io *io, const struct vfio_irq_set *set);
static unsigned int asked;

static int lying(struct vfk_io *io, const struct vfio_irq_set *set)
{
	if (!(set->flags & VFIO_IRQ_SET_DATA_EVENTFD))
		return honest(io, set);
	asked++;
	return set->count > 1 ? (int)set->count - 1 : -ENOSPC;
}

static void test_bounded(void **state)
{
	(void)state;
	honest = p.ops.set_irqs;
	p.ops.set_irqs = lying;
	asked = 0;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 2048, NULL), -ENOSPC);
	assert_true(asked >= 12 && asked <= 32);
	is(NONE, 0, false);
}

static void test_switch(void **state)
{
	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, INTX, 1, 1, NULL), 1);
	arrives(INTX, 0);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 2, 2, NULL), 2);
	/* off before on, and nothing else */
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 2);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 0)->index, INTX);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 0)->count, 0);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 1)->index, MSI);
	is(MSI, 2, false);
	assert_int_equal(pp_num_armed(&p, INTX), 0);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 3, 3, NULL), 3);
	assert_int_equal(pp_num_armed(&p, MSI), 0);
	assert_int_equal(vfk_pci_irq_enable(pci, INTX, 1, 1, NULL), 1);
	is(INTX, 1, false);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	/* the same kind with another number */
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 3, 3, NULL), 3);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 7, 7, NULL), 7);
	assert_int_equal(pp_num_armed(&p, MSIX), 7);
}

static void test_switch_fails(void **state)
{
	int fds[3];

	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 3, 3, NULL), 3);
	for (uint32_t i = 0; i < 3; i++)
		fds[i] = vfk_pci_irq_fd(pci, i);
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	pp_fail(&p, PP_SET_IRQS, 1, 1, -EIO);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), -EIO);
	assert_non_null(strstr(vfk_error(), "puppet"));
	is(MSIX, 3, false);
	/* as it was, and what fell into the gap is made up for */
	assert_int_equal(vfk_pci_irq_fd(pci, 0), fds[0]);
	assert_int_equal(count_of(fds[0]), 1);
	assert_int_equal(count_of(fds[1]), 0);
	assert_int_equal(count_of(fds[2]), 1);
	assert_true(pp_signal(&p, MSIX, 1));
	assert_int_equal(count_of(fds[1]), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(count_of(fds[1]), 1);
	arrives(MSIX, 1);
	arrives(MSIX, 2);
	/* refused before anything was touched */
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 33, 33, NULL), -ENOSPC);
	assert_int_equal(p.num_calls, 0);
	/* the old one does not go */
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), -EIO);
	arrives(MSIX, 0);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_irq_disable(pci), -EIO);
	is(MSIX, 3, false);
	arrives(MSIX, 0);
}

static void test_switch_fails_for_good(void **state)
{
	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 3, 3, NULL), 3);
	pp_fail(&p, PP_SET_IRQS, 1, 2, -EIO);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), -EIO);
	assert_non_null(strstr(vfk_error(), "could not be restored"));
	is(MSIX, 3, true);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	/* and there is a way out */
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 2, 2, NULL), 2);
	is(MSIX, 2, false);
	arrives(MSIX, 1);
}

/* What could not be restored does not go away, either: it is told, and disabled before anything else is enabled. */
static void test_switch_fails_and_leaves_a_part(void **state)
{
	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 3, 3, NULL), 3);
	pp_fail(&p, PP_SET_IRQS, 1, 3, -EIO);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), -EIO);
	assert_non_null(strstr(vfk_error(), "some may be armed, since disabling failed"));
	is(MSIX, 3, true);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), 1);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 2);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 0)->index, MSIX);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 0)->count, 0);
	is(MSI, 1, false);
	arrives(MSI, 0);
}

static void test_disable_of_what_was_left(void **state)
{
	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 3, 3, NULL), 3);
	pp_fail(&p, PP_SET_IRQS, 1, 4, -EIO);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), -EIO);
	assert_int_equal(vfk_pci_irq_disable(pci), -EIO);
	is(MSIX, 3, true);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_disable(pci), 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 1);
	is(NONE, 0, false);
}

static void test_no_vector(void **state)
{
	int fd = event();

	(void)state;
	pci = pp_open(&p);
	pp_forget(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 0, 0, NULL), 0);
	is(MSIX, 0, false);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 1);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 0)->count, 1);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	assert_int_equal(vfk_pci_irq_fd(pci, 0), -EINVAL);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), -EINVAL);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 2, fd), 0);
	is(MSIX, 3, false);
	assert_true(pp_signal(&p, MSIX, 2));
	assert_true(count_of(fd) > 0);
	close(fd);
}

static void test_notifiers(void **state)
{
	int err = event(), req = event();
	struct vfk_device *dev;

	(void)state;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, NULL), 1);
	assert_int_equal(vfk_pci_set_err_fd(pci, err), 0);
	assert_int_equal(vfk_pci_set_req_fd(pci, req), 0);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 1, NULL), 1);
	assert_true(pp_signal(&p, VFIO_PCI_ERR_IRQ_INDEX, 0));
	assert_true(pp_signal(&p, VFIO_PCI_REQ_IRQ_INDEX, 0));
	assert_int_equal(count_of(err), 1);
	assert_int_equal(count_of(req), 1);
	assert_int_equal(vfk_pci_set_err_fd(pci, -1), 0);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_ERR_IRQ_INDEX), 0);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_REQ_IRQ_INDEX), 1);
	assert_int_equal(vfk_pci_set_err_fd(pci, -2), -EINVAL);
	/* closing takes away what is left */
	assert_int_equal(vfk_pci_set_err_fd(pci, err), 0);
	dev = vfk_pci_device(pci);
	vfk_pci_close(pci);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_ERR_IRQ_INDEX), 0);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_REQ_IRQ_INDEX), 0);
	assert_int_equal(vfk_pci_open(dev, &pci), 0);
	close(err);
	close(req);
}

static void test_no_notifiers(void **state)
{
	(void)state;
	p.irqs[VFIO_PCI_ERR_IRQ_INDEX].count = 0;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_set_err_fd(pci, -1), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "no error notifier"));
}

/* Fewer than 2048 vectors need: the text names the limit, nothing is left open, nothing is enabled. */
static void test_too_few_descriptors(void **state)
{
	struct rlimit was, low;
	char number[32];
	int before, after;

	(void)state;
	pci = pp_open(&p);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = 500;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	before = event();
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 2048, 2048, NULL), -EMFILE);
	snprintf(number, sizeof(number), "(RLIMIT_NOFILE) is %u", 500);
	assert_non_null(strstr(vfk_error(), number));
	after = event();
	assert_int_equal(after, before + 1);
	is(NONE, 0, false);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 8, NULL), 8);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(low.rlim_cur, was.rlim_cur);
	close(before);
	close(after);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void refuse(unsigned int n)
{
	refusals = n;
	p.ops.set_irqs = let_go_and_refuse;
}

/* What the device let go of it gets back. */
static void test_exchange_refused(void **state)
{
	int fd = event(), other = event();

	(void)state;
	plain_set_irqs = p.ops.set_irqs;
	refuse(0);
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 1, &fd), 1);
	refuse(1);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, other), -ENOMEM);
	assert_non_null(strstr(vfk_error(), "Cannot allocate memory"));
	arrives(MSIX, 0);
	assert_int_equal(count_of(other), 0);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, fd), 0);
	/* masks are exchanges as well */
	refuse(1);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), -ENOMEM);
	arrives(MSIX, 0);
	assert_int_equal(vfk_pci_irq_mask(pci, 0), 0);
	refuse(1);
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), -ENOMEM);
	assert_true(pp_signal(&p, MSIX, 0));
	assert_int_equal(count_of(fd), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 0), 0);
	assert_int_equal(count_of(fd), 1);
	/* a function without mask bits may have sent one meanwhile */
	pp_set16(&p, 0x42, 0);
	assert_int_equal(vfk_pci_irq_enable(pci, MSI, 1, 1, &fd), 1);
	refuse(1);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, other), -ENOMEM);
	assert_int_equal(count_of(fd), 1);
	close(fd);
	close(other);
}

static void test_exchange_refused_for_good(void **state)
{
	int other = event();

	(void)state;
	plain_set_irqs = p.ops.set_irqs;
	refuse(0);
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, MSIX, 1, 1, NULL), 1);
	refuse(2);
	assert_int_equal(vfk_pci_irq_set_fd(pci, 0, other), -ENOMEM);
	assert_non_null(strstr(vfk_error(), "; and the vector may have lost its eventfd: "));
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_enable),
		TEST(test_callers_eventfds),
		TEST(test_best),
		TEST(test_refusals),
		TEST(test_absent),
		TEST(test_only_n),
		TEST(test_only_n_unsaid),
		TEST(test_bounded),
		TEST(test_switch),
		TEST(test_switch_fails),
		TEST(test_switch_fails_for_good),
		TEST(test_switch_fails_and_leaves_a_part),
		TEST(test_disable_of_what_was_left),
		TEST(test_no_vector),
		TEST(test_exchange_refused),
		TEST(test_exchange_refused_for_good),
		TEST(test_notifiers),
		TEST(test_no_notifiers),
		TEST(test_too_few_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

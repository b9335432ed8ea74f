/* SPDX-License-Identifier: BSD-3-Clause */
/* test_msix.c - where MSI-X is, told by devices that are right, and by those that are not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "puppet_pci.h"

#define CAP 0x70

static struct puppet_pci p;

/* MSI-X of 65 vectors: its table at 0x1000 of BAR 2, its pending bits in BAR 4. */
static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	pp_cap(&p, CAP, PCI_CAP_ID_MSIX);
	pp_set16(&p, CAP + PCI_MSIX_FLAGS, 64);
	pp_set32(&p, CAP + PCI_MSIX_TABLE, 0x1000 | 2);
	pp_set32(&p, CAP + PCI_MSIX_PBA, 0x800 | 4);
	p.irqs[VFIO_PCI_MSIX_IRQ_INDEX] =
		(struct vfio_irq_info){ .flags = VFIO_IRQ_INFO_EVENTFD, .count = 65 };
	p.regions[2] = (struct pp_region){ .size = 0x1000 + 65 * 16, .flags = 3 };
	p.regions[4] = (struct pp_region){ .size = 0x810, .flags = 3 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_fini(&p);
	return 0;
}

static void test_place(void **state)
{
	struct vfk_pci *pci = pp_open(&p);
	struct vfk_pci_msix_info i;

	(void)state;
	assert_int_equal(vfk_pci_msix_get_info(pci, &i), 0);
	assert_int_equal(i.cap, CAP);
	assert_int_equal(i.count, 65);
	assert_int_equal(i.usable, 65);
	assert_int_equal(i.table_bar, 2);
	assert_int_equal(i.table_offset, 0x1000);
	assert_int_equal(i.table_size, 65 * 16);
	assert_int_equal(i.pba_bar, 4);
	assert_int_equal(i.pba_offset, 0x800);
	assert_int_equal(i.pba_size, 16);
	pp_close(pci);
}

static void test_fewer_than_the_table(void **state)
{
	struct vfk_pci_msix_info i;
	struct vfk_pci *pci;

	(void)state;
	p.irqs[VFIO_PCI_MSIX_IRQ_INDEX].count = 3;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_msix_get_info(pci, &i), 0);
	assert_int_equal(i.count, 65);
	assert_int_equal(i.usable, 3);
	pp_close(pci);
	p.irqs[VFIO_PCI_MSIX_IRQ_INDEX].count = 100;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_msix_get_info(pci, &i), 0);
	assert_int_equal(i.usable, 65);
	pp_close(pci);
}

/* The device opens all the same. */
static void refused(int want, const char *text)
{
	struct vfk_pci_msix_info i = { .count = 7 };
	struct vfk_pci *pci = pp_open(&p);

	assert_int_equal(vfk_pci_msix_get_info(pci, &i), want);
	assert_int_equal(i.count, 7);
	assert_non_null(strstr(vfk_error(), text));
	pp_close(pci);
}

static void test_none(void **state)
{
	(void)state;
	p.config[PCI_STATUS] = 0;
	refused(-ENOENT, "no MSI-X");
}

static void test_outside(void **state)
{
	(void)state;
	p.regions[2].size--;
	refused(-EPROTO, "MSI-X table: 0x410 bytes at 0x1000: BAR 2 has 0x140f");
	p.regions[2].size++;
	p.regions[4].size--;
	refused(-EPROTO, "MSI-X PBA: 0x10 bytes at 0x800: BAR 4 has 0x80f");
	p.regions[4].size = 0;
	refused(-EPROTO, "BAR 4 has 0x0");
	pp_set32(&p, CAP + PCI_MSIX_TABLE, 0xfffffff8 | 2);
	refused(-EPROTO, "at 0xfffffff8");
}

static void test_indicator(void **state)
{
	(void)state;
	pp_set32(&p, CAP + PCI_MSIX_PBA, 0x800 | 6);
	refused(-EPROTO, "PBA: BAR indicator 6");
	pp_set32(&p, CAP + PCI_MSIX_TABLE, 0x1000 | 7);
	refused(-EPROTO, "table: BAR indicator 7");
}

static void test_overlap(void **state)
{
	struct vfk_pci_msix_info i;
	struct vfk_pci *pci;

	(void)state;
	pp_set32(&p, CAP + PCI_MSIX_PBA, 0x1408 | 2);
	p.regions[2].size = 0x2000;
	refused(-EPROTO, "overlap");
	pp_set32(&p, CAP + PCI_MSIX_PBA, 0x1410 | 2);
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_msix_get_info(pci, &i), 0);
	pp_close(pci);
}

/* A capability whose registers are not there any more. */
static void test_at_the_end(void **state)
{
	(void)state;
	p.config_size = CAP + 8;
	refused(-EPROTO, "does not fit");
}

static void test_unreadable(void **state)
{
	struct vfk_device *dev = pp_open_device(&p);
	struct vfk_pci *pci = NULL;

	(void)state;
	/* the header, the list of capabilities, and then the capability itself */
	pp_fail(&p, PP_READ, 8, 1, -EIO);
	assert_int_equal(vfk_pci_open(dev, &pci), -EIO);
	assert_null(pci);
	vfk_device_close(dev);
}

/* How many vectors there are is not known, which is not the same as none. */
static void test_info_refused(void **state)
{
	struct vfk_device *dev = pp_open_device(&p);
	struct vfk_pci_msix_info i = { .count = 7 };
	struct vfk_pci *pci = NULL;

	(void)state;
	pp_fail(&p, PP_IRQ_INFO, 0, 1, -EIO);
	assert_int_equal(vfk_pci_open(dev, &pci), 0);
	assert_int_equal(vfk_pci_msix_get_info(pci, &i), -EIO);
	assert_int_equal(i.count, 7);
	assert_non_null(strstr(vfk_error(), "MSI-X: its interrupt info cannot be had"));
	/* it is asked anew */
	assert_int_equal(vfk_pci_irq_enable(pci, VFIO_PCI_MSIX_IRQ_INDEX, 1, 2, NULL), 2);
	pp_close(pci);
	dev = pp_open_device(&p);
	pci = NULL;
	pp_fail(&p, PP_IRQ_INFO, 0, 1, -ENODEV);
	assert_int_equal(vfk_pci_open(dev, &pci), -ENODEV);
	assert_null(pci);
	vfk_device_close(dev);
}

/* A device that has only INTx and MSI. */
static void test_no_such_interrupt(void **state)
{
	struct vfk_pci_msix_info i;
	struct vfk_pci *pci;

	(void)state;
	p.num_irqs = VFIO_PCI_MSIX_IRQ_INDEX;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_msix_get_info(pci, &i), 0);
	assert_int_equal(i.count, 65);
	assert_int_equal(i.usable, 0);
	assert_int_equal(vfk_pci_irq_enable(pci, VFIO_PCI_MSIX_IRQ_INDEX, 1, 1, NULL), -ENOTSUP);
	pp_close(pci);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_place),	 TEST(test_fewer_than_the_table),
		TEST(test_none),	 TEST(test_outside),
		TEST(test_indicator),	 TEST(test_overlap),
		TEST(test_at_the_end),	 TEST(test_unreadable),
		TEST(test_info_refused), TEST(test_no_such_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

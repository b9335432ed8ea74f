/* SPDX-License-Identifier: BSD-3-Clause */
/* test_config.c - opening a PCI device, its config space, its lists of capabilities. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "puppet_pci.h"

static struct puppet_pci p;

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_fini(&p);
	return 0;
}

static void refused(int want, const char *text)
{
	struct vfk_device *dev = pp_open_device(&p);
	struct vfk_pci *pci = (void *)&p;

	assert_int_equal(vfk_pci_open(dev, &pci), want);
	assert_ptr_equal(pci, &p);
	assert_non_null(strstr(vfk_error(), text));
	vfk_device_close(dev);
}

static void test_open_refusals(void **state)
{
	(void)state;
	p.device_flags = VFIO_DEVICE_FLAGS_CCW;
	refused(-ENOTSUP, "no PCI device");
	p.device_flags = VFIO_DEVICE_FLAGS_PCI;
	p.config_size = 63;
	refused(-EPROTO, "63 bytes");
	p.config_size = 0;
	refused(-EPROTO, "0 bytes");
	p.config_size = 256;
	pp_fail(&p, PP_READ, 3, 1, -EIO);
	refused(-EIO, "puppet");
	pp_set32(&p, PCI_VENDOR_ID, 0xffffffff);
	refused(-ENODEV, "ones");
}

static void test_too_few_regions(void **state)
{
	(void)state;
	p.num_regions = 7;
	refused(-EPROTO, "7 regions");
	p.num_regions = 0;
	refused(-EPROTO, "0 regions");
	p.num_regions = 8;
	pp_close(pp_open(&p));
}

/* Each that is missing is one that the device does not have. */
static void test_too_few_interrupts(void **state)
{
	(void)state;
	p.irqs[VFIO_PCI_INTX_IRQ_INDEX] =
		(struct vfio_irq_info){ .flags = VFIO_IRQ_INFO_EVENTFD, .count = 1 };
	for (p.num_irqs = 0; p.num_irqs <= VFIO_PCI_NUM_IRQS; p.num_irqs++) {
		struct vfk_pci *pci = pp_open(&p);
		int intx = p.num_irqs ? 1 : -ENOTSUP;

		assert_int_equal(vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 4, NULL), intx);
		assert_int_equal(vfk_pci_irq_enable(pci, VFIO_PCI_MSI_IRQ_INDEX, 1, 1, NULL),
				 -ENOTSUP);
		assert_int_equal(vfk_pci_irq_enable(pci, VFIO_PCI_MSIX_IRQ_INDEX, 1, 1, NULL),
				 -ENOTSUP);
		assert_int_equal(vfk_pci_set_err_fd(pci, -1), -ENOTSUP);
		assert_int_equal(vfk_pci_set_req_fd(pci, -1), -ENOTSUP);
		pp_close(pci);
	}
}

/* vfio-pci, of a device that is not PCI Express. */
static void test_no_error_interrupt(void **state)
{
	struct vfk_pci *pci;

	(void)state;
	pci = pp_open(&p);
	pp_fail(&p, PP_IRQ_INFO, 0, 1, -EINVAL);
	assert_int_equal(vfk_pci_set_err_fd(pci, -1), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "no error notifier"));
	pp_close(pci);
}

static void test_identity(void **state)
{
	struct vfk_pci_identity id;
	struct vfk_pci *pci;

	(void)state;
	p.config[PCI_HEADER_TYPE] = 0x80;
	pci = pp_open(&p);
	vfk_pci_get_identity(pci, &id);
	assert_int_equal(id.vendor, 0x1af4);
	assert_int_equal(id.device, 0x10f0);
	assert_int_equal(id.subvendor, 0x1111);
	assert_int_equal(id.subdevice, 0x2222);
	assert_int_equal(id.class_code, 0xff0000);
	assert_int_equal(id.revision, 3);
	assert_int_equal(id.header_type, PCI_HEADER_TYPE_NORMAL);
	assert_true(id.multifunction);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	pp_close(pci);
}

static void test_bridge_has_no_subsystem(void **state)
{
	struct vfk_pci_identity id;
	struct vfk_pci *pci;

	(void)state;
	p.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	pci = pp_open(&p);
	vfk_pci_get_identity(pci, &id);
	assert_int_equal(id.header_type, PCI_HEADER_TYPE_BRIDGE);
	assert_int_equal(id.subvendor, 0);
	pp_close(pci);
}

static void test_access(void **state)
{
	struct vfk_pci *pci = pp_open(&p);
	uint32_t v = 7;

	(void)state;
	assert_int_equal(vfk_pci_config_size(pci), 4096);
	p.config[0x40] = 1, p.config[0x41] = 2, p.config[0x42] = 3, p.config[0x43] = 4;
	assert_int_equal(vfk_pci_config_read(pci, 0x40, 4, &v), 0);
	assert_int_equal(v, 0x04030201);
	assert_int_equal(vfk_pci_config_read(pci, 0x42, 2, &v), 0);
	assert_int_equal(v, 0x0403);
	assert_int_equal(vfk_pci_config_read(pci, 0x43, 1, &v), 0);
	assert_int_equal(v, 4);
	pp_forget(&p);
	assert_int_equal(vfk_pci_config_write(pci, 0x42, 2, 0xabcd), 0);
	assert_int_equal(pp_count(&p, PP_WRITE), 1);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->len, 2);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->value, 0xabcd);
	pp_close(pci);
}

static void test_access_refusals(void **state)
{
	struct vfk_pci *pci = pp_open(&p);
	uint32_t v = 7;

	(void)state;
	pp_forget(&p);
	assert_int_equal(vfk_pci_config_read(pci, 0x40, 3, &v), -EINVAL);
	assert_int_equal(vfk_pci_config_read(pci, 0x40, 0, &v), -EINVAL);
	assert_int_equal(vfk_pci_config_read(pci, 0x40, 8, &v), -EINVAL);
	assert_int_equal(vfk_pci_config_read(pci, 0x41, 2, &v), -EINVAL);
	assert_int_equal(vfk_pci_config_read(pci, 4096, 1, &v), -EINVAL);
	assert_int_equal(vfk_pci_config_read(pci, 0xfffffffc, 4, &v), -EINVAL);
	assert_int_equal(vfk_pci_config_write(pci, 0x40, 1, 0x100), -EINVAL);
	assert_int_equal(vfk_pci_config_write(pci, 0x42, 4, 0), -EINVAL);
	assert_int_equal(p.num_calls, 0);
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	assert_int_equal(vfk_pci_config_read(pci, 0x40, 4, &v), -EIO);
	assert_int_equal(v, 7);
	pp_close(pci);
}

static void test_modify(void **state)
{
	struct vfk_pci *pci = pp_open(&p);
	uint32_t old = 7;

	(void)state;
	memset(p.writable + PCI_COMMAND, 0xff, 2);
	pp_set16(&p, PCI_COMMAND, 0x0103);
	pp_forget(&p);
	assert_int_equal(vfk_pci_config_modify(pci, PCI_COMMAND, 2, 0x0001, 0x0004, &old), 0);
	assert_int_equal(old, 0x0103);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), 0x0106);
	assert_int_equal(pp_count(&p, PP_WRITE), 1);
	/* nothing to change: nothing written; set wins */
	assert_int_equal(vfk_pci_config_modify(pci, PCI_COMMAND, 2, 0x0004, 0x0004, NULL), 0);
	assert_int_equal(pp_count(&p, PP_WRITE), 1);
	pp_fail(&p, PP_WRITE, 0, 1, -EIO);
	assert_int_equal(vfk_pci_config_modify(pci, PCI_COMMAND, 2, 0x0004, 0, &old), -EIO);
	assert_int_equal(old, 0x0103);
	pp_close(pci);
}

/* Walks all: how many there are; @end is what the walk ends with. */
static unsigned int walk(const struct vfk_pci *pci, int end)
{
	struct vfk_pci_cap cap = { 0 };
	unsigned int n = 0;
	int ret;

	while ((ret = vfk_pci_cap_next(pci, &cap)) == 1)
		assert_true(++n <= 1024);
	assert_int_equal(ret, end);
	return n;
}

static void test_caps(void **state)
{
	struct vfk_pci_cap cap = { 0 };
	struct vfk_pci *pci;
	uint32_t off;

	(void)state;
	pp_cap(&p, 0x80, PCI_CAP_ID_EXP);
	pp_cap(&p, 0x40, PCI_CAP_ID_VNDR);
	pp_cap(&p, 0x60, PCI_CAP_ID_VNDR);
	pp_ext_cap(&p, 0x100, PCI_EXT_CAP_ID_ERR);
	pp_ext_cap(&p, 0xffc, PCI_EXT_CAP_ID_DSN);
	pci = pp_open(&p);
	assert_int_equal(walk(pci, 0), 5);
	assert_int_equal(vfk_pci_cap_next(pci, &cap), 1);
	assert_int_equal(cap.offset, 0x80);
	assert_int_equal(cap.id, PCI_CAP_ID_EXP);
	assert_false(cap.extended);
	assert_int_equal(vfk_pci_cap_find(pci, PCI_CAP_ID_VNDR, &off), 0);
	assert_int_equal(off, 0x40);
	assert_int_equal(vfk_pci_ext_cap_find(pci, PCI_EXT_CAP_ID_DSN, &off), 0);
	assert_int_equal(off, 0xffc);
	/* the same number in the other list is another thing */
	assert_int_equal(vfk_pci_cap_find(pci, PCI_EXT_CAP_ID_DSN, NULL), -ENOENT);
	assert_int_equal(vfk_pci_ext_cap_find(pci, PCI_CAP_ID_VNDR, NULL), -ENOENT);
	cap.offset = 0x44;
	assert_int_equal(vfk_pci_cap_next(pci, &cap), -ENOENT);
	pp_close(pci);
}

static void test_no_caps(void **state)
{
	struct vfk_pci *pci;

	(void)state;
	p.config[PCI_CAPABILITY_LIST] = 0x40; /* of no meaning without the status bit */
	pci = pp_open(&p);
	assert_int_equal(walk(pci, 0), 0);
	pp_close(pci);
	/* Config space that nobody answers beyond the header is a list of nothing. */
	memset(p.config + 0x100, 0xff, 4);
	p.config_size = 64;
	p.config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	p.config[PCI_CAPABILITY_LIST] = 0;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_config_size(pci), 64);
	assert_int_equal(walk(pci, 0), 0);
	pp_close(pci);
}

/* The device opens, what stands before the break is known, and the walk says what is wrong. */
static void breaks(unsigned int caps, const char *text)
{
	struct vfk_pci *pci = pp_open(&p);

	assert_int_equal(walk(pci, -EPROTO), caps);
	assert_non_null(strstr(vfk_error(), text));
	pp_close(pci);
}

static void test_broken_standard_list(void **state)
{
	(void)state;
	pp_cap(&p, 0x40, PCI_CAP_ID_PM);
	pp_cap(&p, 0x50, PCI_CAP_ID_MSI);
	p.config[0x51] = 0x40;
	breaks(2, "0x040: the list loops");
	p.config[0x51] = 0x50;
	breaks(2, "0x050: the list loops");
	p.config[0x51] = 0x04;
	breaks(2, "0x004: outside");
	p.config[0x51] = 0xfe; /* its low bits are reserved */
	p.config[0xfc] = 0xff;
	breaks(2, "0x0fc: no capability");
	p.config_size = 0x50;
	breaks(1, "0x050: outside");
}

static void test_broken_extended_list(void **state)
{
	(void)state;
	pp_ext_cap(&p, 0x100, PCI_EXT_CAP_ID_ERR);
	pp_ext_cap(&p, 0x200, PCI_EXT_CAP_ID_DSN);
	pp_set16(&p, 0x202, 0x2001);
	breaks(2, "0x200: the list loops");
	pp_set16(&p, 0x202, 0x0401);
	breaks(2, "0x040: outside");
	pp_set16(&p, 0x202, 0x3001);
	breaks(2, "0x300: no capability");
	p.config_size = 0x200;
	breaks(1, "0x200: outside");
}

/* The longest lists that there can be are no loops. */
static void test_longest_lists(void **state)
{
	struct vfk_pci *pci;

	(void)state;
	for (uint32_t off = 0x40; off < 0x100; off += 4)
		pp_cap(&p, off, PCI_CAP_ID_VNDR);
	for (uint32_t off = 0x100; off < 0x1000; off += 4)
		pp_set32(&p, off, PCI_EXT_CAP_ID_VNDR | 1 << 16 | (off + 4) << 20);
	pp_set32(&p, 0xffc, PCI_EXT_CAP_ID_VNDR | 1 << 16);
	pci = pp_open(&p);
	assert_int_equal(walk(pci, 0), 48 + 960);
	pp_close(pci);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_too_few_regions),
		TEST(test_too_few_interrupts),
		TEST(test_no_error_interrupt),
		TEST(test_open_refusals),
		TEST(test_identity),
		TEST(test_bridge_has_no_subsystem),
		TEST(test_access),
		TEST(test_access_refusals),
		TEST(test_modify),
		TEST(test_caps),
		TEST(test_no_caps),
		TEST(test_broken_standard_list),
		TEST(test_broken_extended_list),
		TEST(test_longest_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_virtual_irq.c - a guest's INTx, MSI and MSI-X: enabled by its registers, vector by vector, masked, pending. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest.h"

#define INTX  VFIO_PCI_INTX_IRQ_INDEX
#define MSI   VFIO_PCI_MSI_IRQ_INDEX
#define MSIX  VFIO_PCI_MSIX_IRQ_INDEX
#define TABLE 0x2000 /* in BAR2, as is the next */
#define PBA   0x3000

static struct puppet_pci p;
static struct guest g;

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	guest_device(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_fini(&p);
	return 0;
}

static struct vfk_pci_virtual_vector vector(uint32_t index, uint32_t n)
{
	struct vfk_pci_virtual_vector info;

	assert_int_equal(vfk_pci_virtual_get_vector(g.v, index, n, &info), 0);
	return info;
}

/* Whether the monitor's eventfd of a vector is signalled; takes the signal. */
static bool fired(uint32_t index, uint32_t n)
{
	struct pollfd fd = { .fd = vector(index, n).eventfd, .events = POLLIN };
	uint64_t count;

	assert_true(fd.fd >= 0);
	return poll(&fd, 1, 0) == 1 && read(fd.fd, &count, sizeof(count)) == sizeof(count);
}

static void put_entry(uint32_t n, uint64_t address, uint32_t data, uint32_t ctrl)
{
	guest_bar_put(&g, 2, TABLE + n * 16, 8, address);
	guest_bar_put(&g, 2, TABLE + n * 16 + 8, 4, data);
	guest_bar_put(&g, 2, TABLE + n * 16 + 12, 4, ctrl);
}

static void mask_entry(uint32_t n, uint32_t ctrl)
{
	guest_bar_put(&g, 2, TABLE + n * 16 + 12, 4, ctrl);
}

/* ---- INTx ---- */

static void test_intx(void **state)
{
	struct vfk_pci_virtual_vector info;

	(void)state;
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_get_vector(g.v, INTX, 0, &info), -EINVAL);
	assert_int_equal(pp_num_armed(&p, INTX), 0);
	assert_int_equal(vfk_pci_virtual_reset(g.v), 0);
	guest_told(&g, 0, 'i', INTX, 1);
	assert_int_equal(g.num_events, 1);
	assert_true(pp_signal(&p, INTX, 0));
	assert_true(fired(INTX, 0));
	assert_int_equal(vfk_pci_virtual_get_vector(g.v, INTX, 1, &info), -EINVAL);
	assert_int_equal(vfk_pci_virtual_get_vector(g.v, MSI, 0, &info), -EINVAL);
	/* The bit in the command register is the device's own affair. */
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(g.num_events, 1);
	guest_end(&g);
	assert_int_equal(pp_num_armed(&p, INTX), 0);
}

/* ---- MSI ---- */

static void put_msi(uint32_t flags)
{
	guest_put(&g, GUEST_MSI + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
	guest_put(&g, GUEST_MSI + PCI_MSI_ADDRESS_HI, 4, 1);
	guest_put(&g, GUEST_MSI + PCI_MSI_DATA_64, 2, 0x40);
	guest_put(&g, GUEST_MSI + PCI_MSI_FLAGS, 2, flags);
}

static void test_msi(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_get(&g, GUEST_MSI + PCI_MSI_FLAGS, 2),
			 2 << 1 | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
	put_msi(1 << 4 | PCI_MSI_FLAGS_ENABLE);
	guest_told(&g, 0, 'i', INTX, 0);
	guest_told(&g, 1, 'i', MSI, 2);
	assert_int_equal(g.num_events, 2);
	assert_int_equal(pp_num_armed(&p, INTX), 0);
	assert_int_equal(pp_num_armed(&p, MSI), 2);
	assert_int_equal(vector(MSI, 0).address, 0x1fee00000);
	assert_int_equal(vector(MSI, 0).data, 0x40);
	assert_int_equal(vector(MSI, 1).data, 0x41);
	assert_true(pp_signal(&p, MSI, 1));
	assert_false(fired(MSI, 0));
	assert_true(fired(MSI, 1));
	/* Another message, of an enabled capability. */
	guest_put(&g, GUEST_MSI + PCI_MSI_DATA_64, 2, 0x52);
	guest_told(&g, 2, 'v', MSI, 0);
	guest_told(&g, 3, 'v', MSI, 1);
	assert_int_equal(vector(MSI, 1).data, 0x53);
	/* More than there are: as many as there are. */
	guest_put(&g, GUEST_MSI + PCI_MSI_FLAGS, 2, 5 << 4 | PCI_MSI_FLAGS_ENABLE);
	guest_told(&g, 4, 'i', MSI, 0);
	guest_told(&g, 5, 'i', MSI, 4);
	guest_put(&g, GUEST_MSI + PCI_MSI_FLAGS, 2, 0);
	guest_told(&g, 6, 'i', MSI, 0);
	guest_told(&g, 7, 'i', INTX, 1);
	assert_int_equal(pp_num_armed(&p, MSI), 0);
	assert_int_equal(pp_num_armed(&p, INTX), 1);
	guest_end(&g);
}

static void test_msi_masks(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	guest_put(&g, GUEST_MSI + PCI_MSI_MASK_64, 4, 0xfffffffe);
	assert_int_equal(guest_get(&g, GUEST_MSI + PCI_MSI_MASK_64, 4), 0xe);
	put_msi(2 << 4 | PCI_MSI_FLAGS_ENABLE);
	assert_true(vector(MSI, 1).masked);
	assert_false(vector(MSI, 0).masked);
	assert_true(pp_signal(&p, MSI, 0));
	assert_true(pp_signal(&p, MSI, 2));
	assert_true(fired(MSI, 0));
	assert_false(fired(MSI, 2));
	assert_int_equal(guest_get(&g, GUEST_MSI + PCI_MSI_PENDING_64, 4), 1 << 2);
	guest_forget(&g, &p);
	guest_put(&g, GUEST_MSI + PCI_MSI_MASK_64, 4, 0x8);
	guest_told(&g, 0, 'v', MSI, 1);
	guest_told(&g, 1, 'v', MSI, 2);
	assert_int_equal(g.num_events, 2);
	assert_true(fired(MSI, 2));
	assert_false(fired(MSI, 1));
	assert_int_equal(guest_get(&g, GUEST_MSI + PCI_MSI_PENDING_64, 4), 0);
	guest_end(&g);
}

/* Fewer than the device says it has: the guest cannot be told, what there is works. */
static void test_msi_only_some(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	p.granted = 2;
	put_msi(2 << 4 | PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(pp_num_armed(&p, MSI), 2);
	assert_int_equal(vector(MSI, 3).eventfd, -1);
	assert_true(pp_signal(&p, MSI, 1));
	assert_true(fired(MSI, 1));
	guest_put(&g, GUEST_MSI + PCI_MSI_MASK_64, 4, 0xf);
	assert_true(vector(MSI, 3).masked);
	guest_end(&g);
}

static void test_msi_fails(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	guest_put(&g, GUEST_MSI + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
	/* Off, then the failure, and back. */
	pp_fail(&p, PP_SET_IRQS, 1, 1, -EIO);
	assert_int_equal(vfk_pci_virtual_config_write(g.v, GUEST_MSI + PCI_MSI_FLAGS, 2,
						      PCI_MSI_FLAGS_ENABLE),
			 -EIO);
	assert_int_equal(guest_get(&g, GUEST_MSI + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE, 0);
	assert_int_equal(pp_num_armed(&p, INTX), 1);
	assert_true(pp_signal(&p, INTX, 0));
	assert_true(fired(INTX, 0));
	assert_int_equal(g.num_events, 0);
	guest_end(&g);
}

static void test_msi_of_32_bits(void **state)
{
	(void)state;
	pp_set16(&p, GUEST_MSI + PCI_MSI_FLAGS, 0);
	p.irqs[MSI].count = 1;
	guest_begin(&g, &p, NULL);
	guest_put(&g, GUEST_MSI + PCI_MSI_ADDRESS_LO, 4, 0xfee0000f);
	guest_put(&g, GUEST_MSI + PCI_MSI_DATA_32, 2, 0x33);
	guest_put(&g, GUEST_MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(vector(MSI, 0).address, 0xfee0000c);
	assert_int_equal(vector(MSI, 0).data, 0x33);
	guest_end(&g);
	/* A device without vectors has no capability. */
	p.irqs[MSI].count = 0;
	guest_begin(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_find_cap(g.v, false, PCI_CAP_ID_MSI, NULL), -ENOENT);
	guest_end(&g);
}

/* ---- MSI-X ---- */

static void enable_msix(uint32_t flags)
{
	guest_put(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | flags);
}

static void test_msix(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	put_entry(2, 0x1fee00000, 0x41, 0);
	assert_int_equal(g.num_events, 0);
	enable_msix(0);
	guest_told(&g, 0, 'i', INTX, 0);
	guest_told(&g, 1, 'i', MSIX, 8);
	guest_told(&g, 2, 'v', MSIX, 2);
	assert_int_equal(g.num_events, 3);
	assert_int_equal(pp_num_armed(&p, MSIX), 1);
	assert_int_equal(vector(MSIX, 2).address, 0x1fee00000);
	assert_int_equal(vector(MSIX, 2).data, 0x41);
	assert_false(vector(MSIX, 2).masked);
	assert_int_equal(vector(MSIX, 3).eventfd, -1);
	assert_true(vector(MSIX, 3).masked);
	assert_true(pp_signal(&p, MSIX, 2));
	assert_true(fired(MSIX, 2));
	/* One more when it is unmasked for the first time. */
	put_entry(5, 0xfee00000, 0x42, 1);
	assert_int_equal(pp_num_armed(&p, MSIX), 1);
	mask_entry(5, 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 2);
	assert_true(pp_signal(&p, MSIX, 5));
	assert_true(fired(MSIX, 5));
	guest_put(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2, 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	guest_told(&g, g.num_events - 2, 'i', MSIX, 0);
	guest_told(&g, g.num_events - 1, 'i', INTX, 1);
	/* The table stays. */
	enable_msix(0);
	assert_int_equal(pp_num_armed(&p, MSIX), 2);
	guest_end(&g);
}

static void test_msix_masks(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	enable_msix(0);
	put_entry(0, 0xfee00000, 0x41, 0);
	put_entry(1, 0xfee00000, 0x42, 0);
	guest_forget(&g, &p);
	mask_entry(1, 1);
	guest_told(&g, 0, 'v', MSIX, 1);
	assert_int_equal(g.num_events, 1);
	assert_true(pp_signal(&p, MSIX, 1));
	assert_false(fired(MSIX, 1));
	assert_int_equal(guest_bar_get(&g, 2, PBA, 8), 1 << 1);
	mask_entry(1, 0);
	assert_true(fired(MSIX, 1));
	assert_int_equal(guest_bar_get(&g, 2, PBA, 8), 0);
	/* All of them, by the function's mask. */
	enable_msix(PCI_MSIX_FLAGS_MASKALL);
	assert_true(vector(MSIX, 0).masked);
	assert_true(pp_signal(&p, MSIX, 0));
	assert_false(fired(MSIX, 0));
	assert_int_equal(guest_bar_get(&g, 2, PBA, 1), 1);
	/* One that is unmasked under it stays so. */
	mask_entry(3, 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 2);
	enable_msix(0);
	assert_true(fired(MSIX, 0));
	assert_int_equal(pp_num_armed(&p, MSIX), 3);
	guest_end(&g);
}

/* A message that changes is told, one that the guest only masks is not a message. */
static void test_msix_messages(void **state)
{
	uint8_t entries[32] = { 0 };

	(void)state;
	guest_begin(&g, &p, NULL);
	enable_msix(0);
	guest_forget(&g, &p);
	guest_bar_put(&g, 2, TABLE + 16, 4, 0xfee00000);
	guest_told(&g, 0, 'v', MSIX, 1);
	assert_int_equal(g.num_events, 1);
	mask_entry(1, 1);
	assert_int_equal(g.num_events, 1);
	/* Two entries in one access. */
	assert_int_equal(vfk_pci_virtual_bar_write(g.v, 2, TABLE + 32, entries, 32), 0);
	guest_told(&g, 1, 'v', MSIX, 2);
	guest_told(&g, 2, 'v', MSIX, 3);
	assert_int_equal(pp_num_armed(&p, MSIX), 2);
	guest_end(&g);
}

static void test_msix_fails(void **state)
{
	const uint8_t one[4] = { 1 };
	uint32_t zero = 0;

	(void)state;
	guest_begin(&g, &p, NULL);
	enable_msix(0);
	put_entry(4, 0xfee00000, 0x41, 1);
	guest_forget(&g, &p);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_virtual_bar_write(g.v, 2, TABLE + 4 * 16 + 12, &zero, 4), -EIO);
	assert_int_equal(guest_bar_get(&g, 2, TABLE + 4 * 16 + 12, 4), 1);
	assert_int_equal(g.num_events, 0);
	mask_entry(4, 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 1);
	/* nor is a mask there that could not be had */
	guest_forget(&g, &p);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EIO);
	assert_int_equal(vfk_pci_virtual_bar_write(g.v, 2, TABLE + 4 * 16 + 12, one, 4), -EIO);
	assert_int_equal(guest_bar_get(&g, 2, TABLE + 4 * 16 + 12, 4), 0);
	assert_int_equal(g.num_events, 0);
	guest_end(&g);
}

/* The device sees the bits of the control register that say what is enabled, nothing else of it. */
static void test_msix_control_is_passed(void **state)
{
	(void)state;
	memset(p.writable + GUEST_MSIX + PCI_MSIX_FLAGS, 0xff, 2);
	guest_begin(&g, &p, NULL);
	enable_msix(PCI_MSIX_FLAGS_MASKALL | 0x55);
	assert_int_equal(pp_get16(&p, GUEST_MSIX + PCI_MSIX_FLAGS),
			 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL | 7);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2),
			 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL | 7);
	guest_end(&g);
}

static void test_msix_reset(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	enable_msix(0);
	put_entry(0, 0xfee00000, 0x41, 0);
	guest_forget(&g, &p);
	assert_int_equal(vfk_pci_virtual_reset(g.v), 0);
	guest_told(&g, 0, 'i', MSIX, 0);
	guest_told(&g, 1, 'i', INTX, 1);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2), 7);
	assert_int_equal(guest_bar_get(&g, 2, TABLE, 8), 0);
	assert_int_equal(guest_bar_get(&g, 2, TABLE + 12, 4), 1);
	/* The guest that comes then begins as the first one did. */
	enable_msix(0);
	put_entry(0, 0xfee00000, 0x41, 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 1);
	guest_end(&g);
}

/* A table that is in no BAR, and one that has no vectors. */
static void test_msix_broken(void **state)
{
	(void)state;
	pp_set32(&p, GUEST_MSIX + PCI_MSIX_TABLE, 0x2000 | 5);
	guest_begin(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_find_cap(g.v, false, PCI_CAP_ID_MSIX, NULL), -ENOENT);
	guest_bar_get(&g, 2, TABLE, 4);
	assert_int_equal(pp_count(&p, PP_READ), 1);
	guest_end(&g);
	pp_set32(&p, GUEST_MSIX + PCI_MSIX_TABLE, 0x2000 | 2);
	p.irqs[MSIX].count = 0;
	guest_begin(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_find_cap(g.v, false, PCI_CAP_ID_MSIX, NULL), -ENOENT);
	guest_end(&g);
	/* Fewer than entries: so many entries. */
	p.irqs[MSIX].count = 3;
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2), 2);
	guest_bar_get(&g, 2, TABLE + 3 * 16, 4);
	assert_int_equal(pp_count(&p, PP_READ), 1);
	guest_end(&g);
}

/* The most vectors that there are: armed are those that are unmasked. */
static void test_msix_of_2048(void **state)
{
	(void)state;
	pp_set16(&p, GUEST_MSIX + PCI_MSIX_FLAGS, 2047);
	pp_set32(&p, GUEST_MSIX + PCI_MSIX_TABLE, 0x10000 | 2);
	pp_set32(&p, GUEST_MSIX + PCI_MSIX_PBA, 0x20000 | 2);
	p.irqs[MSIX].count = 2048;
	guest_begin(&g, &p, NULL);
	enable_msix(0);
	guest_bar_put(&g, 2, 0x10000 + 2047 * 16 + 12, 4, 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 1);
	assert_true(pp_signal(&p, MSIX, 2047));
	assert_true(fired(MSIX, 2047));
	guest_bar_put(&g, 2, 0x10000 + 2047 * 16 + 12, 4, 1);
	assert_true(pp_signal(&p, MSIX, 2047));
	assert_int_equal(guest_bar_get(&g, 2, 0x20000 + 255, 1), 0x80);
	guest_end(&g);
}

/* Where none can be added they are all there from the beginning: one that is armed disturbs no other. */
static void test_msix_without_resize(void **state)
{
	const struct pp_call *call;

	(void)state;
	p.irqs[MSIX].flags |= VFIO_IRQ_INFO_NORESIZE;
	guest_begin(&g, &p, NULL);
	enable_msix(0);
	call = pp_call(&p, PP_SET_IRQS, 1);
	assert_non_null(call);
	assert_int_equal(call->start, 0);
	assert_int_equal(call->count, 8);
	assert_int_equal(pp_num_armed(&p, MSIX), 0);
	assert_int_equal(vector(MSIX, 5).eventfd, -1);
	guest_forget(&g, &p);
	put_entry(2, 0xfee00000, 0x41, 0);
	put_entry(5, 0xfee00000, 0x42, 0);
	put_entry(7, 0xfee00000, 0x43, 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 3);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 2)->start, 7);
	assert_int_equal(pp_call(&p, PP_SET_IRQS, 2)->count, 1);
	assert_int_equal(pp_num_armed(&p, MSIX), 3);
	assert_false(fired(MSIX, 2));
	assert_false(fired(MSIX, 7));
	assert_true(pp_signal(&p, MSIX, 7));
	assert_true(fired(MSIX, 7));
	guest_end(&g);
}

/* The guest has those that can be had; one beyond them stays masked. */
static void test_msix_without_resize_only_some(void **state)
{
	uint32_t zero = 0;

	(void)state;
	p.irqs[MSIX].flags |= VFIO_IRQ_INFO_NORESIZE;
	p.granted = 4;
	guest_begin(&g, &p, NULL);
	enable_msix(0);
	mask_entry(3, 0);
	assert_int_equal(pp_num_armed(&p, MSIX), 1);
	assert_false(fired(MSIX, 3));
	assert_int_equal(vfk_pci_virtual_bar_write(g.v, 2, TABLE + 4 * 16 + 12, &zero, 4), -ENOSPC);
	assert_int_equal(guest_bar_get(&g, 2, TABLE + 4 * 16 + 12, 4), 1);
	assert_int_equal(pp_num_armed(&p, MSIX), 1);
	guest_end(&g);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_intx),
		TEST(test_msi),
		TEST(test_msi_masks),
		TEST(test_msi_only_some),
		TEST(test_msi_fails),
		TEST(test_msi_of_32_bits),
		TEST(test_msix),
		TEST(test_msix_masks),
		TEST(test_msix_messages),
		TEST(test_msix_fails),
		TEST(test_msix_control_is_passed),
		TEST(test_msix_reset),
		TEST(test_msix_broken),
		TEST(test_msix_of_2048),
		TEST(test_msix_without_resize),
		TEST(test_msix_without_resize_only_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

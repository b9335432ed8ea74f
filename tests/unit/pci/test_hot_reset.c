/* SPDX-License-Identifier: BSD-3-Clause */
/* test_hot_reset.c - hot reset of several functions: who is reset, whose they are, and that all come back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/vfio_compat.h"
#include "puppet_pci.h"

#define BAR	0xfebf1000u
#define COMMAND (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
#define MEMBERS 40

static struct puppet_pci p[2];
static struct vfk_pci *pci[2];
static struct vfio_pci_dependent_device members[MEMBERS];
static uint32_t num_members, info_flags, asked, grows;
static int groups[2]; /* of p; -1: not told */
static unsigned int resets, num_fds;
static int reset_result;
static uint16_t command_in_reset[2];

static int op_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	size_t need = sizeof(*info) + num_members * sizeof(members[0]);
	bool fits = info->argsz >= need;

	(void)io;
	asked++;
	info->flags = info_flags;
	info->count = fits ? num_members : 0;
	for (uint32_t i = 0; i < info->count; i++)
		info->devices[i] = members[i];
	info->argsz = (uint32_t)need;
	num_members += grows;
	return 0;
}

static int op_fds(struct vfk_io *io, struct vfk_kernel_fds *fds)
{
	int which = io != &p[0].io;

	fds->group = 100 + groups[which];
	fds->group_id = groups[which];
	return 0;
}

static int op_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	(void)io;
	num_fds = reset->count;
	resets++;
	for (int i = 0; i < 2; i++) {
		command_in_reset[i] = pp_get16(&p[i], PCI_COMMAND);
		if (reset_result)
			continue;
		pp_set32(&p[i], PCI_BASE_ADDRESS_0, 0);
		pp_set16(&p[i], PCI_COMMAND, 0);
	}
	return reset_result;
}

static int setup(void **state)
{
	(void)state;
	memset(members, 0, sizeof(members));
	num_members = 2;
	members[0] = (struct vfio_pci_dependent_device){ .group_id = 7, .segment = 1, .bus = 8 };
	members[1] = members[0];
	members[1].group_id = 9;
	members[1].devfn = 0x0a;
	groups[0] = 7;
	groups[1] = 9;
	info_flags = asked = resets = num_fds = grows = 0;
	reset_result = 0;
	for (int i = 0; i < 2; i++) {
		pp_init(&p[i]);
		p[i].ops.hot_reset_info = op_info;
		p[i].ops.hot_reset = op_hot_reset;
		p[i].ops.kernel_fds = op_fds;
		memset(&p[i].writable[PCI_BASE_ADDRESS_0 + 1], 0xff, 3);
		p[i].writable[PCI_COMMAND] = 7;
		pp_set32(&p[i], PCI_BASE_ADDRESS_0, BAR + 0x1000u * (uint32_t)i);
		pp_set16(&p[i], PCI_COMMAND, COMMAND);
		pci[i] = pp_open(&p[i]);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pp_close(pci[i]);
		pp_fini(&p[i]);
	}
	return 0;
}

static void as_before(void)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pp_get32(&p[i], PCI_BASE_ADDRESS_0), BAR + 0x1000u * (uint32_t)i);
		assert_int_equal(pp_get16(&p[i], PCI_COMMAND), COMMAND);
	}
}

static void untouched(void)
{
	assert_int_equal(resets, 0);
	assert_int_equal(pp_count(&p[0], PP_WRITE), 0);
	assert_int_equal(pp_count(&p[1], PP_WRITE), 0);
	as_before();
}

static void says(const char *text)
{
	if (!strstr(vfk_error(), text))
		fail_msg("\"%s\" is not in: %s", text, vfk_error());
}

/* ---- info ---- */

static void test_info(void **state)
{
	struct vfk_pci_dependent d[2];
	size_t n = 0;

	(void)state;
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], NULL, 0, d, 2, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(d[1].segment, 1);
	assert_int_equal(d[1].bus, 8);
	assert_int_equal(d[1].slot, 1);
	assert_int_equal(d[1].function, 2);
	assert_int_equal(d[1].id, 9);
	assert_true(d[1].by_group);
	assert_int_equal(d[0].owner, VFK_PCI_OWNER_CALLER);
	assert_int_equal(d[1].owner, VFK_PCI_OWNER_OTHER);
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], &pci[1], 1, d, 2, &n), 0);
	assert_int_equal(d[1].owner, VFK_PCI_OWNER_CALLER);
	/* what is not told */
	groups[1] = -1;
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], &pci[1], 1, d, 2, &n), 0);
	assert_int_equal(d[0].owner, VFK_PCI_OWNER_CALLER);
	assert_int_equal(d[1].owner, VFK_PCI_OWNER_UNKNOWN);
	untouched();
}

static void test_info_by_iommufd(void **state)
{
	struct vfk_pci_dependent d[3];
	size_t n = 0;

	(void)state;
	info_flags = VFKI_PCI_HOT_RESET_FLAG_DEV_ID;
	num_members = 3;
	members[0].group_id = 1;
	members[1].group_id = (uint32_t)VFKI_PCI_DEVID_NOT_OWNED;
	members[2].group_id = VFKI_PCI_DEVID_OWNED;
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], &pci[1], 1, d, 3, &n), 0);
	assert_false(d[0].by_group);
	assert_int_equal(d[0].owner, VFK_PCI_OWNER_CALLER);
	assert_int_equal(d[1].owner, VFK_PCI_OWNER_OTHER);
	assert_int_equal(d[2].owner, VFK_PCI_OWNER_CALLER);
}

static void test_info_of_many(void **state)
{
	struct vfk_pci_dependent d[1];
	size_t n = 0;

	(void)state;
	num_members = MEMBERS;
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], NULL, 0, NULL, 0, &n), 0);
	assert_int_equal(n, MEMBERS);
	assert_int_equal(asked, 2);
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], NULL, 0, d, 1, &n), 0);
	assert_int_equal(n, MEMBERS);
	assert_int_equal(d[0].id, 7);
	/* one that never says the same twice */
	grows = 100;
	n = 5;
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], NULL, 0, d, 1, &n), -EAGAIN);
	assert_int_equal(n, 5);
}

static void test_info_refused(void **state)
{
	struct vfk_pci *same[2] = { pci[1], pci[1] }, *none = NULL;
	struct vfk_pci *many[VFK_PCI_HOT_RESET_MAX_OTHERS + 1] = { pci[1] };
	size_t n = 5;

	(void)state;
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], same, 2, NULL, 0, &n), -EINVAL);
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], &pci[0], 1, NULL, 0, &n), -EINVAL);
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], &none, 1, NULL, 0, &n), -EINVAL);
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], NULL, 1, NULL, 0, &n), -EINVAL);
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], many, VFK_PCI_HOT_RESET_MAX_OTHERS + 1,
						NULL, 0, &n),
			 -EINVAL);
	assert_int_equal(asked, 0);
	p[0].ops.hot_reset_info = NULL;
	assert_int_equal(vfk_pci_hot_reset_info(pci[0], NULL, 0, NULL, 0, &n), -ENOTSUP);
	assert_int_equal(n, 5);
}

/* ---- reset ---- */

static void test_both(void **state)
{
	(void)state;
	assert_int_equal(vfk_pci_hot_reset(pci[1], &pci[0], 1), 0);
	assert_int_equal(resets, 1);
	assert_int_equal(num_fds, 2);
	assert_int_equal(command_in_reset[0], 0);
	assert_int_equal(command_in_reset[1], 0);
	as_before();
}

static void test_one_is_missing(void **state)
{
	(void)state;
	assert_int_equal(vfk_pci_hot_reset(pci[0], NULL, 0), -EPERM);
	says("0001:08:01.2 (group 9)");
	untouched();
	info_flags = VFKI_PCI_HOT_RESET_FLAG_DEV_ID;
	members[0].group_id = (uint32_t)VFKI_PCI_DEVID_NOT_OWNED;
	members[1].group_id = (uint32_t)VFKI_PCI_DEVID_NOT_OWNED;
	assert_int_equal(vfk_pci_hot_reset(pci[0], &pci[1], 1), -EPERM);
	says("not ours: 0001:08:00.0, 0001:08:01.2");
	untouched();
}

/* More than there is room for in a text. */
static void test_many_are_missing(void **state)
{
	(void)state;
	num_members = MEMBERS;
	for (uint32_t i = 0; i < MEMBERS; i++)
		members[i] = (struct vfio_pci_dependent_device){ .group_id = 1000 + i };
	assert_int_equal(vfk_pci_hot_reset(pci[0], NULL, 0), -EPERM);
	says("0000:00:00.0 (group 1000), ");
	untouched();
}

static void test_refused_by_the_kernel(void **state)
{
	(void)state;
	reset_result = -EINVAL;
	assert_int_equal(vfk_pci_hot_reset(pci[0], &pci[1], 1), -EINVAL);
	says("hot reset");
	assert_int_equal(resets, 1);
	as_before();
}

static void test_one_cannot_be_stopped(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pp_fail(&p[i], PP_WRITE, 0, 1, -EFAULT);
		assert_int_equal(vfk_pci_hot_reset(pci[0], &pci[1], 1), -EFAULT);
		says("Bad address");
		assert_int_equal(resets, 0);
		as_before();
	}
}

/* The text of the failure stays while the other one is restored. */
static void test_one_is_not_restored(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pp_fail(&p[i], PP_WRITE, 1, 1, -EFAULT);
		assert_int_equal(vfk_pci_hot_reset(pci[0], &pci[1], 1), -EFAULT);
		says("after the reset: register 0x010 is not restored");
		assert_int_equal(pp_get16(&p[i], PCI_COMMAND), 0);
		assert_int_equal(pp_get16(&p[!i], PCI_COMMAND), COMMAND);
		pp_set16(&p[i], PCI_COMMAND, COMMAND);
		pp_set32(&p[i], PCI_BASE_ADDRESS_0, BAR + 0x1000u * (uint32_t)i);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_info),
		TEST(test_info_by_iommufd),
		TEST(test_info_of_many),
		TEST(test_info_refused),
		TEST(test_both),
		TEST(test_one_is_missing),
		TEST(test_many_are_missing),
		TEST(test_refused_by_the_kernel),
		TEST(test_one_cannot_be_stopped),
		TEST(test_one_is_not_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* test_virtual_cap.c - the capabilities that a guest finds: hidden, added, changed, and lists that always end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest.h"

static struct puppet_pci p;
static struct guest g;
static const struct vfk_pci_virtual_opts on_port = { .size = sizeof(on_port),
						     .bus = VFK_PCI_BUS_PORT };

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

/* ---- walking as a guest does, by reads of config space alone ---- */

/* Writes the ids to @ids, and returns how many; fails the test where a list does not end or leads away. */
static size_t walk(bool extended, uint16_t *ids)
{
	uint32_t at = extended ? PCI_CFG_SPACE_SIZE : guest_get(&g, PCI_CAPABILITY_LIST, 1);
	size_t n = 0;
	uint32_t header;

	if (!extended && !(guest_get(&g, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		at = 0;
	for (int steps = 0; at; steps++) {
		assert_true(steps < 1024);
		assert_int_equal(at % 4, 0);
		assert_in_range(at, extended ? PCI_CFG_SPACE_SIZE : PCI_STD_HEADER_SIZEOF,
				extended ? p.config_size - 4 : PCI_CFG_SPACE_SIZE - 4);
		header = guest_get(&g, at, extended ? 4 : 2);
		if (extended && header && PCI_EXT_CAP_ID(header))
			ids[n++] = PCI_EXT_CAP_ID(header);
		else if (!extended)
			ids[n++] = header & 0xff;
		at = extended ? PCI_EXT_CAP_NEXT(header) : header >> 8;
	}
	return n;
}

static void finds(bool extended, const uint16_t *want, size_t num)
{
	uint16_t ids[1024];
	size_t n = walk(extended, ids);

	assert_int_equal(n, num);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ids[i], want[i]);
		assert_int_equal(vfk_pci_virtual_find_cap(g.v, extended, ids[i], NULL), 0);
	}
}

#define FINDS(extended, ...)                                            \
	do {                                                            \
		const uint16_t want_[] = { __VA_ARGS__ };               \
		finds(extended, want_, sizeof(want_) / sizeof(*want_)); \
	} while (0)

/* ---- lists ---- */

static void test_lists(void **state)
{
	(void)state;
	pp_ext_cap(&p, 0x100, PCI_EXT_CAP_ID_ERR);
	pp_ext_cap(&p, 0x200, PCI_EXT_CAP_ID_DSN);
	guest_begin(&g, &p, &on_port);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	FINDS(true, PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_DSN);
	guest_put(&g, PCI_CAPABILITY_LIST, 1, 0);
	guest_put(&g, 0x100, 4, 0);
	guest_put(&g, GUEST_PM, 4, 0);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	FINDS(true, PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_DSN);
	guest_end(&g);
	/* There is no extended config space on a conventional bus. */
	guest_begin(&g, &p, NULL);
	finds(true, NULL, 0);
	assert_int_equal(guest_get(&g, 0x100, 4), 0);
	assert_int_equal(vfk_pci_virtual_find_cap(g.v, true, PCI_EXT_CAP_ID_ERR, NULL), -ENOENT);
	guest_end(&g);
	p.config_size = 256;
	guest_begin(&g, &p, &on_port);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	guest_end(&g);
}

static void test_default_hiding(void **state)
{
	struct vfk_pci_virtual_opts all = on_port;
	uint32_t rebar = 0x180;

	(void)state;
	pp_ext_cap(&p, 0x100, PCI_EXT_CAP_ID_SRIOV);
	pp_set32(&p, 0x108, 0xffffffff);
	pp_ext_cap(&p, 0x150, PCI_EXT_CAP_ID_ERR);
	pp_ext_cap(&p, rebar, PCI_EXT_CAP_ID_REBAR);
	pp_set32(&p, rebar + PCI_REBAR_CAP, 0x1f0);
	pp_set32(&p, rebar + PCI_REBAR_CTRL, 1 << PCI_REBAR_CTRL_NBAR_SHIFT);
	pp_set32(&p, rebar + 12, 0x12345678); /* not its own any more */
	for (uint32_t id = PCI_EXT_CAP_ID_ARI; id <= PCI_EXT_CAP_ID_ATS; id++)
		pp_ext_cap(&p, 0x200 + 16 * id, (uint16_t)id);
	pp_ext_cap(&p, 0x400, PCI_EXT_CAP_ID_L1SS);
	pp_ext_cap(&p, 0x420, PCI_EXT_CAP_ID_LTR);
	pp_ext_cap(&p, 0x430, PCI_EXT_CAP_ID_PASID);
	pp_ext_cap(&p, 0x440, 0x24);
	guest_begin(&g, &p, &on_port);
	FINDS(true, PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_LTR);
	assert_int_equal(vfk_pci_virtual_find_cap(g.v, true, PCI_EXT_CAP_ID_SRIOV, NULL), -ENOENT);
	/* The registers are not there either, whoever knows their place; what follows them is. */
	assert_int_equal(guest_get(&g, 0x100, 2), 0);
	assert_int_equal(guest_get(&g, 0x108, 4), 0);
	guest_put(&g, 0x108, 4, 1);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	assert_int_equal(guest_get(&g, rebar + PCI_REBAR_CAP, 4), 0);
	assert_int_equal(guest_get(&g, rebar + 12, 4), 0x12345678);
	guest_end(&g);
	all.flags = VFK_PCI_VIRTUAL_KEEP_CAPS;
	guest_begin(&g, &p, &all);
	FINDS(true, PCI_EXT_CAP_ID_SRIOV, PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_REBAR,
	      PCI_EXT_CAP_ID_ARI, PCI_EXT_CAP_ID_ATS, PCI_EXT_CAP_ID_L1SS, PCI_EXT_CAP_ID_LTR,
	      PCI_EXT_CAP_ID_PASID, 0x24);
	guest_end(&g);
}

static void test_enhanced_allocation(void **state)
{
	(void)state;
	pp_cap(&p, 0xc0, PCI_CAP_ID_EA);
	p.config[0xc2] = 1;
	pp_set32(&p, 0xc8, 0xdeadb000);
	guest_begin(&g, &p, NULL);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	assert_int_equal(guest_get(&g, 0xc8, 4), 0);
	guest_end(&g);
}

static void test_hide(void **state)
{
	(void)state;
	pp_cap(&p, 0xc0, PCI_CAP_ID_VNDR);
	p.config[0xc2] = 8;
	pp_set32(&p, 0xc4, 0x55667788);
	pp_cap(&p, 0xd0, PCI_CAP_ID_VNDR);
	pp_ext_cap(&p, 0x100, PCI_EXT_CAP_ID_ERR);
	guest_create(&g, &p, &on_port);
	assert_int_equal(guest_get(&g, 0xc4, 4), 0x55667788);
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, false, PCI_CAP_ID_VNDR), 0);
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, false, PCI_CAP_ID_VNDR), -ENOENT);
	assert_int_equal(guest_get(&g, 0xc4, 4), 0);
	/* The first of a list, and the last. */
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, false, PCI_CAP_ID_PM), 0);
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, false, PCI_CAP_ID_MSIX), 0);
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, true, PCI_EXT_CAP_ID_ERR), 0);
	FINDS(false, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP);
	finds(true, NULL, 0);
	assert_int_equal(guest_get(&g, 0x100, 4), 0);
	/* What is hidden cannot be enabled. */
	assert_int_equal(vfk_pci_virtual_reset(g.v), 0);
	guest_put(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_INTX_IRQ_INDEX), 1);
	/* And none of all. */
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, false, PCI_CAP_ID_MSI), 0);
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, false, PCI_CAP_ID_EXP), 0);
	finds(false, NULL, 0);
	assert_int_equal(guest_get(&g, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);
	guest_end(&g);
}

/* Up to the break a list is good, and that is all the guest gets. */
static void test_broken_lists(void **state)
{
	(void)state;
	pp_ext_cap(&p, 0x100, PCI_EXT_CAP_ID_ERR);
	pp_ext_cap(&p, 0x200, PCI_EXT_CAP_ID_DSN);
	p.config[GUEST_MSIX + 1] = GUEST_PM;
	pp_set16(&p, 0x202, 0x1001);
	guest_begin(&g, &p, &on_port);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	FINDS(true, PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_DSN);
	guest_end(&g);
	p.config[GUEST_MSI + 1] = 0x10;
	pp_set16(&p, 0x102, 0x0041);
	guest_begin(&g, &p, &on_port);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI);
	FINDS(true, PCI_EXT_CAP_ID_ERR);
	guest_end(&g);
	p.config[PCI_CAPABILITY_LIST] = 0x3c;
	guest_begin(&g, &p, &on_port);
	finds(false, NULL, 0);
	guest_end(&g);
}

/* Whatever a device has in its config space, a guest's walk ends; and no access here does harm. */
static void test_garbage(void **state)
{
	(void)state;
	srandom(42);
	for (int round = 0; round < 300; round++) {
		struct vfk_pci_virtual_opts opts = on_port;
		uint16_t ids[1024];
		uint32_t off = 0;

		for (uint32_t i = PCI_STD_HEADER_SIZEOF; i < sizeof(p.config); i++)
			p.config[i] = (uint8_t)random() & (random() % 3 ? 0xff : 0x1c);
		p.config[PCI_CAPABILITY_LIST] = (uint8_t)random();
		p.config_size = 64 + (uint32_t)random() % (4096 - 64);
		opts.flags = random() % 2 ? VFK_PCI_VIRTUAL_KEEP_CAPS : 0;
		/* It may be a port of PCI Express, which is no device for a guest. */
		g.pci = pp_open(&p);
		if (vfk_pci_virtual_create(g.pci, &opts, &g.v) < 0) {
			assert_non_null(strstr(vfk_error(), "no endpoint"));
			pp_close(g.pci);
			continue;
		}
		g.num_events = 0;
		p.config_size &= ~3u;
		walk(false, ids);
		if (p.config_size > PCI_CFG_SPACE_SIZE)
			walk(true, ids);
		(void)vfk_pci_virtual_add_cap(g.v, PCI_CAP_ID_VNDR, "\4", 1, NULL, &off);
		walk(false, ids);
		for (uint32_t at = 0; at < 4096; at += 4) {
			(void)vfk_pci_virtual_config_write(g.v, at, 4, (uint32_t)random());
			(void)guest_get(&g, at, 4);
		}
		guest_end(&g);
		pp_forget(&p);
	}
}

/* ---- adding ---- */

static void test_add(void **state)
{
	const uint8_t data[] = { 6, 0x11, 0x22, 0x33 }, writable[] = { 0, 0xff, 0x0f, 0 };
	uint32_t off = 0xe0;

	(void)state;
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_add_cap(g.v, PCI_CAP_ID_VNDR, data, 4, writable, &off), 0);
	assert_int_equal(off, 0xe0);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX,
	      PCI_CAP_ID_VNDR);
	assert_int_equal(guest_get(&g, 0xe0, 4), 0x11060009);
	guest_put(&g, 0xe0, 4, 0xffffffff);
	guest_put(&g, 0xe4, 2, 0xffff);
	assert_int_equal(guest_get(&g, 0xe0, 4), 0xff060009);
	assert_int_equal(guest_get(&g, 0xe4, 2), 0x332f);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	/* It is one like any other. */
	assert_int_equal(vfk_pci_virtual_hide_cap(g.v, false, PCI_CAP_ID_VNDR), 0);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	guest_end(&g);
}

static void test_add_finds_a_hole(void **state)
{
	uint8_t data[64] = { 0 };
	uint32_t off = 0;

	(void)state;
	/* PM ends at 0x48, MSI begins at 0x50; in between is a register that no capability tells of. */
	p.config[0x48] = 1;
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_add_cap(g.v, PCI_CAP_ID_VNDR, data, 2, NULL, &off), 0);
	assert_int_equal(off, 0x4c);
	off = 0;
	/* MSI: 24 bytes up to 0x68, PCI Express from 0x70 to 0xac, MSI-X from 0xb0 to 0xbc. */
	assert_int_equal(vfk_pci_virtual_add_cap(g.v, PCI_CAP_ID_VNDR, data, 6, NULL, &off), 0);
	assert_int_equal(off, 0x68);
	off = 0;
	assert_int_equal(vfk_pci_virtual_add_cap(g.v, PCI_CAP_ID_VNDR, data, 64, NULL, &off), 0);
	assert_int_equal(off, 0xbc);
	off = 0;
	assert_int_equal(vfk_pci_virtual_add_cap(g.v, PCI_CAP_ID_VNDR, data, 3, NULL, &off),
			 -ENOSPC);
	assert_int_equal(off, 0);
	guest_end(&g);
}

static void test_add_refusals(void **state)
{
	static const struct {
		uint32_t off;
		size_t len;
		int want;
	} cases[] = {
		{ 0x3c, 2, -EINVAL },  { 0xe2, 2, -EINVAL },   { 0xfc, 3, -EINVAL },
		{ 0x100, 2, -EINVAL }, { 0xe0, 300, -EINVAL }, { 0x44, 2, -EEXIST },
		{ 0x4c, 6, -EEXIST },
	};
	uint8_t data[300] = { 0 };

	(void)state;
	guest_create(&g, &p, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t off = cases[i].off;

		assert_int_equal(vfk_pci_virtual_add_cap(g.v, 9, data, cases[i].len, NULL, &off),
				 cases[i].want);
		assert_int_equal(off, cases[i].off);
	}
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	guest_end(&g);
}

static void test_gpudirect(void **state)
{
	uint32_t off;

	(void)state;
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_add_gpudirect_clique(g.v, 16), -ERANGE);
	assert_int_equal(vfk_pci_virtual_add_gpudirect_clique(g.v, 5), -ENOTSUP);
	guest_end(&g);
	pp_set16(&p, PCI_VENDOR_ID, 0x10de);
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_add_gpudirect_clique(g.v, 5), -ENOTSUP);
	guest_end(&g);
	pp_set32(&p, PCI_CLASS_REVISION, 0x03020000);
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_add_gpudirect_clique(g.v, 5), 0);
	assert_int_equal(vfk_pci_virtual_find_cap(g.v, false, PCI_CAP_ID_VNDR, &off), 0);
	assert_int_equal(off, 0xc8);
	assert_int_equal(guest_get(&g, 0xc8, 4), 0x50080009);
	assert_int_equal(guest_get(&g, 0xcc, 4), 0x00285032);
	assert_int_equal(vfk_pci_virtual_add_gpudirect_clique(g.v, 6), -EEXIST);
	guest_end(&g);
	/* Newer ones have something of their own there. */
	pp_cap(&p, 0xc8, PCI_CAP_ID_VNDR);
	p.config[0xca] = 8;
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_add_gpudirect_clique(g.v, 15), 0);
	assert_int_equal(guest_get(&g, 0xd4, 4), 0x50080009);
	assert_int_equal(guest_get(&g, 0xd8, 4), 0x00785032);
	guest_end(&g);
	p.config[0xca] = 0x20;
	guest_create(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_add_gpudirect_clique(g.v, 15), -EEXIST);
	guest_end(&g);
}

/* ---- PCI Express ---- */

static unsigned int express_type(void)
{
	return (guest_get(&g, GUEST_EXP + PCI_EXP_FLAGS, 2) & PCI_EXP_FLAGS_TYPE) >> 4;
}

static void begin_on(enum vfk_pci_virtual_bus bus, unsigned int type)
{
	const struct vfk_pci_virtual_opts opts = { .size = sizeof(opts), .bus = bus };

	pp_set16(&p, GUEST_EXP + PCI_EXP_FLAGS, (uint16_t)(2 | type << 4));
	guest_begin(&g, &p, &opts);
}

static void test_express_on_root(void **state)
{
	(void)state;
	begin_on(VFK_PCI_BUS_ROOT, PCI_EXP_TYPE_ENDPOINT);
	assert_int_equal(express_type(), PCI_EXP_TYPE_RC_END);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_LNKCAP, 4), 0);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_LNKCTL, 4), 0);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_DEVCAP, 4), PCI_EXP_DEVCAP_FLR);
	guest_end(&g);
	begin_on(VFK_PCI_BUS_ROOT, PCI_EXP_TYPE_RC_END);
	assert_int_equal(express_type(), PCI_EXP_TYPE_RC_END);
	guest_end(&g);
	begin_on(VFK_PCI_BUS_ROOT, PCI_EXP_TYPE_LEG_END);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX);
	guest_end(&g);
}

static void test_express_below_port(void **state)
{
	(void)state;
	begin_on(VFK_PCI_BUS_PORT, PCI_EXP_TYPE_RC_END);
	assert_int_equal(express_type(), PCI_EXP_TYPE_ENDPOINT);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_LNKCAP, 4), 0x11);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_LNKSTA, 2), 0x11);
	guest_end(&g);
	begin_on(VFK_PCI_BUS_PORT, PCI_EXP_TYPE_ENDPOINT);
	assert_int_equal(express_type(), PCI_EXP_TYPE_ENDPOINT);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_LNKCAP, 4), 0x143);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_LNKSTA, 2), 0x43);
	/* The guest switches its end of the link, which is not the host's. */
	guest_put(&g, GUEST_EXP + PCI_EXP_LNKCTL, 2, PCI_EXP_LNKCTL_ASPM_L1);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_LNKCTL, 2), PCI_EXP_LNKCTL_ASPM_L1);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	guest_end(&g);
	begin_on(VFK_PCI_BUS_CONVENTIONAL, PCI_EXP_TYPE_ENDPOINT);
	assert_int_equal(express_type(), PCI_EXP_TYPE_ENDPOINT);
	guest_end(&g);
}

static void test_express_version(void **state)
{
	(void)state;
	pp_set16(&p, GUEST_EXP + PCI_EXP_FLAGS, 0);
	guest_begin(&g, &p, &on_port);
	assert_int_equal(guest_get(&g, GUEST_EXP + PCI_EXP_FLAGS, 2), 1);
	guest_end(&g);
}

/* A capability of the library's that would lie in another one is none, nor is a second one. */
static void test_unusable_messages(void **state)
{
	(void)state;
	pp_cap(&p, 0xd0, PCI_CAP_ID_MSI);
	guest_begin(&g, &p, NULL);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX);
	guest_end(&g);
	pp_cap(&p, GUEST_MSI + PCI_MSI_MASK_64, PCI_CAP_ID_VNDR);
	guest_begin(&g, &p, NULL);
	FINDS(false, PCI_CAP_ID_PM, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX, PCI_CAP_ID_MSI,
	      PCI_CAP_ID_VNDR);
	guest_end(&g);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lists),
		TEST(test_default_hiding),
		TEST(test_enhanced_allocation),
		TEST(test_hide),
		TEST(test_broken_lists),
		TEST(test_garbage),
		TEST(test_add),
		TEST(test_add_finds_a_hole),
		TEST(test_add_refusals),
		TEST(test_gpudirect),
		TEST(test_express_on_root),
		TEST(test_express_below_port),
		TEST(test_express_version),
		TEST(test_unusable_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

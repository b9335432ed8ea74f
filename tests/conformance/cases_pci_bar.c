/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_pci_bar.c - BARs of any PCI device, and the registers behind them. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

static struct vfk_pci *open_pci(struct t *t)
{
	struct vfk_pci *pci = NULL;

	case_need_pci(t);
	CHECK_OK(t, vfk_pci_open(t->dev, &pci));
	return pci;
}

static struct vfk_pci_bar_info bar_info(struct t *t, const struct vfk_pci *pci, unsigned int bar)
{
	struct vfk_pci_bar_info info = { 0 };

	CHECK_OK(t, vfk_pci_bar_get_info(pci, bar, &info));
	return info;
}

static void pci_bar_is_its_region(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	bool wide = false;

	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++) {
		struct vfk_pci_bar_info info = bar_info(t, pci, i);

		CHECK_EQ(t, info.upper, wide);
		CHECK_EQ(t, info.size, case_region(t, i)->size);
		CHECK(t, info.oddity == NULL);
		CHECK(t, info.size || !info.flags);
		wide = info.flags & VFK_BAR_64;
	}
	CHECK(t, !wide);
	vfk_pci_close(pci);
}

static void pci_bar_bounds(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	struct vfk_pci_bar_info none;
	uint64_t v64;
	uint8_t v8;

	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++) {
		uint64_t size = bar_info(t, pci, i).size;

		CHECK_EQ(t, vfk_pci_read8(pci, i, size, &v8), -EINVAL);
		CHECK_EQ(t, vfk_pci_write8(pci, i, size, 0), -EINVAL);
		CHECK_EQ(t, vfk_pci_read64(pci, i, size > 7 ? size - 7 : 0, &v64), -EINVAL);
		CHECK_EQ(t, vfk_pci_write64(pci, i, UINT64_MAX - 3, 0), -EINVAL);
	}
	CHECK_EQ(t, vfk_pci_bar_get_info(pci, VFK_PCI_NUM_BARS, &none), -EINVAL);
	CHECK_EQ(t, vfk_pci_read8(pci, VFK_PCI_NUM_BARS, 0, &v8), -EINVAL);
	CHECK_EQ(t, vfk_pci_write8(pci, UINT32_MAX, 0, 0), -EINVAL);
	vfk_pci_close(pci);
}

/* Whether a range of a BAR shares a page with MSI-X table or pending bits. */
static bool touches_msix(struct t *t, struct vfk_pci *pci, unsigned int bar,
			 const struct vfk_region_area *area)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint32_t cap, control, where[2];

	if (vfk_pci_cap_find(pci, PCI_CAP_ID_MSIX, &cap) < 0)
		return false;
	CHECK_OK(t, vfk_pci_config_read(pci, cap + PCI_MSIX_FLAGS, 2, &control));
	CHECK_OK(t, vfk_pci_config_read(pci, cap + PCI_MSIX_TABLE, 4, &where[0]));
	CHECK_OK(t, vfk_pci_config_read(pci, cap + PCI_MSIX_PBA, 4, &where[1]));
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t n = (control & PCI_MSIX_FLAGS_QSIZE) + 1;
		uint64_t first = where[i] & PCI_MSIX_TABLE_OFFSET;
		uint64_t last = first + (i ? (n + 63) / 64 * 8 : n * 16) - 1;

		if ((where[i] & PCI_MSIX_TABLE_BIR) == bar && area->offset <= (last | (page - 1)) &&
		    first / page * page < area->offset + area->length)
			return true;
	}
	return false;
}

static void pci_bar_areas_without_msix(struct t *t)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct vfk_pci *pci = open_pci(t);
	const void *cap;
	size_t len;

	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++) {
		const struct vfk_region_info *info = case_region(t, i);
		bool may = vfk_region_cap(info, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, &cap, &len) ==
			   0;
		struct vfk_region_area area = { 0 };
		uint64_t end = 0;
		int ret;

		while ((ret = vfk_pci_bar_next_area(pci, i, &area)) == 1) {
			CHECK(t, area.length && area.offset >= end && area.offset % page == 0);
			end = area.offset + area.length;
			CHECK(t, end <= info->size);
			CHECK(t, may || !touches_msix(t, pci, i, &area));
		}
		CHECK_OK(t, ret);
		CHECK(t, info->num_areas || !end);
	}
	vfk_pci_close(pci);
}

/* A BAR can be mapped and unmapped as often as one likes, whether there is something to map or not. */
static void pci_bar_map_any(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);

	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++)
			CHECK_OK(t, vfk_pci_bar_map(pci, i));
	}
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++)
			CHECK_OK(t, vfk_pci_bar_unmap(pci, i));
	}
	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++)
		CHECK_OK(t, vfk_pci_bar_map(pci, i));
	CHECK_EQ(t, vfk_pci_bar_map(pci, VFK_PCI_NUM_BARS), -EINVAL);
	vfk_pci_close(pci);
}

static void pci_bar_map_range(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);

	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++) {
		uint64_t size = bar_info(t, pci, i).size;
		struct vfk_region_area area = { 0 };
		void *addr = &area;

		CHECK_EQ(t, vfk_pci_bar_map_range(pci, i, size, 1, PROT_READ, &addr), -EINVAL);
		CHECK_EQ(t, vfk_pci_bar_map_range(pci, i, 0, 0, PROT_READ, &addr), -EINVAL);
		CHECK(t, addr == &area);
		if (vfk_pci_bar_next_area(pci, i, &area) != 1) {
			if (size)
				CHECK_EQ(t, vfk_pci_bar_map_range(pci, i, 0, 1, PROT_READ, &addr),
					 -ENOTSUP);
			continue;
		}
		CHECK_OK(t, vfk_pci_bar_map_range(pci, i, area.offset + 4, area.length - 4,
						  PROT_READ, &addr));
		CHECK_EQ(t, (uintptr_t)addr % 4096, 4);
		CHECK_OK(t, vfk_pci_bar_unmap_range(pci, addr));
		CHECK_EQ(t, vfk_pci_bar_unmap_range(pci, addr), -ENOENT);
	}
	vfk_pci_close(pci);
}

static void compare(struct t *t, struct vfk_pci *pci, const struct engine *e, uint32_t seed)
{
	for (uint32_t value = seed; value; value <<= 8) {
		uint32_t v32 = 0;

		CHECK_OK(t, vfk_pci_write32(pci, e->bar, e->scratch, value));
		CHECK_OK(t, vfk_pci_read32(pci, e->bar, e->scratch, &v32));
		CHECK_EQ(t, v32, e->scratch_reads(value));
		CHECK_EQ(t, case_get(t, e->bar, e->scratch, 4), e->scratch_reads(value));
		case_put(t, e->bar, e->scratch, 4, ~value);
		CHECK_OK(t, vfk_pci_read32(pci, e->bar, e->scratch, &v32));
		CHECK_EQ(t, v32, e->scratch_reads(~value));
	}
}

/* A register is the same one by the vector, through the mapping, and when the mapping is gone. */
static void pci_bar_register(struct t *t)
{
	const struct engine *e = engine_find(t);
	struct vfk_pci *pci = open_pci(t);

	compare(t, pci, e, 0x12345678);
	CHECK_OK(t, vfk_pci_bar_map(pci, e->bar));
	compare(t, pci, e, 0x9abcdef1);
	CHECK_OK(t, vfk_pci_bar_unmap(pci, e->bar));
	compare(t, pci, e, 0x0fedcba9);
	vfk_pci_close(pci);
}

const struct vfk_case vfk_cases_pci_bar[] = {
	{ "pci_bar_is_its_region", pci_bar_is_its_region },
	{ "pci_bar_bounds", pci_bar_bounds },
	{ "pci_bar_areas_without_msix", pci_bar_areas_without_msix },
	{ "pci_bar_map_any", pci_bar_map_any },
	{ "pci_bar_map_range", pci_bar_map_range },
	{ "pci_bar_register", pci_bar_register },
	{ NULL, NULL },
};

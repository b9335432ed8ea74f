/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_info.c - what a device says of itself, and that it keeps saying it. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "case.h"

static void info_type(struct t *t)
{
	const uint32_t types = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_PLATFORM |
			       VFIO_DEVICE_FLAGS_AMBA | VFIO_DEVICE_FLAGS_CCW |
			       VFIO_DEVICE_FLAGS_AP | VFIO_DEVICE_FLAGS_FSL_MC;
	uint32_t type = vfk_device_flags(t->dev) & types;

	CHECK(t, type != 0);
	CHECK_EQ(t, type & (type - 1), 0);
	CHECK(t, vfk_device_name(t->dev)[0] != '\0');
}

/* Of regions and interrupts as many as fit; no device has more than a dozen. */
#define MAX_INDEXES 64

struct remembered {
	uint32_t flags, regions, irqs;
	struct vfk_region_info region[MAX_INDEXES]; /* but for what it points to */
	struct vfk_irq_info irq[MAX_INDEXES];
};

static void remember(struct t *t, struct remembered *r)
{
	memset(r, 0, sizeof(*r));
	r->flags = vfk_device_flags(t->dev);
	r->regions = vfk_device_num_regions(t->dev);
	r->irqs = vfk_device_num_irqs(t->dev);
	for (uint32_t i = 0; i < r->regions && i < MAX_INDEXES; i++)
		r->region[i] = *case_region(t, i);
	for (uint32_t i = 0; i < r->irqs && i < MAX_INDEXES; i++)
		r->irq[i] = case_irq(t, i);
}

static void info_stable(struct t *t)
{
	struct remembered r;

	remember(t, &r);
	case_reopen(t);
	CHECK_EQ(t, vfk_device_flags(t->dev), r.flags);
	CHECK_EQ(t, vfk_device_num_regions(t->dev), r.regions);
	CHECK_EQ(t, vfk_device_num_irqs(t->dev), r.irqs);
	for (uint32_t i = 0; i < r.regions && i < MAX_INDEXES; i++) {
		CHECK_EQ(t, case_region(t, i)->flags, r.region[i].flags);
		CHECK_EQ(t, case_region(t, i)->size, r.region[i].size);
		CHECK_EQ(t, case_region(t, i)->num_areas, r.region[i].num_areas);
	}
	for (uint32_t i = 0; i < r.irqs && i < MAX_INDEXES; i++) {
		CHECK_EQ(t, case_irq(t, i).flags, r.irq[i].flags);
		CHECK_EQ(t, case_irq(t, i).count, r.irq[i].count);
	}
}

static void info_regions_stable(struct t *t)
{
	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		const struct vfk_region_info *a = case_region(t, i);
		const struct vfk_region_info *b = case_region(t, i);
		uint64_t end = 0;

		CHECK_EQ(t, a->index, i);
		CHECK(t, a == b);
		for (uint32_t n = 0; n < a->num_areas; n++) {
			CHECK(t, a->areas[n].length > 0);
			CHECK(t, a->areas[n].offset >= end);
			end = a->areas[n].offset + a->areas[n].length;
			CHECK(t, end > a->areas[n].offset && end <= a->size);
		}
		CHECK_EQ(t, a->num_areas > 0, (a->flags & VFIO_REGION_INFO_FLAG_MMAP) != 0);
	}
}

static void info_region_index_at_count(struct t *t)
{
	const struct vfk_region_info *info = NULL;
	uint32_t count = vfk_device_num_regions(t->dev);

	CHECK_EQ(t, vfk_region_get_info(t->dev, count, &info), -EINVAL);
	CHECK_EQ(t, vfk_region_get_info(t->dev, UINT32_MAX, &info), -EINVAL);
	CHECK(t, info == NULL);
	CHECK(t, strstr(vfk_error(), vfk_device_name(t->dev)) != NULL);
}

static void info_irq_index_at_count(struct t *t)
{
	struct vfk_irq_info info;
	uint32_t count = vfk_device_num_irqs(t->dev);

	CHECK_EQ(t, vfk_irq_get_info(t->dev, count, &info), -EINVAL);
	CHECK_EQ(t, vfk_irq_get_info(t->dev, UINT32_MAX, &info), -EINVAL);
	CHECK(t, strstr(vfk_error(), vfk_device_name(t->dev)) != NULL);
}

static void info_irqs(struct t *t)
{
	for (uint32_t i = 0; i < vfk_device_num_irqs(t->dev); i++) {
		struct vfk_irq_info info = case_irq(t, i);

		CHECK_EQ(t, info.index, i);
		if (info.count)
			CHECK(t, info.flags & VFIO_IRQ_INFO_EVENTFD);
		if (info.flags & VFIO_IRQ_INFO_AUTOMASKED)
			CHECK(t, info.flags & VFIO_IRQ_INFO_MASKABLE);
	}
}

static void info_pci_indices(struct t *t)
{
	case_need_pci(t);
	CHECK(t, vfk_device_num_regions(t->dev) >= VFIO_PCI_NUM_REGIONS);
	CHECK(t, vfk_device_num_irqs(t->dev) >= VFIO_PCI_NUM_IRQS);
	/* 256 bytes but for the kernel's sample "mtty", which has 255 */
	CHECK(t, case_region(t, VFIO_PCI_CONFIG_REGION_INDEX)->size >= PCI_STD_HEADER_SIZEOF);
	CHECK_EQ(t,
		 case_region(t, VFIO_PCI_CONFIG_REGION_INDEX)->flags &
			 (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE),
		 VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	CHECK(t, case_irq(t, VFIO_PCI_INTX_IRQ_INDEX).count <= 1);
	CHECK(t, case_irq(t, VFIO_PCI_MSI_IRQ_INDEX).count <= 32);
	CHECK(t, case_irq(t, VFIO_PCI_MSIX_IRQ_INDEX).count <= 2048);
}

static void info_cap_absent(struct t *t)
{
	const void *cap = NULL;
	size_t len = 0;

	CHECK_EQ(t, vfk_device_cap(t->dev, 0xfff0, &cap, &len), -ENOENT);
	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++)
		CHECK_EQ(t, vfk_region_cap(case_region(t, i), 0xfff0, &cap, &len), -ENOENT);
	CHECK(t, cap == NULL);
}

/* A region that says its type is found by it. */
static void info_typed_regions(struct t *t)
{
	uint32_t typed = 0;

	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		struct vfio_region_info_cap_type type = { 0 };
		const struct vfk_region_info *found = NULL;
		const void *cap = NULL;
		size_t len = 0;

		if (vfk_region_cap(case_region(t, i), VFIO_REGION_INFO_CAP_TYPE, &cap, &len))
			continue;
		typed++;
		CHECK(t, len >= sizeof(type));
		memcpy(&type, cap, sizeof(type));
		CHECK_OK(t, vfk_region_find(t->dev, type.type, type.subtype, &found));
		CHECK(t, found->index <= i);
		CHECK_EQ(t, vfk_region_find(t->dev, type.type, ~type.subtype, &found), -ENOENT);
	}
	if (!typed)
		case_skip("no region says a type");
}

const struct vfk_case vfk_cases_info[] = {
	{ "info_type", info_type },
	{ "info_stable", info_stable },
	{ "info_regions_stable", info_regions_stable },
	{ "info_region_index_at_count", info_region_index_at_count },
	{ "info_irq_index_at_count", info_irq_index_at_count },
	{ "info_irqs", info_irqs },
	{ "info_pci_indices", info_pci_indices },
	{ "info_typed_regions", info_typed_regions },
	{ "info_cap_absent", info_cap_absent },
	{ NULL, NULL },
};

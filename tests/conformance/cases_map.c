/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_map.c - mapping regions into the process. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "case.h"
#include "engine.h"

/* The first region that can be mapped, or a skip. */
static const struct vfk_region_info *mappable(struct t *t)
{
	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		const struct vfk_region_info *info = case_region(t, i);

		if (info->num_areas && info->areas[0].length >= 4096 &&
		    (info->flags & VFIO_REGION_INFO_FLAG_WRITE))
			return info;
	}
	case_skip("no region can be mapped");
}

static void map_not_mappable(struct t *t)
{
	void *addr = NULL;

	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		const struct vfk_region_info *info = case_region(t, i);

		if (info->size && !info->num_areas) {
			CHECK_EQ(t, vfk_region_map(t->dev, i, 0, 4096, PROT_READ, &addr), -ENOTSUP);
			CHECK(t, addr == NULL);
			return;
		}
	}
	case_skip("every region can be mapped");
}

static void map_index_at_count(struct t *t)
{
	void *addr = NULL;

	CHECK_EQ(t,
		 vfk_region_map(t->dev, vfk_device_num_regions(t->dev), 0, 4096, PROT_READ, &addr),
		 -EINVAL);
	CHECK_EQ(t, vfk_region_unmap(t->dev, &addr), -ENOENT);
}

static void map_bad_range(struct t *t)
{
	const struct vfk_region_info *info = mappable(t);
	uint64_t off = info->areas[0].offset;
	void *addr = NULL;

	CHECK_EQ(t, vfk_region_map(t->dev, info->index, off + 1, 4096, PROT_READ, &addr), -EINVAL);
	CHECK_EQ(t, vfk_region_map(t->dev, info->index, off, 0, PROT_READ, &addr), -EINVAL);
	CHECK_EQ(t, vfk_region_map(t->dev, info->index, off, info->size + 4096, PROT_READ, &addr),
		 -EINVAL);
	CHECK_EQ(t, vfk_region_map(t->dev, info->index, UINT64_MAX - 4095, 8192, PROT_READ, &addr),
		 -EINVAL);
	CHECK(t, addr == NULL);
}

/*
 * What is mapped and what is read by messages is the same memory, or the same register. What can be written without
 * effect is known of some devices; on the others the first word is tried, and only reading is compared where it keeps
 * to itself.
 */
static uint64_t writable_word(struct t *t, const struct vfk_region_info *info, bool *writable)
{
	uint64_t off = info->areas[0].offset, old, now;
	const struct engine *e = engine_known(t);

	*writable = true;
	if (e && e->bar == info->index)
		return e->scratch;
	old = case_get(t, info->index, off, 4);
	case_put(t, info->index, off, 4, ~old & 0xffffffff);
	now = case_get(t, info->index, off, 4);
	case_put(t, info->index, off, 4, old);
	*writable = now == (~old & 0xffffffff);
	return off;
}

static void map_agrees_with_access(struct t *t)
{
	const struct vfk_region_info *info = mappable(t);
	uint64_t first = info->areas[0].offset, off;
	uint32_t (*reads)(uint32_t written) = NULL;
	volatile uint32_t *p;
	void *addr = NULL;
	bool writable;
	uint32_t old;

	off = writable_word(t, info, &writable);
	if (off != first)
		reads = engine_known(t)->scratch_reads;
	CHECK_OK(t,
		 vfk_region_map(t->dev, info->index, first, 4096, PROT_READ | PROT_WRITE, &addr));
	p = (volatile uint32_t *)((char *)addr + (off - first));
	old = (uint32_t)case_get(t, info->index, off, 4);
	CHECK_EQ(t, p[0], old);
	for (uint32_t i = 0; writable && i < 2; i++) {
		uint32_t value = i ? 0x9abcdef0 : 0x12345678;
		uint32_t want = reads ? reads(value) : value;

		case_put(t, info->index, off, 4, value);
		CHECK_EQ(t, p[0], want);
		p[0] = ~value;
		want = reads ? reads(~value) : ~value;
		CHECK_EQ(t, case_get(t, info->index, off, 4), want);
	}
	if (!reads)
		p[0] = old;
	CHECK_OK(t, vfk_region_unmap(t->dev, addr));
	CHECK_EQ(t, vfk_region_unmap(t->dev, addr), -ENOENT);
}

const struct vfk_case vfk_cases_map[] = {
	{ "map_not_mappable", map_not_mappable },
	{ "map_index_at_count", map_index_at_count },
	{ "map_bad_range", map_bad_range },
	{ "map_agrees_with_access", map_agrees_with_access },
	{ NULL, NULL },
};

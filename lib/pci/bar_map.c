/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar_map.c - what of a BAR can be mapped, and mapping it, for typed access and for the caller.
 *
 * Any thread, under pci->lock where something changes.
 */
#include "bar.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A mapping that the caller has. */
struct vfki_pci_range {
	void *base; /* at its page */
	void *addr; /* as it was given out */
	struct vfki_pci_range *next;
};

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- what can be mapped ---- */

/* A hole's pages. An offset has 32 bits, and a table some kilobytes: nothing wraps. */
static struct vfk_region_area hole_pages(const struct vfki_pci_hole *hole)
{
	uint64_t page = page_size(), first = vfki_align_down(hole->off, page);

	return (struct vfk_region_area){
		.offset = first,
		.length = vfki_align_down(hole->off + hole->len + page - 1, page) - first,
	};
}

static bool applies(const struct vfki_pci_hole *hole, const struct vfk_region_info *info)
{
	const void *cap;
	size_t len;

	return hole->len && hole->bar == info->index &&
	       vfk_region_cap(info, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, &cap, &len) < 0;
}

/* What is left of [*first, end) before, or behind, the holes. Returns its end; nothing left: *first. */
static uint64_t cut(const struct vfki_pci_bars *bars, const struct vfk_region_info *info,
		    uint64_t *first, uint64_t end)
{
	/* twice: behind one hole there can be the other */
	for (unsigned int n = 0; n < 4; n++) {
		const struct vfki_pci_hole *hole = &bars->hole[n % 2];
		struct vfk_region_area pages = hole_pages(hole);

		if (applies(hole, info) && *first >= pages.offset &&
		    *first - pages.offset < pages.length)
			*first = pages.offset + pages.length;
	}
	for (unsigned int n = 0; n < 2; n++) {
		const struct vfki_pci_hole *hole = &bars->hole[n];
		struct vfk_region_area pages = hole_pages(hole);

		if (applies(hole, info) && pages.offset >= *first && pages.offset < end)
			end = pages.offset;
	}
	return end > *first ? end : *first;
}

/* The first piece that begins at @from or behind. */
static bool next_piece(const struct vfki_pci_bars *bars, const struct vfk_region_info *info,
		       uint64_t from, struct vfk_region_area *piece)
{
	for (uint32_t i = 0; i < info->num_areas; i++) {
		const struct vfk_region_area *a = &info->areas[i];
		uint64_t first = a->offset > from ? a->offset : from, end = a->offset + a->length;

		if (!vfki_align_up(first, page_size(), &first) || first >= end)
			continue;
		end = cut(bars, info, &first, end);
		if (first == end)
			continue;
		*piece = (struct vfk_region_area){ first, end - first };
		return true;
	}
	return false;
}

int vfk_pci_bar_next_area(const struct vfk_pci *pci, unsigned int bar, struct vfk_region_area *area)
{
	const struct vfk_region_info *info;
	uint64_t from;
	int ret;
	const struct vfki_pci_bar *b = vfki_pci_bar_find(pci, bar, &ret);

	if (!b || !b->info.size)
		return ret;
	ret = vfk_region_get_info(pci->dev, bar, &info);
	if (ret < 0)
		return ret;
	if (!vfki_add_u64(area->offset, area->length, &from))
		return vfki_err(-EINVAL, "%s: BAR %u: the walk's area wraps", vfki_pci_name(pci),
				bar);
	return next_piece(&pci->bars, info, from, area);
}

/* ---- for typed access ---- */

static void unmap_view(struct vfk_pci *pci, struct vfki_pci_view *view)
{
	for (uint32_t i = 0; view && i < view->num; i++)
		vfk_region_unmap(pci->dev, view->pieces[i].addr);
	free(view);
}

static int map_piece(struct vfk_pci *pci, unsigned int bar, const struct vfk_region_area *area,
		     struct vfki_pci_view *view)
{
	struct vfki_pci_piece *piece = &view->pieces[view->num];
	void *addr;
	int ret = vfk_region_map(pci->dev, bar, area->offset, area->length, view->prot, &addr);

	/* Said to be mappable, and it is not: there is the vector. */
	if (ret == -ENOTSUP || ret == -EINVAL)
		return 0;
	if (ret < 0)
		return ret;
	*piece = (struct vfki_pci_piece){ area->offset, area->length, addr };
	view->num++;
	return 0;
}

/* @view is NULL where there is nothing to map. */
static int map_view(struct vfk_pci *pci, unsigned int bar, const struct vfk_region_info *info,
		    struct vfki_pci_view **view)
{
	struct vfk_region_area area = { 0 };
	struct vfki_pci_view *v;
	size_t size;
	int ret;

	/* each hole may make two of one */
	if (!vfki_tail_size(sizeof(*v), (size_t)info->num_areas + 2, sizeof(v->pieces[0]), &size))
		size = 0;
	v = size ? calloc(1, size) : NULL;
	if (!v)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(pci));
	v->prot = (info->flags & VFIO_REGION_INFO_FLAG_READ ? PROT_READ : 0) |
		  (info->flags & VFIO_REGION_INFO_FLAG_WRITE ? PROT_WRITE : 0);
	while ((ret = vfk_pci_bar_next_area(pci, bar, &area)) == 1) {
		ret = map_piece(pci, bar, &area, v);
		if (ret < 0)
			break;
	}
	if (ret < 0 || !v->num) {
		unmap_view(pci, v);
		v = NULL;
	}
	*view = v;
	return ret;
}

static void publish(struct vfk_pci *pci, struct vfki_pci_bar *b)
{
	atomic_store(&b->view, pci->bars.held ? NULL : b->mapped);
}

static int map_locked(struct vfk_pci *pci, unsigned int bar)
{
	struct vfki_pci_bar *b = &pci->bars.bar[bar];
	const struct vfk_region_info *info;
	struct vfki_pci_view *view;
	int ret;

	if (b->mapped || !b->info.size)
		return 0;
	ret = vfk_region_get_info(pci->dev, bar, &info);
	if (!ret)
		ret = map_view(pci, bar, info, &view);
	if (ret < 0)
		return ret;
	b->mapped = view;
	publish(pci, b);
	return 0;
}

int vfk_pci_bar_map(struct vfk_pci *pci, unsigned int bar)
{
	int ret;

	if (!vfki_pci_bar_find(pci, bar, &ret))
		return ret;
	vfki_pci_lock(pci);
	ret = map_locked(pci, bar);
	vfki_pci_unlock(pci);
	return ret;
}

static int unmap_locked(struct vfk_pci *pci, unsigned int bar)
{
	struct vfki_pci_bar *b = &pci->bars.bar[bar];

	atomic_store(&b->view, NULL);
	if (!vfki_pci_bars_wait(pci)) {
		publish(pci, b);
		return vfki_err(-EBUSY, "%s: BAR %u: an access does not end", vfki_pci_name(pci),
				bar);
	}
	unmap_view(pci, b->mapped);
	b->mapped = NULL;
	return 0;
}

int vfk_pci_bar_unmap(struct vfk_pci *pci, unsigned int bar)
{
	int ret;

	if (!vfki_pci_bar_find(pci, bar, &ret))
		return ret;
	vfki_pci_lock(pci);
	ret = pci->bars.bar[bar].mapped ? unmap_locked(pci, bar) : 0;
	vfki_pci_unlock(pci);
	return ret;
}

void vfki_pci_bars_hold(struct vfk_pci *pci)
{
	if (pci->bars.held++)
		return;
	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++)
		publish(pci, &pci->bars.bar[i]);
	/* One that does not end was left for good, or its thread may not run: it cannot be helped. */
	vfki_pci_bars_wait(pci);
}

void vfki_pci_bars_release(struct vfk_pci *pci)
{
	if (--pci->bars.held)
		return;
	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++)
		publish(pci, &pci->bars.bar[i]);
}

/* ---- for the caller ---- */

static int refuse(const struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t len, int err,
		  const char *why)
{
	return vfki_err(err, "%s: BAR %u: map of 0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s",
			vfki_pci_name(pci), bar, len, off, why);
}

static int check_range(const struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t len)
{
	struct vfk_region_area area = { 0 };
	bool touched = false;
	int ret;
	const struct vfki_pci_bar *b = vfki_pci_bar_find(pci, bar, &ret);

	if (!b)
		return ret;
	if (!len || !vfki_range_ok(off, len, b->info.size))
		return refuse(pci, bar, off, len, -EINVAL, "empty, or beyond its end");
	while ((ret = vfk_pci_bar_next_area(pci, bar, &area)) == 1) {
		if (vfki_range_within(off, len, area.offset, area.length))
			return 0;
		touched = touched || vfki_ranges_overlap(off, len, area.offset, area.length);
	}
	if (ret < 0)
		return ret;
	return touched ? refuse(pci, bar, off, len, -EINVAL,
				"not within one area that can be mapped") :
			 refuse(pci, bar, off, len, -ENOTSUP, "this part cannot be mapped");
}

int vfk_pci_bar_map_range(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t len,
			  int prot, void **addr)
{
	uint64_t in = off & (page_size() - 1);
	struct vfki_pci_range *range;
	int ret = check_range(pci, bar, off, len);

	if (ret < 0)
		return ret;
	range = calloc(1, sizeof(*range));
	if (!range)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(pci));
	/* Areas begin at pages, so the range's first page is in the area, too. */
	ret = vfk_region_map(pci->dev, bar, off - in, len + in, prot, &range->base);
	if (ret < 0) {
		free(range);
		return ret;
	}
	range->addr = (char *)range->base + in;
	*addr = range->addr;
	vfki_pci_lock(pci);
	range->next = pci->bars.ranges;
	pci->bars.ranges = range;
	vfki_pci_unlock(pci);
	return 0;
}

int vfk_pci_bar_unmap_range(struct vfk_pci *pci, void *addr)
{
	struct vfki_pci_range **at, *range;

	vfki_pci_lock(pci);
	for (at = &pci->bars.ranges; *at && (*at)->addr != addr; at = &(*at)->next)
		;
	range = *at;
	if (range)
		*at = range->next;
	vfki_pci_unlock(pci);
	if (!range)
		return vfki_err(-ENOENT, "%s: no range of a BAR was mapped at %p",
				vfki_pci_name(pci), addr);
	vfk_region_unmap(pci->dev, range->base);
	free(range);
	return 0;
}

/* Nobody accesses anything any more. */
void vfki_pci_bars_fini(struct vfk_pci *pci)
{
	while (pci->bars.ranges)
		vfk_pci_bar_unmap_range(pci, pci->bars.ranges->addr);
	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++) {
		unmap_view(pci, pci->bars.bar[i].mapped);
		pci->bars.bar[i].mapped = NULL;
	}
}

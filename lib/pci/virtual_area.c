/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_area.c - what of a virtual BAR can be mapped into the guest: the device's areas, without the pages on which the
 * library answers itself.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <unistd.h>
#include <vfiokit/pci_bar.h>

/* Pages that are not to be mapped; both of them multiples of the page. */
struct hole {
	uint64_t begin, end;
};

struct list {
	struct vfk_region_area *areas;
	size_t room, num;
};

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct hole make_hole(bool here, uint64_t off, uint64_t len)
{
	uint64_t page = page_size();

	if (!here)
		return (struct hole){ 0, 0 };
	/* They lie inside a BAR, so the sum does not wrap; a page more than the BAR does no harm. */
	return (struct hole){ vfki_align_down(off, page),
			      vfki_align_down(off + len - 1, page) + page };
}

static void append(struct list *l, uint64_t begin, uint64_t end)
{
	if (begin >= end)
		return;
	if (l->num < l->room)
		l->areas[l->num] = (struct vfk_region_area){ begin, end - begin };
	l->num++;
}

/* What two holes, the first of which begins no later, leave of an area. */
static void cut(struct list *l, uint64_t begin, uint64_t end, const struct hole hole[2])
{
	for (int i = 0; i < 2; i++) {
		if (hole[i].end <= begin || hole[i].begin >= end)
			continue;
		append(l, begin, hole[i].begin);
		begin = hole[i].end;
	}
	append(l, begin, end);
}

/*
 * Whole pages only. A region that ends in the middle of a page has that page for itself, or there would be no area in it;
 * one that is cut into areas there shares it.
 */
static void add_area(struct list *l, const struct vfk_region_area *a, const struct hole hole[2],
		     uint64_t region_size)
{
	uint64_t page = page_size(), end = a->offset + a->length;

	if (end < region_size || !vfki_align_up(end, page, &end))
		end = vfki_align_down(end, page);
	cut(l, a->offset, end, hole);
}

static int walk(struct vfk_pci_virtual *v, unsigned int bar, struct list *l)
{
	const struct vfki_virtual_msix *x = &v->msix;
	struct hole table =
		make_hole(x->cap && x->bar == bar, x->table_off, vfki_virtual_table_size(x));
	struct hole pba =
		make_hole(x->cap && x->pba_bar == bar, x->pba_off, vfki_virtual_pba_size(x));
	struct hole holes[2] = { table, pba };
	struct vfk_region_area area = { 0, 0 };
	int ret;

	if (pba.begin < table.begin) {
		holes[0] = pba;
		holes[1] = table;
	}
	while ((ret = vfk_pci_bar_next_area(v->pci, bar, &area)) == 1)
		add_area(l, &area, holes, v->bars[bar].region_size);
	return ret;
}

/* A mapped access fails in a device that sleeps, or that a reset or low power has just taken away. */
static bool is_asleep(struct vfk_pci_virtual *v)
{
	bool asleep;

	pthread_mutex_lock(&v->lock);
	vfki_pci_lock(v->pci);
	asleep = v->power || v->pci->bars.held;
	vfki_pci_unlock(v->pci);
	pthread_mutex_unlock(&v->lock);
	return asleep;
}

/* A page can be the guest's only where the guest can have nothing else in it. */
static bool has_its_pages(const struct vfki_virtual_bar *b, uint64_t address)
{
	return b->size >= page_size() || vfki_is_aligned(address, page_size());
}

int vfk_pci_virtual_bar_areas(struct vfk_pci_virtual *v, unsigned int bar, uint64_t address,
			      struct vfk_region_area *areas, size_t *num)
{
	struct list l = { .areas = areas, .room = *num };
	const struct vfki_virtual_bar *b;
	int ret = 0;

	if (bar >= VFK_PCI_NUM_BARS)
		return vfki_err(-EINVAL, "%s: virtual device: BAR %u", vfki_pci_name(v->pci), bar);
	b = &v->bars[bar];
	if (b->region_size && !(b->flags & VFK_BAR_IO) && has_its_pages(b, address) &&
	    !is_asleep(v))
		ret = walk(v, bar, &l);
	if (!ret)
		*num = l.num;
	return ret;
}

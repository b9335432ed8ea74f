/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_relocate.c - the MSI-X table in another BAR of the guest's: a table that shares a page with other registers would
 * keep them from being mapped, since the library answers for the whole page then.
 *
 * Only in create, before the BARs' registers are shown.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <inttypes.h>
#include <unistd.h>
#include <vfiokit/pci_bar.h>

#define BAR32_MAX  (1ull << 31) /* PCI 3.0 section 6.2.5.1: the most that a 32-bit BAR can ask for */
#define OFFSET_MAX (1ull << 31) /* the largest power of two in a Table Offset: section 6.8.2.4 */

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Table and PBA behind it, in whole pages and a power of two. */
static uint64_t room_needed(const struct vfki_virtual_msix *x)
{
	uint64_t size = page_size();

	while (size < vfki_virtual_table_size(x) + vfki_virtual_pba_size(x))
		size <<= 1;
	return size;
}

static bool is_upper(const struct vfk_pci_virtual *v, unsigned int bar)
{
	return bar && v->bars[bar - 1].size && v->bars[bar - 1].flags & VFK_BAR_64;
}

/* The size of a BAR with the table in its upper half, or alone in it; 0: why not is set. */
static uint64_t size_with_table(const struct vfk_pci_virtual *v, unsigned int bar, const char **why)
{
	const struct vfki_virtual_bar *b = &v->bars[bar];
	uint64_t need = room_needed(&v->msix), half = b->size > need ? b->size : need;

	*why = NULL;
	if (is_upper(v, bar))
		*why = "it is the upper half of a 64-bit BAR";
	else if (b->size && b->flags & VFK_BAR_IO)
		*why = "it is an I/O BAR";
	else if (b->size && !(b->flags & VFK_BAR_64) && half > BAR32_MAX / 2)
		*why = "it cannot be twice as large";
	else if (b->size && half > OFFSET_MAX)
		*why = "its upper half is beyond an offset of 32 bits";
	if (*why)
		return 0;
	return b->size ? 2 * half : need;
}

/* A new BAR has 64 bits where there is room for them: firmware may place it anywhere then. */
static uint32_t new_flags(const struct vfk_pci_virtual *v, unsigned int bar)
{
	return bar + 1 < VFK_PCI_NUM_BARS && !v->bars[bar + 1].size ? VFK_BAR_64 : 0;
}

static void move(struct vfk_pci_virtual *v, unsigned int bar, uint64_t size)
{
	struct vfki_virtual_msix *x = &v->msix;
	struct vfki_virtual_bar *b = &v->bars[bar];

	x->table_off = b->size ? size / 2 : 0;
	x->pba_off = x->table_off + vfki_virtual_table_size(x);
	x->bar = x->pba_bar = bar;
	if (!b->size)
		b->flags = new_flags(v, bar);
	b->size = size;
}

/* ---- whether and where, without being told ---- */

/* Whether something that could be mapped is on the pages of a range, but not in the table or the PBA. */
static int shares_pages(struct vfk_pci_virtual *v, unsigned int bar, uint64_t off, uint64_t len,
			bool *shared)
{
	struct vfk_region_area area = { 0, 0 };
	uint64_t begin = vfki_align_down(off, page_size());
	uint64_t pages = vfki_align_down(off + len - 1, page_size()) + page_size() - begin;
	const struct vfki_virtual_msix *x = &v->msix;
	uint64_t own = 0;
	int ret;

	if (x->bar == bar &&
	    vfki_ranges_overlap(begin, pages, x->table_off, vfki_virtual_table_size(x)))
		own += vfki_virtual_table_size(x);
	if (x->pba_bar == bar &&
	    vfki_ranges_overlap(begin, pages, x->pba_off, vfki_virtual_pba_size(x)))
		own += vfki_virtual_pba_size(x);
	while ((ret = vfk_pci_bar_next_area(v->pci, bar, &area)) == 1) {
		if (own < pages && vfki_ranges_overlap(begin, pages, area.offset, area.length))
			*shared = true;
	}
	return ret;
}

static int is_wanted(struct vfk_pci_virtual *v, bool *wanted)
{
	const struct vfki_virtual_msix *x = &v->msix;
	int ret;

	*wanted = false;
	ret = shares_pages(v, x->bar, x->table_off, vfki_virtual_table_size(x), wanted);
	if (!ret && !*wanted)
		ret = shares_pages(v, x->pba_bar, x->pba_off, vfki_virtual_pba_size(x), wanted);
	return ret;
}

/* The smallest of what is unused, then of what is in use; false: nothing is legal. */
static bool choose(const struct vfk_pci_virtual *v, unsigned int *bar, uint64_t *size)
{
	const char *why;

	*size = 0;
	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++) {
		uint64_t s = size_with_table(v, i, &why);

		if (!s || (*size && s >= *size))
			continue;
		*bar = i;
		*size = s;
	}
	return *size;
}

int vfki_virtual_msix_relocate(struct vfk_pci_virtual *v, uint32_t where)
{
	unsigned int bar = where - VFK_PCI_MSIX_BAR(0);
	const char *why;
	uint64_t size;
	bool wanted;
	int ret;

	if (!v->msix.cap || where == VFK_PCI_MSIX_KEEP)
		return 0;
	if (where == VFK_PCI_MSIX_AUTO) {
		ret = is_wanted(v, &wanted);
		if (!ret && wanted && choose(v, &bar, &size))
			move(v, bar, size);
		return ret;
	}
	size = size_with_table(v, bar, &why);
	if (!size)
		return vfki_err(-EINVAL, "%s: virtual device: no MSI-X table in BAR %u: %s",
				vfki_pci_name(v->pci), bar, why);
	move(v, bar, size);
	return 0;
}

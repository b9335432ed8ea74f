/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar_access.c - typed access to registers: one load or store through the mapping, or one access by the vector.
 *
 * Any thread, no lock; bar.h says what keeps a mapping alive meanwhile.
 */
#include "bar.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <endian.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#ifdef VFK_PCI_WMB
#define MAPPED_WIDTH sizeof(void *) /* the widest access that is one */
#else
#define MAPPED_WIDTH 0
static void vfk_pci_wmb(void)
{
}
static void vfk_pci_rmb(void)
{
}
#endif

#define WAIT_S 5

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The address of errno is a thread's own, and costs next to nothing. */
static ALWAYS_INLINE atomic_uint *my_counter(struct vfki_pci_bars *bars)
{
	uint64_t mix = (uintptr_t)&errno * 0x9e3779b97f4a7c15ull;

	return &bars->stripe[mix >> 61 & (VFKI_PCI_STRIPES - 1)].users;
}

bool vfki_pci_bars_wait(struct vfk_pci *pci)
{
	struct timespec now;
	time_t end = 0;

	for (unsigned int i = 0; i < VFKI_PCI_STRIPES; i++) {
		while (atomic_load(&pci->bars.stripe[i].users)) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			end = end ? end : now.tv_sec + WAIT_S + 1;
			if (now.tv_sec >= end)
				return false;
			sched_yield();
		}
	}
	return true;
}

/* Where a register is, if it can be reached by one access. */
static ALWAYS_INLINE void *find(const struct vfki_pci_view *view, uint64_t off, unsigned int width,
				int prot)
{
	if (!view || !(view->prot & prot))
		return NULL;
	for (uint32_t i = 0; i < view->num; i++) {
		const struct vfki_pci_piece *p = &view->pieces[i];

		if (vfki_range_within(off, width, p->off, p->len))
			return p->addr + (off - p->off);
	}
	return NULL;
}

/*
 * volatile: just one access, of this width. Atomic, which costs nothing: two threads at one register are no data race,
 * whatever the device makes of it.
 */
#define LOAD(at, type)	     __atomic_load_n((const volatile type *)(at), __ATOMIC_RELAXED)
#define STORE(at, type, val) __atomic_store_n((volatile type *)(at), val, __ATOMIC_RELAXED)

static ALWAYS_INLINE uint64_t load(const void *at, unsigned int width)
{
	switch (width) {
	case 1:
		return LOAD(at, uint8_t);
	case 2:
		return le16toh(LOAD(at, uint16_t));
	case 4:
		return le32toh(LOAD(at, uint32_t));
#if UINTPTR_MAX > UINT32_MAX
	case 8:
		return le64toh(LOAD(at, uint64_t));
#endif
	default: /* wider ones go by the vector */
		return 0;
	}
}

static ALWAYS_INLINE void store(void *at, unsigned int width, uint64_t value)
{
	switch (width) {
	case 1:
		STORE(at, uint8_t, (uint8_t)value);
		break;
	case 2:
		STORE(at, uint16_t, htole16((uint16_t)value));
		break;
	case 4:
		STORE(at, uint32_t, htole32((uint32_t)value));
		break;
#if UINTPTR_MAX > UINT32_MAX
	case 8:
		STORE(at, uint64_t, htole64(value));
		break;
#endif
	default:
		break;
	}
}

/* Whether it was done through the mapping. */
static ALWAYS_INLINE bool mapped(struct vfki_pci_bars *bars, struct vfki_pci_bar *b, uint64_t off,
				 unsigned int width, int prot, uint64_t *value)
{
	atomic_uint *users;
	void *at;

	if (width > MAPPED_WIDTH || off % width ||
	    !atomic_load_explicit(&b->view, memory_order_relaxed))
		return false;
	users = my_counter(bars);
	/* With the store and the load of whoever takes the view away: one of the two sees the other. */
	atomic_fetch_add(users, 1);
	at = find(atomic_load(&b->view), off, width, prot);
	if (at && prot == PROT_READ) {
		*value = load(at, width);
		vfk_pci_rmb();
	} else if (at) {
		vfk_pci_wmb();
		store(at, width, *value);
	}
	atomic_fetch_sub_explicit(users, 1, memory_order_release);
	return at;
}

static __attribute__((noinline, cold)) int refuse(const struct vfk_pci *pci, unsigned int bar,
						  uint64_t off, unsigned int width)
{
	int ret;
	const struct vfki_pci_bar *b = vfki_pci_bar_find(pci, bar, &ret);

	if (!b)
		return ret;
	if (b->info.upper)
		return vfki_err(-EINVAL, "%s: BAR %u: the upper half of BAR %u", vfki_pci_name(pci),
				bar, bar - 1);
	return vfki_err(-EINVAL, "%s: BAR %u: %u bytes at 0x%" PRIx64 ", it has 0x%" PRIx64,
			vfki_pci_name(pci), bar, width, off, b->info.size);
}

static ALWAYS_INLINE bool inside(const struct vfk_pci *pci, unsigned int bar, uint64_t off,
				 unsigned int width)
{
	return bar < VFK_PCI_NUM_BARS && vfki_range_ok(off, width, pci->bars.bar[bar].info.size);
}

static ALWAYS_INLINE int get(struct vfk_pci *pci, unsigned int bar, uint64_t off,
			     unsigned int width, uint64_t *value)
{
	if (!inside(pci, bar, off, width))
		return refuse(pci, bar, off, width);
	if (mapped(&pci->bars, &pci->bars.bar[bar], off, width, PROT_READ, value))
		return vfk_device_check(pci->dev);
	return vfk_region_get(pci->dev, bar, off, width, value);
}

static ALWAYS_INLINE int put(struct vfk_pci *pci, unsigned int bar, uint64_t off,
			     unsigned int width, uint64_t value)
{
	if (!inside(pci, bar, off, width))
		return refuse(pci, bar, off, width);
	if (mapped(&pci->bars, &pci->bars.bar[bar], off, width, PROT_WRITE, &value))
		return vfk_device_check(pci->dev);
	return vfk_region_put(pci->dev, bar, off, width, value);
}

int vfk_pci_read8(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint8_t *value)
{
	uint64_t v;
	int ret = get(pci, bar, off, sizeof(*value), &v);

	if (!ret)
		*value = (uint8_t)v;
	return ret;
}

int vfk_pci_read16(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint16_t *value)
{
	uint64_t v;
	int ret = get(pci, bar, off, sizeof(*value), &v);

	if (!ret)
		*value = (uint16_t)v;
	return ret;
}

int vfk_pci_read32(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint32_t *value)
{
	uint64_t v;
	int ret = get(pci, bar, off, sizeof(*value), &v);

	if (!ret)
		*value = (uint32_t)v;
	return ret;
}

int vfk_pci_read64(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t *value)
{
	uint64_t v;
	int ret = get(pci, bar, off, sizeof(*value), &v);

	if (!ret)
		*value = v;
	return ret;
}

int vfk_pci_write8(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint8_t value)
{
	return put(pci, bar, off, sizeof(value), value);
}

int vfk_pci_write16(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint16_t value)
{
	return put(pci, bar, off, sizeof(value), value);
}

int vfk_pci_write32(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint32_t value)
{
	return put(pci, bar, off, sizeof(value), value);
}

int vfk_pci_write64(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t value)
{
	return put(pci, bar, off, sizeof(value), value);
}

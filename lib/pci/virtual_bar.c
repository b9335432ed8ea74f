/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_bar.c - the virtual BARs: their registers, where the guest has them, and its accesses to what is not mapped.
 *
 * What is where in a BAR is settled in create, so an access finds its part without the lock.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <inttypes.h>
#include <string.h>
#include <vfiokit/pci_bar.h>

static bool is_io(const struct vfki_virtual_bar *b)
{
	return b->flags & VFK_BAR_IO;
}

static uint32_t bar_reg(unsigned int bar)
{
	return bar == VFK_PCI_VIRTUAL_ROM ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * bar;
}

/* ---- what they are ---- */

static int init_bar(struct vfk_pci_virtual *v, unsigned int bar)
{
	struct vfki_virtual_bar *b = &v->bars[bar];
	struct vfk_pci_bar_info info;
	int ret = vfk_pci_bar_get_info(v->pci, bar, &info);

	b->address = VFK_PCI_UNMAPPED;
	if (ret < 0)
		return ret;
	if (info.oddity)
		return vfki_err(-EPROTO, "%s: virtual device: BAR %u: %s", vfki_pci_name(v->pci),
				bar, info.oddity);
	b->size = b->region_size = info.size;
	b->flags = info.flags;
	return 0;
}

int vfki_virtual_bars_init(struct vfk_pci_virtual *v)
{
	int ret = 0;

	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS && !ret; i++)
		ret = init_bar(v, i);
	return ret;
}

/* ---- registers: PCI 3.0 section 6.2.5 ---- */

static uint32_t type_bits(const struct vfki_virtual_bar *b)
{
	if (is_io(b))
		return PCI_BASE_ADDRESS_SPACE_IO;
	return (b->flags & VFK_BAR_64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
	       (b->flags & VFK_BAR_PREFETCH ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
}

/* Sizing is nothing but this: bits below the size cannot be written. */
static void show_bar(struct vfk_pci_virtual *v, unsigned int bar)
{
	const struct vfki_virtual_bar *b = &v->bars[bar];
	uint64_t writable = b->size ? ~(b->size - 1) : 0;

	vfki_virtual_set(v, bar_reg(bar), 4, UINT32_MAX, b->size ? type_bits(b) : 0,
			 (uint32_t)writable);
	if (b->flags & VFK_BAR_64)
		vfki_virtual_set(v, bar_reg(bar + 1), 4, UINT32_MAX, 0, (uint32_t)(writable >> 32));
}

static void show_rom(struct vfk_pci_virtual *v)
{
	uint64_t size = v->bars[VFK_PCI_VIRTUAL_ROM].size;

	vfki_virtual_set(v, PCI_ROM_ADDRESS, 4, UINT32_MAX, 0,
			 size ? (uint32_t) ~(size - 1) | PCI_ROM_ADDRESS_ENABLE : 0);
}

/*
 * Whether decoding is on is what the guest wrote: a device may have these bits wired to 1, and a guest that finds them so
 * would never write what the mappings follow from. The device gets them as well.
 */
static void show_decoding(struct vfk_pci_virtual *v)
{
	const uint32_t both = PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
	uint32_t bits = 0;

	for (unsigned int i = 0; i < VFKI_NUM_BARS; i++) {
		if (v->bars[i].size)
			bits |= is_io(&v->bars[i]) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	vfki_virtual_set(v, PCI_COMMAND, 2, both, vfki_virtual_get(v, PCI_COMMAND, 2) & bits, bits);
	vfki_virtual_pass(v, PCI_COMMAND, 2, both);
}

void vfki_virtual_bars_show(struct vfk_pci_virtual *v)
{
	show_decoding(v);
	for (unsigned int i = 0; i < VFK_PCI_NUM_BARS; i++) {
		show_bar(v, i);
		if (v->bars[i].flags & VFK_BAR_64)
			i++;
	}
	show_rom(v);
}

void vfki_virtual_bars_reset(struct vfk_pci_virtual *v)
{
	vfki_virtual_bars_show(v);
}

/* ---- addresses ---- */

static bool decodes(const struct vfk_pci_virtual *v, unsigned int bar)
{
	uint32_t command = vfki_virtual_get(v, PCI_COMMAND, 2);

	if (v->power)
		return false;
	if (is_io(&v->bars[bar]))
		return command & PCI_COMMAND_IO;
	return command & PCI_COMMAND_MEMORY &&
	       (bar != VFK_PCI_VIRTUAL_ROM ||
		vfki_virtual_get(v, PCI_ROM_ADDRESS, 4) & PCI_ROM_ADDRESS_ENABLE);
}

/*
 * Address 0 is a BAR that was not programmed yet, and one that ends where addresses end is in the middle of being sized:
 * firmware does both with decoding on.
 */
static uint64_t decoded(const struct vfk_pci_virtual *v, unsigned int bar)
{
	const struct vfki_virtual_bar *b = &v->bars[bar];
	uint64_t address, last;

	if (!b->size || !decodes(v, bar))
		return VFK_PCI_UNMAPPED;
	address = vfki_virtual_get(v, bar_reg(bar), 4);
	if (b->flags & VFK_BAR_64)
		address |= (uint64_t)vfki_virtual_get(v, bar_reg(bar + 1), 4) << 32;
	address &= ~(b->size - 1);
	last = address + (b->size - 1);
	if (!address || last == (b->flags & VFK_BAR_64 ? UINT64_MAX : UINT32_MAX))
		return VFK_PCI_UNMAPPED;
	return address;
}

void vfki_virtual_bars_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	for (unsigned int i = 0; i < VFKI_NUM_BARS; i++) {
		uint64_t address = decoded(v, i);

		if (address == v->bars[i].address)
			continue;
		v->bars[i].address = ev->address[i] = address;
		ev->bars |= 1u << i;
	}
}

static int check_bar(const struct vfk_pci_virtual *v, unsigned int bar, unsigned int limit)
{
	if (bar < limit)
		return 0;
	return vfki_err(-EINVAL, "%s: virtual device: BAR %u", vfki_pci_name(v->pci), bar);
}

int vfk_pci_virtual_get_bar(struct vfk_pci_virtual *v, unsigned int bar,
			    struct vfk_pci_virtual_bar *info)
{
	const struct vfki_virtual_bar *b;
	int ret = check_bar(v, bar, VFKI_NUM_BARS);

	if (ret < 0)
		return ret;
	b = &v->bars[bar];
	pthread_mutex_lock(&v->lock);
	*info = (struct vfk_pci_virtual_bar){ .size = b->size,
					      .flags = b->flags,
					      .address = b->address };
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* ---- accesses ---- */

enum kind {
	NOTHING, /* beyond the device's region */
	DEVICE,
	TABLE,
	PBA,
	ROM,
};

/* The part of a BAR that holds one byte, and the bytes from there to its end. */
struct part {
	enum kind kind;
	uint64_t off; /* in it; for DEVICE: in the region */
	uint64_t left;
};

/* Narrows @p, which is at @off, to a range: inside it, or in front of it. */
static void narrow(struct part *p, uint64_t off, enum kind kind, uint64_t begin, uint64_t len)
{
	if (off >= begin && off - begin < len)
		*p = (struct part){ kind, off - begin, len - (off - begin) };
	else if (begin > off && len)
		p->left = vfki_min_u64(p->left, begin - off);
}

static struct part find_part(const struct vfk_pci_virtual *v, unsigned int bar, uint64_t off)
{
	const struct vfki_virtual_bar *b = &v->bars[bar];
	const struct vfki_virtual_msix *x = &v->msix;
	struct part p = { NOTHING, off, b->size - off };

	if (bar == VFK_PCI_VIRTUAL_ROM)
		return (struct part){ ROM, off, b->size - off };
	narrow(&p, off, DEVICE, 0, b->region_size);
	if (x->cap && x->bar == bar)
		narrow(&p, off, TABLE, x->table_off, vfki_virtual_table_size(x));
	if (x->cap && x->pba_bar == bar && p.kind != TABLE)
		narrow(&p, off, PBA, x->pba_off, vfki_virtual_pba_size(x));
	return p;
}

static int check_access(const struct vfk_pci_virtual *v, unsigned int bar, uint64_t off, size_t len)
{
	int ret = check_bar(v, bar, VFKI_NUM_BARS);

	if (!ret && !vfki_range_ok(off, len, v->bars[bar].size))
		ret = vfki_err(-EINVAL,
			       "%s: virtual BAR %u: %zu bytes at 0x%" PRIx64
			       " are beyond its 0x%" PRIx64,
			       vfki_pci_name(v->pci), bar, len, off, v->bars[bar].size);
	return ret;
}

/* A short access is one that the device ends earlier than it said. */
static int whole(const struct vfk_pci_virtual *v, unsigned int bar, ssize_t done, size_t len)
{
	if (done < 0)
		return (int)done;
	if ((size_t)done < len)
		return vfki_err(-EIO, "%s: BAR %u: %zd of %zu bytes", vfki_pci_name(v->pci), bar,
				done, len);
	return 0;
}

static int read_device(struct vfk_pci_virtual *v, unsigned int bar, uint64_t off, uint8_t *buf,
		       size_t len)
{
	ssize_t n = vfk_region_read(v->pci->dev, bar, off, buf, len);
	int ret = whole(v, bar, n, len);

	/* What a failing device left in the buffer is nothing that a guest should see. */
	if (ret < 0)
		memset(buf, 0xff, len);
	return ret;
}

static int read_part(struct vfk_pci_virtual *v, unsigned int bar, const struct part *p,
		     uint8_t *buf, size_t len)
{
	switch (p->kind) {
	case DEVICE:
		return read_device(v, bar, p->off, buf, len);
	case TABLE:
		return vfki_virtual_table_read(v, p->off, buf, len);
	case PBA:
		return vfki_virtual_pba_read(v, p->off, buf, len);
	case ROM:
		return vfki_virtual_rom_read(v, p->off, buf, len);
	case NOTHING:
		break;
	}
	return 0;
}

static int write_part(struct vfk_pci_virtual *v, unsigned int bar, const struct part *p,
		      const uint8_t *buf, size_t len)
{
	if (p->kind == DEVICE)
		return whole(v, bar, vfk_region_write(v->pci->dev, bar, p->off, buf, len, 0), len);
	return p->kind == TABLE ? vfki_virtual_table_write(v, p->off, buf, len) : 0;
}

int vfk_pci_virtual_bar_read(struct vfk_pci_virtual *v, unsigned int bar, uint64_t off, void *buf,
			     size_t len)
{
	int ret = check_access(v, bar, off, len);
	size_t n;

	memset(buf, 0xff, len);
	for (size_t at = 0; !ret && at < len; at += n) {
		struct part p = find_part(v, bar, off + at);

		n = (size_t)vfki_min_u64(p.left, len - at);
		ret = read_part(v, bar, &p, (uint8_t *)buf + at, n);
	}
	return ret;
}

int vfk_pci_virtual_bar_write(struct vfk_pci_virtual *v, unsigned int bar, uint64_t off,
			      const void *buf, size_t len)
{
	int ret = check_access(v, bar, off, len);
	size_t n;

	for (size_t at = 0; !ret && at < len; at += n) {
		struct part p = find_part(v, bar, off + at);

		n = (size_t)vfki_min_u64(p.left, len - at);
		ret = write_part(v, bar, &p, (const uint8_t *)buf + at, n);
	}
	return ret;
}

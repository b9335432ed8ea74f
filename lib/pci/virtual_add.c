/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_add.c - a capability that the device does not have: a place for it, and its registers.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <inttypes.h>

/* What is there of other capabilities: to the next one, where a length is unknown. */
static bool is_taken(const struct vfk_pci_virtual *v, uint32_t off, uint32_t len)
{
	for (uint32_t i = 0; i < v->caps.num; i++) {
		const struct vfki_virtual_cap *c = &v->caps.cap[i];

		if (!c->extended &&
		    vfki_ranges_overlap(off, len, c->offset, vfki_virtual_cap_room(v, c)))
			return true;
	}
	return false;
}

static int is_zero(struct vfk_pci_virtual *v, uint32_t off, uint32_t len, bool *zero)
{
	*zero = true;
	for (uint32_t at = off; at < off + len && *zero; at += 4) {
		uint32_t value;
		int ret = vfk_pci_config_read(v->pci, at, 4, &value);

		if (ret < 0)
			return ret;
		*zero = !value;
	}
	return 0;
}

/* Returns 0 with @off set, or -ENOSPC. */
static int find_hole(struct vfk_pci_virtual *v, uint32_t len, uint32_t *off)
{
	uint32_t end = vfki_virtual_caps_end(v, false);
	bool zero;

	for (uint32_t at = PCI_STD_HEADER_SIZEOF; at + len <= end; at += 4) {
		int ret;

		if (is_taken(v, at, len))
			continue;
		ret = is_zero(v, at, len, &zero);
		if (ret < 0)
			return ret;
		if (zero) {
			*off = at;
			return 0;
		}
	}
	return vfki_err(-ENOSPC, "%s: no room for a capability of %" PRIu32 " bytes",
			vfki_pci_name(v->pci), len);
}

static int check_place(const struct vfk_pci_virtual *v, uint32_t off, uint32_t len)
{
	if (off % 4 || off < PCI_STD_HEADER_SIZEOF ||
	    !vfki_range_ok(off, len, vfki_virtual_caps_end(v, false)))
		return vfki_err(-EINVAL,
				"%s: a capability of %" PRIu32 " bytes at 0x%" PRIx32
				": not aligned, or outside of the list's part of config space",
				vfki_pci_name(v->pci), len, off);
	if (is_taken(v, off, len))
		return vfki_err(-EEXIST, "%s: a capability is at 0x%" PRIx32 " already",
				vfki_pci_name(v->pci), off);
	return 0;
}

static uint32_t num_standard(const struct vfk_pci_virtual *v)
{
	uint32_t n = 0;

	while (n < v->caps.num && !v->caps.cap[n].extended)
		n++;
	return n;
}

static void show_added(struct vfk_pci_virtual *v, const struct vfki_virtual_cap *c,
		       const uint8_t *data, const uint8_t *writable)
{
	vfki_virtual_set(v, c->offset, 1, 0xff, c->id, 0);
	for (uint32_t i = 0; i + 2u < c->len; i++)
		vfki_virtual_set(v, c->offset + 2 + i, 1, 0xff, data[i],
				 writable ? writable[i] : 0);
	vfki_virtual_caps_link(v);
}

static int add(struct vfk_pci_virtual *v, struct vfki_virtual_cap *cap)
{
	uint32_t off = cap->offset, len = (cap->len + 3u) & ~3u;
	int ret = off ? check_place(v, off, cap->len) : find_hole(v, len, &off);

	cap->offset = (uint16_t)off;
	return ret ? ret : vfki_virtual_caps_insert(v, cap, num_standard(v));
}

int vfk_pci_virtual_add_cap(struct vfk_pci_virtual *v, uint8_t id, const void *data, size_t len,
			    const void *writable, uint32_t *off)
{
	struct vfki_virtual_cap cap = { .id = id, .added = true };
	int ret;

	if (len > PCI_CFG_SPACE_SIZE || *off >= PCI_CFG_SPACE_SIZE)
		return vfki_err(-EINVAL, "%s: a capability of %zu bytes at 0x%" PRIx32,
				vfki_pci_name(v->pci), len, *off);
	cap.len = (uint16_t)(len + 2);
	cap.offset = (uint16_t)*off;
	pthread_mutex_lock(&v->lock);
	ret = add(v, &cap);
	if (!ret)
		show_added(v, &cap, data, writable);
	pthread_mutex_unlock(&v->lock);
	if (!ret)
		*off = cap.offset;
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_cap.c - the lists of capabilities as the guest walks them: what is hidden is not linked, what is added is.
 *
 * The headers' next pointers are the library's for all of them, so a list is made anew by writing them, and what the
 * device's own list does after a break in it concerns nobody.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EXT_CAP_ID_VF_REBAR 0x24 /* PCIe 6.0 section 7.8.7; not in <linux/pci_regs.h> yet */
#define NEXT_SHIFT	    20	 /* of an extended header: PCIe 6.0 section 7.6.3 */

/* ---- where they are ---- */

uint32_t vfki_virtual_caps_end(const struct vfk_pci_virtual *v, bool extended)
{
	if (extended || v->config.size < PCI_CFG_SPACE_SIZE)
		return v->config.size;
	return PCI_CFG_SPACE_SIZE;
}

/* The first byte after @off where something else begins. */
static uint32_t next_begin(const struct vfk_pci_virtual *v, uint32_t off, bool extended)
{
	uint32_t end = vfki_virtual_caps_end(v, extended);

	for (uint32_t i = 0; i < v->caps.num; i++) {
		const struct vfki_virtual_cap *c = &v->caps.cap[i];

		if (c->extended == extended && c->offset > off && c->offset < end)
			end = c->offset;
	}
	return end;
}

/* Where it certainly ends; a length that is unknown is @unknown. */
static uint32_t cap_end(const struct vfk_pci_virtual *v, const struct vfki_virtual_cap *c,
			uint32_t unknown)
{
	uint32_t end = c->offset + (c->len ? c->len : unknown);

	return (uint32_t)vfki_min_u64(end, next_begin(v, c->offset, c->extended));
}

static bool fits(const struct vfk_pci_virtual *v, const struct vfki_virtual_cap *c)
{
	return c->offset + c->len <= next_begin(v, c->offset, c->extended);
}

uint32_t vfki_virtual_cap_room(const struct vfk_pci_virtual *v, const struct vfki_virtual_cap *cap)
{
	return cap_end(v, cap, PCI_CFG_SPACE_SIZE) - cap->offset;
}

/* ---- linking ---- */

static void link_standard(struct vfk_pci_virtual *v)
{
	uint32_t link = PCI_CAPABILITY_LIST;
	bool any = false;

	vfki_virtual_set(v, PCI_CAPABILITY_LIST, 1, 0xff, 0, 0);
	for (uint32_t i = 0; i < v->caps.num; i++) {
		const struct vfki_virtual_cap *c = &v->caps.cap[i];

		if (c->extended || c->hidden)
			continue;
		vfki_virtual_set(v, link, 1, 0xff, c->offset, 0);
		/* the id as it was listed: by it was decided what the guest may have */
		vfki_virtual_set(v, c->offset, 1, 0xff, c->id, 0);
		link = c->offset + PCI_CAP_LIST_NEXT;
		vfki_virtual_set(v, link, 1, 0xff, 0, 0);
		any = true;
	}
	vfki_virtual_set(v, PCI_STATUS, 2, PCI_STATUS_CAP_LIST, any ? PCI_STATUS_CAP_LIST : 0, 0);
}

/*
 * The list begins at its first byte whatever is there: where that capability is hidden a header stands instead with id 0,
 * which is a Null capability (PCIe 6.0 section 7.9.28), or, with no next one, the end (section 7.6.1).
 */
static void link_extended(struct vfk_pci_virtual *v)
{
	uint32_t header = PCI_CFG_SPACE_SIZE;

	if (v->config.size <= PCI_CFG_SPACE_SIZE)
		return;
	vfki_virtual_set(v, header, 4, UINT32_MAX, 0, 0);
	for (uint32_t i = 0; i < v->caps.num; i++) {
		const struct vfki_virtual_cap *c = &v->caps.cap[i];

		if (!c->extended || c->hidden)
			continue;
		if (c->offset != header)
			vfki_virtual_set(v, header, 4, 0xfffu << NEXT_SHIFT,
					 (uint32_t)c->offset << NEXT_SHIFT, 0);
		header = c->offset;
		vfki_virtual_set(v, header, 4, UINT32_MAX, c->id | (uint32_t)c->version << 16, 0);
	}
}

void vfki_virtual_caps_link(struct vfk_pci_virtual *v)
{
	link_standard(v);
	link_extended(v);
}

/* ---- hiding ---- */

static void hide(struct vfk_pci_virtual *v, struct vfki_virtual_cap *c)
{
	uint32_t end = cap_end(v, c, c->extended ? 4 : 2);

	c->hidden = true;
	for (uint32_t off = c->offset; off < end; off++)
		vfki_virtual_set(v, off, 1, 0xff, 0, 0);
}

void vfki_virtual_cap_hide(struct vfk_pci_virtual *v, struct vfki_virtual_cap *cap)
{
	hide(v, cap);
	vfki_virtual_caps_link(v);
}

/* Why stands in pci_virtual.h. */
static bool is_unwanted(const struct vfki_virtual_cap *c)
{
	static const uint16_t unwanted[] = {
		PCI_EXT_CAP_ID_SRIOV, PCI_EXT_CAP_ID_MRIOV, PCI_EXT_CAP_ID_ARI,
		PCI_EXT_CAP_ID_REBAR, EXT_CAP_ID_VF_REBAR,  PCI_EXT_CAP_ID_ATS,
		PCI_EXT_CAP_ID_PRI,   PCI_EXT_CAP_ID_PASID, PCI_EXT_CAP_ID_L1SS,
		PCI_EXT_CAP_ID_PTM,
	};

	if (!c->extended)
		return c->id == PCI_CAP_ID_EA;
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(*unwanted); i++) {
		if (c->id == unwanted[i])
			return true;
	}
	return false;
}

/* Whether the library keeps this one itself, and cannot as it stands. */
static bool is_unusable(const struct vfk_pci_virtual *v, const struct vfki_virtual_cap *c)
{
	if (c->extended || (c->id != PCI_CAP_ID_MSI && c->id != PCI_CAP_ID_MSIX))
		return false;
	return vfki_virtual_cap(v, false, c->id) != c || !fits(v, c);
}

static void hide_defaults(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts)
{
	for (uint32_t i = 0; i < v->caps.num; i++) {
		struct vfki_virtual_cap *c = &v->caps.cap[i];
		bool unwanted = is_unwanted(c) && !(opts->flags & VFK_PCI_VIRTUAL_KEEP_CAPS);

		if (unwanted || is_unusable(v, c) ||
		    (c->extended && opts->bus == VFK_PCI_BUS_CONVENTIONAL))
			hide(v, c);
	}
}

/* ---- reading the device's ---- */

int vfki_virtual_caps_insert(struct vfk_pci_virtual *v, const struct vfki_virtual_cap *cap,
			     uint32_t at)
{
	struct vfki_virtual_caps *caps = &v->caps;
	struct vfki_virtual_cap *all = realloc(caps->cap, (caps->num + 1) * sizeof(*all));

	if (!all)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(v->pci));
	caps->cap = all;
	memmove(all + at + 1, all + at, (caps->num - at) * sizeof(*all));
	all[at] = *cap;
	caps->num++;
	return 0;
}

/* A walk that ends with a break has told what comes before it, which is all that there is for the guest. */
static int read_device(struct vfk_pci_virtual *v)
{
	struct vfk_pci_cap at = { .offset = 0 };
	int ret = 0;

	while (!ret && vfk_pci_cap_next(v->pci, &at) == 1) {
		struct vfki_virtual_cap cap = { .offset = at.offset,
						.id = at.id,
						.version = at.version,
						.extended = at.extended };

		ret = vfki_virtual_cap_length(v, &at, &cap.len);
		if (!ret && at.offset + (at.extended ? 4u : 2u) <= v->config.size)
			ret = vfki_virtual_caps_insert(v, &cap, v->caps.num);
	}
	return ret;
}

static int read_pm(struct vfk_pci_virtual *v)
{
	const struct vfki_virtual_cap *c = vfki_virtual_cap(v, false, PCI_CAP_ID_PM);
	uint32_t ctrl;
	int ret;

	if (!c || !fits(v, c))
		return 0;
	ret = vfk_pci_config_read(v->pci, c->offset + PCI_PM_PMC, 2, &v->pm_caps);
	if (!ret)
		ret = vfk_pci_config_read(v->pci, c->offset + PCI_PM_CTRL, 2, &ctrl);
	if (ret < 0)
		return ret;
	v->pm = c->offset;
	vfki_virtual_know(v, v->pm + PCI_PM_CTRL, (uint16_t)ctrl);
	v->power = ctrl & PCI_PM_CTRL_STATE_MASK;
	return 0;
}

int vfki_virtual_caps_init(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts)
{
	int ret = read_device(v);

	if (ret < 0)
		return ret;
	hide_defaults(v, opts);
	ret = vfki_virtual_pcie_init(v, opts->bus);
	if (!ret)
		ret = read_pm(v);
	vfki_virtual_caps_link(v);
	return ret;
}

void vfki_virtual_caps_fini(struct vfk_pci_virtual *v)
{
	free(v->caps.cap);
}

/* ---- asking and hiding ---- */

struct vfki_virtual_cap *vfki_virtual_cap(const struct vfk_pci_virtual *v, bool extended,
					  uint16_t id)
{
	for (uint32_t i = 0; i < v->caps.num; i++) {
		struct vfki_virtual_cap *c = &v->caps.cap[i];

		if (!c->hidden && c->extended == extended && c->id == id)
			return c;
	}
	return NULL;
}

bool vfki_virtual_cap_is_shown(const struct vfk_pci_virtual *v, uint32_t off)
{
	for (uint32_t i = 0; i < v->caps.num; i++) {
		if (v->caps.cap[i].offset == off)
			return !v->caps.cap[i].hidden;
	}
	return false;
}

static int none(const struct vfk_pci_virtual *v, bool extended, uint16_t id)
{
	return vfki_err(-ENOENT, "%s: the guest has no %s capability 0x%02x", vfki_pci_name(v->pci),
			extended ? "extended" : "standard", id);
}

int vfk_pci_virtual_find_cap(struct vfk_pci_virtual *v, bool extended, uint16_t id, uint32_t *off)
{
	const struct vfki_virtual_cap *c;
	uint32_t at;

	pthread_mutex_lock(&v->lock);
	c = vfki_virtual_cap(v, extended, id);
	at = c ? c->offset : 0;
	pthread_mutex_unlock(&v->lock);
	if (!c)
		return none(v, extended, id);
	if (off)
		*off = at;
	return 0;
}

int vfk_pci_virtual_hide_cap(struct vfk_pci_virtual *v, bool extended, uint16_t id)
{
	struct vfki_virtual_cap *c;
	bool any = false;

	pthread_mutex_lock(&v->lock);
	while ((c = vfki_virtual_cap(v, extended, id))) {
		vfki_virtual_cap_hide(v, c);
		any = true;
	}
	pthread_mutex_unlock(&v->lock);
	return any ? 0 : none(v, extended, id);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * caps.c - the lists of capabilities: read once, guarded against every way of being linked, then asked.
 *
 * A list is read as far as it can be trusted: each of its offsets is visited once, and lies in the part of config space
 * that the list belongs to. The rest is a text for whoever walks it.
 *
 * Reading happens in open; asking from any thread.
 */
#include "config.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>

#define STEP 4 /* capabilities are aligned to it: PCI 3.0 section 6.7, PCIe 6.0 section 7.6.3 */

struct list {
	bool extended;
	uint32_t first, begin, end; /* where it may be: [begin, end) */
	uint32_t header;	    /* bytes of a capability's header */
	uint8_t seen[PCI_CFG_SPACE_EXP_SIZE / STEP];
};

static void broken(struct vfk_pci *pci, const struct list *l, uint32_t off, const char *why)
{
	/* the first break is what matters */
	if (!*pci->config.broken)
		snprintf(pci->config.broken, sizeof(pci->config.broken),
			 "%s capabilities: at 0x%03" PRIx32 ": %s",
			 l->extended ? "extended" : "standard", off, why);
}

static int append(struct vfk_pci *pci, const struct vfk_pci_cap *cap)
{
	struct vfki_pci_config *c = &pci->config;
	struct vfk_pci_cap *caps = realloc(c->caps, (c->num_caps + 1) * sizeof(*caps));

	if (!caps)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(pci));
	c->caps = caps;
	caps[c->num_caps++] = *cap;
	return 0;
}

/* The capability at @off, and where the next one is. Returns 0 or the access's error. */
static int read_header(struct vfk_pci *pci, const struct list *l, uint32_t off,
		       struct vfk_pci_cap *cap, uint32_t *next)
{
	uint32_t v = 0;
	int ret = vfk_pci_config_read(pci, off, l->header, &v);

	*cap = (struct vfk_pci_cap){ .extended = l->extended, .offset = (uint16_t)off };
	if (l->extended) {
		cap->id = PCI_EXT_CAP_ID(v);
		cap->version = PCI_EXT_CAP_VER(v);
		*next = PCI_EXT_CAP_NEXT(v);
	} else {
		cap->id = v & 0xff;
		*next = v >> 8 & ~(STEP - 1u);
	}
	return ret;
}

/* Whether there is a capability at @off that can be read; 0 ends the list as it should. */
static bool can_go_on(struct vfk_pci *pci, struct list *l, uint32_t off)
{
	if (!off)
		return false;
	if (off < l->begin || off > l->end - STEP) {
		broken(pci, l, off, "outside of the list's part of config space");
		return false;
	}
	if (l->seen[off / STEP]++) {
		broken(pci, l, off, "the list loops");
		return false;
	}
	return true;
}

/* What stands where a list is empty: PCIe 6.0 section 7.6.1, zeroes; and ones, where nobody answers. */
static bool is_nothing(const struct vfk_pci_cap *cap, uint32_t next)
{
	if (!cap->extended)
		return cap->id == 0xff;
	return (!cap->id && !cap->version && !next) || cap->id == 0xffff;
}

static int read_list(struct vfk_pci *pci, struct list *l)
{
	struct vfk_pci_cap cap;
	uint32_t next;
	int ret;

	for (uint32_t off = l->first; can_go_on(pci, l, off); off = next) {
		ret = read_header(pci, l, off, &cap, &next);
		if (ret < 0)
			return ret;
		if (is_nothing(&cap, next)) {
			if (off != l->begin || !l->extended)
				broken(pci, l, off, "no capability");
			return 0;
		}
		ret = append(pci, &cap);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Whether there is a standard list, and where it begins; PCI 3.0 section 6.2.3. */
static int find_first(struct vfk_pci *pci, uint32_t *first)
{
	uint32_t status, v;
	int ret = vfk_pci_config_read(pci, PCI_STATUS, 2, &status);

	*first = 0;
	if (ret < 0 || !(status & PCI_STATUS_CAP_LIST))
		return ret;
	/* PC Card bridges have it elsewhere */
	ret = vfk_pci_config_read(pci,
				  pci->identity.header_type == PCI_HEADER_TYPE_CARDBUS ?
					  PCI_CB_CAPABILITY_LIST :
					  PCI_CAPABILITY_LIST,
				  1, &v);
	if (!ret)
		*first = v & ~(STEP - 1u);
	return ret;
}

int vfki_pci_caps_read(struct vfk_pci *pci)
{
	uint32_t size = pci->config.size;
	struct list std = { .begin = PCI_STD_HEADER_SIZEOF,
			    .end = size < PCI_CFG_SPACE_SIZE ? size & ~(STEP - 1u) :
							       PCI_CFG_SPACE_SIZE,
			    .header = 2 };
	struct list ext = { .extended = true,
			    .first = PCI_CFG_SPACE_SIZE,
			    .begin = PCI_CFG_SPACE_SIZE,
			    .end = size & ~(STEP - 1u),
			    .header = 4 };
	int ret = find_first(pci, &std.first);

	if (!ret)
		ret = read_list(pci, &std);
	if (!ret && ext.end > ext.begin)
		ret = read_list(pci, &ext);
	return ret;
}

/* ---- asking ---- */

/* The place of @cap in the list; num_caps: it is not there. */
static uint32_t place_of(const struct vfki_pci_config *c, const struct vfk_pci_cap *cap)
{
	uint32_t i;

	for (i = 0; i < c->num_caps; i++) {
		if (c->caps[i].offset == cap->offset)
			break;
	}
	return i;
}

int vfk_pci_cap_next(const struct vfk_pci *pci, struct vfk_pci_cap *cap)
{
	const struct vfki_pci_config *c = &pci->config;
	uint32_t i = 0;

	if (cap->offset) {
		i = place_of(c, cap);
		if (i == c->num_caps)
			return vfki_err(-ENOENT, "%s: no capability at 0x%03x", vfki_pci_name(pci),
					cap->offset);
		i++;
	}
	if (i < c->num_caps) {
		*cap = c->caps[i];
		return 1;
	}
	return *c->broken ? vfki_err(-EPROTO, "%s: %s", vfki_pci_name(pci), c->broken) : 0;
}

static int find(const struct vfk_pci *pci, bool extended, uint16_t id, uint32_t *off)
{
	const struct vfki_pci_config *c = &pci->config;

	for (uint32_t i = 0; i < c->num_caps; i++) {
		if (c->caps[i].extended != extended || c->caps[i].id != id)
			continue;
		if (off)
			*off = c->caps[i].offset;
		return 0;
	}
	return vfki_err(-ENOENT, "%s: no %s capability 0x%02x", vfki_pci_name(pci),
			extended ? "extended" : "standard", id);
}

int vfk_pci_cap_find(const struct vfk_pci *pci, uint8_t id, uint32_t *off)
{
	return find(pci, false, id, off);
}

int vfki_pci_cap_find_whole(const struct vfk_pci *pci, uint8_t id, uint32_t size, uint32_t *off)
{
	uint32_t at, end = (uint32_t)vfki_min_u64(pci->config.size, PCI_CFG_SPACE_SIZE);
	int ret = vfk_pci_cap_find(pci, id, &at);

	if (ret < 0)
		return ret;
	if (!vfki_range_ok(at, size, end))
		return vfki_err(-ENOENT,
				"%s: standard capability 0x%02x at 0x%02" PRIx32
				" does not fit into config space",
				vfki_pci_name(pci), id, at);
	*off = at;
	return 0;
}

int vfk_pci_ext_cap_find(const struct vfk_pci *pci, uint16_t id, uint32_t *off)
{
	return find(pci, true, id, off);
}

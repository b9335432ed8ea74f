/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saved.c - which registers those are; see saved.h.
 */
#include "saved.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdio.h>

#define EXP_VERSION_1_SIZE \
	0x24 /* PCIe 1.1 section 7.8: the registers numbered 2 came with version 2 */

/* A register of a capability, and those of its bits that are a setting. */
struct known {
	bool extended;
	uint16_t id;
	uint16_t off; /* in the capability */
	uint8_t width;
	uint32_t mask, clears;
};

static const struct known known[] = {
	/* without the state, and PME_Status, which a 1 clears: PCI PM 1.2 section 3.2.4 */
	{ false, PCI_CAP_ID_PM, PCI_PM_CTRL, 2, PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_DATA_SEL_MASK,
	  PCI_PM_CTRL_PME_STATUS },
	{ false, PCI_CAP_ID_PCIX, PCI_X_CMD, 2, 0xffff, 0 },
	/* without Initiate Function Level Reset: PCIe 6.0 section 7.5.3.4 */
	{ false, PCI_CAP_ID_EXP, PCI_EXP_DEVCTL, 2, 0xffff & ~PCI_EXP_DEVCTL_BCR_FLR, 0 },
	{ false, PCI_CAP_ID_EXP, PCI_EXP_DEVCTL2, 2, 0xffff, 0 },
	{ false, PCI_CAP_ID_EXP, PCI_EXP_LNKCTL2, 2, 0xffff, 0 },
	{ true, PCI_EXT_CAP_ID_LTR, PCI_LTR_MAX_SNOOP_LAT, 2, 0xffff, 0 },
	{ true, PCI_EXT_CAP_ID_LTR, PCI_LTR_MAX_NOSNOOP_LAT, 2, 0xffff, 0 },
	/* L1 substates: times before what they are for, and all before L1 itself (section 5.5.4) */
	{ true, PCI_EXT_CAP_ID_L1SS, PCI_L1SS_CTL2, 4, UINT32_MAX, 0 },
	{ true, PCI_EXT_CAP_ID_L1SS, PCI_L1SS_CTL1, 4, ~(uint32_t)PCI_L1SS_CTL1_L1SS_MASK, 0 },
	{ true, PCI_EXT_CAP_ID_L1SS, PCI_L1SS_CTL1, 4, PCI_L1SS_CTL1_L1SS_MASK, 0 },
	/* without Link Disable and Retrain Link, which are a port's: section 7.5.3.7 */
	{ false, PCI_CAP_ID_EXP, PCI_EXP_LNKCTL, 2,
	  0xffff & ~(PCI_EXP_LNKCTL_LD | PCI_EXP_LNKCTL_RL), 0 },
	{ true, PCI_EXT_CAP_ID_ERR, PCI_ERR_UNCOR_MASK, 4, UINT32_MAX, 0 },
	{ true, PCI_EXT_CAP_ID_ERR, PCI_ERR_UNCOR_SEVER, 4, UINT32_MAX, 0 },
	{ true, PCI_EXT_CAP_ID_ERR, PCI_ERR_COR_MASK, 4, UINT32_MAX, 0 },
	{ true, PCI_EXT_CAP_ID_ERR, PCI_ERR_CAP, 4, PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE,
	  0 },
	{ true, PCI_EXT_CAP_ID_ACS, PCI_ACS_CTRL, 2, 0xffff, 0 },
	{ true, PCI_EXT_CAP_ID_ARI, PCI_ARI_CTRL, 2, 0xffff, 0 },
	{ true, PCI_EXT_CAP_ID_PTM, PCI_PTM_CTRL, 4, UINT32_MAX, 0 },
	/* PASID before ATS, ATS before PRI: each needs the one before (PCIe 6.0 sections 7.8.9, 10.5) */
	{ true, PCI_EXT_CAP_ID_PASID, PCI_PASID_CTRL, 2, 0xffff, 0 },
	{ true, PCI_EXT_CAP_ID_ATS, PCI_ATS_CTRL, 2, 0xffff, 0 },
	{ true, PCI_EXT_CAP_ID_PRI, PCI_PRI_ALLOC_REQ, 4, UINT32_MAX, 0 },
	/* without Reset: section 10.5.2.2 */
	{ true, PCI_EXT_CAP_ID_PRI, PCI_PRI_CTRL, 2, PCI_PRI_CTRL_ENABLE, 0 },
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

#define REBAR_MAX  6	   /* PCIe 6.0 section 7.8.6.3, Number of Resizable BARs */
#define REBAR_SIZE 0x3f00u /* BAR Size */
#define HEADER_MAX 10	   /* of take_header(): three bytes, six BARs, the ROM's */

/* PCIe 6.0 section 7.9.13, TPH Extended Capability; <linux/pci_regs.h> of Linux 6.1 has its first register only. */
#define TPH_CTRL	 0x08
#define TPH_CTRL_MODE	 0x007u /* ST Mode Select */
#define TPH_CTRL_ENABLE	 0x300u /* TPH Requester Enable */
#define TPH_TABLE	 0x0c	/* 16 bits an entry */
#define TPH_TABLE_IN_CAP 1u	/* ST Table Location */
#define TPH_ENTRIES_MAX	 64

_Static_assert(KNOWN + REBAR_MAX + HEADER_MAX + TPH_ENTRIES_MAX + 1 + 1 <= VFKI_PCI_SAVED_MAX,
	       "room for all");

static int unless_lost(struct vfki_pci_saved *s, int ret)
{
	if (ret != -EIO)
		return ret;
	s->lost++;
	return 0;
}

static int take(struct vfk_pci *pci, struct vfki_pci_saved *s, uint32_t off, uint8_t width,
		uint32_t mask, uint32_t clears)
{
	struct vfki_pci_saved_register *r = &s->regs[s->count];
	int ret;

	*r = (struct vfki_pci_saved_register){
		.off = (uint16_t)off, .width = width, .mask = mask, .clears = clears
	};
	ret = vfk_pci_config_read(pci, off, width, &r->value);
	if (!ret)
		s->count++;
	return unless_lost(s, ret);
}

/* Sizes come before addresses. */
static int take_resizable_bars(struct vfk_pci *pci, struct vfki_pci_saved *s)
{
	uint32_t at, ctrl = 0;
	int ret = 0;

	if (vfk_pci_ext_cap_find(pci, PCI_EXT_CAP_ID_REBAR, &at) < 0 ||
	    !vfki_range_ok(at, PCI_REBAR_CTRL + 4, pci->config.size))
		return 0;
	ret = unless_lost(s, vfk_pci_config_read(pci, at + PCI_REBAR_CTRL, 4, &ctrl));
	ctrl = (ctrl & PCI_REBAR_CTRL_NBAR_MASK) >> PCI_REBAR_CTRL_NBAR_SHIFT;
	for (uint32_t i = 0; !ret && i < ctrl && i < REBAR_MAX; i++) {
		uint32_t off = at + PCI_REBAR_CTRL + 8 * i;

		if (vfki_range_ok(off, 4, pci->config.size))
			ret = take(pci, s, off, 4, REBAR_SIZE, 0);
	}
	return ret;
}

/* Entries of the steering tags' table that lie in the capability; those in MSI-X's are not config space. */
static uint32_t tph_entries(uint32_t cap)
{
	uint32_t n = ((cap & PCI_TPH_CAP_ST_MASK) >> PCI_TPH_CAP_ST_SHIFT) + 1;

	if ((cap & PCI_TPH_CAP_LOC_MASK) >> 9 != TPH_TABLE_IN_CAP)
		return 0;
	return n < TPH_ENTRIES_MAX ? n : TPH_ENTRIES_MAX;
}

/* Nobody reads the table of a device that makes no use of it. What uses it comes behind it. */
static int take_tph(struct vfk_pci *pci, struct vfki_pci_saved *s)
{
	uint32_t at, cap = 0, ctrl = 0, n;
	int ret;

	if (vfk_pci_ext_cap_find(pci, PCI_EXT_CAP_ID_TPH, &at) < 0 ||
	    !vfki_range_ok(at, TPH_TABLE, pci->config.size))
		return 0;
	ret = unless_lost(s, vfk_pci_config_read(pci, at + PCI_TPH_CAP, 4, &cap));
	if (!ret)
		ret = unless_lost(s, vfk_pci_config_read(pci, at + TPH_CTRL, 4, &ctrl));
	if (ret < 0)
		return ret;
	n = ctrl & TPH_CTRL_ENABLE ? tph_entries(cap) : 0;
	for (uint32_t i = 0, off = at + TPH_TABLE; !ret && i < n; i++, off += 2) {
		if (vfki_range_ok(off, 2, pci->config.size))
			ret = take(pci, s, off, 2, 0xffff, 0);
	}
	return ret ? ret : take(pci, s, at + TPH_CTRL, 4, TPH_CTRL_MODE | TPH_CTRL_ENABLE, 0);
}

static int take_header(struct vfk_pci *pci, struct vfki_pci_saved *s)
{
	static const uint8_t bytes[] = { PCI_CACHE_LINE_SIZE, PCI_LATENCY_TIMER,
					 PCI_INTERRUPT_LINE };
	bool normal = pci->identity.header_type == PCI_HEADER_TYPE_NORMAL;
	uint32_t bars = normal ? 6 : pci->identity.header_type == PCI_HEADER_TYPE_BRIDGE ? 2 : 1;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(bytes); i++)
		ret = take(pci, s, bytes[i], 1, 0xff, 0);
	for (uint32_t i = 0; !ret && i < bars; i++)
		ret = take(pci, s, PCI_BASE_ADDRESS_0 + 4 * i, 4, UINT32_MAX, 0);
	if (!ret && normal)
		ret = take(pci, s, PCI_ROM_ADDRESS, 4, UINT32_MAX, 0);
	return ret;
}

/* 1: the capability at @at has the register; 0: not, as a broken one, or one of an old version; -errno. */
static int has_register(struct vfk_pci *pci, const struct known *k, uint32_t at)
{
	uint32_t end = k->extended ? pci->config.size :
				     (uint32_t)vfki_min_u64(pci->config.size, PCI_CFG_SPACE_SIZE);
	uint32_t flags;
	int ret;

	if (!vfki_range_ok(at + k->off, k->width, end))
		return 0;
	if (k->extended || k->id != PCI_CAP_ID_EXP || k->off < EXP_VERSION_1_SIZE)
		return 1;
	ret = vfk_pci_config_read(pci, at + PCI_EXP_FLAGS, 2, &flags);
	return ret < 0 ? ret : (flags & PCI_EXP_FLAGS_VERS) >= 2;
}

static int take_capabilities(struct vfk_pci *pci, struct vfki_pci_saved *s)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < KNOWN; i++) {
		const struct known *k = &known[i];
		uint32_t at;

		if (k->extended ? vfk_pci_ext_cap_find(pci, k->id, &at) :
				  vfk_pci_cap_find(pci, (uint8_t)k->id, &at))
			continue;
		ret = has_register(pci, k, at);
		ret = ret < 0 ? unless_lost(s, ret) : ret;
		if (ret > 0)
			ret = take(pci, s, at + k->off, k->width, k->mask, k->clears);
	}
	return ret < 0 ? ret : 0;
}

int vfki_pci_saved_take(struct vfk_pci *pci, struct vfki_pci_saved *saved)
{
	int ret;

	*saved = (struct vfki_pci_saved){ .count = 0 };
	ret = take_resizable_bars(pci, saved);
	if (!ret)
		ret = take_header(pci, saved);
	if (!ret)
		ret = take_capabilities(pci, saved);
	if (!ret)
		ret = take_tph(pci, saved);
	/* the last: what it permits uses the rest */
	return ret ? ret : take(pci, saved, PCI_COMMAND, 2, 0xffff, 0);
}

static int put_back(struct vfk_pci *pci, const struct vfki_pci_saved_register *r)
{
	uint32_t now;
	int ret = vfk_pci_config_read(pci, r->off, r->width, &now);

	if (!ret && (now ^ r->value) & r->mask)
		ret = vfki_pci_config_put(pci, r->off, r->width,
					  (now & ~r->mask & ~r->clears) | (r->value & r->mask));
	return ret < 0 ? vfki_err_prefix(ret, "register 0x%03x is not restored", r->off) : 0;
}

/* What was not saved is not restored. */
static int check_lost(const struct vfki_pci_saved *saved)
{
	if (saved->dead)
		return vfki_err(-ENODATA,
				"nothing is restored, since config space did not answer before: "
				"registers are as the reset has left them");
	if (saved->lost)
		return vfki_err(-ENODATA,
				"%" PRIu32
				" registers are not restored, which could not be read before",
				saved->lost);
	return 0;
}

/* A later success clears the text of a failure. */
int vfki_pci_saved_put_back(struct vfk_pci *pci, const struct vfki_pci_saved *saved)
{
	char text[VFKI_ERROR_SIZE];
	int first = check_lost(saved);

	snprintf(text, sizeof(text), "%s", vfk_error());
	for (uint32_t i = 0; i < saved->count; i++) {
		/* BARs may be where nobody expects them: nothing is decoded then */
		bool unsafe = first && saved->regs[i].off == PCI_COMMAND;
		int ret = unsafe ? 0 : put_back(pci, &saved->regs[i]);

		if (ret < 0 && !first) {
			first = ret;
			snprintf(text, sizeof(text), "%s", vfk_error());
		}
		if (vfki_pci_is_cut_off(ret) || ret == -ENODEV)
			return ret;
	}
	return first ? vfki_err(first, "%s", text) : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_pcie.c - the PCI Express capability on the guest's bus, and resets of the function that the guest asks for.
 *
 * What a device's type may be depends on where it is (PCIe 6.0 section 7.5.3.2), and that is another place in the guest.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"

struct pcie {
	uint32_t at, len; /* of it, len bytes are there */
	unsigned int type, version;
};

static void set(struct vfk_pci_virtual *v, const struct pcie *e, uint32_t reg, unsigned int width,
		uint32_t mask, uint32_t value)
{
	if (vfki_range_ok(reg, width, e->len))
		vfki_virtual_set(v, e->at + reg, width, mask, value, 0);
}

static void set_type(struct vfk_pci_virtual *v, const struct pcie *e, unsigned int type)
{
	set(v, e, PCI_EXP_FLAGS, 2, PCI_EXP_FLAGS_TYPE, type << 4);
}

static void no_link(struct vfk_pci_virtual *v, const struct pcie *e)
{
	set(v, e, PCI_EXP_LNKCAP, 4, UINT32_MAX, 0);
	set(v, e, PCI_EXP_LNKCTL, 2, 0xffff, 0);
	set(v, e, PCI_EXP_LNKSTA, 2, 0xffff, 0);
	if (e->version < 2)
		return;
	set(v, e, PCI_EXP_LNKCAP2, 4, UINT32_MAX, 0);
	set(v, e, PCI_EXP_LNKCTL2, 2, 0xffff, 0);
	set(v, e, PCI_EXP_LNKSTA2, 2, 0xffff, 0);
}

/* The least that there is: one lane at 2.5 GT/s. */
static void make_up_link(struct vfk_pci_virtual *v, const struct pcie *e)
{
	set(v, e, PCI_EXP_LNKCAP, 4, UINT32_MAX, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4);
	set(v, e, PCI_EXP_LNKCTL, 2, 0xffff, 0);
	set(v, e, PCI_EXP_LNKSTA, 2, 0xffff, PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1);
}

/*
 * The link is the host's: its status is shown, its control is the guest's alone. A guest that retrained it, or switched ASPM
 * on at one end of it, would disturb what it cannot see.
 */
static void keep_link(struct vfk_pci_virtual *v, const struct pcie *e, uint32_t ctl)
{
	uint32_t mine = PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC |
			PCI_EXP_LNKCTL_ES | PCI_EXP_LNKCTL_CLKREQ_EN | PCI_EXP_LNKCTL_HAWD;

	if (vfki_range_ok(PCI_EXP_LNKCTL, 2, e->len))
		vfki_virtual_set(v, e->at + PCI_EXP_LNKCTL, 2, 0xffff, ctl, mine);
}

static int on_root(struct vfk_pci_virtual *v, const struct pcie *e)
{
	if (e->type == PCI_EXP_TYPE_LEG_END) {
		/* There is no legacy endpoint in a root complex: as a conventional device it is legal. */
		vfki_virtual_cap_hide(v, vfki_virtual_cap(v, false, PCI_CAP_ID_EXP));
		return 0;
	}
	set_type(v, e, PCI_EXP_TYPE_RC_END);
	no_link(v, e);
	return 0;
}

static int elsewhere(struct vfk_pci_virtual *v, const struct pcie *e, bool below_port)
{
	uint32_t ctl = 0;
	int ret = 0;

	if (e->type == PCI_EXP_TYPE_RC_END) {
		if (below_port) {
			set_type(v, e, PCI_EXP_TYPE_ENDPOINT);
			make_up_link(v, e);
		}
		return 0;
	}
	if (vfki_range_ok(PCI_EXP_LNKCTL, 2, e->len))
		ret = vfk_pci_config_read(v->pci, e->at + PCI_EXP_LNKCTL, 2, &ctl);
	if (!ret)
		keep_link(v, e, ctl);
	return ret;
}

/* A version 0 there is not; some virtual functions say it (Intel 82599 specification update, erratum 35). */
static void fix_version(struct vfk_pci_virtual *v, struct pcie *e)
{
	if (e->version)
		return;
	e->version = 1;
	set(v, e, PCI_EXP_FLAGS, 2, PCI_EXP_FLAGS_VERS, 1);
}

static int read_flr(struct vfk_pci_virtual *v, const struct vfki_virtual_cap *exp,
		    const struct vfki_virtual_cap *af)
{
	uint32_t cap = 0;
	int ret = 0;

	if (exp && vfki_virtual_cap_room(v, exp) >= PCI_EXP_DEVCTL + 2) {
		ret = vfk_pci_config_read(v->pci, exp->offset + PCI_EXP_DEVCAP, 4, &cap);
		v->can_flr = !ret && cap & PCI_EXP_DEVCAP_FLR;
	}
	if (!ret && af && vfki_virtual_cap_room(v, af) > PCI_AF_CTRL) {
		ret = vfk_pci_config_read(v->pci, af->offset + PCI_AF_CAP, 1, &cap);
		v->can_af_flr = !ret && cap & PCI_AF_CAP_FLR;
	}
	return ret;
}

int vfki_virtual_pcie_init(struct vfk_pci_virtual *v, enum vfk_pci_virtual_bus bus)
{
	const struct vfki_virtual_cap *c = vfki_virtual_cap(v, false, PCI_CAP_ID_EXP);
	struct pcie e = { .at = 0 };
	uint32_t flags;
	int ret;

	ret = read_flr(v, c, vfki_virtual_cap(v, false, PCI_CAP_ID_AF));
	if (ret < 0 || !c || vfki_virtual_cap_room(v, c) < 4)
		return ret;
	ret = vfk_pci_config_read(v->pci, c->offset + PCI_EXP_FLAGS, 2, &flags);
	if (ret < 0)
		return ret;
	e.at = c->offset;
	e.len = vfki_virtual_cap_room(v, c);
	e.type = (flags & PCI_EXP_FLAGS_TYPE) >> 4;
	e.version = flags & PCI_EXP_FLAGS_VERS;
	if (e.type != PCI_EXP_TYPE_ENDPOINT && e.type != PCI_EXP_TYPE_LEG_END &&
	    e.type != PCI_EXP_TYPE_RC_END)
		return vfki_err(-ENOTSUP, "%s: virtual device: PCI Express type %u is no endpoint",
				vfki_pci_name(v->pci), e.type);
	fix_version(v, &e);
	if (bus == VFK_PCI_BUS_ROOT)
		return on_root(v, &e);
	return elsewhere(v, &e, bus == VFK_PCI_BUS_PORT);
}

/* ---- function-level reset ---- */

/* The part of a write that falls on a 16-bit register. */
static bool written(uint32_t reg, uint32_t off, unsigned int width, uint32_t value, uint32_t *bits)
{
	if (off < reg + 2 && reg < off + width) {
		*bits = off <= reg ? value >> 8 * (reg - off) : value << 8 * (off - reg);
		return true;
	}
	return false;
}

bool vfki_virtual_is_flr(const struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
			 uint32_t value)
{
	const struct vfki_virtual_cap *exp = vfki_virtual_cap(v, false, PCI_CAP_ID_EXP);
	const struct vfki_virtual_cap *af = vfki_virtual_cap(v, false, PCI_CAP_ID_AF);
	uint32_t bits;

	/* The capabilities that say that there is one are the device's, and it drops what it does not have. */
	if (exp && written(exp->offset + PCI_EXP_DEVCTL, off, width, value, &bits) &&
	    bits & PCI_EXP_DEVCTL_BCR_FLR)
		return v->can_flr;
	return af && written(af->offset + PCI_AF_CTRL, off, width, value, &bits) &&
	       bits & PCI_AF_CTRL_FLR && v->can_af_flr;
}

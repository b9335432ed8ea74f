/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_cap_length.c - how many bytes a capability has, by its id and, where that is not enough, by what it says itself.
 *
 * It is never more than there is up to the next capability: one that says more is not believed.
 *
 * Any thread; pure but for reads of the device.
 */
#include "instance.h"
#include "virtual.h"

#define EXT_CAP_ID_VF_REBAR 0x24 /* PCIe 6.0 section 7.8.7; not in <linux/pci_regs.h> yet */

/* Bytes, header included: PCI 3.0 appendix H and PCIe 6.0 sections 7.5 to 7.9. */
static const uint16_t standard[] = {
	[PCI_CAP_ID_PM] = PCI_PM_SIZEOF,
	[PCI_CAP_ID_AGP] = PCI_AGP_SIZEOF,
	[PCI_CAP_ID_VPD] = PCI_CAP_VPD_SIZEOF,
	[PCI_CAP_ID_SLOTID] = 4,
	[PCI_CAP_ID_CHSWP] = 4,
	[PCI_CAP_ID_PCIX] = PCI_CAP_PCIX_SIZEOF_V0,
	[PCI_CAP_ID_DBG] = 4,
	[PCI_CAP_ID_SHPC] = 8,
	[PCI_CAP_ID_SSVID] = 8,
	[PCI_CAP_ID_AGP3] = PCI_AGP_SIZEOF,
	[PCI_CAP_ID_MSIX] = PCI_CAP_MSIX_SIZEOF,
	[PCI_CAP_ID_AF] = PCI_CAP_AF_SIZEOF,
};

static const uint16_t extended[] = {
	[PCI_EXT_CAP_ID_ERR] = 0x2c,
	[PCI_EXT_CAP_ID_DSN] = PCI_EXT_CAP_DSN_SIZEOF,
	[PCI_EXT_CAP_ID_PWR] = PCI_EXT_CAP_PWR_SIZEOF,
	[PCI_EXT_CAP_ID_ACS] = 8,
	[PCI_EXT_CAP_ID_ARI] = PCI_EXT_CAP_ARI_SIZEOF,
	[PCI_EXT_CAP_ID_ATS] = PCI_EXT_CAP_ATS_SIZEOF,
	[PCI_EXT_CAP_ID_SRIOV] = PCI_EXT_CAP_SRIOV_SIZEOF,
	[PCI_EXT_CAP_ID_PRI] = PCI_EXT_CAP_PRI_SIZEOF,
	[PCI_EXT_CAP_ID_LTR] = PCI_EXT_CAP_LTR_SIZEOF,
	[PCI_EXT_CAP_ID_PASID] = PCI_EXT_CAP_PASID_SIZEOF,
	[PCI_EXT_CAP_ID_L1SS] = 0x14,
	[PCI_EXT_CAP_ID_PTM] = 0xc,
	[PCI_EXT_CAP_ID_DLF] = 0xc,
	[PCI_EXT_CAP_ID_DOE] = 0x18,
};

/* A register of the capability's; 0 where that would be beyond the end, which no length is made of. */
static int reg(struct vfk_pci_virtual *v, const struct vfk_pci_cap *cap, uint32_t at,
	       uint32_t *value)
{
	*value = 0;
	if (cap->offset + at + 4 > v->config.size)
		return 0;
	return vfk_pci_config_read(v->pci, cap->offset + at, 4, value);
}

/* The registers up to the mask and pending bits that the control register announces: PCI 3.0 section 6.8.1. */
static uint16_t msi_length(uint32_t header)
{
	uint32_t flags = header >> 16;
	uint16_t len = flags & PCI_MSI_FLAGS_64BIT ? 14 : 10;

	return flags & PCI_MSI_FLAGS_MASKBIT ? len + 10 : len;
}

/* Version 1 ends with the link's registers, or before them: PCIe 6.0 section 7.5.3. */
static uint16_t pcie_length(uint32_t header)
{
	uint32_t flags = header >> 16;

	if ((flags & PCI_EXP_FLAGS_VERS) > 1)
		return 0x3c;
	return (flags & PCI_EXP_FLAGS_TYPE) >> 4 == PCI_EXP_TYPE_RC_END ?
		       PCI_CAP_EXP_RC_ENDPOINT_SIZEOF_V1 :
		       PCI_CAP_EXP_ENDPOINT_SIZEOF_V1;
}

static int standard_length(struct vfk_pci_virtual *v, const struct vfk_pci_cap *cap, uint32_t *len)
{
	uint32_t header;
	int ret = reg(v, cap, 0, &header);

	*len = cap->id < sizeof(standard) / sizeof(*standard) ? standard[cap->id] : 0;
	if (cap->id == PCI_CAP_ID_MSI)
		*len = msi_length(header);
	else if (cap->id == PCI_CAP_ID_EXP)
		*len = pcie_length(header);
	else if (cap->id == PCI_CAP_ID_VNDR) /* a length that is none tells nothing */
		*len = (header >> 16 & 0xff) > 2 ? header >> 16 & 0xff : 0;
	else if (cap->id == PCI_CAP_ID_EA)
		*len = 4 + (header >> 16 & PCI_EA_NUM_ENT_MASK) * 20;
	return ret;
}

static int extended_length(struct vfk_pci_virtual *v, const struct vfk_pci_cap *cap, uint32_t *len)
{
	uint32_t value = 0;
	int ret = 0;

	*len = cap->id < sizeof(extended) / sizeof(*extended) ? extended[cap->id] : 0;
	if (cap->id == PCI_EXT_CAP_ID_VNDR || cap->id == PCI_EXT_CAP_ID_DVSEC) {
		ret = reg(v, cap, 4, &value);
		*len = value >> 20;
	} else if (cap->id == PCI_EXT_CAP_ID_REBAR || cap->id == EXT_CAP_ID_VF_REBAR) {
		ret = reg(v, cap, PCI_REBAR_CTRL, &value);
		*len = 4 + 8 * ((value & PCI_REBAR_CTRL_NBAR_MASK) >> PCI_REBAR_CTRL_NBAR_SHIFT);
	}
	return ret;
}

int vfki_virtual_cap_length(struct vfk_pci_virtual *v, const struct vfk_pci_cap *cap, uint16_t *len)
{
	uint32_t n;
	int ret = cap->extended ? extended_length(v, cap, &n) : standard_length(v, cap, &n);

	*len = (uint16_t)n;
	return ret;
}

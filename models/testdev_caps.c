/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testdev_caps.c - the test device's capabilities, and how their chains can be broken.
 *
 * What the extended capabilities say stands together, but nothing of it acts: the device has no link, sends no TLPs,
 * and its virtual functions cannot be enabled. Layouts are those of PCIe 6.0, section 7.
 *
 * Threads: inside init only.
 */
#include "testdev.h"
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#define LE16(v) (uint8_t)(v), (uint8_t)((v) >> 8)
#define LE32(v) LE16(v), (uint8_t)((v) >> 16), (uint8_t)((v) >> 24)

/* Errors that a function of this kind can have (section 7.8.4). */
#define AER_UNCOR 0x01fff030u
#define AER_COR	  0x0000f1c1u

/* Uncorrectable status, mask, severity; correctable status, mask; control; header log, TLP prefix log. */
static const uint8_t aer[0x44] = { LE32(0), LE32(0), LE32(0x00462030), LE32(0), LE32(0x2000) };
static const uint8_t aer_writable[0x44] = { LE32(0), LE32(AER_UNCOR), LE32(AER_UNCOR), LE32(0),
					    LE32(AER_COR) };
static const uint8_t aer_clears[0x44] = { LE32(AER_UNCOR), LE32(0), LE32(0), LE32(AER_COR) };

/* One virtual channel, which carries all traffic classes. */
static const uint8_t vc[] = { LE32(0), LE32(0), LE32(0), LE32(0), LE32(0x800000ff), LE32(0) };

static const uint8_t dsn[] = { 0x01, 0x00, 0x00, 0xff, 0xff, 0x7e, 0x57, 0x00 };

static const uint8_t acs[] = { LE16(0), LE16(0) };

/* No function after this one. */
static const uint8_t ari[] = { LE16(0), LE16(0) };

/* Invalidate queue of 32, pages aligned; enable and smallest translation unit. */
static const uint8_t ats[] = { LE16(0x20), LE16(0) };
static const uint8_t ats_writable[] = { LE16(0), LE16(0x801f) };

/* 20 bits, execute and privileged mode. */
static const uint8_t pasid[] = { LE16(20 << 8 | 6), LE16(0) };
static const uint8_t pasid_writable[] = { LE16(0), LE16(7) };

/* Seven virtual functions, none of which is enabled, with a BAR of 16 KiB; pages of 4 KiB and up. */
static const uint8_t sriov[0x3c] = {
	LE32(0), LE16(0), LE16(0), LE16(7),	 LE16(7),     LE16(0), LE16(0),
	LE16(1), LE16(1), LE16(0), LE16(0x11ea), LE32(0x553), LE32(1),
};

/* No steering tags. */
static const uint8_t tph[] = { LE32(1), LE32(0) };
static const uint8_t tph_writable[] = { LE32(0), LE32(0x307) };

static const uint8_t ltr[] = { LE16(0), LE16(0) };
static const uint8_t ltr_writable[] = { LE16(0x1fff), LE16(0x1fff) };

/* ASPM and PCI-PM L1.1 and L1.2. */
static const uint8_t l1ss[] = { LE32(0x1f | 10 << 8), LE32(0), LE32(0x28) };
static const uint8_t l1ss_writable[] = { LE32(0), LE32(0xe3ff000f), LE32(0xfb) };

/* A requester. */
static const uint8_t ptm[] = { LE32(1), LE32(0) };
static const uint8_t ptm_writable[] = { LE32(0), LE32(1) };

/* Id 0x7e57, revision 1, 20 bytes with the headers; twelve bytes that can be written. */
static const uint8_t vsec[0x10] = { LE32(0x7e57 | 1 << 16 | 20 << 20) };
static const uint8_t vsec_writable[0x10] = { LE32(0), LE32(0xffffffff), LE32(0xffffffff),
					     LE32(0xffffffff) };

#define CAP(id_, version_, data_)                                                                  \
	.size = sizeof(struct vfk_model_cap), .id = (id_), .version = (version_), .data = (data_), \
	.len = sizeof(data_)

static const struct vfk_model_cap ext_caps[] = {
	{ CAP(PCI_EXT_CAP_ID_ERR, 2, aer), .writable = aer_writable, .clears = aer_clears },
	{ CAP(PCI_EXT_CAP_ID_VC, 1, vc) },
	{ CAP(PCI_EXT_CAP_ID_DSN, 1, dsn) },
	{ CAP(PCI_EXT_CAP_ID_ACS, 1, acs) },
	{ CAP(PCI_EXT_CAP_ID_ARI, 1, ari) },
	{ CAP(PCI_EXT_CAP_ID_ATS, 1, ats), .writable = ats_writable },
	{ CAP(PCI_EXT_CAP_ID_SRIOV, 1, sriov) },
	{ CAP(PCI_EXT_CAP_ID_TPH, 1, tph), .writable = tph_writable },
	{ CAP(PCI_EXT_CAP_ID_LTR, 1, ltr), .writable = ltr_writable },
	{ CAP(PCI_EXT_CAP_ID_L1SS, 1, l1ss), .writable = l1ss_writable },
	{ CAP(PCI_EXT_CAP_ID_PASID, 1, pasid), .writable = pasid_writable },
	{ CAP(PCI_EXT_CAP_ID_PTM, 1, ptm), .writable = ptm_writable },
	{ CAP(PCI_EXT_CAP_ID_VNDR, 1, vsec), .writable = vsec_writable },
};

/*
 * Section 7.8.6: BAR 2 could have every size from 1 MiB up to the one that it has. As vfio-pci shows the capability, it
 * cannot be written.
 */
static int add_rebar(struct vfk_model *model, uint64_t length)
{
	unsigned int size = 63u - 20u - (unsigned int)__builtin_clzll(length);
	const uint32_t sizes = ((2u << size) - 1) << 4;
	const uint32_t control = TESTDEV_BUFFER | 1 << 5 | size << 8;
	const uint8_t rebar[] = { LE32(sizes), LE32(control) };
	const struct vfk_model_cap cap = { CAP(PCI_EXT_CAP_ID_REBAR, 1, rebar) };

	return vfk_model_add_ext_cap(model, &cap, NULL);
}

static int add_ext_caps(struct vfk_model *model, const struct testdev_params *params)
{
	int ret = 0;

	for (size_t i = 0; i < sizeof(ext_caps) / sizeof(ext_caps[0]) && !ret; i++)
		ret = vfk_model_add_ext_cap(model, &ext_caps[i], NULL);
	if (ret || params->buffer < 1u << 20)
		return ret;
	return add_rebar(model, params->buffer);
}

static int add_pm(struct vfk_model *model, const struct testdev_params *params)
{
	return vfk_model_add_pm_states(model, (params->d1 ? VFK_PM_D1 : 0) |
						      (params->d2 ? VFK_PM_D2 : 0) |
						      (params->soft_reset ? VFK_PM_SOFT_RESET : 0));
}

/* What the info of an index says, and how many of its vectors can be had. */
static int limit(struct vfk_model *model, unsigned int index, uint64_t vectors, uint32_t flags,
		 const struct testdev_params *params)
{
	int ret = 0;

	if (!vectors)
		return 0;
	ret = vfk_model_set_irq_flags(model, index, flags);
	if (ret < 0 || params->vectors_limit >= vectors)
		return ret;
	return vfk_model_limit_vectors(model, index, (unsigned int)params->vectors_limit);
}

static int add_interrupts(struct vfk_model *model, const struct testdev_params *params)
{
	uint32_t maskable = params->maskable ? VFIO_IRQ_INFO_MASKABLE : 0;
	int ret = 0;

	if (params->msi)
		ret = vfk_model_add_msi(model, (unsigned int)params->msi, params->msi_masks);
	if (!ret)
		ret = limit(model, VFIO_PCI_MSI_IRQ_INDEX, params->msi,
			    VFIO_IRQ_INFO_NORESIZE | (params->msi_masks ? maskable : 0), params);
	if (!ret)
		ret = limit(model, VFIO_PCI_MSIX_IRQ_INDEX, params->msix,
			    maskable | (params->noresize ? VFIO_IRQ_INFO_NORESIZE : 0), params);
	return ret;
}

int testdev_add_caps(struct vfk_model *model, const struct testdev_params *params)
{
	static const uint8_t vendor[] = "vfiokit";
	int ret = add_interrupts(model, params);

	if (!ret && params->pm && params->caps != TESTDEV_CAPS_NONE)
		ret = add_pm(model, params);
	if (!ret && params->caps != TESTDEV_CAPS_NONE)
		ret = vfk_model_add_pcie(model);
	if (ret || params->caps != TESTDEV_CAPS_ALL)
		return ret;
	ret = vfk_model_add_vendor_cap(model, vendor, NULL, sizeof(vendor), NULL);
	return ret ? ret : add_ext_caps(model, params);
}

/* ---- broken chains ---- */

#define EXT_BASE 0x100u
#define EXT_END	 0x1000u

/* The chain is the toolkit's yet, and sound. 0: there is none. */
static unsigned int last_cap(const struct vfk_model *model)
{
	unsigned int at = vfk_model_config_get(model, PCI_CAPABILITY_LIST, 1), next = at;

	while (next) {
		at = next;
		next = vfk_model_config_get(model, at + PCI_CAP_LIST_NEXT, 1);
	}
	return at;
}

static unsigned int last_ext_cap(const struct vfk_model *model)
{
	unsigned int at = EXT_BASE, next = at;

	if (!vfk_model_config_get(model, EXT_BASE, 4))
		return 0;
	while (next) {
		at = next;
		next = PCI_EXT_CAP_NEXT(vfk_model_config_get(model, at, 4));
	}
	return at;
}

static int break_chain(struct vfk_model *model, unsigned int last, enum testdev_chain how)
{
	unsigned int next = last;

	if (!last)
		return -EINVAL;
	if (how == TESTDEV_CHAIN_LOOP)
		next = vfk_model_config_get(model, PCI_CAPABILITY_LIST, 1);
	if (how == TESTDEV_CHAIN_HEADER)
		next = PCI_BASE_ADDRESS_0;
	if (how == TESTDEV_CHAIN_SHORT) {
		/* It says that it is 32 bytes long, and there are four. */
		next = 0xfc;
		vfk_model_config_set(model, next, 4, PCI_CAP_ID_VNDR | 32 << 16);
	}
	return vfk_model_config_set(model, last + PCI_CAP_LIST_NEXT, 1, next);
}

static int break_ext_chain(struct vfk_model *model, unsigned int last, enum testdev_chain how)
{
	unsigned int next = last;

	if (!last)
		return -EINVAL;
	if (how == TESTDEV_CHAIN_EXT_LOOP)
		next = EXT_BASE;
	if (how == TESTDEV_CHAIN_EXT_LOW)
		next = PCI_STD_HEADER_SIZEOF;
	if (how == TESTDEV_CHAIN_EXT_SHORT) {
		/* A header, and nothing behind it. */
		next = EXT_END - 4;
		vfk_model_config_set(model, next, 4, PCI_EXT_CAP_ID_DSN | 1 << 16);
	}
	return vfk_model_config_set(model, last + 2, 2,
				    (vfk_model_config_get(model, last + 2, 2) & 0xf) | next << 4);
}

int testdev_break_chains(struct vfk_model *model, const struct testdev_params *params)
{
	if (params->chain == TESTDEV_CHAIN_OK)
		return 0;
	if (params->chain < TESTDEV_CHAIN_EXT_LOOP)
		return break_chain(model, last_cap(model), params->chain);
	return break_ext_chain(model, last_ext_cap(model), params->chain);
}

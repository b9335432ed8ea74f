/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * caps.c - the capabilities that a model can declare; each takes the next free place in config space.
 *
 * Threads: inside the model's init only.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

/* PCI Express capability, version 2, PCIe 6.0 section 7.5.3: up to and with Link Status 2 and the slot registers. */
#define EXP_SIZE 0x3c

#define LNKCAP2_2_5GT 0x2 /* Supported Link Speeds Vector, section 7.5.3.18 */

/* Makes room for @len bytes, id and next included, and links them. Returns the offset, or -ENOSPC. */
static int add_cap(struct vfk_model *m, uint8_t id, const char *name, size_t len)
{
	struct vfki_config *c = &m->config;
	uint64_t end;
	uint16_t at = c->free;

	if (!vfki_align_up(at + len, 4, &end) || end > VFKI_CONFIG_SIZE)
		return vfki_err(-ENOSPC, "%s: no room for the %s capability in config space",
				m->io.name, name);
	c->bytes[at] = id;
	c->bytes[c->link] = (uint8_t)at;
	c->link = (uint16_t)(at + 1);
	c->free = (uint16_t)end;
	c->bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	return at;
}

static int declare(struct vfk_model *m, uint16_t present, uint8_t id, const char *name, size_t len)
{
	int ret = vfki_model_declaring(m, name);

	if (ret < 0)
		return ret;
	if (present)
		return vfki_err(-EEXIST, "%s: the %s capability is declared twice", m->io.name,
				name);
	return add_cap(m, id, name, len);
}

int vfk_model_add_pm(struct vfk_model *m)
{
	struct vfki_config *c = &m->config;
	int at = declare(m, c->pm, PCI_CAP_ID_PM, "power management", PCI_PM_SIZEOF);

	if (at < 0)
		return at;
	c->pm = (uint16_t)at;
	vfki_put_le16(&c->bytes[at + PCI_PM_PMC], 3); /* version of PCI PM 1.2 */
	/* Registers live on through D3hot: there is no reset on the way back. */
	vfki_put_le16(&c->bytes[at + PCI_PM_CTRL], PCI_PM_CTRL_NO_SOFT_RESET);
	vfki_put_le16(&c->writable[at + PCI_PM_CTRL], PCI_PM_CTRL_STATE_MASK);
	return 0;
}

int vfk_model_add_msi(struct vfk_model *m, unsigned int vectors, bool maskable)
{
	struct vfki_config *c = &m->config;
	uint16_t flags = PCI_MSI_FLAGS_64BIT;
	int ret, at;

	if (!vfki_is_pow2(vectors) || vectors > VFKI_MSI_VECTORS)
		return vfki_err(-EINVAL, "%s: MSI: %u vectors", m->io.name, vectors);
	at = declare(m, c->msi, PCI_CAP_ID_MSI, "MSI",
		     maskable ? PCI_MSI_PENDING_64 + 4 : PCI_MSI_DATA_64 + 2);
	if (at < 0)
		return at;
	ret = vfki_messages_init(&m->irqs.msi, VFIO_PCI_MSI_IRQ_INDEX, vectors, maskable);
	if (ret < 0)
		return ret;
	c->msi = (uint16_t)at;
	flags |= (uint16_t)(vfki_msi_log2(vectors) << 1);
	if (maskable) {
		flags |= PCI_MSI_FLAGS_MASKBIT;
		vfki_put_le32(&c->writable[at + PCI_MSI_MASK_64], UINT32_MAX >> (32 - vectors));
	}
	vfki_put_le16(&c->bytes[at + PCI_MSI_FLAGS], flags);
	vfki_put_le16(&c->writable[at + PCI_MSI_FLAGS], PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	vfki_put_le32(&c->writable[at + PCI_MSI_ADDRESS_LO], ~3u);
	vfki_put_le32(&c->writable[at + PCI_MSI_ADDRESS_HI], UINT32_MAX);
	vfki_put_le16(&c->writable[at + PCI_MSI_DATA_64], UINT16_MAX);
	return 0;
}

static int check_msix(const struct vfk_model *m, unsigned int vectors, unsigned int bar,
		      uint32_t table, uint32_t pba)
{
	uint64_t table_len = (uint64_t)vectors * VFKI_MSIX_ENTRY;
	uint64_t pba_len = ((uint64_t)vectors + 63) / 64 * 8;
	const struct vfki_bar *b;

	if (!vectors || vectors > VFKI_MSIX_VECTORS)
		return vfki_err(-EINVAL, "%s: MSI-X: %u vectors", m->io.name, vectors);
	if (bar >= VFKI_BARS || !m->bars[bar].length || m->bars[bar].flags & VFK_BAR_IO)
		return vfki_err(-EINVAL, "%s: MSI-X: BAR %u is no memory BAR declared before",
				m->io.name, bar);
	b = &m->bars[bar];
	if (table % 8 || pba % 8 || !vfki_range_ok(table, table_len, b->length) ||
	    !vfki_range_ok(pba, pba_len, b->length) ||
	    vfki_ranges_overlap(table, table_len, pba, pba_len))
		return vfki_err(-EINVAL,
				"%s: MSI-X: table at 0x%x and pending bits at 0x%x of BAR %u are "
				"unaligned, beyond its end, or overlap",
				m->io.name, table, pba, bar);
	if (vfki_bar_mappable(b, table, table_len) || vfki_bar_mappable(b, pba, pba_len))
		return vfki_err(-EINVAL,
				"%s: MSI-X: table or pending bits lie where users may map BAR %u",
				m->io.name, bar);
	return 0;
}

int vfk_model_add_msix(struct vfk_model *m, unsigned int vectors, unsigned int bar, uint32_t table,
		       uint32_t pba)
{
	struct vfki_config *c = &m->config;
	int at, ret = check_msix(m, vectors, bar, table, pba);

	if (ret < 0)
		return ret;
	at = declare(m, c->msix, PCI_CAP_ID_MSIX, "MSI-X", PCI_CAP_MSIX_SIZEOF);
	if (at < 0)
		return at;
	ret = vfki_messages_init(&m->irqs.msix, VFIO_PCI_MSIX_IRQ_INDEX, vectors, true);
	if (ret < 0)
		return ret;
	m->irqs.msix_bar = bar;
	m->irqs.msix_table = table;
	m->irqs.msix_pba = pba;
	m->bars[bar].plain = false;
	c->msix = (uint16_t)at;
	vfki_put_le16(&c->bytes[at + PCI_MSIX_FLAGS], (uint16_t)(vectors - 1));
	vfki_put_le16(&c->writable[at + PCI_MSIX_FLAGS],
		      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	vfki_put_le32(&c->bytes[at + PCI_MSIX_TABLE], table | bar);
	vfki_put_le32(&c->bytes[at + PCI_MSIX_PBA], pba | bar);
	return 0;
}

/* Values of a link that trained at 2.5 GT/s, one lane: there is no wire, and drivers look. */
int vfk_model_add_pcie(struct vfk_model *m)
{
	struct vfki_config *c = &m->config;
	int at = declare(m, c->exp, PCI_CAP_ID_EXP, "PCI Express", EXP_SIZE);
	uint8_t *b, *w;

	if (at < 0)
		return at;
	c->exp = (uint16_t)at;
	c->size = VFKI_CONFIG_EXT_SIZE;
	b = &c->bytes[at];
	w = &c->writable[at];
	vfki_put_le16(b + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4);
	vfki_put_le32(b + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	vfki_put_le16(b + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
						  PCI_EXP_DEVCTL_READRQ_512B);
	vfki_put_le16(w + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
						  PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
						  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
						  PCI_EXP_DEVCTL_NOSNOOP_EN |
						  PCI_EXP_DEVCTL_READRQ);
	vfki_put_le16(&c->clears[at + PCI_EXP_DEVSTA], PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED |
							       PCI_EXP_DEVSTA_FED |
							       PCI_EXP_DEVSTA_URD);
	vfki_put_le32(b + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4);
	vfki_put_le16(w + PCI_EXP_LNKCTL,
		      PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	vfki_put_le16(b + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1);
	vfki_put_le32(b + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS);
	vfki_put_le16(w + PCI_EXP_DEVCTL2, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
	vfki_put_le32(b + PCI_EXP_LNKCAP2, LNKCAP2_2_5GT);
	vfki_put_le16(b + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT);
	vfki_put_le16(w + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS);
	return 0;
}

int vfk_model_add_vendor_cap(struct vfk_model *m, const void *data, const void *writable,
			     size_t len, unsigned int *off)
{
	const size_t head = PCI_CAP_FLAGS + 1; /* id, next, length */
	struct vfki_config *c = &m->config;
	int at;

	if (len > 240)
		return vfki_err(-EINVAL, "%s: vendor capability of %zu bytes", m->io.name, len);
	at = declare(m, 0, PCI_CAP_ID_VNDR, "vendor-specific", head + len);
	if (at < 0)
		return at;
	c->bytes[(size_t)at + head - 1] = (uint8_t)(head + len);
	if (len)
		memcpy(&c->bytes[(size_t)at + head], data, len);
	if (len && writable)
		memcpy(&c->writable[(size_t)at + head], writable, len);
	if (off)
		*off = (unsigned int)at;
	return 0;
}

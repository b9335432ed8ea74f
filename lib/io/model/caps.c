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

/* What is left of either space at most. */
#define CAP_MAX	    (VFKI_CONFIG_SIZE - PCI_STD_HEADER_SIZEOF)
#define EXT_CAP_MAX (VFKI_CONFIG_EXT_SIZE - VFKI_CONFIG_SIZE)

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

int vfk_model_add_pm_states(struct vfk_model *m, uint32_t flags)
{
	struct vfki_config *c = &m->config;
	uint16_t pmc = 3; /* version of PCI PM 1.2 */
	int at;

	if (flags & ~(uint32_t)(VFK_PM_D1 | VFK_PM_D2 | VFK_PM_SOFT_RESET))
		return vfki_err(-EINVAL, "%s: power management: flags 0x%x", m->io.name, flags);
	at = declare(m, c->pm, PCI_CAP_ID_PM, "power management", PCI_PM_SIZEOF);
	if (at < 0)
		return at;
	c->pm = (uint16_t)at;
	if (flags & VFK_PM_D1)
		pmc |= PCI_PM_CAP_D1;
	if (flags & VFK_PM_D2)
		pmc |= PCI_PM_CAP_D2;
	vfki_put_le16(&c->bytes[at + PCI_PM_PMC], pmc);
	if (!(flags & VFK_PM_SOFT_RESET))
		vfki_put_le16(&c->bytes[at + PCI_PM_CTRL], PCI_PM_CTRL_NO_SOFT_RESET);
	vfki_put_le16(&c->writable[at + PCI_PM_CTRL], PCI_PM_CTRL_STATE_MASK);
	return 0;
}

int vfk_model_add_pm(struct vfk_model *m)
{
	return vfk_model_add_pm_states(m, 0);
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

static bool msix_part_ok(const struct vfk_model *m, unsigned int bar, uint32_t off, uint64_t len)
{
	return bar < VFKI_BARS && m->bars[bar].length && !(m->bars[bar].flags & VFK_BAR_IO) &&
	       !(off % 8) && vfki_range_ok(off, len, m->bars[bar].length);
}

static int check_msix(const struct vfk_model *m, const struct vfk_model_msix *msix)
{
	uint64_t table_len = (uint64_t)msix->vectors * VFKI_MSIX_ENTRY;
	uint64_t pba_len = ((uint64_t)msix->vectors + 63) / 64 * 8;

	if (msix->size < sizeof(*msix) || msix->flags & ~(uint32_t)VFK_MSIX_MAPPABLE)
		return vfki_err(-EINVAL, "%s: MSI-X: size %zu, flags 0x%x", m->io.name, msix->size,
				msix->flags);
	if (!msix->vectors || msix->vectors > VFKI_MSIX_VECTORS)
		return vfki_err(-EINVAL, "%s: MSI-X: %u vectors", m->io.name, msix->vectors);
	if (!msix_part_ok(m, msix->table_bar, msix->table, table_len) ||
	    !msix_part_ok(m, msix->pba_bar, msix->pba, pba_len) ||
	    (msix->table_bar == msix->pba_bar &&
	     vfki_ranges_overlap(msix->table, table_len, msix->pba, pba_len)))
		return vfki_err(-EINVAL,
				"%s: MSI-X: table at 0x%x of BAR %u and pending bits at 0x%x of "
				"BAR %u are not in a memory BAR declared before, unaligned, or "
				"overlap",
				m->io.name, msix->table, msix->table_bar, msix->pba, msix->pba_bar);
	if (!(msix->flags & VFK_MSIX_MAPPABLE) &&
	    (vfki_memory_mappable(&m->bars[msix->table_bar].memory, msix->table, table_len) ||
	     vfki_memory_mappable(&m->bars[msix->pba_bar].memory, msix->pba, pba_len)))
		return vfki_err(-EINVAL,
				"%s: MSI-X: table or pending bits lie where users may map the BAR",
				m->io.name);
	return 0;
}

int vfk_model_add_msix_split(struct vfk_model *m, const struct vfk_model_msix *msix)
{
	struct vfki_config *c = &m->config;
	int at, ret = check_msix(m, msix);

	if (ret < 0)
		return ret;
	at = declare(m, c->msix, PCI_CAP_ID_MSIX, "MSI-X", PCI_CAP_MSIX_SIZEOF);
	if (at < 0)
		return at;
	ret = vfki_messages_init(&m->irqs.msix, VFIO_PCI_MSIX_IRQ_INDEX, msix->vectors, true);
	if (ret < 0)
		return ret;
	m->irqs.msix_bar = msix->table_bar;
	m->irqs.msix_table = msix->table;
	m->irqs.msix_pba_bar = msix->pba_bar;
	m->irqs.msix_pba = msix->pba;
	m->bars[msix->table_bar].plain = false;
	m->bars[msix->pba_bar].plain = false;
	m->bars[msix->table_bar].msix_mappable = msix->flags & VFK_MSIX_MAPPABLE;
	c->msix = (uint16_t)at;
	vfki_put_le16(&c->bytes[at + PCI_MSIX_FLAGS], (uint16_t)(msix->vectors - 1));
	vfki_put_le16(&c->writable[at + PCI_MSIX_FLAGS],
		      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	vfki_put_le32(&c->bytes[at + PCI_MSIX_TABLE], msix->table | msix->table_bar);
	vfki_put_le32(&c->bytes[at + PCI_MSIX_PBA], msix->pba | msix->pba_bar);
	return 0;
}

int vfk_model_add_msix(struct vfk_model *m, unsigned int vectors, unsigned int bar, uint32_t table,
		       uint32_t pba)
{
	const struct vfk_model_msix msix = {
		.size = sizeof(msix),
		.vectors = vectors,
		.table_bar = bar,
		.table = table,
		.pba_bar = bar,
		.pba = pba,
	};

	return vfk_model_add_msix_split(m, &msix);
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

/* ---- of any kind ---- */

static int check_cap(const struct vfk_model *m, const struct vfk_model_cap *cap, const char *what,
		     unsigned int max_id, size_t max_len)
{
	if (cap->size < sizeof(*cap))
		return vfki_err(-EINVAL, "%s: %s: size %zu, need %zu", m->io.name, what, cap->size,
				sizeof(*cap));
	if (cap->id > max_id || cap->version > 15 || cap->len > max_len)
		return vfki_err(-EINVAL, "%s: %s: id 0x%x, version %u, %zu bytes", m->io.name, what,
				cap->id, cap->version, cap->len);
	return 0;
}

static void fill(struct vfki_config *c, size_t at, const struct vfk_model_cap *cap)
{
	if (cap->len && cap->data)
		memcpy(&c->bytes[at], cap->data, cap->len);
	if (cap->len && cap->writable)
		memcpy(&c->writable[at], cap->writable, cap->len);
	if (cap->len && cap->clears)
		memcpy(&c->clears[at], cap->clears, cap->len);
}

/* The toolkit acts on these; bytes alone would be a device that lies. */
static bool has_function(uint16_t id)
{
	return id == PCI_CAP_ID_PM || id == PCI_CAP_ID_MSI || id == PCI_CAP_ID_MSIX ||
	       id == PCI_CAP_ID_EXP;
}

int vfk_model_add_cap(struct vfk_model *m, const struct vfk_model_cap *cap, unsigned int *off)
{
	const size_t head = PCI_CAP_FLAGS; /* id, next */
	int at, ret = check_cap(m, cap, "capability", 0xff, CAP_MAX - head);

	if (ret < 0)
		return ret;
	if (has_function(cap->id))
		return vfki_err(-EINVAL, "%s: capability 0x%x has a function of its own",
				m->io.name, cap->id);
	at = declare(m, 0, (uint8_t)cap->id, "given", head + cap->len);
	if (at < 0)
		return at;
	fill(&m->config, (size_t)at + head, cap);
	if (off)
		*off = (unsigned int)at;
	return 0;
}

/* PCIe 6.0, section 7.6.3: id, version, offset of the next; the first one is at 0x100. */
int vfk_model_add_ext_cap(struct vfk_model *m, const struct vfk_model_cap *cap, unsigned int *off)
{
	const size_t head = 4;
	struct vfki_config *c = &m->config;
	uint16_t at = c->ext_free;
	uint64_t end;
	int ret = vfki_model_declaring(m, "extended capability");

	if (!ret)
		ret = check_cap(m, cap, "extended capability", 0xffff, EXT_CAP_MAX - head);
	if (ret < 0)
		return ret;
	if (!c->exp)
		return vfki_err(-EINVAL, "%s: extended capability 0x%x: without PCI Express",
				m->io.name, cap->id);
	if (!vfki_align_up(at + head + cap->len, 4, &end) || end > VFKI_CONFIG_EXT_SIZE)
		return vfki_err(-ENOSPC, "%s: no room for the extended capability 0x%x", m->io.name,
				cap->id);
	vfki_put_le32(&c->bytes[at], cap->id | (uint32_t)cap->version << 16);
	if (c->ext)
		vfki_put_le16(&c->bytes[c->ext + 2],
			      (uint16_t)((c->bytes[c->ext + 2] & 0xf) | at << 4));
	c->ext = at;
	c->ext_free = (uint16_t)end;
	fill(c, at + head, cap);
	if (off)
		*off = at;
	return 0;
}

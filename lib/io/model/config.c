/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - the config space of a model: reading, writing, and what follows from a write; see config.h.
 *
 * Threads: under the model's lock.
 */
#include "config.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

/* PCI 3.0, section 6.2.2: bits that exist in a device without special cycles, snooping and the like. */
#define COMMAND_WRITABLE \
	(PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE)

/* PCI 3.0, section 6.2.3: a written 1 clears. */
#define STATUS_CLEARS                                                                    \
	(PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT | \
	 PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY)

/* Where firmware of a PC puts BARs: below 4 GiB under the interrupt controllers, and far above all memory. */
#define MEMORY_TOP    0xfe000000ull
#define MEMORY_FLOOR  0x10000000ull
#define MEMORY64_BASE (1ull << 40)
#define IO_BASE	      0xc000ull
#define PAGE	      0x1000ull

void vfki_config_init(struct vfk_model *m)
{
	struct vfki_config *c = &m->config;

	*c = (struct vfki_config){
		.size = VFKI_CONFIG_SIZE,
		.link = PCI_CAPABILITY_LIST,
		.free = PCI_STD_HEADER_SIZEOF,
		.ext_free = VFKI_CONFIG_SIZE,
	};
	vfki_put_le16(&c->writable[PCI_COMMAND], COMMAND_WRITABLE);
	vfki_put_le16(&c->clears[PCI_STATUS], STATUS_CLEARS);
	c->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	c->writable[PCI_LATENCY_TIMER] = 0xff;
	c->writable[PCI_INTERRUPT_LINE] = 0xff;
}

int vfk_model_set_identity(struct vfk_model *m, const struct vfk_model_identity *id)
{
	uint8_t *b = m->config.bytes;
	int ret = vfki_model_declaring(m, "identity");

	if (ret < 0)
		return ret;
	if (id->class_code >> 24)
		return vfki_err(-EINVAL, "%s: class code 0x%x has more than 24 bits", m->io.name,
				id->class_code);
	vfki_put_le16(&b[PCI_VENDOR_ID], id->vendor);
	vfki_put_le16(&b[PCI_DEVICE_ID], id->device);
	vfki_put_le32(&b[PCI_CLASS_REVISION], id->class_code << 8 | id->revision);
	vfki_put_le16(&b[PCI_SUBSYSTEM_VENDOR_ID], id->subvendor);
	vfki_put_le16(&b[PCI_SUBSYSTEM_ID], id->subdevice);
	m->identified = true;
	return 0;
}

int vfk_model_add_intx(struct vfk_model *m)
{
	int ret = vfki_model_declaring(m, "INTx");

	if (ret < 0)
		return ret;
	if (m->irqs.intx.present)
		return vfki_err(-EEXIST, "%s: INTx is declared twice", m->io.name);
	m->irqs.intx.present = true;
	m->config.bytes[PCI_INTERRUPT_PIN] = 1; /* INTA */
	return 0;
}

/* 0: there is no address left that is aligned to the BAR's size. */
static uint64_t choose_address(const struct vfki_bar *b, uint64_t *top, uint64_t *next64,
			       uint64_t *next_io)
{
	/* None shares a page, so that each can be mapped. */
	uint64_t size = b->length < PAGE ? PAGE : b->length, at;

	if (b->flags & VFK_BAR_IO) {
		vfki_align_up(*next_io, b->length, &at);
		*next_io = at + b->length;
		return at;
	}
	if (size <= *top - MEMORY_FLOOR) {
		at = vfki_align_down(*top - size, size);
		if (at >= MEMORY_FLOOR) {
			*top = at;
			return at;
		}
	}
	if (!(b->flags & VFK_BAR_64) || !vfki_align_up(*next64, size, &at) ||
	    !vfki_add_u64(at, size, next64))
		return 0;
	return at;
}

/* The ROM's BAR is a memory BAR of 32 bits (PCI 3.0, section 6.2.5.2), and disabled. */
static uint16_t place_rom(struct vfk_model *m, uint64_t *top)
{
	const struct vfki_bar as_bar = { .length = m->regions.rom.length };
	uint64_t none = 0;

	if (!as_bar.length)
		return 0;
	vfki_put_le32(&m->config.bytes[PCI_ROM_ADDRESS],
		      (uint32_t)choose_address(&as_bar, top, &none, &none));
	return PCI_COMMAND_MEMORY;
}

void vfki_config_power_up(struct vfk_model *m)
{
	uint64_t top = MEMORY_TOP, next64 = MEMORY64_BASE, next_io = IO_BASE;
	struct vfki_config *c = &m->config;
	uint16_t decoders = 0;

	for (unsigned int i = 0; i < VFKI_BARS; i++) {
		uint8_t *reg = &c->bytes[PCI_BASE_ADDRESS_0 + 4 * i];
		const struct vfki_bar *b = &m->bars[i];
		uint64_t at;

		if (!b->length)
			continue;
		at = choose_address(b, &top, &next64, &next_io);
		vfki_put_le32(reg, vfki_le32(reg) | (uint32_t)at);
		if (b->flags & VFK_BAR_64)
			vfki_put_le32(reg + 4, (uint32_t)(at >> 32));
		decoders |= (uint16_t)b->decode;
	}
	decoders |= place_rom(m, &top);
	vfki_put_le16(&c->writable[PCI_COMMAND], COMMAND_WRITABLE | decoders);
	vfki_put_le16(&c->bytes[PCI_COMMAND], decoders);
	vfki_config_apply(m);
}

void vfki_config_apply(struct vfk_model *m)
{
	const struct vfki_config *c = &m->config;
	uint16_t command = vfki_le16(&c->bytes[PCI_COMMAND]);

	/* PCI PM 1.2, section 5.4: in D1 to D3hot a function answers config accesses only, and is no master. */
	if (c->pm && c->bytes[c->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK)
		command &= (uint16_t) ~(PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	m->decode = command & (PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	atomic_store(&m->dma.bus_master, (command & PCI_COMMAND_MASTER) != 0);
	vfki_bars_apply(m);
	vfki_irqs_apply(m);
}

void vfki_config_read(struct vfk_model *m, uint32_t off, void *buf, size_t len)
{
	memcpy(buf, &m->config.bytes[off], len);
	vfki_irqs_overlay(m, off, buf, len);
}

static bool has_state(const struct vfki_config *c, unsigned int power)
{
	uint16_t pmc = vfki_le16(&c->bytes[c->pm + PCI_PM_PMC]);

	if (power == 1)
		return pmc & PCI_PM_CAP_D1;
	return power != 2 || pmc & PCI_PM_CAP_D2;
}

/* PCI PM 1.2, section 3.2.4: without No_Soft_Reset, the way from D3hot to D0 is an internal reset. */
static bool wakes_by_reset(const struct vfki_config *c, unsigned int old_power)
{
	const uint8_t *ctrl = &c->bytes[c->pm + PCI_PM_CTRL];

	return c->pm && old_power == 3 && !(*ctrl & PCI_PM_CTRL_STATE_MASK) &&
	       !(*ctrl & PCI_PM_CTRL_NO_SOFT_RESET);
}

/* Takes back what the bits alone would allow, and a function does not. */
static void settle(struct vfki_config *c, unsigned int old_power)
{
	if (c->pm) {
		uint8_t *ctrl = &c->bytes[c->pm + PCI_PM_CTRL];
		unsigned int power = *ctrl & PCI_PM_CTRL_STATE_MASK;

		/* PCI PM 1.2, section 3.2.4: a state that the function lacks is not entered. */
		if (!has_state(c, power))
			*ctrl = (uint8_t)((*ctrl & ~PCI_PM_CTRL_STATE_MASK) | old_power);
	}
	if (c->msi) {
		uint8_t *flags = &c->bytes[c->msi + PCI_MSI_FLAGS];
		unsigned int capable = (flags[0] & PCI_MSI_FLAGS_QMASK) >> 1;

		if ((flags[0] & PCI_MSI_FLAGS_QSIZE) >> 4 > capable)
			flags[0] = (uint8_t)((flags[0] & ~PCI_MSI_FLAGS_QSIZE) | capable << 4);
	}
}

/* PCIe 6.0, section 7.5.3.4: Initiate Function Level Reset reads as 0. */
static bool starts_flr(const struct vfki_config *c, uint32_t off, const uint8_t *buf, size_t len)
{
	uint32_t at = c->exp + PCI_EXP_DEVCTL + 1u;

	return c->exp && at >= off && at - off < len && buf[at - off] & PCI_EXP_DEVCTL_BCR_FLR >> 8;
}

void vfki_config_write(struct vfk_model *m, uint32_t off, const void *buf, size_t len)
{
	struct vfki_config *c = &m->config;
	const uint8_t *p = buf;
	unsigned int power = c->pm ? c->bytes[c->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK : 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t *byte = &c->bytes[off + i], mask = c->writable[off + i];

		*byte = (uint8_t)((*byte & ~mask) | (p[i] & mask));
		*byte &= (uint8_t) ~(p[i] & c->clears[off + i]);
	}
	settle(c, power);
	vfki_config_apply(m);
	if (starts_flr(c, off, p, len) || wakes_by_reset(c, power))
		vfki_model_reset(m);
	if (m->ops.config_write)
		m->ops.config_write(m, m->self, off, len);
}

void vfki_config_enable_msi(struct vfk_model *m, uint32_t vectors)
{
	uint8_t *flags = &m->config.bytes[m->config.msi + PCI_MSI_FLAGS];

	flags[0] = (uint8_t)((flags[0] & ~PCI_MSI_FLAGS_QSIZE) | vfki_msi_log2(vectors) << 4 |
			     PCI_MSI_FLAGS_ENABLE);
}

void vfki_config_enable_msix(struct vfk_model *m)
{
	m->config.bytes[m->config.msix + PCI_MSIX_FLAGS + 1] |= PCI_MSIX_FLAGS_ENABLE >> 8;
}

void vfki_config_disable_msi(struct vfk_model *m)
{
	m->config.bytes[m->config.msi + PCI_MSI_FLAGS] &= (uint8_t)~PCI_MSI_FLAGS_ENABLE;
}

void vfki_config_disable_msix(struct vfk_model *m)
{
	m->config.bytes[m->config.msix + PCI_MSIX_FLAGS + 1] &=
		(uint8_t) ~(PCI_MSIX_FLAGS_ENABLE >> 8);
}

static bool width_ok(const struct vfk_model *m, unsigned int off, unsigned int width)
{
	return (width == 1 || width == 2 || width == 4) &&
	       vfki_range_ok(off, width, m->config.size);
}

uint32_t vfk_model_config_get(const struct vfk_model *model, unsigned int off, unsigned int width)
{
	uint8_t b[4] = { 0 };

	if (!width_ok(model, off, width))
		return 0;
	memcpy(b, &model->config.bytes[off], width);
	/* The live bits need the lock of the interrupts, which is no part of what const promises here. */
	vfki_irqs_overlay((struct vfk_model *)model, off, b, width);
	return vfki_le32(b);
}

int vfk_model_config_set(struct vfk_model *m, unsigned int off, unsigned int width, uint32_t value)
{
	uint8_t b[4];

	if (!width_ok(m, off, width))
		return vfki_err(-EINVAL, "%s: config space: %u bytes at 0x%x", m->io.name, width,
				off);
	vfki_put_le32(b, value);
	memcpy(&m->config.bytes[off], b, width);
	if (!m->declaring)
		vfki_config_apply(m);
	return 0;
}

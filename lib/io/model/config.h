/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - the config space of a model: a type-0 header (PCI 3.0, section 6.1) and its capabilities.
 *
 * Each byte has a mask of bits that can be written, and one of bits that a written 1 clears. What a write means beyond
 * its bits (decoding, bus mastering, power state, interrupt enables) is worked out after it, from the bytes: they are
 * the truth, everything else is derived by vfki_config_apply().
 *
 * Threads: under the model's lock.
 */
#ifndef VFKI_MODEL_CONFIG_H
#define VFKI_MODEL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

struct vfk_model;

#define VFKI_CONFIG_SIZE     256  /* of conventional PCI */
#define VFKI_CONFIG_EXT_SIZE 4096 /* with a PCI Express capability */

struct vfki_config {
	uint32_t size; /* 256 or 4096 */
	uint16_t link; /* where the offset of the next capability goes: the last one's next, or 0x34 */
	uint16_t free;	   /* where the next capability begins; 256: full */
	uint16_t ext;	   /* the last extended capability; 0: there is none */
	uint16_t ext_free; /* where the next one begins; 4096: full */
	uint16_t pm;	   /* offsets of capabilities; 0: not there */
	uint16_t msi;
	uint16_t msix;
	uint16_t exp;
	uint8_t bytes[VFKI_CONFIG_EXT_SIZE];
	uint8_t writable[VFKI_CONFIG_EXT_SIZE];
	uint8_t clears[VFKI_CONFIG_EXT_SIZE]; /* bits that a written 1 clears */
};

/* Little-endian access to the bytes or to a mask; @off is one that the toolkit chose. */
static inline uint16_t vfki_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t vfki_le32(const uint8_t *p)
{
	return vfki_le16(p) | (uint32_t)vfki_le16(p + 2) << 16;
}

static inline void vfki_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void vfki_put_le32(uint8_t *p, uint32_t v)
{
	vfki_put_le16(p, (uint16_t)v);
	vfki_put_le16(p + 2, (uint16_t)(v >> 16));
}

/* The header of a device that declared nothing yet. */
void vfki_config_init(struct vfk_model *m);

/* After init: what firmware and vfio-pci's open leave behind: BARs with addresses, decoding on, bus master off. */
void vfki_config_power_up(struct vfk_model *m);

/* An access of a user of the device; the range is inside. The write tells the model, and may reset it (FLR). */
void vfki_config_read(struct vfk_model *m, uint32_t off, void *buf, size_t len);
void vfki_config_write(struct vfk_model *m, uint32_t off, const void *buf, size_t len);

/* Derives from the bytes what the BARs decode, whether DMA may go, and the state of the interrupts. */
void vfki_config_apply(struct vfk_model *m);

/* The enable bit of MSI or MSI-X, switched by SET_IRQS; @vectors (MSI only) becomes Multiple Message Enable. */
void vfki_config_enable_msi(struct vfk_model *m, uint32_t vectors);
void vfki_config_enable_msix(struct vfk_model *m);
void vfki_config_disable_msi(struct vfk_model *m);
void vfki_config_disable_msix(struct vfk_model *m);

/* How large Multiple Message fields are for this number of vectors: its logarithm, rounded up. */
static inline unsigned int vfki_msi_log2(uint32_t vectors)
{
	unsigned int n = 0;

	while ((1u << n) < vectors)
		n++;
	return n;
}

#endif

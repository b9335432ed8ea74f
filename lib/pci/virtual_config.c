/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_config.c - the virtual config space: the library's bits over the device's, byte by byte.
 *
 * A read asks the device without the lock, and merges under it. A write is several steps that belong together, so it is
 * made under the lock, and what of it reaches the device under that of struct vfk_pci, which others change bits under.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <inttypes.h>
#include <stdio.h>

static uint32_t ones(unsigned int width)
{
	return UINT32_MAX >> (32 - 8 * width);
}

static uint32_t load(const uint8_t *bytes, uint32_t off, unsigned int width)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < width; i++)
		v |= (uint32_t)bytes[off + i] << 8 * i;
	return v;
}

static void store(uint8_t *bytes, uint32_t off, unsigned int width, uint32_t v)
{
	for (unsigned int i = 0; i < width; i++)
		bytes[off + i] = (uint8_t)(v >> 8 * i);
}

static void store_bits(uint8_t *bytes, uint32_t off, unsigned int width, uint32_t mask, uint32_t v)
{
	store(bytes, off, width, (load(bytes, off, width) & ~mask) | (v & mask));
}

void vfki_virtual_set(struct vfk_pci_virtual *v, uint32_t off, unsigned int width, uint32_t mask,
		      uint32_t value, uint32_t writable)
{
	struct vfki_virtual_config *c = &v->config;

	store_bits(c->emulated, off, width, mask, mask);
	store_bits(c->value, off, width, mask, value);
	store_bits(c->writable, off, width, mask, writable);
}

void vfki_virtual_pass(struct vfk_pci_virtual *v, uint32_t off, unsigned int width, uint32_t bits)
{
	store_bits(v->config.passed, off, width, bits, bits);
}

uint32_t vfki_virtual_get(const struct vfk_pci_virtual *v, uint32_t off, unsigned int width)
{
	return load(v->config.value, off, width);
}

static int check(const struct vfk_pci_virtual *v, uint32_t off, unsigned int width)
{
	if (width != 1 && width != 2 && width != 4)
		return vfki_err(-EINVAL, "%s: virtual config space: %u bytes, need 1, 2 or 4",
				vfki_pci_name(v->pci), width);
	if (off % width || off >= PCI_CFG_SPACE_EXP_SIZE)
		return vfki_err(-EINVAL,
				"%s: virtual config space: %u bytes at 0x%" PRIx32
				": not aligned, or beyond 0x%x",
				vfki_pci_name(v->pci), width, off, PCI_CFG_SPACE_EXP_SIZE);
	return 0;
}

int vfk_pci_virtual_emulate(struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
			    uint32_t mask, uint32_t value, uint32_t writable)
{
	int ret = check(v, off, width);

	if (ret < 0)
		return ret;
	if (off >= v->config.size)
		return vfki_err(-EINVAL,
				"%s: virtual config space: 0x%" PRIx32 " is beyond 0x%" PRIx32,
				vfki_pci_name(v->pci), off, v->config.size);
	if (mask & ~ones(width) || (value | writable) & ~mask)
		return vfki_err(-EINVAL,
				"%s: virtual config space: bits 0x%" PRIx32 " and 0x%" PRIx32
				" are not in 0x%" PRIx32,
				vfki_pci_name(v->pci), value, writable, mask);
	pthread_mutex_lock(&v->lock);
	vfki_virtual_set(v, off, width, mask, value, writable);
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* ---- reading ---- */

int vfk_pci_virtual_config_read(struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
				uint32_t *value)
{
	uint32_t emulated, device = 0;
	int ret = check(v, off, width);

	*value = width == 1 || width == 2 ? ones(width) : UINT32_MAX;
	if (ret < 0 || off >= v->config.size)
		return ret;
	pthread_mutex_lock(&v->lock);
	emulated = load(v->config.emulated, off, width);
	pthread_mutex_unlock(&v->lock);
	if (emulated != ones(width)) {
		ret = vfk_pci_config_read(v->pci, off, width, &device);
		if (ret < 0)
			return ret;
	}
	pthread_mutex_lock(&v->lock);
	vfki_virtual_msi_refresh(v, off, width);
	/* Anew: bits may have become the library's meanwhile, never the device's again. */
	emulated |= load(v->config.emulated, off, width);
	*value = (load(v->config.value, off, width) & emulated) | (device & ~emulated);
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* ---- writing ---- */

/* The bits of a register that the device gets to see written. */
static uint32_t device_bits(const struct vfk_pci_virtual *v, uint32_t off, unsigned int width)
{
	return (~load(v->config.emulated, off, width) | load(v->config.passed, off, width)) &
	       ones(width);
}

/* One access; with pci->lock. Bits that are not the device's to change are written as they are. */
static int write_access(struct vfk_pci_virtual *v, uint32_t off, unsigned int width, uint32_t value)
{
	uint32_t bits = device_bits(v, off, width), now = 0;
	int ret;

	if (bits != ones(width)) {
		ret = vfk_pci_config_read(v->pci, off, width, &now);
		if (ret < 0)
			return ret;
	}
	return vfki_pci_config_write_locked(v->pci, off, width, (value & bits) | (now & ~bits));
}

static bool every_byte_has(uint32_t bits, unsigned int width)
{
	for (unsigned int i = 0; i < width; i++) {
		if (!(bits >> 8 * i & 0xff))
			return false;
	}
	return true;
}

/*
 * As few accesses as there can be, none of which touches a byte that is wholly the library's: a write to its neighbour, a
 * status register say, would clear something.
 */
static int write_device(struct vfk_pci_virtual *v, uint32_t off, unsigned int width, uint32_t value)
{
	uint32_t bits = device_bits(v, off, width);
	unsigned int half = width / 2;
	int ret;

	if (!bits)
		return 0;
	if (every_byte_has(bits, width))
		return write_access(v, off, width, value);
	ret = write_device(v, off, half, value & ones(half));
	return ret ? ret : write_device(v, off + half, half, value >> 8 * half);
}

static int write_device_locked(struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
			       uint32_t value)
{
	int ret;

	vfki_pci_lock(v->pci);
	ret = write_device(v, off, width, value);
	vfki_pci_unlock(v->pci);
	return ret;
}

/* What the registers say afterwards, and what follows. */
static int take(struct vfk_pci_virtual *v, uint32_t off, unsigned int width, uint32_t value,
		struct vfki_virtual_events *ev)
{
	struct vfki_virtual_config *c = &v->config;
	uint32_t old = load(c->value, off, width);
	uint32_t bits = (load(c->writable, off, width) | ~load(c->emulated, off, width)) &
			ones(width);
	char text[VFKI_ERROR_SIZE];
	int ret;

	store_bits(c->value, off, width, bits, value);
	ret = vfki_virtual_settle(v, ev);
	if (ret == 0)
		return 0;
	/* The text of the first failure is kept; a device that fails the way back, too, is beyond help. */
	snprintf(text, sizeof(text), "%s", vfk_error());
	store(c->value, off, width, old);
	if (load(c->passed, off, width))
		(void)write_device_locked(v, off, width, old);
	(void)vfki_virtual_settle(v, ev);
	return vfki_err(ret, "%s", text);
}

int vfk_pci_virtual_config_write(struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
				 uint32_t value)
{
	struct vfki_virtual_events ev = { .end = 0 };
	int ret = check(v, off, width);

	if (!ret && value & ~ones(width))
		ret = vfki_err(-EINVAL, "%s: virtual config space: 0x%" PRIx32 " in %u bytes",
			       vfki_pci_name(v->pci), value, width);
	if (ret < 0 || off >= v->config.size)
		return ret;
	pthread_mutex_lock(&v->lock);
	ret = write_device_locked(v, off, width, value);
	if (!ret && vfki_virtual_is_flr(v, off, width, value))
		ret = vfki_virtual_reset_locked(v, &ev);
	else if (!ret)
		ret = take(v, off, width, value, &ev);
	vfki_virtual_unlock(v, &ev);
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - access to the registers of config space.
 *
 * Any thread.
 */
#include "config.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdlib.h>

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

int vfki_pci_config_init(struct vfk_pci *pci)
{
	const struct vfk_region_info *info;
	int ret = vfk_region_get_info(pci->dev, CONFIG, &info);

	if (ret < 0)
		return ret;
	if (info->size < PCI_STD_HEADER_SIZEOF)
		return vfki_err(-EPROTO, "%s: config space has %" PRIu64 " bytes",
				vfki_pci_name(pci), info->size);
	pci->config.size = (uint32_t)vfki_min_u64(info->size, PCI_CFG_SPACE_EXP_SIZE);
	return 0;
}

void vfki_pci_config_fini(struct vfk_pci *pci)
{
	free(pci->config.caps);
}

uint32_t vfk_pci_config_size(const struct vfk_pci *pci)
{
	return pci->config.size;
}

static int check(const struct vfk_pci *pci, uint32_t off, unsigned int width)
{
	if (width != 1 && width != 2 && width != 4)
		return vfki_err(-EINVAL, "%s: config space: %u bytes, need 1, 2 or 4",
				vfki_pci_name(pci), width);
	if (off % width || !vfki_range_ok(off, width, pci->config.size))
		return vfki_err(-EINVAL,
				"%s: config space: %u bytes at 0x%" PRIx32
				": not aligned, or beyond 0x%" PRIx32,
				vfki_pci_name(pci), width, off, pci->config.size);
	return 0;
}

int vfk_pci_config_read(struct vfk_pci *pci, uint32_t off, unsigned int width, uint32_t *value)
{
	uint64_t v = 0;
	int ret = check(pci, off, width);

	if (!ret)
		ret = vfk_region_get(pci->dev, CONFIG, off, width, &v);
	if (!ret)
		*value = (uint32_t)v;
	return ret;
}

int vfki_pci_config_put(struct vfk_pci *pci, uint32_t off, unsigned int width, uint32_t value)
{
	int ret = check(pci, off, width);

	return ret ? ret : vfk_region_put(pci->dev, CONFIG, off, width, value);
}

/* Mappings must not be used in some power states, nor without decoding: whoever writes these registers. */
int vfki_pci_config_write_locked(struct vfk_pci *pci, uint32_t off, unsigned int width,
				 uint32_t value)
{
	if (off == PCI_COMMAND)
		return vfki_pci_decode_config_write(pci, off, width, value);
	if (vfki_pci_power_is_at(pci, off, width))
		return vfki_pci_power_config_write(pci, off, width, value);
	return vfki_pci_config_put(pci, off, width, value);
}

/* Whether it is more than one access. */
static bool is_followed(const struct vfk_pci *pci, uint32_t off, unsigned int width)
{
	return off == PCI_COMMAND || vfki_pci_power_is_at(pci, off, width);
}

int vfk_pci_config_write(struct vfk_pci *pci, uint32_t off, unsigned int width, uint32_t value)
{
	int ret;

	if (!is_followed(pci, off, width))
		return vfki_pci_config_put(pci, off, width, value);
	vfki_pci_lock(pci);
	ret = vfki_pci_config_write_locked(pci, off, width, value);
	vfki_pci_unlock(pci);
	return ret;
}

int vfki_pci_config_modify_locked(struct vfk_pci *pci, uint32_t off, unsigned int width,
				  uint32_t clear, uint32_t set, uint32_t *old)
{
	uint32_t before, after;
	int ret = vfk_pci_config_read(pci, off, width, &before);

	if (ret < 0)
		return ret;
	after = (before & ~clear) | set;
	if (after != before)
		ret = vfki_pci_config_write_locked(pci, off, width, after);
	if (!ret && old)
		*old = before;
	return ret;
}

int vfk_pci_config_modify(struct vfk_pci *pci, uint32_t off, unsigned int width, uint32_t clear,
			  uint32_t set, uint32_t *old)
{
	int ret;

	vfki_pci_lock(pci);
	ret = vfki_pci_config_modify_locked(pci, off, width, clear, set, old);
	vfki_pci_unlock(pci);
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_type.c - finding a device-specific region by what its type capability says.
 *
 * Their indices are the device's choice, above those that a PCI device's BARs have. Any thread.
 */
#include "device.h"
#include "lib/base/error.h"
#include <inttypes.h>
#include <string.h>

static bool has_type(const struct vfk_region_info *info, uint32_t type, uint32_t subtype)
{
	struct vfio_region_info_cap_type cap;
	const void *found;
	size_t len;

	if (vfk_region_cap(info, VFIO_REGION_INFO_CAP_TYPE, &found, &len) || len < sizeof(cap))
		return false;
	memcpy(&cap, found, sizeof(cap));
	return cap.type == type && cap.subtype == subtype;
}

/* What ends the search: there is nobody to ask any more. */
static bool is_gone(int ret)
{
	return ret == -ENOTCONN || ret == -ECONNRESET || ret == -ENODEV || ret == -ETIMEDOUT;
}

int vfk_region_find(struct vfk_device *dev, uint32_t type, uint32_t subtype,
		    const struct vfk_region_info **info)
{
	for (uint32_t i = 0; i < vfk_device_num_regions(dev); i++) {
		const struct vfk_region_info *r;
		int ret = vfk_region_get_info(dev, i, &r);

		if (is_gone(ret))
			return ret;
		if (ret || !has_type(r, type, subtype))
			continue;
		*info = r;
		return 0;
	}
	return vfki_err(-ENOENT, "%s: no region of type 0x%" PRIx32 ", subtype %" PRIu32,
			vfk_device_name(dev), type, subtype);
}

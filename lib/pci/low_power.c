/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * low_power.c - runtime low power, by the features of VFIO.
 *
 * Any thread.
 */
#include "instance.h"
#include "lib/base/error.h"
#include <linux/vfio.h>

static int offered(struct vfk_pci *pci, uint32_t id)
{
	uint32_t ops = 0;
	int ret = vfk_feature_probe(pci->dev, id, &ops);

	if (!ret && !(ops & VFIO_DEVICE_FEATURE_SET))
		ret = vfki_err(-ENOTSUP, "%s: %s is not offered", vfki_pci_name(pci),
			       vfk_feature_name(id));
	return ret;
}

static int enter(struct vfk_pci *pci, uint32_t id, const void *data, size_t len)
{
	int ret = offered(pci, id);

	if (ret < 0)
		return ret;
	vfki_pci_lock(pci);
	vfki_pci_bars_hold(pci);
	ret = vfk_feature_set(pci->dev, id, data, len);
	/* after a wake-up it is entered anew, without an exit */
	if (ret < 0 || pci->power.low_power)
		vfki_pci_bars_release(pci);
	else
		pci->power.low_power = true;
	vfki_pci_unlock(pci);
	return ret;
}

int vfk_pci_low_power_enter(struct vfk_pci *pci)
{
	return enter(pci, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0);
}

int vfk_pci_low_power_enter_with_wakeup(struct vfk_pci *pci, int fd)
{
	const struct vfio_device_low_power_entry_with_wakeup entry = { .wakeup_eventfd = fd };

	if (fd < 0)
		return vfki_err(-EINVAL, "%s: wake-up eventfd %d", vfki_pci_name(pci), fd);
	return enter(pci, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, &entry, sizeof(entry));
}

int vfk_pci_low_power_exit(struct vfk_pci *pci)
{
	int ret = offered(pci, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT);

	if (ret < 0)
		return ret;
	vfki_pci_lock(pci);
	ret = vfk_feature_set(pci->dev, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0);
	if (!ret && pci->power.low_power) {
		pci->power.low_power = false;
		vfki_pci_bars_release(pci);
	}
	vfki_pci_unlock(pci);
	return ret;
}

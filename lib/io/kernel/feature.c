/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.c - device features: handed to the kernel in its own form.
 *
 * Pointers and descriptors in it are this process's: the checked calls let nothing else come here. Any thread.
 */
#include "lib/base/feature.h"
#include "lib/base/error.h"
#include "lib/io/kernel/instance.h"

static bool sets_mig_state(const struct vfio_device_feature *f)
{
	const uint32_t set = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | VFIO_DEVICE_FEATURE_SET;

	return f->flags == set;
}

int vfki_kernel_device_feature(struct vfk_io *io, struct vfio_device_feature *f)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	const struct vfki_feature *known = vfki_feature_find(f->flags & VFIO_DEVICE_FEATURE_MASK);
	int ret;

	if (sets_mig_state(f))
		return vfki_kernel_set_mig_state(k, f);
	ret = vfki_kernel_ioctl(k->device, VFIO_DEVICE_FEATURE, f);
	if (ret >= 0)
		return ret;
	return vfki_err_sys(ret, "feature %s", known ? known->name : "unknown");
}

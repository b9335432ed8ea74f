/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.c - device features: probing, getting, setting.
 *
 * The library's feature table says how large each structure is; what it does not know is not passed on. Any thread.
 */
#include "lib/base/feature.h"
#include "device.h"
#include "lib/base/error.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *vfk_feature_name(uint32_t id)
{
	const struct vfki_feature *feature = vfki_feature_find(id);

	return feature ? feature->name : NULL;
}

int vfk_device_feature(struct vfk_device *dev, struct vfio_device_feature *feature)
{
	if (feature->argsz < sizeof(*feature))
		return vfki_err(-EINVAL, "%s: feature: argsz %" PRIu32, vfk_device_name(dev),
				feature->argsz);
	return vfki_checked_device_feature(&dev->io, feature);
}

/* Peers and kernels differ in how they say that they do not know a feature. */
static bool means_no(int ret)
{
	return ret == -ENOTSUP || ret == -EINVAL;
}

int vfk_feature_probe(struct vfk_device *dev, uint32_t id, uint32_t *ops)
{
	static const uint32_t methods[] = { VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_SET };
	const struct vfki_feature *feature = vfki_feature_find(id);
	uint32_t found = 0;

	for (size_t i = 0; feature && i < 2; i++) {
		struct vfki_feature_buf probe = {
			.head.argsz = sizeof(probe),
			.head.flags = feature->id | VFIO_DEVICE_FEATURE_PROBE | methods[i],
		};
		int ret;

		if (!(feature->methods & methods[i]))
			continue;
		ret = vfk_device_feature(dev, &probe.head);
		if (ret < 0 && !means_no(ret))
			return ret;
		if (!ret)
			found |= methods[i];
	}
	*ops = found;
	return 0;
}

static int unknown(const struct vfk_device *dev, uint32_t id)
{
	return vfki_err(-ENOTSUP, "%s: feature %" PRIu32 ": not known", vfk_device_name(dev), id);
}

static int check_data(const struct vfk_device *dev, const struct vfki_feature *feature,
		      uint32_t method, const void *data, size_t len)
{
	size_t fixed = vfki_feature_data_size(feature, feature->id | method);
	/* the one tail that stands inline in the kernel's form too */
	bool longer = feature->tail == VFKI_TAIL_DMA_RANGES && len <= VFKI_MAX_INFO;

	if (!(feature->methods & method))
		return vfki_err(-ENOTSUP, "%s: feature %s: cannot be %s", vfk_device_name(dev),
				feature->name, method == VFIO_DEVICE_FEATURE_GET ? "read" : "set");
	if (len != fixed && !(longer && len > fixed))
		return vfki_err(-EINVAL, "%s: feature %s: %zu bytes, need %zu",
				vfk_device_name(dev), feature->name, len, fixed);
	if (len && !data)
		return vfki_err(-EINVAL, "%s: feature %s: no data", vfk_device_name(dev),
				feature->name);
	return 0;
}

/* Puts the structure behind a header, calls, and gives back what a get filled in. */
static int call(struct vfk_device *dev, uint32_t flags, const void *in, void *out, size_t len)
{
	struct vfki_feature_buf small = { 0 };
	struct vfio_device_feature *f = &small.head;
	int ret;

	if (len > sizeof(small.data)) {
		f = calloc(1, sizeof(*f) + len);
		if (!f)
			return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	}
	f->argsz = (uint32_t)(sizeof(*f) + len);
	f->flags = flags;
	if (len)
		memcpy(f->data, in, len);
	ret = vfk_device_feature(dev, f);
	if (ret >= 0 && out && len)
		memcpy(out, f->data, len);
	if (f != &small.head)
		free(f);
	return ret;
}

int vfk_feature_get(struct vfk_device *dev, uint32_t id, void *data, size_t len)
{
	const struct vfki_feature *feature = vfki_feature_find(id);
	int ret;

	if (!feature)
		return unknown(dev, id);
	ret = check_data(dev, feature, VFIO_DEVICE_FEATURE_GET, data, len);
	return ret ? ret : call(dev, feature->id | VFIO_DEVICE_FEATURE_GET, data, data, len);
}

int vfk_feature_set(struct vfk_device *dev, uint32_t id, const void *data, size_t len)
{
	const struct vfki_feature *feature = vfki_feature_find(id);
	int ret;

	if (!feature)
		return unknown(dev, id);
	ret = check_data(dev, feature, VFIO_DEVICE_FEATURE_SET, data, len);
	return ret ? ret : call(dev, feature->id | VFIO_DEVICE_FEATURE_SET, data, NULL, len);
}

ssize_t vfk_device_mig_read(struct vfk_device *dev, void *buf, size_t len)
{
	return vfki_checked_mig_read(&dev->io, buf, len);
}

int vfk_device_precopy_info(struct vfk_device *dev, struct vfk_precopy_info *info)
{
	return vfki_checked_precopy_info(&dev->io, info);
}

ssize_t vfk_device_mig_write(struct vfk_device *dev, const void *buf, size_t len)
{
	return vfki_checked_mig_write(&dev->io, buf, len);
}

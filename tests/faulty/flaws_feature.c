/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_feature.c - features: codes that say something else, and what is offered but not there. */
#include <errno.h>

#include "wrapper.h"

static int has_everything(struct vfk_io *io, struct vfio_device_feature *feature)
{
	(void)io;
	(void)feature;
	return 0;
}

static int gives_fd(struct vfk_io *io, struct vfio_device_feature *feature)
{
	return feature->flags & VFIO_DEVICE_FEATURE_PROBE ? right.device_feature(io, feature) : 2;
}

static int probe_counts(struct vfk_io *io, struct vfio_device_feature *feature)
{
	(void)io;
	(void)feature;
	return 1;
}

static int positive_errno(struct vfk_io *io, struct vfio_device_feature *feature)
{
	int ret = right.device_feature(io, feature);

	return feature->flags & VFIO_DEVICE_FEATURE_PROBE ? ret : -ret;
}

static int minus_one(struct vfk_io *io, struct vfio_device_feature *feature)
{
	return right.device_feature(io, feature) < 0 ? -1 : 0;
}

static int invalid(struct vfk_io *io, struct vfio_device_feature *feature)
{
	return right.device_feature(io, feature) < 0 ? -EINVAL : 0;
}

static int not_a_tty(struct vfk_io *io, struct vfio_device_feature *feature)
{
	return right.device_feature(io, feature) < 0 ? -ENOTTY : 0;
}

static int no_such_call(struct vfk_io *io, struct vfio_device_feature *feature)
{
	return right.device_feature(io, feature) < 0 ? -ENOSYS : 0;
}

static int other_question(struct vfk_io *io, struct vfio_device_feature *feature)
{
	(void)io;
	feature->flags ^= VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	return 0;
}

static ssize_t no_data(struct vfk_io *io, void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return 0;
}

static ssize_t takes_data(struct vfk_io *io, const void *buf, size_t len)
{
	(void)io;
	(void)buf;
	return (ssize_t)len;
}

static ssize_t data_not_a_tty(struct vfk_io *io, void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return -ENOTTY;
}

#define NOT_OFFERED(what, text, why, op, fn)                                             \
	{                                                                                \
		.name = what, .fails = "feature_not_offered", .says = text, .rule = why, \
		.ops = {.op = fn }                                                       \
	}

const struct flaw flaws_feature[] = {
	NOT_OFFERED("every feature is offered, none does anything", "mig.flags",
		    "device_feature: GET has filled the data", device_feature, has_everything),
	NOT_OFFERED("a get returns a descriptor", "got -71",
		    "device_feature: 0 or -errno, but for one feature", device_feature, gives_fd),
	NOT_OFFERED("a feature that is not there returns +errno", "got -71", "seed 2: exactly this",
		    device_feature, positive_errno),
	NOT_OFFERED("a feature that is not there returns -1", "want", "device_feature: -ENOTSUP",
		    device_feature, minus_one),
	NOT_OFFERED("a feature that is not there is the caller's fault", "want -ENOTSUP",
		    "device_feature: -ENOTSUP", device_feature, invalid),
	NOT_OFFERED("migration data without migration can be read",
		    "vfk_device_mig_read(t->dev, &mig, sizeof(mig)): got 0",
		    "mig_read: after a saving state was set", mig_read, no_data),
	NOT_OFFERED("migration data without migration can be written", "vfk_device_mig_write",
		    "mig_write: as mig_read", mig_write, takes_data),
	{ .name = "a probe returns a number",
	  .fails = "feature_probe_all",
	  .says = "got -71",
	  .rule = "device_feature: 0 or -errno",
	  .ops = { .device_feature = probe_counts } },
	{ .name = "a probe answers another question",
	  .fails = "feature_probe_all",
	  .says = "answered another question",
	  .rule = "device_feature: flags are as they were",
	  .ops = { .device_feature = other_question } },
	{ .name = "ENOTTY leaks through",
	  .passes = "feature_not_offered",
	  .rule = "the checked calls make it -ENOTSUP",
	  .ops = { .device_feature = not_a_tty, .mig_read = data_not_a_tty } },
	{ .name = "ENOSYS leaks through",
	  .passes = "feature_not_offered",
	  .rule = "the checked calls make it -ENOTSUP",
	  .ops = { .device_feature = no_such_call } },
	{ .name = "a feature that nobody knows is granted",
	  .passes = "feature_unknown",
	  .rule = "what the library does not know is not passed on",
	  .ops = { .device_feature = has_everything } },
	{ .name = NULL },
};

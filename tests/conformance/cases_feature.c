/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_feature.c - device features: probing, what is unknown, wrong sizes. */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define UNKNOWN_FEATURE 0xfff0

static void feature_unknown(struct t *t)
{
	uint32_t ops = 0;
	char data[8] = "";

	CHECK_OK(t, vfk_feature_probe(t->dev, UNKNOWN_FEATURE, &ops));
	CHECK_EQ(t, ops, 0);
	CHECK_EQ(t, vfk_feature_get(t->dev, UNKNOWN_FEATURE, data, 8), -ENOTSUP);
	CHECK_EQ(t, vfk_feature_set(t->dev, UNKNOWN_FEATURE, data, 8), -ENOTSUP);
	CHECK(t, vfk_feature_name(UNKNOWN_FEATURE) == NULL);
}

static void feature_probe_all(struct t *t)
{
	for (uint32_t id = 0; id < 64; id++) {
		uint32_t ops = 0;

		CHECK_OK(t, vfk_feature_probe(t->dev, id, &ops));
		CHECK_EQ(t, ops & ~(uint32_t)(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET),
			 0);
		if (!vfk_feature_name(id))
			CHECK_EQ(t, ops, 0);
	}
}

static void feature_wrong_size(struct t *t)
{
	struct vfio_device_feature_migration mig = { 0 };

	CHECK_EQ(t, vfk_feature_get(t->dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, 1), -EINVAL);
	CHECK_EQ(t, vfk_feature_get(t->dev, VFIO_DEVICE_FEATURE_MIGRATION, NULL, 8), -EINVAL);
}

static void feature_bad_flags(struct t *t)
{
	struct vfio_device_feature f = { .argsz = sizeof(f),
					 .flags = VFIO_DEVICE_FEATURE_MIGRATION };

	CHECK_EQ(t, vfk_device_feature(t->dev, &f), -EINVAL);
	f.flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIGRATION;
	CHECK_EQ(t, vfk_device_feature(t->dev, &f), -EINVAL);
	f.flags = VFIO_DEVICE_FEATURE_PROBE | 1u << 24;
	CHECK_EQ(t, vfk_device_feature(t->dev, &f), -EINVAL);
	f.flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION;
	f.argsz = 4;
	CHECK_EQ(t, vfk_device_feature(t->dev, &f), -EINVAL);
}

/* What is not offered fails, and with the code that says so; what is offered is there. */
static void feature_not_offered(struct t *t)
{
	struct vfio_device_feature_migration mig = { 0 };
	struct vfk_precopy_info precopy = { .argsz = sizeof(precopy) };
	uint32_t ops = 0;

	CHECK_OK(t, vfk_feature_probe(t->dev, VFIO_DEVICE_FEATURE_MIGRATION, &ops));
	if (ops & VFIO_DEVICE_FEATURE_GET) {
		CHECK_OK(t,
			 vfk_feature_get(t->dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, sizeof(mig)));
		/* <linux/vfio.h>: the one state that every device with migration has */
		CHECK(t, mig.flags & VFIO_MIGRATION_STOP_COPY);
		return;
	}
	CHECK_EQ(t, vfk_feature_get(t->dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, sizeof(mig)),
		 -ENOTSUP);
	CHECK_EQ(t, vfk_device_mig_read(t->dev, &mig, sizeof(mig)), -ENOTSUP);
	CHECK_EQ(t, vfk_device_mig_write(t->dev, &mig, sizeof(mig)), -ENOTSUP);
	CHECK_EQ(t, vfk_device_precopy_info(t->dev, &precopy), -ENOTSUP);
}

/* <linux/vfio.h>: once entered it stays so, whoever uses the device, until the exit, which may be made again. */
static void feature_low_power(struct t *t)
{
	const uint32_t entry = VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
	const uint32_t wakeup = VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP;
	const uint32_t leave = VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
	struct vfio_device_low_power_entry_with_wakeup w = { .wakeup_eventfd = case_eventfd(t) };
	uint32_t ops = 0, ids;

	CHECK_OK(t, vfk_feature_probe(t->dev, entry, &ops));
	if (!(ops & VFIO_DEVICE_FEATURE_SET))
		case_skip("no runtime low power");
	case_need_pci(t);
	ids = (uint32_t)case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4);
	CHECK_OK(t, vfk_feature_set(t->dev, entry, NULL, 0));
	CHECK_EQ(t, vfk_feature_set(t->dev, entry, NULL, 0), -EINVAL);
	CHECK_EQ(t, case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), ids);
	CHECK_OK(t, vfk_feature_set(t->dev, leave, NULL, 0));
	CHECK_OK(t, vfk_feature_set(t->dev, leave, NULL, 0));
	CHECK_OK(t, vfk_feature_set(t->dev, wakeup, &w, sizeof(w)));
	CHECK_EQ(t, case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), ids);
	CHECK_OK(t, vfk_feature_set(t->dev, leave, NULL, 0));
	/* Whether the device slept, and so was woken, is up to it; more than once it was not. */
	CHECK(t, case_count(t, w.wakeup_eventfd) <= 1);
	close(w.wakeup_eventfd);
}

const struct vfk_case vfk_cases_feature[] = {
	{ "feature_unknown", feature_unknown },
	{ "feature_probe_all", feature_probe_all },
	{ "feature_wrong_size", feature_wrong_size },
	{ "feature_bad_flags", feature_bad_flags },
	{ "feature_not_offered", feature_not_offered },
	{ "feature_low_power", feature_low_power },
	{ NULL, NULL },
};

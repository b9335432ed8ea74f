/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migration.c - kernel-migration URI: the state of a kernel's mtty device, saved and put back.
 *
 * mtty is a serial card; the scratch register of its UART, which does nothing, shows whose state it has. Prints results.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "said.h"

#define SCRATCH 7 /* in BAR 0 (a 16550's SCR) */

static uint8_t saved[65536];

static int set_state(struct vfk_device *dev, uint32_t state)
{
	struct vfio_device_feature_mig_state s = { .device_state = state, .data_fd = -1 };

	return vfk_feature_set(dev, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &s, sizeof(s));
}

static long get_state(struct vfk_device *dev)
{
	struct vfio_device_feature_mig_state s = { .device_state = 0 };
	int ret = vfk_feature_get(dev, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &s, sizeof(s));

	return ret < 0 ? ret : (long)s.device_state;
}

static long scratch(struct vfk_device *dev)
{
	uint64_t value = 0;
	int ret = vfk_region_get(dev, 0, SCRATCH, 1, &value);

	return ret < 0 ? ret : (long)value;
}

/* In small pieces, to the end. */
static long save(struct vfk_device *dev)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = vfk_device_mig_read(dev, saved + len, 7);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && len + 7 < sizeof(saved));
	return n < 0 ? n : (long)len;
}

static long restore(struct vfk_device *dev, long len)
{
	long done = 0;
	ssize_t n = 1;

	while (done < len && n > 0) {
		n = vfk_device_mig_write(dev, saved + done, (size_t)(len - done));
		if (n > 0)
			done += n;
	}
	return n < 0 ? n : done;
}

static void states(struct vfk_device *dev)
{
	struct vfio_device_feature_migration m = { 0 };
	uint8_t byte;

	said(vfk_feature_get(dev, VFIO_DEVICE_FEATURE_MIGRATION, &m, sizeof(m)), 0,
	     "the device can be migrated");
	said((long)(m.flags & VFIO_MIGRATION_STOP_COPY), VFIO_MIGRATION_STOP_COPY,
	     "when it is stopped");
	said(get_state(dev), VFIO_DEVICE_STATE_RUNNING, "it runs");
	said(vfk_device_mig_read(dev, &byte, 1), -EINVAL, "and has no stream to read");
	said(vfk_device_mig_write(dev, &byte, 1), -EINVAL, "or to write");
	said(set_state(dev, 99) < 0, 1, "there is no state 99");
}

static void round_trip(struct vfk_device *dev)
{
	uint8_t byte;
	long len;

	said(vfk_region_put(dev, 0, SCRATCH, 1, 0x5a), 0, "it has a state");
	said(set_state(dev, VFIO_DEVICE_STATE_STOP_COPY), 0, "is stopped");
	len = save(dev);
	said(len > 0, 1, "and its state read");
	said(set_state(dev, VFIO_DEVICE_STATE_RUNNING), 0, "runs again");
	said(vfk_device_mig_read(dev, &byte, 1), -EINVAL, "the stream has ended");
	said(vfk_region_put(dev, 0, SCRATCH, 1, 0xa5), 0, "has another state");
	said(set_state(dev, VFIO_DEVICE_STATE_RESUMING), 0, "awaits one");
	said(restore(dev, len), len, "is given what was read");
	said(set_state(dev, VFIO_DEVICE_STATE_RUNNING), 0, "runs");
	said(scratch(dev), 0x5a, "with that state");
}

int main(int argc, char **argv)
{
	struct vfk_device *dev;
	int ret;

	if (argc != 2) {
		fprintf(stderr, "usage: kernel-migration URI\n");
		return 2;
	}
	alarm(60);
	ret = vfk_device_open(argv[1], NULL, &dev);
	said(ret, 0, "the device opens");
	if (ret < 0)
		return 1;
	states(dev);
	round_trip(dev);
	/* with a stream that nobody reads; mtty itself keeps its state when it is closed */
	said(set_state(dev, VFIO_DEVICE_STATE_STOP_COPY), 0, "it is stopped once more");
	vfk_device_close(dev);
	ret = vfk_device_open(argv[1], NULL, &dev);
	said(ret, 0, "closed and opened");
	if (ret < 0)
		return 1;
	said(vfk_device_mig_read(dev, saved, 1), -EINVAL, "its stream is gone");
	said(get_state(dev), VFIO_DEVICE_STATE_RUNNING, "and it runs again");
	said(set_state(dev, VFIO_DEVICE_STATE_RESUMING), 0, "it awaits a state");
	said(vfk_device_mig_write(dev, "nonsense", 8), 8, "is given half of one");
	vfk_device_close(dev);
	ret = vfk_device_open(argv[1], NULL, &dev);
	said(ret, 0, "closed and opened");
	if (ret < 0)
		return 1;
	said(get_state(dev), VFIO_DEVICE_STATE_RUNNING, "it runs");
	vfk_device_close(dev);
	return 0;
}

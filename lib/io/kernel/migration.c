/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migration.c - the migration state, and the stream whose file the kernel hands out with it.
 *
 * The file never leaves: callers see mig_read and mig_write. Any thread; the stream's lock is held while it is read or
 * written, so that no change of state closes it under a reader.
 */
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/vfio_compat.h"
#include "lib/io/kernel/instance.h"
#include <string.h>
#include <unistd.h>

#ifdef VFIO_MIG_GET_PRECOPY_INFO
_Static_assert(sizeof(struct vfk_precopy_info) == sizeof(struct vfio_precopy_info), "kernel ABI");
_Static_assert(offsetof(struct vfk_precopy_info, dirty_bytes) ==
		       offsetof(struct vfio_precopy_info, dirty_bytes),
	       "kernel ABI");
#endif

/* Which states go on with the stream of the one before (enum vfio_device_mig_state of <linux/vfio.h>). */
static bool has_stream(uint32_t state)
{
	return state == VFIO_DEVICE_STATE_STOP_COPY || state == VFIO_DEVICE_STATE_RESUMING ||
	       state == VFKI_DEVICE_STATE_PRE_COPY || state == VFKI_DEVICE_STATE_PRE_COPY_P2P;
}

/* @fd: of the new state; -1: it has none of its own. */
static void entered(struct vfki_kernel *k, uint32_t state, int fd)
{
	pthread_mutex_lock(&k->mig_lock);
	if (fd >= 0 || !has_stream(state)) {
		vfki_fd_close(k->mig_fd);
		k->mig_fd = fd;
	}
	k->mig_state = state;
	pthread_mutex_unlock(&k->mig_lock);
}

void vfki_kernel_end_stream(struct vfki_kernel *k)
{
	entered(k, VFIO_DEVICE_STATE_RUNNING, -1);
}

static int ask_for_running(struct vfki_kernel *k)
{
	union {
		struct vfio_device_feature head;
		uint8_t room[sizeof(struct vfio_device_feature) +
			     sizeof(struct vfio_device_feature_mig_state)];
	} f = { .head = { .argsz = sizeof(f),
			  .flags = VFIO_DEVICE_FEATURE_SET |
				   VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE } };
	const struct vfio_device_feature_mig_state state = {
		.device_state = VFIO_DEVICE_STATE_RUNNING,
		.data_fd = -1,
	};

	memcpy(f.room + sizeof(f.head), &state, sizeof(state));
	return vfki_kernel_ioctl(k->device, VFIO_DEVICE_FEATURE, &f);
}

void vfki_kernel_end_migration(struct vfki_kernel *k)
{
	uint32_t state = k->mig_state;

	vfki_kernel_end_stream(k);
	/* the kernel resets what is on a bus, which would do DMA until then if it ran */
	if (state == VFIO_DEVICE_STATE_RUNNING || !k->mediated)
		return;
	/* refused after half a stream, and in the state of an error */
	if (ask_for_running(k) < 0)
		(void)vfki_kernel_ioctl(k->device, VFIO_DEVICE_RESET, NULL);
}

int vfki_kernel_set_mig_state(struct vfki_kernel *k, struct vfio_device_feature *f)
{
	struct vfio_device_feature_mig_state *state = (void *)f->data;
	int ret;

	state->data_fd = -1;
	ret = vfki_kernel_ioctl(k->device, VFIO_DEVICE_FEATURE, f);
	if (ret < 0)
		return vfki_err_sys(ret, "migration state %u", state->device_state);
	if (state->data_fd >= 0)
		(void)vfki_fd_set_cloexec(state->data_fd);
	entered(k, state->device_state, state->data_fd);
	state->data_fd = -1;
	return 0;
}

static ssize_t no_stream(const struct vfki_kernel *k)
{
	struct vfio_device_feature probe = {
		.argsz = sizeof(probe),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
	};

	if (vfki_kernel_ioctl(k->device, VFIO_DEVICE_FEATURE, &probe) < 0)
		return vfki_err(-ENOTSUP, "migration data: the device cannot be migrated");
	return vfki_err(-EINVAL, "migration data: the device's state has no stream");
}

ssize_t vfki_kernel_mig_read(struct vfk_io *io, void *buf, size_t len)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	ssize_t n;

	pthread_mutex_lock(&k->mig_lock);
	if (k->mig_fd < 0) {
		n = no_stream(k);
	} else {
		n = read(k->mig_fd, buf, len);
		if (n < 0) /* ENOMSG: nothing more of the pre-copy for now */
			n = errno == ENOMSG ? 0 : vfki_err_sys(-errno, "migration data: read");
	}
	pthread_mutex_unlock(&k->mig_lock);
	return n;
}

int vfki_kernel_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	int ret;

	pthread_mutex_lock(&k->mig_lock);
	if (k->mig_fd < 0) {
		ret = (int)no_stream(k);
	} else {
		ret = vfki_kernel_ioctl(k->mig_fd, VFKI_MIG_GET_PRECOPY_INFO, info);
		if (ret < 0)
			ret = vfki_err_sys(ret, "precopy info");
	}
	pthread_mutex_unlock(&k->mig_lock);
	return ret;
}

ssize_t vfki_kernel_mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	ssize_t n;

	pthread_mutex_lock(&k->mig_lock);
	if (k->mig_fd < 0) {
		n = no_stream(k);
	} else {
		n = write(k->mig_fd, buf, len);
		if (n <= 0)
			n = vfki_err_sys(n < 0 ? -errno : -EIO, "migration data: write");
	}
	pthread_mutex_unlock(&k->mig_lock);
	return n;
}

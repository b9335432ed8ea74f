/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.c - the gate around the ops of a device that may be lost; see gate.h.
 *
 * A writer is preferred, or a few threads that call in vain would keep the one out that brings the device back. Nobody
 * takes the lock twice: callbacks of the program's may not call the device.
 */
#include "lib/io/user/gate.h"
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include "lib/io/user/reconnect.h"
#include "lib/io/user/user.h"

void vfki_user_gate_init(struct vfki_user_gate *gate)
{
	pthread_rwlockattr_t attr;

	/* None of these can fail on Linux: they set words in memory. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&gate->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	gate->epoch = 1;
}

void vfki_user_gate_fini(struct vfki_user_gate *gate)
{
	pthread_rwlock_destroy(&gate->lock);
}

int vfki_user_gate_enter(struct vfki_user *user)
{
	struct vfki_user_gate *gate = &user->gate;

	pthread_rwlock_rdlock(&gate->lock);
	if (__builtin_expect(!gate->restoring, 1) || pthread_equal(gate->restorer, pthread_self()))
		return 0;
	pthread_rwlock_unlock(&gate->lock);
	return vfki_err(-ECONNRESET, "the server was lost");
}

ssize_t vfki_user_gate_leave(struct vfki_user *user, ssize_t ret)
{
	struct vfki_user_gate *gate = &user->gate;
	bool lost = __builtin_expect(ret < 0, 0) && vfki_conn_ended(user->conn);
	bool restoring = gate->restoring;
	uint64_t epoch = gate->epoch;

	/* Inside: behind the gate the reason may be another connection's already. */
	if (lost)
		vfki_err(-ECONNRESET, "the server was lost: %s", vfki_conn_reason(user->conn));
	pthread_rwlock_unlock(&gate->lock);
	if (!lost)
		return ret;
	/* Who restores it hears of its end from its own call. */
	if (gate->lost && !restoring)
		gate->lost(gate->ctx, epoch);
	return -ECONNRESET;
}

void vfki_user_gate_shut(struct vfki_user *user)
{
	struct vfki_user_gate *gate = &user->gate;

	pthread_rwlock_wrlock(&gate->lock);
	gate->restoring = true;
	gate->restorer = pthread_self();
	pthread_rwlock_unlock(&gate->lock);
}

void vfki_user_gate_open(struct vfki_user *user, bool restored)
{
	struct vfki_user_gate *gate = &user->gate;

	pthread_rwlock_wrlock(&gate->lock);
	gate->restoring = false;
	gate->epoch += restored;
	pthread_rwlock_unlock(&gate->lock);
}

/* ---- the ops ---- */

#define GATED(io, call)                                                \
	do {                                                           \
		struct vfki_user *user = vfki_user_of(io);             \
		int ret = vfki_user_gate_enter(user);                  \
                                                                       \
		return ret ? ret : vfki_user_gate_leave(user, (call)); \
	} while (0)

/* The same for ops that return an int. */
#define GATED_INT(io, call)                                                 \
	do {                                                                \
		struct vfki_user *user = vfki_user_of(io);                  \
		int ret = vfki_user_gate_enter(user);                       \
                                                                            \
		return ret ? ret : (int)vfki_user_gate_leave(user, (call)); \
	} while (0)

static int get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	GATED_INT(io, vfki_user_get_device_info(io, info));
}

static int get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			   struct vfk_region_fds *fds)
{
	GATED_INT(io, vfki_user_get_region_info(io, info, fds));
}

static int get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	GATED_INT(io, vfki_user_get_irq_info(io, info));
}

static int set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	GATED_INT(io, vfki_user_set_irqs(io, set));
}

static ssize_t region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	GATED(io, vfki_user_region_read(io, region, off, buf, len));
}

static ssize_t region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	GATED(io, vfki_user_region_write(io, region, off, buf, len, flags));
}

static int device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	GATED_INT(io, vfki_user_device_feature(io, feature));
}

static int reset(struct vfk_io *io)
{
	GATED_INT(io, vfki_user_reset(io));
}

static int write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	GATED_INT(io, vfki_user_write_multi(io, writes, count));
}

/* What was posted to a server that is gone was dropped with it. */
static int flush_or_fail(struct vfk_io *io)
{
	int ret = vfki_conn_ended(vfki_user_of(io)->conn);

	return ret ? ret : vfki_user_flush(io);
}

static int flush(struct vfk_io *io)
{
	GATED_INT(io, flush_or_fail(io));
}

static ssize_t mig_read(struct vfk_io *io, void *buf, size_t len)
{
	GATED(io, vfki_user_mig_read(io, buf, len));
}

static ssize_t mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	GATED(io, vfki_user_mig_write(io, buf, len));
}

static int dispatch(struct vfk_io *io)
{
	GATED_INT(io, vfki_user_io_ops.dispatch(io));
}

static int precopy_info(struct vfk_io *io, struct vfk_precopy_info *info)
{
	GATED_INT(io, vfki_user_precopy_info(io, info));
}

static int region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds,
			 size_t max, size_t *count)
{
	GATED_INT(io, vfki_user_region_io_fds(io, region, fds, max, count));
}

static int poll_fd(struct vfk_io *io)
{
	return vfki_user_io_ops.poll_fd(io);
}

static void close_device(struct vfk_io *io)
{
	vfki_user_io_ops.close(io);
}

const struct vfk_io_ops vfki_user_gated_io_ops = {
	.size = sizeof(struct vfk_io_ops),
	.name = "vfio-user",
	.help = "with reconnect=",
	.close = close_device,
	.get_device_info = get_device_info,
	.get_region_info = get_region_info,
	.get_irq_info = get_irq_info,
	.set_irqs = set_irqs,
	.region_read = region_read,
	.region_write = region_write,
	.device_feature = device_feature,
	.reset = reset,
	.write_multi = write_multi,
	.flush = flush,
	.mig_read = mig_read,
	.mig_write = mig_write,
	.poll_fd = poll_fd,
	.dispatch = dispatch,
	.precopy_info = precopy_info,
	.region_io_fds = region_io_fds,
	.set_lost = vfki_user_set_lost,
	.reconnect = vfki_user_reconnect,
};

/* ---- the sink's ops: of these an unmap and a stop have an effect also when the server is gone ---- */

static int dma_map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	GATED_INT(io, vfki_user_dma_ops.map(io, m, addr));
}

static int dma_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	GATED_INT(io, vfki_user_dma_ops.unmap(io, iova, length, timeout_ms));
}

/* That it must be done one by one is no loss. */
static int dma_unmap_all(struct vfk_io *io, uint32_t timeout_ms)
{
	struct vfki_user *user = vfki_user_of(io);
	int ret = vfki_user_gate_enter(user);

	if (ret)
		return ret;
	ret = vfki_user_dma_ops.unmap_all(io, timeout_ms);
	if (ret != -ENOTSUP)
		return (int)vfki_user_gate_leave(user, ret);
	vfki_user_gate_leave(user, 0);
	return ret;
}

static int dma_limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	GATED_INT(io, vfki_user_dma_ops.limits(io, limits));
}

static int dirty_start(struct vfk_io *io, uint64_t page_size)
{
	GATED_INT(io, vfki_user_dirty_start(io, page_size));
}

static int dirty_stop(struct vfk_io *io)
{
	GATED_INT(io, vfki_user_dirty_stop(io));
}

static int dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			uint64_t *bitmap)
{
	GATED_INT(io, vfki_user_dirty_report(io, iova, length, page_size, bitmap));
}

const struct vfk_dma_ops vfki_user_gated_dma_ops = {
	.size = sizeof(struct vfk_dma_ops),
	.map = dma_map,
	.unmap = dma_unmap,
	.unmap_all = dma_unmap_all,
	.limits = dma_limits,
	.dirty_start = dirty_start,
	.dirty_stop = dirty_stop,
	.dirty_report = dirty_report,
};

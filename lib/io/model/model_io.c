/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model_io.c - the io vector over a model, with what vfio-pci shows of a PCI device: nine regions and those of the
 * model's own, five interrupts.
 *
 * Threads: as every io, see <vfiokit/io.h>. Each op takes the model's lock for as long as it needs it.
 */
#include "model_io.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE    __attribute__((noinline))

static inline struct vfk_model *model_of(struct vfk_io *io)
{
	return (struct vfk_model *)io;
}

void vfki_model_io_set_ops(struct vfk_io *io, const struct vfk_model_ops *ops)
{
	model_of(io)->given = ops;
}

int vfki_model_declaring(const struct vfk_model *m, const char *what)
{
	if (m->declaring)
		return 0;
	return vfki_err(-EINVAL, "%s: %s: can be declared inside init only", m->io.name, what);
}

/* ---- opening ---- */

static int unknown_model(const struct vfk_io *io, const char *name)
{
	const struct vfk_model_ops *ops;
	char list[256] = "";
	size_t used = 0;

	for (size_t i = 0; (ops = vfk_model_bundled(i)) && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 ops->name);
	return vfki_err(-ENOENT, "%s: no model \"%s\"; there are: %s", io->name, name, list);
}

static int no_read(struct vfk_model *m, void *self, unsigned int bar, uint64_t off, void *buf,
		   size_t len)
{
	(void)m;
	(void)self;
	(void)bar;
	(void)off;
	(void)buf;
	(void)len;
	return -EIO;
}

static int no_write(struct vfk_model *m, void *self, unsigned int bar, uint64_t off,
		    const void *buf, size_t len)
{
	(void)m;
	(void)self;
	(void)bar;
	(void)off;
	(void)buf;
	(void)len;
	return -EIO;
}

static int find_ops(struct vfk_model *m, const struct vfk_uri *uri)
{
	const struct vfk_model_ops *ops = m->given;
	const char *name = vfk_uri_target(uri);

	for (size_t i = 0; !m->given && (ops = vfk_model_bundled(i)); i++) {
		if (!strcmp(ops->name, name))
			break;
	}
	if (!ops)
		return unknown_model(&m->io, name);
	if (ops->size < offsetof(struct vfk_model_ops, fini))
		return vfki_err(-EINVAL, "%s: model: size %zu, need %zu", m->io.name, ops->size,
				sizeof(*ops));
	memcpy(&m->ops, ops, ops->size < sizeof(m->ops) ? ops->size : sizeof(m->ops));
	if (!m->ops.init)
		return vfki_err(-EINVAL, "%s: model: init is missing", m->io.name);
	if (!m->ops.bar_read)
		m->ops.bar_read = no_read;
	if (!m->ops.bar_write)
		m->ops.bar_write = no_write;
	return 0;
}

static int check_params(const struct vfk_model *m, const struct vfk_uri *uri)
{
	static const char *const none[] = { NULL };

	return vfk_uri_only(uri, m->ops.params ? m->ops.params : none);
}

/* The author may have left a text, or a function of ours that names the device already. */
static int init_failed(const struct vfk_model *m, int ret)
{
	if (!*vfk_error())
		return vfki_err_sys(ret, "%s: init", m->io.name);
	if (!strncmp(vfk_error(), m->io.name, strlen(m->io.name)))
		return ret;
	return vfki_err_prefix(ret, "%s: init", m->io.name);
}

/* Runs the author's init, and looks at what it declared. */
static int declare(struct vfk_model *m, const struct vfk_uri *uri)
{
	int ret;

	vfki_err_clear();
	m->declaring = true;
	ret = m->ops.init(m, m->self, uri);
	m->declaring = false;
	if (ret < 0)
		return init_failed(m, ret);
	ret = m->identified ? vfki_work_power_up(m) :
			      vfki_err(-EINVAL, "%s: init: no identity was declared", m->io.name);
	if (ret < 0) {
		if (m->ops.fini)
			m->ops.fini(m, m->self);
		return ret;
	}
	vfki_config_power_up(m);
	return 0;
}

static int model_open(struct vfk_io *io, const struct vfk_uri *uri,
		      const struct vfk_open_opts *opts)
{
	struct vfk_model *m = model_of(io);
	int ret = find_ops(m, uri);

	if (ret < 0)
		return ret;
	ret = check_params(m, uri);
	if (ret < 0)
		return ret;
	m->self = calloc(1, m->ops.instance_size ? m->ops.instance_size : 1);
	if (!m->self)
		return vfki_err(-ENOMEM, "%s: no memory", io->name);
	m->dma.guard = opts ? opts->guard : NULL;
	ret = vfki_dma_init(m);
	if (ret < 0)
		goto free_self;
	ret = vfki_irqs_init(m);
	if (ret < 0)
		goto fini_dma;
	vfki_work_init(m, opts && opts->flags & VFK_OPEN_DISPATCH);
	vfki_bars_init(m);
	vfki_doorbells_init(m);
	vfki_config_init(m);
	vfki_low_power_init(m);
	/* A worker thread may be there from init on. */
	vfki_lock_take(&m->lock);
	ret = declare(m, uri);
	vfki_model_leave(m);
	if (ret < 0)
		goto quiesce;
	io->dma = &vfki_model_dma_ops;
	return 0;
quiesce:
	vfki_work_quiesce(m);
	vfki_model_regions_fini(m);
	vfki_bars_fini(m);
	vfki_irqs_fini(m);
	vfki_doorbells_fini(m);
	vfki_work_fini(m);
fini_dma:
	vfki_dma_fini(m);
free_self:
	free(m->self);
	m->self = NULL;
	return ret;
}

/* Backwards through open; the author's fini runs when its device is alone, and memory it still holds is there. */
static void model_close(struct vfk_io *io)
{
	struct vfk_model *m = model_of(io);

	vfki_work_quiesce(m);
	vfki_dma_unmap_all(m);
	vfki_work_cancel_all(m);
	if (m->ops.fini)
		m->ops.fini(m, m->self);
	vfki_low_power_fini(m);
	vfki_model_regions_fini(m);
	vfki_bars_fini(m);
	vfki_irqs_fini(m);
	vfki_doorbells_fini(m);
	vfki_work_fini(m);
	vfki_dma_fini(m);
	free(m->self);
	m->self = NULL;
}

/* ---- info ---- */

static int model_get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	info->argsz = offsetof(struct vfio_device_info, cap_offset);
	info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info->num_regions = VFIO_PCI_NUM_REGIONS + model_of(io)->regions.count;
	info->num_irqs = VFIO_PCI_NUM_IRQS;
	return 0;
}

static int model_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
				 struct vfk_region_fds *fds)
{
	struct vfk_model *m = model_of(io);

	info->flags = 0;
	info->cap_offset = 0;
	info->size = 0;
	info->offset = 0;
	if (fds) {
		fds->count = 0;
		fds->flags = 0;
	}
	if (info->index < VFKI_BARS)
		return vfki_bar_info(m, info, fds);
	return vfki_model_region_info(m, info, fds);
}

static int model_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	vfki_irq_info(model_of(io), info);
	return 0;
}

static int model_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfk_model *m = model_of(io);
	int ret;

	vfki_lock_take(&m->lock);
	vfki_low_power_access(m);
	ret = vfki_irq_set(m, set);
	vfki_lock_drop(&m->lock);
	return ret;
}

/* ---- access ---- */

static int check_config(const struct vfk_model *m, uint64_t off, size_t len)
{
	if (vfki_range_ok(off, len, m->config.size))
		return 0;
	return vfki_err(-EINVAL, "%s: config space: 0x%" PRIx64 " + %zu is beyond its end",
			m->io.name, off, len);
}

/* Not inlined, as the other rare ways: a register access would have to save registers for them. */
static NOINLINE ssize_t read_other(struct vfk_model *m, uint32_t region, uint64_t off, void *buf,
				   size_t len)
{
	int ret;

	if (region != VFIO_PCI_CONFIG_REGION_INDEX)
		return vfki_model_region_read(m, region, off, buf, len);
	ret = check_config(m, off, len);
	if (ret < 0)
		return ret;
	vfki_lock_take(&m->lock);
	vfki_low_power_access(m);
	vfki_config_read(m, (uint32_t)off, buf, len);
	vfki_lock_drop(&m->lock);
	return (ssize_t)len;
}

static NOINLINE ssize_t write_other(struct vfk_model *m, uint32_t region, uint64_t off,
				    const void *buf, size_t len)
{
	int ret;

	if (region != VFIO_PCI_CONFIG_REGION_INDEX)
		return vfki_model_region_write(m, region, off, buf, len);
	ret = check_config(m, off, len);
	if (ret < 0)
		return ret;
	vfki_lock_take(&m->lock);
	vfki_low_power_access(m);
	vfki_config_write(m, (uint32_t)off, buf, len);
	vfki_model_leave(m);
	return (ssize_t)len;
}

/*
 * What a driver that polls a register goes through. While the model's function runs, what is still needed is kept in @m,
 * under the lock: in registers, each access would have to save them. So, too, each step ends with the next one.
 */
static NOINLINE ssize_t end_failed(struct vfk_model *m, bool write, int ret)
{
	__typeof__(m->access) a = m->access;

	vfki_model_leave(m);
	return vfki_bar_failed(m, a.bar, a.off, a.len, write, ret);
}

static NOINLINE ssize_t end_slowly(struct vfk_model *m)
{
	size_t len = m->access.len;

	vfki_model_leave_slowly(m);
	return (ssize_t)len;
}

static NOINLINE ssize_t end_whole(struct vfk_model *m)
{
	size_t len = m->access.len;

	return vfki_lock_try_drop(&m->lock) ? (ssize_t)len : end_slowly(m);
}

static inline void begin(struct vfk_model *m, uint32_t bar, uint64_t off, size_t len)
{
	m->access.bar = bar;
	m->access.off = off;
	m->access.len = len;
}

/* With the lock, which these drop. */
static NOINLINE ssize_t read_locked(struct vfk_model *m, uint32_t bar, uint64_t off, void *buf,
				    size_t len)
{
	int ret;

	begin(m, bar, off, len);
	ret = m->ops.bar_read(m, m->self, bar, off, buf, len);
	return UNLIKELY(ret < 0) ? end_failed(m, false, ret) : end_whole(m);
}

static NOINLINE ssize_t write_locked(struct vfk_model *m, uint32_t bar, uint64_t off,
				     const void *buf, size_t len)
{
	int ret;

	begin(m, bar, off, len);
	ret = m->ops.bar_write(m, m->self, bar, off, buf, len);
	return UNLIKELY(ret < 0) ? end_failed(m, true, ret) : end_whole(m);
}

static NOINLINE ssize_t read_slowly(struct vfk_model *m, uint32_t region, uint64_t off, void *buf,
				    size_t len)
{
	if (region >= VFKI_BARS)
		return read_other(m, region, off, buf, len);
	if (!vfki_bar_is_direct(&m->direct, region, off, len))
		return vfki_bar_read(m, region, off, buf, len);
	vfki_lock_sleep(&m->lock);
	return read_locked(m, region, off, buf, len);
}

static NOINLINE ssize_t write_slowly(struct vfk_model *m, uint32_t region, uint64_t off,
				     const void *buf, size_t len)
{
	if (region >= VFKI_BARS)
		return write_other(m, region, off, buf, len);
	if (!vfki_bar_is_direct(&m->direct, region, off, len))
		return vfki_bar_write(m, region, off, buf, len);
	vfki_lock_sleep(&m->lock);
	return write_locked(m, region, off, buf, len);
}

static ssize_t model_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				 size_t len)
{
	struct vfk_model *m = model_of(io);

	if (UNLIKELY(region >= VFKI_BARS || !vfki_bar_is_direct(&m->direct, region, off, len) ||
		     !vfki_lock_try(&m->lock)))
		return read_slowly(m, region, off, buf, len);
	return read_locked(m, region, off, buf, len);
}

/* A model executes a write before it returns, posted or not. */
static ssize_t model_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				  size_t len, unsigned int flags)
{
	struct vfk_model *m = model_of(io);

	(void)flags;
	if (UNLIKELY(region >= VFKI_BARS || !vfki_bar_is_direct(&m->direct, region, off, len) ||
		     !vfki_lock_try(&m->lock)))
		return write_slowly(m, region, off, buf, len);
	return write_locked(m, region, off, buf, len);
}

bool vfki_model_io_is_whole(uint32_t region)
{
	return region < VFKI_BARS;
}

static int model_device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	struct vfk_model *m = model_of(io);
	int ret;

	vfki_lock_take(&m->lock);
	vfki_low_power_access(m);
	vfki_err_clear();
	ret = vfki_low_power_feature(m, feature);
	if (ret == -ENOTSUP && m->ops.device_feature)
		ret = m->ops.device_feature(m, m->self, feature);
	vfki_model_leave(m);
	if (ret < 0 && !*vfk_error())
		return vfki_err_sys(ret, "%s: feature %u", io->name,
				    feature->flags & VFIO_DEVICE_FEATURE_MASK);
	return ret < 0 ? ret : 0;
}

void vfki_model_reset(struct vfk_model *m)
{
	vfki_work_cancel_all(m);
	vfki_irqs_reset(m);
	if (m->ops.reset)
		m->ops.reset(m, m->self);
}

static int model_reset(struct vfk_io *io)
{
	struct vfk_model *m = model_of(io);

	vfki_lock_take(&m->lock);
	vfki_low_power_access(m);
	vfki_model_reset(m);
	vfki_model_leave(m);
	return 0;
}

static int model_region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds,
			       size_t max, size_t *count)
{
	return vfki_doorbells_hand_out(model_of(io), region, fds, max, count);
}

static int model_flush(struct vfk_io *io)
{
	(void)io;
	return 0;
}

static int model_poll_fd(struct vfk_io *io)
{
	const struct vfki_work *w = &model_of(io)->work;

	return w->polled && w->epoll >= 0 ? w->epoll : -ENOTSUP;
}

static int model_dispatch(struct vfk_io *io)
{
	/* A worker's own business is nobody else's. */
	return model_poll_fd(io) < 0 ? 0 : vfki_work_dispatch(model_of(io));
}

const struct vfk_io_ops vfki_model_io_ops = {
	.size = sizeof(struct vfk_io_ops),
	.name = "model",
	.help = "model:NAME[,PARAMETER=VALUE]...: a device written in software, in this process",
	.instance_size = sizeof(struct vfk_model),
	.open = model_open,
	.close = model_close,
	.get_device_info = model_get_device_info,
	.get_region_info = model_get_region_info,
	.get_irq_info = model_get_irq_info,
	.set_irqs = model_set_irqs,
	.region_read = model_region_read,
	.region_write = model_region_write,
	.device_feature = model_device_feature,
	.reset = model_reset,
	.flush = model_flush,
	.poll_fd = model_poll_fd,
	.dispatch = model_dispatch,
	.hot_reset_info = vfki_model_hot_reset_info,
	.hot_reset = vfki_model_hot_reset,
	.region_io_fds = model_region_io_fds,
};

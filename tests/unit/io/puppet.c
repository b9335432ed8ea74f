/* SPDX-License-Identifier: BSD-3-Clause */
/* puppet.c - an io whose every answer a test decides; see puppet.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"
#include "puppet.h"

static struct puppet *puppet(struct vfk_io *io)
{
	return (struct puppet *)io;
}

/* Counts the call; true when its result is forced. */
static bool forced(struct puppet *p, enum puppet_op op)
{
	return p->calls[op]++ >= p->after[op] && p->forced[op];
}

static int op_open(struct vfk_io *io, const struct vfk_uri *uri, const struct vfk_open_opts *opts)
{
	assert_non_null(uri);
	assert_non_null(opts);
	return forced(puppet(io), OP_OPEN) ? (int)puppet(io)->result[OP_OPEN] : 0;
}

static void op_close(struct vfk_io *io)
{
	puppet(io)->calls[OP_CLOSE]++;
}

static int op_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	struct puppet *p = puppet(io);
	uint32_t room = info->argsz;

	if (forced(p, OP_DEVICE_INFO))
		return (int)p->result[OP_DEVICE_INFO];
	*info = p->info;
	info->argsz = (uint32_t)sizeof(*info) + p->chain_len;
	if (p->info_grows)
		info->argsz = room + 8;
	info->cap_offset = 0;
	if (p->chain_len && info->argsz <= room) {
		info->cap_offset = sizeof(*info);
		memcpy(info + 1, p->chain, p->chain_len);
	}
	return 0;
}

static void give_fds(const struct vfk_region_fds *mine, struct vfk_region_fds *fds)
{
	assert_true(fds->size >= sizeof(*fds));
	*fds = *mine;
	fds->size = sizeof(*fds);
	for (uint32_t i = 0; i < mine->count && i < VFK_REGION_MAX_FDS; i++) {
		if (mine->fd[i] >= 0)
			fds->fd[i] = vfki_fd_dup(mine->fd[i]);
	}
}

static int op_region_info(struct vfk_io *io, struct vfio_region_info *info,
			  struct vfk_region_fds *fds)
{
	struct puppet *p = puppet(io);
	uint32_t room = info->argsz, index = info->index;
	struct puppet_region *r = &p->regions[index];

	assert_true(index < p->info.num_regions);
	if (forced(p, OP_REGION_INFO))
		return (int)p->result[OP_REGION_INFO];
	*info = r->info;
	info->index = (uint32_t)((int32_t)index + r->index_lie);
	info->argsz = (uint32_t)sizeof(*info) + r->chain_len;
	if (r->argsz_lie)
		info->argsz = r->argsz_lie;
	if (r->grows)
		info->argsz = room + 8;
	info->cap_offset = 0;
	if (info->argsz > room)
		return 0;
	if (r->chain_len) {
		info->cap_offset = r->first_cap ? r->first_cap : (uint32_t)sizeof(*info);
		memcpy(info + 1, r->chain, r->chain_len);
	}
	if (fds)
		give_fds(&r->fds, fds);
	return 0;
}

static int op_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	struct puppet *p = puppet(io);
	uint32_t index = info->index;

	assert_true(index < p->info.num_irqs);
	if (forced(p, OP_IRQ_INFO))
		return (int)p->result[OP_IRQ_INFO];
	*info = p->irqs[index];
	info->argsz = sizeof(*info);
	info->index = (uint32_t)((int32_t)index + p->irq_index_lie);
	return 0;
}

static int op_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct puppet *p = puppet(io);

	assert_true(set->argsz <= sizeof(p->irq_set));
	memcpy(p->irq_set, set, set->argsz);
	return forced(p, OP_SET_IRQS) ? (int)p->result[OP_SET_IRQS] : 0;
}

static ssize_t access_memory(struct puppet *p, enum puppet_op op, uint32_t region, uint64_t off,
			     size_t len)
{
	ssize_t ret;

	pthread_mutex_lock(&p->lock);
	p->access_region = region;
	p->access_off = off;
	p->access_len = len;
	ret = forced(p, op) ? p->result[op] : (ssize_t)len;
	pthread_mutex_unlock(&p->lock);
	assert_true(off + len <= p->regions[region].info.size);
	return ret;
}

static ssize_t op_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = access_memory(puppet(io), OP_READ, region, off, len);

	if (ret > 0 && (size_t)ret <= len && off + len <= PUPPET_SIZE)
		memcpy(buf, puppet(io)->memory + off, (size_t)ret);
	return ret;
}

static ssize_t op_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			size_t len, unsigned int flags)
{
	ssize_t ret = access_memory(puppet(io), OP_WRITE, region, off, len);

	puppet(io)->access_flags = flags;
	if (ret > 0 && (size_t)ret <= len && off + len <= PUPPET_SIZE)
		memcpy(puppet(io)->memory + off, buf, (size_t)ret);
	return ret;
}

static int op_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	struct puppet *p = puppet(io);
	size_t len = feature->argsz - sizeof(*feature);

	p->feature.argsz = feature->argsz;
	p->feature.flags = feature->flags;
	assert_true(len <= sizeof(p->feature_in));
	memcpy(p->feature_in, feature->data, len);
	if (forced(p, OP_FEATURE))
		return (int)p->result[OP_FEATURE];
	if (feature->flags & VFIO_DEVICE_FEATURE_GET &&
	    !(feature->flags & VFIO_DEVICE_FEATURE_PROBE))
		memcpy(feature->data, p->feature_out, len);
	if (p->feature_lie)
		feature->flags++;
	return 0;
}

static int op_reset(struct vfk_io *io)
{
	return forced(puppet(io), OP_RESET) ? (int)puppet(io)->result[OP_RESET] : 0;
}

static int op_write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	struct puppet *p = puppet(io);

	if (forced(p, OP_WRITE_MULTI))
		return (int)p->result[OP_WRITE_MULTI];
	for (size_t i = 0; i < count; i++)
		memcpy(p->memory + writes[i].offset, writes[i].data, writes[i].len);
	return 0;
}

static int op_flush(struct vfk_io *io)
{
	return forced(puppet(io), OP_FLUSH) ? (int)puppet(io)->result[OP_FLUSH] : 0;
}

static ssize_t op_mig_read(struct vfk_io *io, void *buf, size_t len)
{
	memset(buf, 0x5a, len);
	return forced(puppet(io), OP_MIG_READ) ? puppet(io)->result[OP_MIG_READ] : (ssize_t)len;
}

static ssize_t op_mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	(void)buf;
	return forced(puppet(io), OP_MIG_WRITE) ? puppet(io)->result[OP_MIG_WRITE] : (ssize_t)len;
}

static int op_poll_fd(struct vfk_io *io)
{
	puppet(io)->calls[OP_POLL_FD]++;
	return puppet(io)->poll_fd;
}

static int op_dispatch(struct vfk_io *io)
{
	return forced(puppet(io), OP_DISPATCH) ? (int)puppet(io)->result[OP_DISPATCH] : 0;
}

/* With the lock. Its place, or num_maps. */
static unsigned int find_map(const struct puppet *p, uint64_t iova, uint64_t length)
{
	unsigned int i = 0;

	while (i < p->num_maps && (p->maps[i].iova != iova || p->maps[i].length != length))
		i++;
	return i;
}

static int op_map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	struct puppet *p = puppet(io);

	if (forced(p, OP_MAP))
		return (int)p->result[OP_MAP];
	if (m->iova < p->refuse_below)
		return -ERANGE;
	pthread_mutex_lock(&p->lock);
	assert_true(p->num_maps < 64);
	assert_int_equal(find_map(p, m->iova, m->length), p->num_maps);
	p->maps[p->num_maps++] = (struct puppet_map){ m->iova, m->length };
	pthread_mutex_unlock(&p->lock);
	*addr = p->addr.contiguous ? p->addr : (struct vfk_dma_addr){ m->iova, m->length };
	return 0;
}

static int op_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	struct puppet *p = puppet(io);
	unsigned int i;
	bool found;

	p->unmap_timeout = timeout_ms;
	if (forced(p, OP_UNMAP))
		return (int)p->result[OP_UNMAP];
	pthread_mutex_lock(&p->lock);
	i = find_map(p, iova, length);
	found = i < p->num_maps;
	if (found)
		p->maps[i] = p->maps[--p->num_maps];
	pthread_mutex_unlock(&p->lock);
	return found ? 0 : -ENOENT;
}

static int op_limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	struct puppet *p = puppet(io);

	if (forced(p, OP_LIMITS))
		return (int)p->result[OP_LIMITS];
	assert_true(limits->size >= sizeof(*limits));
	*limits = p->limits;
	limits->size = sizeof(*limits);
	return 0;
}

static int op_dirty_start(struct vfk_io *io, uint64_t page_size)
{
	(void)page_size;
	return forced(puppet(io), OP_DIRTY_START) ? (int)puppet(io)->result[OP_DIRTY_START] : 0;
}

static int op_dirty_stop(struct vfk_io *io)
{
	return forced(puppet(io), OP_DIRTY_STOP) ? (int)puppet(io)->result[OP_DIRTY_STOP] : 0;
}

static int op_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			   uint64_t *bitmap)
{
	struct puppet *p = puppet(io);

	(void)iova;
	if (forced(p, OP_DIRTY_REPORT))
		return (int)p->result[OP_DIRTY_REPORT];
	for (size_t i = 0; i < (length / page_size + 63) / 64 && i < 4; i++)
		bitmap[i] |= p->dirty[i];
	return 0;
}

static const struct vfk_dma_ops dma_ops = {
	.size = sizeof(dma_ops),
	.map = op_map,
	.unmap = op_unmap,
	.limits = op_limits,
	.dirty_start = op_dirty_start,
	.dirty_stop = op_dirty_stop,
	.dirty_report = op_dirty_report,
};

static const struct vfk_io_ops io_ops = {
	.size = sizeof(io_ops),
	.name = "puppet",
	.help = "does what a test says",
	.instance_size = sizeof(struct puppet),
	.open = op_open,
	.close = op_close,
	.get_device_info = op_device_info,
	.get_region_info = op_region_info,
	.get_irq_info = op_irq_info,
	.set_irqs = op_set_irqs,
	.region_read = op_read,
	.region_write = op_write,
	.device_feature = op_feature,
	.reset = op_reset,
	.write_multi = op_write_multi,
	.flush = op_flush,
	.mig_read = op_mig_read,
	.mig_write = op_mig_write,
	.poll_fd = op_poll_fd,
	.dispatch = op_dispatch,
};

static void set_region(struct puppet *p, unsigned int i, uint64_t size, uint32_t flags)
{
	p->regions[i].info = (struct vfio_region_info){ .size = size, .flags = flags };
	p->regions[i].fds.size = sizeof(p->regions[i].fds);
}

void puppet_init(struct puppet *p, const char *name)
{
	const uint32_t r = VFIO_REGION_INFO_FLAG_READ, w = VFIO_REGION_INFO_FLAG_WRITE;

	*p = (struct puppet){ .ops = io_ops, .dma_ops = dma_ops, .poll_fd = -ENOTSUP };
	pthread_mutex_init(&p->lock, NULL);
	assert_int_equal(vfk_io_init(&p->io, &p->ops, name), 0);
	p->io.dma = &p->dma_ops;
	p->info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	p->info.num_regions = PUPPET_REGIONS;
	p->info.num_irqs = PUPPET_IRQS;
	set_region(p, 0, PUPPET_SIZE, r | w);
	set_region(p, 1, 16, r);
	set_region(p, 2, 0, 0);
	set_region(p, 3, 16, w);
	set_region(p, 4, 0x10000, r | w | VFIO_REGION_INFO_FLAG_MMAP);
	set_region(p, 5, 0x10000, r);
	p->irqs[0] =
		(struct vfio_irq_info){ .count = 1,
					.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
						 VFIO_IRQ_INFO_AUTOMASKED };
	p->irqs[1] = (struct vfio_irq_info){ .count = 4, .flags = VFIO_IRQ_INFO_EVENTFD };
	p->limits.pgsizes = ~0xfffull;
	p->limits.max_maps = 64;
}

void puppet_force_after(struct puppet *p, enum puppet_op op, unsigned int after, long result)
{
	p->forced[op] = true;
	p->after[op] = p->calls[op] + after;
	p->result[op] = result;
}

void puppet_force(struct puppet *p, enum puppet_op op, long result)
{
	puppet_force_after(p, op, 0, result);
}

void puppet_release(struct puppet *p, enum puppet_op op)
{
	p->forced[op] = false;
}

void puppet_add_cap(struct puppet *p, unsigned int region, uint16_t id, const void *data,
		    uint32_t len)
{
	struct puppet_region *r = &p->regions[region];
	struct vfio_info_cap_header *last = NULL, *cap;
	uint32_t at = r->chain_len, padded = (len + 7) / 8 * 8;

	assert_true(at + sizeof(*cap) + padded <= sizeof(r->chain));
	for (uint32_t i = 0; at && (!last || last->next);
	     i = last->next - (uint32_t)sizeof(r->info))
		last = (struct vfio_info_cap_header *)(r->chain + i);
	cap = (struct vfio_info_cap_header *)(r->chain + at);
	*cap = (struct vfio_info_cap_header){ .id = id, .version = 1 };
	memcpy(cap + 1, data, len);
	if (last)
		last->next = (uint32_t)sizeof(r->info) + at;
	r->chain_len = at + (uint32_t)sizeof(*cap) + padded;
	r->info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
}

void puppet_add_sparse(struct puppet *p, unsigned int region,
		       const struct vfio_region_sparse_mmap_area *areas, unsigned int n)
{
	struct {
		uint32_t nr_areas, reserved;
		struct vfio_region_sparse_mmap_area areas[32];
	} data = { .nr_areas = n };

	assert_true(n <= 32);
	for (unsigned int i = 0; i < n; i++)
		data.areas[i] = areas[i];
	puppet_add_cap(p, region, VFIO_REGION_INFO_CAP_SPARSE_MMAP, &data,
		       8 + n * (uint32_t)sizeof(*areas));
	p->regions[region].info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
}

bool puppet_has_map(struct puppet *p, uint64_t iova, uint64_t length)
{
	bool found;

	pthread_mutex_lock(&p->lock);
	found = find_map(p, iova, length) < p->num_maps;
	pthread_mutex_unlock(&p->lock);
	return found;
}

struct vfk_device *puppet_open(struct puppet *p)
{
	struct vfk_device *dev = NULL;

	if (vfk_device_open_io(&p->io, NULL, &dev) < 0)
		fail_msg("%s", vfk_error());
	return dev;
}

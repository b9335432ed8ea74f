/* SPDX-License-Identifier: BSD-3-Clause */
/* puppet_pci.c - see puppet_pci.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "puppet_pci.h"

static struct puppet_pci *of(struct vfk_io *io)
{
	return (struct puppet_pci *)io;
}

/* Remembers the call; true with the result where it is to fail. */
static bool note(struct puppet_pci *p, const struct pp_call *call, long *result)
{
	if (p->num_calls < PP_LOG)
		p->calls[p->num_calls++] = *call;
	if (!p->fail_for[call->op])
		return false;
	if (p->after[call->op]) {
		p->after[call->op]--;
		return false;
	}
	p->fail_for[call->op]--;
	*result = p->result[call->op];
	return true;
}

static int op_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	info->argsz = offsetof(struct vfio_device_info, cap_offset);
	info->flags = of(io)->device_flags;
	info->num_regions = of(io)->num_regions;
	info->num_irqs = of(io)->num_irqs;
	return 0;
}

/* The one capability of a region, if there is room; says how much is needed. */
static void put_mappable(struct vfio_region_info *info)
{
	const struct vfio_info_cap_header cap = { .id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
						  .version = 1 };
	uint32_t room = info->argsz;

	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	info->argsz = sizeof(*info) + sizeof(cap);
	if (room < info->argsz)
		return;
	info->cap_offset = sizeof(*info);
	memcpy(info + 1, &cap, sizeof(cap));
}

static int op_region_info(struct vfk_io *io, struct vfio_region_info *info,
			  struct vfk_region_fds *fds)
{
	struct puppet_pci *p = of(io);

	if (fds)
		fds->count = fds->flags = 0;
	info->cap_offset = 0;
	info->offset = (uint64_t)info->index << 40;
	info->flags = p->regions[info->index].flags;
	if (p->msix_mappable >> info->index & 1)
		put_mappable(info);
	else
		info->argsz = sizeof(*info);
	info->size = p->regions[info->index].size;
	if (info->index == PP_CONFIG) {
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
		info->size = p->config_size;
	}
	return 0;
}

static int op_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	const struct pp_call call = { .op = PP_IRQ_INFO, .index = info->index };
	long ret;

	if (note(of(io), &call, &ret))
		return (int)ret;
	info->flags = of(io)->irqs[info->index].flags;
	info->count = of(io)->irqs[info->index].count;
	return 0;
}

static void arm(struct puppet_pci *p, uint32_t index, uint32_t vector, int32_t fd)
{
	int32_t *slot = &p->armed[index][vector];

	if (*slot >= 0)
		close(*slot);
	*slot = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int op_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct puppet_pci *p = of(io);
	const struct pp_call call = { .op = PP_SET_IRQS,
				      .index = set->index,
				      .flags = set->flags,
				      .start = set->start,
				      .count = set->count };
	const int32_t *fds = (const int32_t *)(const void *)set->data;
	bool arming = set->flags & VFIO_IRQ_SET_DATA_EVENTFD &&
		      set->flags & VFIO_IRQ_SET_ACTION_TRIGGER;
	long ret;

	if (note(p, &call, &ret))
		return (int)ret;
	if (arming && p->granted && set->start + set->count > p->granted)
		return p->granted_unsaid ? -ENOSPC : (int)p->granted;
	for (uint32_t i = 0; arming && i < set->count; i++)
		arm(p, set->index, set->start + i, fds[i]);
	for (uint32_t i = 0; !set->count && i < PP_VECTORS; i++)
		arm(p, set->index, i, -1);
	return 0;
}

static ssize_t op_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	struct puppet_pci *p = of(io);
	const struct pp_region *r = &p->regions[region];
	const struct pp_call call = { .op = PP_READ, .index = region, .off = off, .len = len };
	uint8_t *bytes = buf;
	long ret;

	if (note(p, &call, &ret))
		return ret;
	if (region == PP_CONFIG) {
		memcpy(buf, p->config + off, len);
		return (ssize_t)len;
	}
	if (r->has && off >= r->has)
		return 0;
	if (r->has && len > r->has - off)
		len = r->has - off;
	for (size_t i = 0; i < len; i++)
		bytes[i] = r->memory ? r->memory[off + i] : (uint8_t)(off + i);
	return (ssize_t)len;
}

static void write_config(struct puppet_pci *p, uint64_t off, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t mask = p->writable[off + i], *byte = &p->config[off + i];

		*byte = (uint8_t)((*byte & ~mask) | (bytes[i] & mask));
	}
}

static ssize_t op_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			size_t len, unsigned int flags)
{
	struct puppet_pci *p = of(io);
	struct pp_call call = {
		.op = PP_WRITE, .index = region, .off = off, .len = len, .flags = flags
	};
	long ret;

	memcpy(&call.value, buf, len < sizeof(call.value) ? len : sizeof(call.value));
	call.value = le64toh(call.value);
	if (note(p, &call, &ret))
		return ret;
	if (region == PP_CONFIG)
		write_config(p, off, buf, len);
	else if (p->regions[region].memory)
		memcpy(p->regions[region].memory + off, buf, len);
	return (ssize_t)len;
}

static int op_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	struct puppet_pci *p = of(io);
	uint32_t id = feature->flags & VFIO_DEVICE_FEATURE_MASK;
	const struct pp_call call = { .op = PP_FEATURE, .index = id, .flags = feature->flags };
	long ret;

	if (note(p, &call, &ret))
		return (int)ret;
	return id < 32 && p->features >> id & 1 ? 0 : -ENOTSUP;
}

static int op_reset(struct vfk_io *io)
{
	const struct pp_call call = { .op = PP_RESET };
	long ret;

	return note(of(io), &call, &ret) ? (int)ret : 0;
}

static int op_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	const struct pp_call call = { .op = PP_HOT_RESET_INFO };
	long ret;

	info->argsz = sizeof(*info);
	info->count = 0;
	return note(of(io), &call, &ret) ? (int)ret : 0;
}

static int op_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	const struct pp_call call = { .op = PP_HOT_RESET, .count = reset->count };
	long ret;

	return note(of(io), &call, &ret) ? (int)ret : 0;
}

static const struct vfk_io_ops ops = {
	.size = sizeof(struct vfk_io_ops),
	.name = "puppet-pci",
	.help = "a PCI device that does what a test says",
	.instance_size = sizeof(struct puppet_pci),
	.get_device_info = op_device_info,
	.get_region_info = op_region_info,
	.get_irq_info = op_irq_info,
	.set_irqs = op_set_irqs,
	.region_read = op_read,
	.region_write = op_write,
	.device_feature = op_feature,
	.reset = op_reset,
	.hot_reset_info = op_hot_reset_info,
	.hot_reset = op_hot_reset,
};

static void op_close(struct vfk_io *io)
{
	(void)io;
}

void pp_init(struct puppet_pci *p)
{
	memset(p, 0, sizeof(*p));
	memset(p->armed, -1, sizeof(p->armed));
	p->ops = ops;
	p->ops.close = op_close;
	p->device_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	p->num_regions = PP_REGIONS;
	p->num_irqs = VFIO_PCI_NUM_IRQS;
	p->config_size = PCI_CFG_SPACE_EXP_SIZE;
	pp_set32(p, PCI_VENDOR_ID, 0x10f01af4);
	pp_set32(p, PCI_CLASS_REVISION, 0xff000003);
	pp_set32(p, PCI_SUBSYSTEM_VENDOR_ID, 0x22221111);
}

void pp_fini(struct puppet_pci *p)
{
	for (uint32_t i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		for (uint32_t v = 0; v < PP_VECTORS; v++)
			arm(p, i, v, -1);
	}
}

void pp_set16(struct puppet_pci *p, uint32_t off, uint16_t v)
{
	p->config[off] = (uint8_t)v;
	p->config[off + 1] = (uint8_t)(v >> 8);
}

void pp_set32(struct puppet_pci *p, uint32_t off, uint32_t v)
{
	pp_set16(p, off, (uint16_t)v);
	pp_set16(p, off + 2, (uint16_t)(v >> 16));
}

uint16_t pp_get16(const struct puppet_pci *p, uint32_t off)
{
	return (uint16_t)(p->config[off] | p->config[off + 1] << 8);
}

uint32_t pp_get32(const struct puppet_pci *p, uint32_t off)
{
	return pp_get16(p, off) | (uint32_t)pp_get16(p, off + 2) << 16;
}

uint32_t pp_cap(struct puppet_pci *p, uint32_t off, uint8_t id)
{
	uint32_t link = PCI_CAPABILITY_LIST;

	while (p->config[link])
		link = p->config[link] + 1u;
	p->config[link] = (uint8_t)off;
	p->config[off] = id;
	p->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	return off;
}

uint32_t pp_ext_cap(struct puppet_pci *p, uint32_t off, uint16_t id)
{
	uint32_t at = PCI_CFG_SPACE_SIZE;

	while (pp_get16(p, at + 2) >> 4)
		at = pp_get16(p, at + 2) >> 4;
	if (at != off)
		pp_set16(p, at + 2, (uint16_t)(off << 4 | (pp_get16(p, at + 2) & 0xf)));
	pp_set32(p, off, id | 1u << 16);
	return off;
}

void pp_fail(struct puppet_pci *p, enum pp_op op, unsigned int after, unsigned int n, long result)
{
	p->after[op] = after;
	p->fail_for[op] = n;
	p->result[op] = result;
}

size_t pp_count(const struct puppet_pci *p, enum pp_op op)
{
	size_t n = 0;

	while (pp_call(p, op, n))
		n++;
	return n;
}

const struct pp_call *pp_call(const struct puppet_pci *p, enum pp_op op, size_t n)
{
	for (size_t i = 0; i < p->num_calls; i++) {
		if (p->calls[i].op == op && !n--)
			return &p->calls[i];
	}
	return NULL;
}

void pp_forget(struct puppet_pci *p)
{
	p->num_calls = 0;
}

uint32_t pp_num_armed(const struct puppet_pci *p, uint32_t index)
{
	uint32_t n = 0;

	for (uint32_t v = 0; v < PP_VECTORS; v++)
		n += p->armed[index][v] >= 0;
	return n;
}

bool pp_signal(const struct puppet_pci *p, uint32_t index, uint32_t vector)
{
	uint64_t one = 1;

	return p->armed[index][vector] >= 0 &&
	       write(p->armed[index][vector], &one, sizeof(one)) == sizeof(one);
}

struct vfk_device *pp_open_device(struct puppet_pci *p)
{
	struct vfk_device *dev = NULL;

	assert_int_equal(vfk_io_init(&p->io, &p->ops, "puppet"), 0);
	assert_int_equal(vfk_device_open_io(&p->io, NULL, &dev), 0);
	return dev;
}

struct vfk_pci *pp_open(struct puppet_pci *p)
{
	struct vfk_pci *pci = NULL;

	assert_int_equal(vfk_pci_open(pp_open_device(p), &pci), 0);
	return pci;
}

void pp_close(struct vfk_pci *pci)
{
	struct vfk_device *dev = vfk_pci_device(pci);

	vfk_pci_close(pci);
	vfk_device_close(dev);
}

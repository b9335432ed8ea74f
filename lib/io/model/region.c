/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.c - declaring and accessing VGA and a model's own regions; the info of every region; see region.h.
 *
 * Threads: declaring inside the model's init; accesses from any thread, under the model's lock.
 */
#include "region.h"
#include "instance.h"
#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include "lib/base/sparse.h"
#include <inttypes.h>
#include <string.h>

/* Of <linux/vfio.h>, at VFIO_PCI_VGA_REGION_INDEX: legacy addresses up to the end of the frame buffer. */
#define VGA_SIZE 0xc0000u

#define PERMISSIONS (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)

void vfki_model_regions_fini(struct vfk_model *m)
{
	struct vfki_model_regions *r = &m->regions;

	vfki_rom_fini(m);
	for (uint32_t i = 0; i < r->count; i++)
		vfki_memory_fini(&r->own[i].memory);
	r->count = 0;
}

/* ---- declaring ---- */

int vfk_model_add_vga(struct vfk_model *m)
{
	int ret = vfki_model_declaring(m, "VGA");

	if (ret < 0)
		return ret;
	if (m->regions.vga)
		return vfki_err(-EEXIST, "%s: VGA is declared twice", m->io.name);
	m->regions.vga = true;
	return 0;
}

static int check_region(const struct vfk_model *m, uint32_t index,
			const struct vfk_model_region *region)
{
	if (region->size < sizeof(*region))
		return vfki_err(-EINVAL, "%s: region %u: size %zu, need %zu", m->io.name, index,
				region->size, sizeof(*region));
	if (!region->length || region->length > INT64_MAX)
		return vfki_err(-EINVAL, "%s: region %u: length 0x%" PRIx64, m->io.name, index,
				region->length);
	if (!region->flags || region->flags & ~(uint32_t)PERMISSIONS)
		return vfki_err(-EINVAL, "%s: region %u: flags 0x%x", m->io.name, index,
				region->flags);
	return 0;
}

int vfk_model_add_region(struct vfk_model *m, const struct vfk_model_region *region,
			 unsigned int *index)
{
	struct vfki_model_regions *r = &m->regions;
	uint32_t at = VFIO_PCI_NUM_REGIONS + r->count;
	struct vfki_own_region own = { .memory = { .fd = -1 } };
	int ret = vfki_model_declaring(m, "region");

	if (ret < 0)
		return ret;
	if (r->count == VFKI_REGIONS)
		return vfki_err(-ENOSPC, "%s: region %u: there are %d of a model's own", m->io.name,
				at, VFKI_REGIONS);
	ret = check_region(m, at, region);
	if (!ret && region->fd >= 0)
		ret = vfki_memory_take(m,
				       &(struct vfki_memory_decl){
					       .region = "region",
					       .index = at,
					       .length = region->length,
					       .fd = region->fd,
					       .fd_offset = region->fd_offset,
					       .areas = region->areas,
					       .num_areas = region->num_areas,
				       },
				       &own.memory);
	if (ret < 0)
		return ret;
	own.length = region->length;
	own.flags = region->flags;
	own.type = region->type;
	own.subtype = region->subtype;
	r->own[r->count++] = own;
	if (index)
		*index = at;
	return 0;
}

/* ---- info ---- */

/* Room for every capability at once. */
#define INFO_MAX                                                           \
	(sizeof(struct vfio_region_info) + 3 * 8 /* alignment of each */ + \
	 sizeof(struct vfio_region_info_cap_sparse_mmap) +                 \
	 VFKI_MEMORY_AREAS * sizeof(struct vfio_region_sparse_mmap_area) + \
	 sizeof(struct vfio_region_info_cap_type) + sizeof(struct vfio_info_cap_header))

/* An info with its chain, in the making. */
struct draft {
	uint8_t buf[INFO_MAX] __attribute__((aligned(8)));
	size_t used;
	size_t link;
};

static void *add_cap(struct draft *d, uint16_t id, size_t size)
{
	return vfki_caps_add(d->buf, sizeof(d->buf), &d->used, &d->link, id, 1, size);
}

static void put_caps(struct draft *d, const struct vfki_model_region_caps *caps)
{
	const struct vfki_memory *mem = caps->memory;
	struct vfio_region_info_cap_type *type;
	void *cap;

	if (mem && mem->fd >= 0 && mem->num_areas) {
		cap = add_cap(d, VFIO_REGION_INFO_CAP_SPARSE_MMAP,
			      vfki_sparse_size(mem->num_areas));
		if (cap)
			vfki_sparse_encode(cap, mem->areas, mem->num_areas);
	}
	if (caps->typed) {
		type = add_cap(d, VFIO_REGION_INFO_CAP_TYPE, sizeof(*type));
		if (type) {
			type->type = caps->type;
			type->subtype = caps->subtype;
		}
	}
	if (caps->msix_mappable)
		add_cap(d, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, sizeof(struct vfio_info_cap_header));
}

/* False when the info's buffer has no room for the chain, which argsz then says. */
static bool answer_caps(struct vfio_region_info *info, const struct vfki_model_region_caps *caps)
{
	struct draft d = {
		.used = sizeof(*info),
		.link = offsetof(struct vfio_region_info, cap_offset),
	};
	size_t room = info->argsz;

	put_caps(&d, caps);
	info->argsz = (uint32_t)d.used;
	if (d.used == sizeof(*info))
		return true;
	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	if (d.used > room)
		return false;
	info->cap_offset = ((const struct vfio_region_info *)d.buf)->cap_offset;
	memcpy((uint8_t *)info + sizeof(*info), d.buf + sizeof(*info), d.used - sizeof(*info));
	return true;
}

int vfki_model_region_answer(const struct vfk_model *m, struct vfio_region_info *info,
			     struct vfk_region_fds *fds, const struct vfki_model_region_caps *caps)
{
	const struct vfki_memory *mem = caps->memory;
	bool mappable = mem && mem->fd >= 0;

	if (mappable) {
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
		info->offset = mem->fd_offset;
	}
	if (!answer_caps(info, caps) || !mappable || !fds)
		return 0;
	fds->fd[0] = vfki_fd_dup(mem->fd);
	if (fds->fd[0] < 0)
		return vfki_err_sys(fds->fd[0], "%s: region %u: its file", m->io.name, info->index);
	fds->count = 1;
	return 0;
}

static int own_info(const struct vfk_model *m, struct vfio_region_info *info,
		    struct vfk_region_fds *fds)
{
	const struct vfki_own_region *r = &m->regions.own[info->index - VFIO_PCI_NUM_REGIONS];

	info->size = r->length;
	info->flags = r->flags;
	return vfki_model_region_answer(m, info, fds,
					&(struct vfki_model_region_caps){ .memory = &r->memory,
									  .typed = true,
									  .type = r->type,
									  .subtype = r->subtype });
}

int vfki_model_region_info(struct vfk_model *m, struct vfio_region_info *info,
			   struct vfk_region_fds *fds)
{
	switch (info->index) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		info->size = m->config.size;
		info->flags = PERMISSIONS;
		break;
	case VFIO_PCI_ROM_REGION_INDEX:
		info->size = m->regions.rom.length;
		info->flags = info->size ? VFIO_REGION_INFO_FLAG_READ : 0;
		break;
	case VFIO_PCI_VGA_REGION_INDEX:
		info->size = m->regions.vga ? VGA_SIZE : 0;
		info->flags = info->size ? PERMISSIONS : 0;
		break;
	default:
		return own_info(m, info, fds);
	}
	info->argsz = sizeof(*info);
	return 0;
}

/* ---- access ---- */

struct access {
	struct vfk_model *m;
	uint32_t region;
	bool write;
};

static uint64_t length_of(const struct vfk_model *m, uint32_t region)
{
	if (region == VFIO_PCI_ROM_REGION_INDEX)
		return m->regions.rom.length;
	if (region == VFIO_PCI_VGA_REGION_INDEX)
		return m->regions.vga ? VGA_SIZE : 0;
	region -= VFIO_PCI_NUM_REGIONS;
	return region < m->regions.count ? m->regions.own[region].length : 0;
}

static ssize_t call_model(const struct access *a, uint64_t off, void *buf, size_t len)
{
	struct vfk_model *m = a->m;
	ssize_t ret = -EIO;

	if (a->write && m->ops.region_write)
		ret = m->ops.region_write(m, m->self, a->region, off, buf, len);
	else if (!a->write && m->ops.region_read)
		ret = m->ops.region_read(m, m->self, a->region, off, buf, len);
	if (ret > 0 && (size_t)ret <= len)
		return ret;
	return vfki_err_sys(ret < 0 ? (int)ret : -EIO,
			    "%s: region %u: %s of %zu bytes at 0x%" PRIx64, m->io.name, a->region,
			    a->write ? "write" : "read", len, off);
}

ssize_t vfki_model_region_ask(struct vfk_model *m, uint32_t region, uint64_t off, void *buf,
			      size_t len)
{
	return call_model(&(struct access){ m, region, false }, off, buf, len);
}

/* The three ranges of legacy addresses that VGA decodes (vfio_pci_vga_rw() of Linux). An access ends with its range. */
static ssize_t access_vga(const struct access *a, uint64_t off, void *buf, size_t len)
{
	static const struct {
		uint32_t first, len;
	} ranges[] = { { 0x3b0, 0xc }, { 0x3c0, 0x20 }, { 0xa0000, 0x20000 } };

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (off < ranges[i].first || off - ranges[i].first >= ranges[i].len)
			continue;
		len = (size_t)vfki_min_u64(len, ranges[i].first + ranges[i].len - off);
		return call_model(a, off, buf, len);
	}
	return vfki_err(-EINVAL, "%s: VGA has nothing at 0x%" PRIx64, a->m->io.name, off);
}

static ssize_t access_own(const struct access *a, uint64_t off, void *buf, size_t len)
{
	const struct vfki_memory *mem = &a->m->regions.own[a->region - VFIO_PCI_NUM_REGIONS].memory;

	if (mem->fd < 0)
		return call_model(a, off, buf, len);
	if (a->write)
		vfki_memory_write(mem, off, buf, len);
	else
		vfki_memory_read(mem, off, buf, len);
	return (ssize_t)len;
}

static ssize_t access_locked(const struct access *a, uint64_t off, void *buf, size_t len)
{
	vfki_low_power_access(a->m);
	if (a->region == VFIO_PCI_VGA_REGION_INDEX)
		return access_vga(a, off, buf, len);
	if (a->region != VFIO_PCI_ROM_REGION_INDEX)
		return access_own(a, off, buf, len);
	if (a->write)
		return vfki_err(-EACCES, "%s: the expansion ROM is read-only", a->m->io.name);
	return vfki_rom_read(a->m, off, buf, len);
}

static ssize_t access_region(const struct access *a, uint64_t off, void *buf, size_t len)
{
	ssize_t ret;

	if (!len || !vfki_range_ok(off, len, length_of(a->m, a->region)))
		return vfki_err(-EINVAL, "%s: region %u: 0x%" PRIx64 " + %zu is beyond its end",
				a->m->io.name, a->region, off, len);
	vfki_lock_take(&a->m->lock);
	ret = access_locked(a, off, buf, len);
	vfki_model_leave(a->m);
	return ret;
}

ssize_t vfki_model_region_read(struct vfk_model *m, uint32_t region, uint64_t off, void *buf,
			       size_t len)
{
	return access_region(&(struct access){ m, region, false }, off, buf, len);
}

ssize_t vfki_model_region_write(struct vfk_model *m, uint32_t region, uint64_t off, const void *buf,
				size_t len)
{
	/* A write only reads it. */
	return access_region(&(struct access){ m, region, true }, off, (void *)(uintptr_t)buf, len);
}

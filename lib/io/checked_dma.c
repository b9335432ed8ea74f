/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked_dma.c - the checked sink vector; see checked.h.
 *
 * Alignment, overlap and limits are the dma space's to check; here is what a sink promises, and what makes no sense to
 * any. The space calls no two ops of one sink at once.
 */
#include "checked.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>

static int no_dma(const struct vfki_checked *c)
{
	return vfki_err(-ENOTSUP, "%s: the device takes no DMA mappings", c->io->name);
}

static int bad_range(const struct vfki_checked *c, const char *op, uint64_t iova, uint64_t length)
{
	return vfki_err(-EINVAL, "%s: %s: range 0x%" PRIx64 " + 0x%" PRIx64, c->io->name, op, iova,
			length);
}

int vfki_checked_dma_map(struct vfki_checked *c, const struct vfk_dma_mapping *m,
			 struct vfk_dma_addr *addr)
{
	struct vfk_dma_addr got = { 0 };
	uint64_t last;
	int ret;

	if (!c->io->dma)
		return no_dma(c);
	if (!vfki_range_last(m->iova, m->length, &last))
		return bad_range(c, "dma map", m->iova, m->length);
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "dma map", c->io->dma->map(c->io, m, &got));
	if (ret < 0)
		return ret;
	if (!got.contiguous || !vfki_range_last(got.addr, got.contiguous, &last)) {
		/* a device that cannot be told where the memory is has no use for it */
		c->io->dma->unmap(c->io, m->iova, m->length, 0);
		return vfki_checked_broken(c, "dma map",
					   "address 0x%" PRIx64 ", contiguous 0x%" PRIx64, got.addr,
					   got.contiguous);
	}
	*addr = got;
	return 0;
}

int vfki_checked_dma_unmap(struct vfki_checked *c, uint64_t iova, uint64_t length,
			   uint32_t timeout_ms)
{
	uint64_t last;

	if (!c->io->dma)
		return no_dma(c);
	if (!vfki_range_last(iova, length, &last))
		return bad_range(c, "dma unmap", iova, length);
	vfki_checked_begin(c);
	return vfki_checked_end(c, "dma unmap", c->io->dma->unmap(c->io, iova, length, timeout_ms));
}

/* A filter has the op, and no use for it where what it wraps has not: to be asked would be shown, and be counted. */
static bool has_unmap_all(const struct vfk_io *io)
{
	while (io->dma && VFKI_OP(io->dma, unmap_all)) {
		if (!io->next)
			return true;
		io = io->next;
	}
	return false;
}

int vfki_checked_dma_unmap_all(struct vfki_checked *c, uint32_t timeout_ms)
{
	if (!has_unmap_all(c->io))
		return vfki_err(-ENOTSUP, "%s: mappings are taken back one by one", c->io->name);
	vfki_checked_begin(c);
	return vfki_checked_end(c, "dma unmap all", c->io->dma->unmap_all(c->io, timeout_ms));
}

static int check_limits(const struct vfki_checked *c, const struct vfk_dma_limits *l)
{
	if (!l->pgsizes || !l->max_maps || l->num_ranges > VFK_DMA_MAX_RANGES)
		return vfki_checked_broken(c, "dma limits",
					   "page sizes 0x%" PRIx64 ", %" PRIu64 " maps, %" PRIu32
					   " ranges",
					   l->pgsizes, l->max_maps, l->num_ranges);
	for (uint32_t i = 0; i < l->num_ranges; i++) {
		const struct vfk_iova_range *r = &l->ranges[i];

		if (r->first > r->last || (i && r->first <= r[-1].last))
			return vfki_checked_broken(c, "dma limits",
						   "range 0x%" PRIx64 "-0x%" PRIx64, r->first,
						   r->last);
	}
	return 0;
}

int vfki_checked_dma_limits(struct vfki_checked *c, struct vfk_dma_limits *limits)
{
	int ret;

	if (!c->io->dma)
		return no_dma(c);
	*limits = (struct vfk_dma_limits){ .size = sizeof(*limits) };
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "dma limits", c->io->dma->limits(c->io, limits));
	return ret ? ret : check_limits(c, limits);
}

static int no_dirty(const struct vfki_checked *c)
{
	return vfki_err(-ENOTSUP, "%s: the device does not record what it writes", c->io->name);
}

int vfki_checked_dirty_start(struct vfki_checked *c, uint64_t page_size)
{
	int (*op)(struct vfk_io *, uint64_t) = c->io->dma ? VFKI_OP(c->io->dma, dirty_start) : NULL;

	if (!op)
		return no_dirty(c);
	if (!vfki_is_pow2(page_size))
		return vfki_err(-EINVAL, "%s: dirty pages of 0x%" PRIx64 " bytes", c->io->name,
				page_size);
	vfki_checked_begin(c);
	return vfki_checked_end(c, "dirty start", op(c->io, page_size));
}

int vfki_checked_dirty_stop(struct vfki_checked *c)
{
	int (*op)(struct vfk_io *) = c->io->dma ? VFKI_OP(c->io->dma, dirty_stop) : NULL;

	if (!op)
		return no_dirty(c);
	vfki_checked_begin(c);
	return vfki_checked_end(c, "dirty stop", op(c->io));
}

int vfki_checked_dirty_report(struct vfki_checked *c, uint64_t iova, uint64_t length,
			      uint64_t page_size, uint64_t *bitmap)
{
	int (*op)(struct vfk_io *, uint64_t, uint64_t, uint64_t, uint64_t *) =
		c->io->dma ? VFKI_OP(c->io->dma, dirty_report) : NULL;
	uint64_t last;

	if (!op)
		return no_dirty(c);
	if (!vfki_range_last(iova, length, &last) || !vfki_is_pow2(page_size))
		return bad_range(c, "dirty report", iova, length);
	vfki_checked_begin(c);
	return vfki_checked_end(c, "dirty report", op(c->io, iova, length, page_size, bitmap));
}

int vfki_checked_dma_address(struct vfki_checked *c, uint64_t iova, uint64_t length,
			     struct vfk_dma_addr *addr)
{
	int (*op)(struct vfk_io *, uint64_t, uint64_t, struct vfk_dma_addr *) =
		c->io->dma ? VFKI_OP(c->io->dma, address) : NULL;
	struct vfk_dma_addr got = { 0 };
	uint64_t last;
	int ret;

	if (!vfki_range_last(iova, length, &last))
		return bad_range(c, "dma address", iova, length);
	if (!op) {
		*addr = (struct vfk_dma_addr){ iova, length };
		return 0;
	}
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "dma address", op(c->io, iova, length, &got));
	if (ret < 0)
		return ret;
	if (!got.contiguous || got.contiguous > length ||
	    !vfki_range_last(got.addr, got.contiguous, &last))
		return vfki_checked_broken(c, "dma address",
					   "address 0x%" PRIx64 ", contiguous 0x%" PRIx64, got.addr,
					   got.contiguous);
	*addr = got;
	return 0;
}

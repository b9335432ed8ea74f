/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mappings_find.c - finding mappings in a table, and moving bytes through them; see mappings.h.
 *
 * Any number of threads, as long as nobody changes the table in place.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "mappings_node.h"
#include <inttypes.h>

typedef struct vfki_mapping_node node_t;

vfki_spot_t vfki_mappings_spot(const struct vfki_mappings *t, uint64_t iova)
{
	const node_t *n = t->root;
	unsigned int i;

	if (!n)
		return 0;
	for (unsigned int level = n->level;; level--) {
		i = vfki_node_lower(n, iova);
		if (i == n->count)
			return 0;
		if (!level)
			return (vfki_spot_t)n + i;
		n = n->child[i];
		vfki_node_fetch(n);
	}
}

struct vfki_mapping *vfki_mappings_from(const struct vfki_mappings *t, uint64_t iova)
{
	vfki_spot_t spot = vfki_mappings_spot(t, iova);

	return spot ? vfki_brief_mapping(vfki_spot_brief(spot)) : NULL;
}

struct vfki_mapping *vfki_mappings_after(const struct vfki_mappings *t,
					 const struct vfki_mapping *m)
{
	return m->last == UINT64_MAX ? NULL : vfki_mappings_from(t, m->last + 1);
}

struct vfki_mapping *vfki_mappings_find(const struct vfki_mappings *t, uint64_t iova)
{
	vfki_spot_t spot = vfki_mappings_spot(t, iova);

	return spot && vfki_spot_holds(spot, iova) ? vfki_brief_mapping(vfki_spot_brief(spot)) :
						     NULL;
}

struct vfki_mapping *vfki_mappings_exact(const struct vfki_mappings *t, uint64_t iova,
					 uint64_t length)
{
	struct vfki_mapping *m = vfki_mappings_find(t, iova);

	return m && m->first == iova && length && m->last - m->first == length - 1 ? m : NULL;
}

struct vfki_mapping *vfki_mappings_begin(const struct vfki_mappings *t, uint64_t iova,
					 struct vfki_mappings_walk *walk)
{
	const node_t *n = t->root;

	walk->depth = n ? n->level + 1 : 0;
	while (n) {
		unsigned int i = vfki_node_lower(n, iova);

		walk->level[n->level].node = n;
		walk->level[n->level].at = i;
		if (i == n->count) {
			walk->depth = 0;
			return NULL;
		}
		if (!n->level)
			return vfki_brief_mapping(&n->brief[i]);
		n = n->child[i];
		vfki_node_fetch(n);
	}
	return NULL;
}

struct vfki_mapping *vfki_mappings_next(struct vfki_mappings_walk *walk)
{
	unsigned int level = 0;

	while (level < walk->depth && ++walk->level[level].at == walk->level[level].node->count)
		level++;
	if (level >= walk->depth) {
		walk->depth = 0;
		return NULL;
	}
	for (; level; level--) {
		walk->level[level - 1].node = walk->level[level].node->child[walk->level[level].at];
		walk->level[level - 1].at = 0;
	}
	return vfki_brief_mapping(&walk->level[0].node->brief[walk->level[0].at]);
}

int vfki_mappings_check(const struct vfki_mappings *t, uint64_t iova, size_t len, uint32_t prot)
{
	const struct vfki_mapping *m;
	struct vfki_mappings_walk walk;
	uint64_t last, at = iova;

	if (!len)
		return 0;
	if (!vfki_range_last(iova, len, &last))
		return vfki_err(-EFAULT, "dma access: 0x%" PRIx64 " + 0x%zx wraps", iova, len);
	for (m = vfki_mappings_begin(t, iova, &walk);; m = vfki_mappings_next(&walk)) {
		if (!m || m->first > at)
			return vfki_err(-EFAULT, "dma access: 0x%" PRIx64 " is not mapped", at);
		if (prot & ~m->prot)
			return vfki_err(-EFAULT, "dma access: 0x%" PRIx64 " is not %s", at,
					prot & ~m->prot & VFK_DMA_WRITE ? "writable" : "readable");
		if (m->last >= last)
			return 0;
		at = m->last + 1;
	}
}

int vfki_mappings_access(const struct vfki_mappings *t, uint64_t iova, void *buf, size_t len,
			 uint32_t prot)
{
	int ret = vfki_mappings_check(t, iova, len, prot);
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;
	char *p = buf;

	if (ret < 0 || !len)
		return ret;
	for (m = vfki_mappings_begin(t, iova, &walk); !ret && len; m = vfki_mappings_next(&walk)) {
		size_t n = (size_t)(vfki_min_u64(m->last - iova, len - 1) + 1);

		if (prot & VFK_DMA_WRITE)
			ret = vfki_mapping_write(m, iova, p, n);
		else
			ret = vfki_mapping_read(m, iova, p, n);
		iova += n;
		p += n;
		len -= n;
	}
	return ret;
}

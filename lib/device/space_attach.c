/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_attach.c - sinks coming to a space and going; see space.h.
 *
 * Any thread, under the space's lock.
 */
#include "lib/base/error.h"
#include "space.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void vfki_sink_init(struct vfki_sink *sink, struct vfki_checked *io)
{
	sink->io = io;
	atomic_init(&sink->mask_bits, 64);
}

/* Whether all that is mapped suits a sink with these limits. */
static int check_table(const struct vfk_dma_space *space, const struct vfki_sink *sink)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;

	if (space->maps.count > sink->limits.max_maps)
		return vfki_err(-ENOSPC,
				"%s: the space has %zu mappings, the device takes %" PRIu64,
				sink->io->io->name, space->maps.count, sink->limits.max_maps);
	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m; m = vfki_mappings_next(&walk)) {
		int ret = vfki_limits_suit(&sink->limits, m);

		if (ret < 0)
			return vfki_err_prefix(ret == -EINVAL ? -ENOTSUP : ret, "%s",
					       sink->io->io->name);
	}
	return 0;
}

/* Physical addresses and IOVAs do not mix, and what was told to be mapped at an IOVA cannot become a physical address. */
static int check_addresses(const struct vfk_dma_space *space, const struct vfki_sink *sink)
{
	const char *name = sink->io->io->name;

	if (space->num_sinks && (space->limits.flags ^ sink->limits.flags) & VFK_DMA_PHYSICAL)
		return vfki_err(-ENOTSUP,
				"%s: dma attach: a device without an IOMMU and one with an IOMMU "
				"address memory differently; give each a space of its own",
				name);
	if (space->maps.count && sink->limits.flags & VFK_DMA_PHYSICAL)
		return vfki_err(-ENOTSUP,
				"%s: dma attach: it has no IOMMU, and the space has mappings whose "
				"physical addresses nobody was told; attach it before mapping",
				name);
	return 0;
}

/* Takes the first @n mappings out of a sink; those that it does not let go are gone with its io. */
static void clear_sink(struct vfk_dma_space *space, struct vfki_sink *sink, size_t n)
{
	uint64_t deadline = vfki_space_deadline(space->timeout_ms);
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m = vfki_mappings_begin(&space->maps, 0, &walk);

	for (; n-- > 0; m = vfki_mappings_next(&walk))
		(void)vfki_sink_unmap(sink, m, deadline);
}

static int replay(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	char text[VFKI_ERROR_SIZE];
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;
	struct vfk_dma_addr addr;
	size_t done = 0;

	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m; m = vfki_mappings_next(&walk)) {
		int ret = vfki_sink_map(sink, m, &addr);

		if (ret < 0) {
			snprintf(text, sizeof(text), "%s", vfk_error());
			clear_sink(space, sink, done);
			return vfki_err(ret, "%s", text);
		}
		done++;
	}
	return 0;
}

static int add_sink(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	struct vfki_sink **sinks =
		reallocarray(space->sinks, space->num_sinks + 1, sizeof(struct vfki_sink *));

	if (!sinks)
		return vfki_err(-ENOMEM, "%s: no memory", sink->io->io->name);
	space->sinks = sinks;
	space->sinks[space->num_sinks] = sink; /* counted when nothing can fail any more */
	return 0;
}

static int attach_locked(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	struct vfk_dma_limits joined = space->limits;
	int ret = vfki_checked_dma_limits(sink->io, &sink->limits);

	if (!ret)
		ret = check_addresses(space, sink);
	if (!ret)
		ret = vfki_limits_join(&joined, &sink->limits, sink->io->io->name);
	if (!ret)
		ret = check_table(space, sink);
	if (!ret)
		ret = add_sink(space, sink);
	if (!ret && space->dirty_page)
		ret = vfki_checked_dirty_start(sink->io, space->dirty_page);
	if (ret < 0)
		return ret;
	ret = replay(space, sink);
	if (ret < 0)
		goto stop_dirty;
	space->num_sinks++;
	space->limits = joined;
	return 0;
stop_dirty:
	if (space->dirty_page)
		(void)vfki_checked_dirty_stop(sink->io);
	return ret;
}

int vfki_space_attach(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	int ret;

	pthread_mutex_lock(&space->lock);
	ret = attach_locked(space, sink);
	pthread_mutex_unlock(&space->lock);
	return ret;
}

/* With one sink less the others may be able to do more. */
static void remove_sink(struct vfk_dma_space *space, const struct vfki_sink *sink)
{
	size_t kept = 0;

	vfki_limits_none(&space->limits);
	for (size_t i = 0; i < space->num_sinks; i++) {
		struct vfki_sink *other = space->sinks[i];

		if (other == sink)
			continue;
		/* they could be joined with one more, so they can without it */
		(void)vfki_limits_join(&space->limits, &other->limits, other->io->io->name);
		space->sinks[kept++] = other;
	}
	space->num_sinks = kept;
}

/* Takes the whole table out of a sink, or nothing. */
static int empty_sink(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	uint64_t deadline = vfki_space_deadline(space->timeout_ms);
	const struct vfki_mapping *m, *stuck;
	struct vfki_mappings_walk walk;
	char text[VFKI_ERROR_SIZE];
	struct vfk_dma_addr addr;
	int ret = 0;

	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m; m = vfki_mappings_next(&walk)) {
		ret = vfki_sink_unmap(sink, m, deadline);
		if (ret < 0)
			break;
	}
	stuck = m;
	if (!stuck)
		return 0;
	snprintf(text, sizeof(text), "%s", vfk_error());
	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m != stuck;
	     m = vfki_mappings_next(&walk))
		(void)vfki_sink_map(sink, m, &addr);
	return vfki_err(ret, "%s", text);
}

int vfki_space_detach(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	int ret;

	pthread_mutex_lock(&space->lock);
	ret = empty_sink(space, sink);
	if (!ret) {
		if (space->dirty_page)
			(void)vfki_checked_dirty_stop(sink->io);
		remove_sink(space, sink);
	}
	pthread_mutex_unlock(&space->lock);
	return ret;
}

void vfki_space_drop(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;
	uint64_t deadline;

	pthread_mutex_lock(&space->lock);
	if (space->dirty_page)
		(void)vfki_checked_dirty_stop(sink->io);
	/* Together, not each: a server may be slow to answer, and the mappings many. */
	deadline = vfki_space_deadline(space->timeout_ms > VFKI_UNMAP_TIMEOUT_MS ?
					       space->timeout_ms :
					       VFKI_UNMAP_TIMEOUT_MS);
	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m && vfki_space_ms_left(deadline);
	     m = vfki_mappings_next(&walk))
		(void)vfki_sink_unmap(sink, m, deadline);
	remove_sink(space, sink);
	pthread_mutex_unlock(&space->lock);
}

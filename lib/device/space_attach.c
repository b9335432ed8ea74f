/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_attach.c - sinks coming to a space and going; see space.h.
 *
 * Any thread, under the space's lock.
 */
#include "lib/base/error.h"
#include "space.h"
#include <inttypes.h>
#include <stdbool.h>
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

/* Takes the first @n mappings out of a sink; false when it does not let go of one. */
static bool clear_sink(struct vfk_dma_space *space, struct vfki_sink *sink, size_t n)
{
	uint64_t deadline = vfki_space_deadline(space->timeout_ms);
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m = vfki_mappings_begin(&space->maps, 0, &walk);
	bool all = true;

	for (; n-- > 0; m = vfki_mappings_next(&walk)) {
		if (vfki_sink_unmap(sink, m, deadline) < 0)
			all = false;
	}
	return all;
}

/* What it does not let go of must stay in the table, and the table be its own: then it is attached, whatever it lacks. */
static int give_up(struct vfk_dma_space *space, struct vfki_sink *sink, size_t done, int ret,
		   bool *kept)
{
	char text[VFKI_ERROR_SIZE];

	snprintf(text, sizeof(text), "%s", vfk_error());
	*kept = !clear_sink(space, sink, done);
	if (!*kept)
		return vfki_err(ret, "%s", text);
	return vfki_err(-EBUSY,
			"%s: dma attach: it stays attached with a part of the mappings, since it "
			"uses one already; %s",
			sink->io->io->name, text);
}

static int replay(struct vfk_dma_space *space, struct vfki_sink *sink, bool *kept)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;
	struct vfk_dma_addr addr;
	size_t done = 0;

	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m; m = vfki_mappings_next(&walk)) {
		int ret = vfki_sink_map(sink, m, &addr);

		if (ret < 0)
			return give_up(space, sink, done, ret, kept);
		done++;
	}
	*kept = true;
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

static int attach_locked(struct vfk_dma_space *space, struct vfki_sink *sink, bool *kept)
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
	ret = replay(space, sink, kept);
	if (!*kept)
		goto stop_dirty;
	space->num_sinks++;
	space->limits = joined;
	return ret;
stop_dirty:
	if (space->dirty_page)
		(void)vfki_checked_dirty_stop(sink->io);
	return ret;
}

int vfki_space_attach(struct vfk_dma_space *space, struct vfki_sink *sink, bool *kept)
{
	int ret;

	*kept = false;
	pthread_mutex_lock(&space->lock);
	ret = attach_locked(space, sink, kept);
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

/* Takes the whole table out of a sink, or nothing: as far as the sink takes back what it has let go. */
static int empty_sink(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	uint64_t deadline = vfki_space_deadline(space->timeout_ms);
	const struct vfki_mapping *m, *stuck;
	struct vfki_mappings_walk walk;
	struct vfki_restoring restoring;
	int ret = 0;

	if (vfki_sink_unmap_all(space, sink, deadline))
		return 0;
	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m; m = vfki_mappings_next(&walk)) {
		ret = vfki_sink_unmap(sink, m, deadline);
		if (ret < 0)
			break;
	}
	stuck = m;
	if (!stuck)
		return 0;
	vfki_restoring_begin(&restoring);
	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m != stuck;
	     m = vfki_mappings_next(&walk))
		vfki_sink_restore(sink, m, &restoring);
	return vfki_restoring_end(&restoring, ret);
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

void vfki_space_drop(struct vfk_dma_space *space, struct vfki_sink *sink, bool unmap)
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
	unmap = unmap && !vfki_sink_unmap_all(space, sink, deadline);
	m = unmap ? vfki_mappings_begin(&space->maps, 0, &walk) : NULL;
	for (; m && vfki_space_ms_left(deadline); m = vfki_mappings_next(&walk))
		(void)vfki_sink_unmap(sink, m, deadline);
	remove_sink(space, sink);
	pthread_mutex_unlock(&space->lock);
}

static int join_others(const struct vfk_dma_space *space, const struct vfki_sink *sink,
		       struct vfk_dma_limits *joined)
{
	int ret = vfki_limits_join(joined, &sink->limits, sink->io->io->name);

	for (size_t i = 0; !ret && i < space->num_sinks; i++) {
		struct vfki_sink *other = space->sinks[i];

		if (other != sink)
			ret = vfki_limits_join(joined, &other->limits, other->io->io->name);
	}
	return ret;
}

/* What the device can map may be less now than what is mapped. */
static int restore_limits(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	const struct vfk_dma_limits old = sink->limits;
	struct vfk_dma_limits joined;
	int ret = vfki_checked_dma_limits(sink->io, &sink->limits);

	vfki_limits_none(&joined);
	if (!ret)
		ret = join_others(space, sink, &joined);
	if (!ret)
		ret = check_table(space, sink);
	if (ret < 0)
		sink->limits = old;
	else
		space->limits = joined;
	return ret;
}

/* What is made is not taken back after a failure: its connection ends. */
static int map_all(struct vfk_dma_space *space, struct vfki_sink *sink)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;
	struct vfk_dma_addr addr;
	int ret = 0;

	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m && !ret;
	     m = vfki_mappings_next(&walk))
		ret = vfki_sink_map(sink, m, &addr);
	return ret;
}

int vfki_space_restore(struct vfk_dma_space *space, struct vfki_sink *sink,
		       int (*then)(void *ctx, int ret), void *ctx)
{
	int ret;

	pthread_mutex_lock(&space->lock);
	ret = restore_limits(space, sink);
	if (!ret && space->dirty_page)
		ret = vfki_checked_dirty_start(sink->io, space->dirty_page);
	if (!ret)
		ret = map_all(space, sink);
	ret = then(ctx, ret);
	pthread_mutex_unlock(&space->lock);
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_sink.c - one mapping, made in all sinks of a space or in none; see space.h.
 *
 * Any thread, under the space's lock.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "space.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int vfki_sink_map(struct vfki_sink *sink, const struct vfki_mapping *m, struct vfk_dma_addr *addr)
{
	struct vfk_dma_mapping out;

	vfki_mapping_export(m, &out);
	return vfki_checked_dma_map(sink->io, &out, addr);
}

/* Failures after which a device does not reach the memory any more: it is gone, or had no such mapping. */
static bool is_gone(int ret)
{
	return ret == -ENOENT || ret == -ENODEV || ret == -ENOTCONN || ret == -ECONNRESET ||
	       ret == -EPROTO || ret == -ETIMEDOUT;
}

/* Any other failure leaves the mapping in place (<vfiokit/dma.h>, unmap): the memory must stay, whatever the reason. */
int vfki_sink_unmap(struct vfki_sink *sink, const struct vfki_mapping *m, uint64_t deadline)
{
	int ret = vfki_checked_dma_unmap(sink->io, m->first, vfki_mapping_length(m),
					 vfki_space_ms_left(deadline));

	return is_gone(ret) ? 0 : ret;
}

bool vfki_sink_unmap_all(const struct vfk_dma_space *space, struct vfki_sink *sink,
			 uint64_t deadline)
{
	int ret;

	if (space->maps.count < 2)
		return false;
	ret = vfki_checked_dma_unmap_all(sink->io, vfki_space_ms_left(deadline));
	return !ret || is_gone(ret);
}

/* Takes a mapping out of the first @n sinks because another one refused it; false when one does not let it go. */
static bool take_back(struct vfk_dma_space *space, size_t n, const struct vfki_mapping *m)
{
	uint64_t deadline = vfki_space_deadline(space->timeout_ms);
	bool all = true;

	while (n-- > 0) {
		if (vfki_sink_unmap(space->sinks[n], m, deadline) < 0)
			all = false;
	}
	return all;
}

/* The text of the failure that led here must survive the undoing. */
static int refused(struct vfk_dma_space *space, size_t n, const struct vfki_mapping *m, int ret,
		   bool *kept)
{
	char text[VFKI_ERROR_SIZE];

	snprintf(text, sizeof(text), "%s", vfk_error());
	*kept = !take_back(space, n, m);
	if (!*kept)
		return vfki_err(ret, "%s", text);
	return vfki_err(-EBUSY,
			"dma map: 0x%" PRIx64 "-0x%" PRIx64
			" stays, since it is in use already; %s",
			m->first, m->last, text);
}

int vfki_sinks_map_locked(struct vfk_dma_space *space, const struct vfki_mapping *m,
			  struct vfk_dma_addr *addr, bool *kept)
{
	struct vfk_dma_addr all = { m->first, vfki_mapping_length(m) };

	for (size_t i = 0; i < space->num_sinks; i++) {
		struct vfk_dma_addr one;
		int ret = vfki_sink_map(space->sinks[i], m, &one);

		if (ret < 0)
			return refused(space, i, m, ret, kept);
		if (i && one.addr != all.addr) {
			ret = vfki_err(
				-ENOTSUP,
				"%s: dma map: the devices of this space address memory differently",
				space->sinks[i]->io->io->name);
			return refused(space, i + 1, m, ret, kept);
		}
		all.addr = one.addr;
		all.contiguous = vfki_min_u64(all.contiguous, one.contiguous);
	}
	*addr = all;
	*kept = true;
	return 0;
}

void vfki_restoring_begin(struct vfki_restoring *r)
{
	*r = (struct vfki_restoring){ .lost = 0 };
	snprintf(r->text, sizeof(r->text), "%s", vfk_error());
}

void vfki_sink_restore(struct vfki_sink *sink, const struct vfki_mapping *m,
		       struct vfki_restoring *r)
{
	struct vfk_dma_addr addr;
	size_t used = strlen(r->text);

	if (vfki_sink_map(sink, m, &addr) < 0 && !r->lost++)
		snprintf(r->text + used, sizeof(r->text) - used,
			 "; and 0x%" PRIx64 "-0x%" PRIx64 " is not restored in %s: %s", m->first,
			 m->last, sink->io->io->name, vfk_error());
}

int vfki_restoring_end(const struct vfki_restoring *r, int ret)
{
	return vfki_err(ret, "%s", r->text);
}

int vfki_sinks_unmap_locked(struct vfk_dma_space *space, const struct vfki_mapping *m,
			    uint64_t deadline)
{
	struct vfki_restoring restoring;
	int ret = 0;
	size_t i;

	for (i = 0; i < space->num_sinks; i++) {
		ret = vfki_sink_unmap(space->sinks[i], m, deadline);
		if (ret < 0)
			break;
	}
	if (i == space->num_sinks)
		return 0;
	/* a later unmap finds nothing where it cannot be made again, and that is no failure */
	vfki_restoring_begin(&restoring);
	for (size_t j = 0; j < i; j++)
		vfki_sink_restore(space->sinks[j], m, &restoring);
	return vfki_restoring_end(&restoring, ret);
}

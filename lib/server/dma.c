/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma.c - DMA_MAP and DMA_UNMAP.
 *
 * Specification: "VFIO_USER_DMA_MAP", "VFIO_USER_DMA_UNMAP". An unmap is by range: everything that lies wholly inside goes,
 * and nothing there is success, since QEMU sends ranges that cover many mappings or none. Its answer says that the device
 * does not reach the memory any more; while a transfer still uses some, the command waits and the server goes on.
 *
 * Threads: the server's.
 */
#include "client_memory.h"
#include "handlers.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/wire/dma_map.h"
#include <stdlib.h>

/* How long a device may go on using memory that the client takes back. */
#define UNMAP_BOUND_MS 1000

static int map_file(struct vfki_session *s, uint32_t flags, struct vfk_dma_mapping *m)
{
	int ret;

	if (flags & VFKI_WIRE_DMA_MODE_FILE)
		return vfki_windows_map(&s->windows, s->space, m, false);
	ret = vfki_windows_map(&s->windows, s->space, m, true);
	/* There are only so many maps in a process (vm.max_map_count); reading and writing the file does as well. */
	if (ret == -ENOMEM && !(flags & VFKI_WIRE_DMA_MODE_MMAP)) {
		m->vaddr = NULL;
		ret = vfki_windows_map(&s->windows, s->space, m, false);
	}
	return ret;
}

int vfki_handle_dma_map(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfk_dma_mapping m = { .size = sizeof(m), .fd = -1 };
	struct vfki_wire_dma_map map;
	int ret;

	(void)a;
	ret = vfki_dec_dma_map_request(cmd->payload, cmd->len, cmd->nfds, &map);
	if (ret)
		return vfki_command_decoded(s, ret);
	if (s->windows.table.count >= s->agreed.max_dma_maps)
		return vfki_err(-ENOSPC, "dma_map: more than %llu mappings",
				(unsigned long long)s->agreed.max_dma_maps);
	m.iova = map.addr;
	m.length = map.size;
	m.prot = map.flags & (VFK_DMA_READ | VFK_DMA_WRITE);
	if (cmd->nfds) {
		m.fd = cmd->fds[0];
		m.fd_offset = map.offset;
		return map_file(s, map.flags, &m);
	}
	m.callbacks = &vfki_client_memory;
	m.ctx = s;
	return vfki_windows_map(&s->windows, s->space, &m, false);
}

static uint64_t last_of(const struct vfki_wire_unmap *unmap)
{
	return unmap->all ? UINT64_MAX : unmap->addr + (unmap->size - 1);
}

static int try_unmap(struct vfki_session *s, const struct vfki_wire_unmap *unmap)
{
	return vfki_windows_unmap(&s->windows, s->space, unmap->addr, last_of(unmap));
}

/* @bitmap is taken. */
static void answer_unmap(struct vfki_session *s, struct vfki_answer *a,
			 const struct vfki_wire_unmap *unmap, uint64_t *bitmap)
{
	vfki_answer_head(a, vfki_enc_dma_unmap_reply(a->head, unmap));
	if (!bitmap)
		return;
	vfki_logging_report(s, unmap, bitmap);
	a->memory = bitmap;
	vfki_answer_data(a, bitmap, unmap->bitmap_size);
}

/* Room for the answer, before anything is unmapped. */
static int make_bitmap(const struct vfki_session *s, const struct vfki_wire_unmap *unmap,
		       uint64_t **bitmap)
{
	int ret = vfki_logging_check(s, unmap);

	if (ret)
		return ret;
	*bitmap = calloc(1, unmap->bitmap_size);
	return *bitmap ? 0 : vfki_err(-ENOMEM, "dma_unmap: no memory for a bitmap");
}

int vfki_handle_dma_unmap(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfki_wire_unmap unmap;
	uint64_t *bitmap = NULL;
	int ret;

	ret = vfki_dec_dma_unmap_request(cmd->payload, cmd->len, vfki_session_max_bitmap(s),
					 &unmap);
	if (ret)
		return vfki_command_decoded(s, ret);
	ret = vfki_windows_check(&s->windows, unmap.addr, last_of(&unmap));
	if (!ret && unmap.bitmap)
		ret = make_bitmap(s, &unmap, &bitmap);
	if (ret)
		return ret;
	ret = try_unmap(s, &unmap);
	if (ret == -EBUSY) {
		s->unmapping.cmd = cmd;
		s->unmapping.what = unmap;
		s->unmapping.bitmap = bitmap;
		s->unmapping.deadline = vfki_deadline_ns(UNMAP_BOUND_MS);
		return VFKI_LATER;
	}
	if (ret)
		free(bitmap);
	else
		answer_unmap(s, a, &unmap, bitmap);
	return ret;
}

int vfki_dma_unmap_retry(struct vfki_session *s, uint64_t now)
{
	struct vfki_unmapping *waiting = &s->unmapping;
	struct vfki_command *cmd = waiting->cmd;
	struct vfki_answer a = { .n = 0 };
	int ret;

	ret = try_unmap(s, &waiting->what);
	if (ret == -EBUSY && now < waiting->deadline)
		return 0;
	waiting->cmd = NULL;
	if (ret)
		free(waiting->bitmap);
	else
		answer_unmap(s, &a, &waiting->what, waiting->bitmap);
	waiting->bitmap = NULL;
	return vfki_command_finish(s, cmd, &a, ret);
}

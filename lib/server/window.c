/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - the client's memory: what DMA_MAP made, and where it is in this process.
 *
 * A client's file is hostile until it is checked: its kind, its size, how it was opened. What can change afterwards, its
 * size, is the guard's business.
 *
 * Threads: the server's.
 */
#include "window.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/device/dma.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

static int check_file(const struct vfk_dma_mapping *m)
{
	int mode = fcntl(m->fd, F_GETFL);
	uint64_t size;

	if (mode < 0)
		return vfki_err_sys(-errno, "dma_map: the file");
	if (vfki_fd_size(m->fd, &size))
		return vfki_err(-EINVAL, "dma_map: the descriptor is no regular file");
	if (m->fd_offset > size || m->length > size - m->fd_offset)
		return vfki_err(-EINVAL, "dma_map: the file has %llu bytes, too few",
				(unsigned long long)size);
	mode &= O_ACCMODE;
	if ((m->prot & VFK_DMA_READ && mode == O_WRONLY) ||
	    (m->prot & VFK_DMA_WRITE && mode == O_RDONLY))
		return vfki_err(-EACCES, "dma_map: the file is not open for that");
	return 0;
}

static int map_memory(struct vfki_windows *w, const struct vfk_dma_mapping *m,
		      struct vfki_guarded *memory)
{
	int prot = (m->prot & VFK_DMA_READ ? PROT_READ : 0) |
		   (m->prot & VFK_DMA_WRITE ? PROT_WRITE : 0);
	int ret;

	ret = vfki_guarded_map(w->guard, m->fd, m->fd_offset, m->length, prot, memory);
	/* It was cut off since it was checked; the client hears the same as for any short file. */
	return ret == -ENODATA ? -EINVAL : ret;
}

int vfki_windows_map(struct vfki_windows *w, struct vfk_dma_space *space, struct vfk_dma_mapping *m,
		     bool address)
{
	struct vfki_window *win;
	int ret;

	ret = m->fd >= 0 ? check_file(m) : 0;
	if (ret)
		return ret;
	win = calloc(1, sizeof(*win));
	if (!win)
		return vfki_err(-ENOMEM, "dma_map: no memory");
	win->range.first = m->iova;
	win->range.last = m->iova + (m->length - 1);
	win->range.fd = -1;
	ret = vfki_mappings_insert(&w->table, &win->range);
	if (ret)
		goto free_window;
	if (address) {
		ret = map_memory(w, m, &win->memory);
		if (ret)
			goto remove;
		m->vaddr = win->memory.addr;
	}
	ret = vfk_dma_map(space, m, NULL);
	if (ret)
		goto unmap_memory;
	return 0;

unmap_memory:
	vfki_guarded_unmap(w->guard, &win->memory);
remove:
	vfki_mappings_remove(&w->table, &win->range);
free_window:
	free(win);
	return ret;
}

int vfki_windows_check(const struct vfki_windows *w, uint64_t first, uint64_t last)
{
	const struct vfki_mapping *low = vfki_mappings_find(&w->table, first);
	const struct vfki_mapping *high = vfki_mappings_find(&w->table, last);

	if ((low && low->first < first) || (high && high->last > last))
		return vfki_err(-EINVAL, "dma_unmap: a mapping reaches over the range's end");
	return 0;
}

static void forget(struct vfki_windows *w, struct vfki_window *win)
{
	vfki_guarded_unmap(w->guard, &win->memory);
	vfki_mappings_remove(&w->table, &win->range);
	free(win);
}

int vfki_windows_unmap(struct vfki_windows *w, struct vfk_dma_space *space, uint64_t first,
		       uint64_t last)
{
	struct vfki_mapping *m = vfki_mappings_from(&w->table, first);
	int result = 0;

	while (m && m->first <= last) {
		struct vfki_window *win = (struct vfki_window *)m;
		int ret =
			vfki_dma_unmap_range_try(space, m->first, vfki_mapping_length(m), 0, NULL);

		m = vfki_mappings_after(&w->table, m);
		/* After a failure the device may reach the memory still (dma.h, unmap): it stays. */
		if (ret)
			result = ret;
		else
			forget(w, win);
	}
	return result;
}

bool vfki_windows_hit(const struct vfki_windows *w)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m = vfki_mappings_begin(&w->table, 0, &walk);

	/* the table holds ranges, each the first member of its window */
	while (m && !vfki_guarded_hit(&((const struct vfki_window *)m)->memory))
		m = vfki_mappings_next(&walk);
	return m;
}

void vfki_windows_fini(struct vfki_windows *w)
{
	vfki_mappings_fini(&w->table);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pagemap.c - where memory of this process is; see pagemap.h.
 *
 * Any thread; nothing is kept.
 */
#include "lib/io/kernel/pagemap.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

/* pagemap.rst: bits 0-54 the page frame number, bit 63 the page is present */
#define FRAME_MASK ((1ull << 55) - 1)
#define PRESENT	   (1ull << 63)

/* kpageflags: bit 17 a page of hugetlbfs; heads and tails have it */
#define KPF_HUGE (1ull << 17)

/* Entries that are read at a time. */
#define BATCH 512

struct walk {
	const char *name;
	int pagemap;
	uint64_t page; /* size */
	uint64_t at;   /* number of the first page in entry */
	size_t count;
	uint64_t entry[BATCH];
};

static int open_proc(const char *name, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		return vfki_err(-EPERM, "%s: %s: physical addresses are told to CAP_SYS_ADMIN only",
				name, path);
	return vfki_err_sys(-errno, "%s: %s", name, path);
}

static int walk_begin(struct walk *w, const char *name)
{
	w->name = name;
	w->page = (uint64_t)sysconf(_SC_PAGESIZE);
	w->count = 0;
	w->pagemap = open_proc(name, "/proc/self/pagemap");
	return w->pagemap < 0 ? w->pagemap : 0;
}

static void walk_end(struct walk *w)
{
	vfki_fd_close(w->pagemap);
}

bool vfki_pagemap_frame(uint64_t entry, uint64_t *frame)
{
	*frame = entry & FRAME_MASK;
	return entry & PRESENT && *frame;
}

/* The page frame of page number @n of the process. */
static int walk_frame(struct walk *w, uint64_t n, uint64_t *frame)
{
	if (n < w->at || n - w->at >= w->count) {
		ssize_t got = pread(w->pagemap, w->entry, sizeof(w->entry),
				    (off_t)(n * sizeof(w->entry[0])));

		if (got < (ssize_t)sizeof(w->entry[0]))
			return vfki_err(-EFAULT, "%s: pagemap ends at page 0x%" PRIx64, w->name, n);
		w->at = n;
		w->count = (size_t)got / sizeof(w->entry[0]);
	}
	if (vfki_pagemap_frame(w->entry[n - w->at], frame))
		return 0;
	if (w->entry[n - w->at] & PRESENT)
		return vfki_err(-EPERM, "%s: physical addresses are told to CAP_SYS_ADMIN only",
				w->name);
	return vfki_err(-EFAULT, "%s: page 0x%" PRIx64 " is not in memory", w->name, n * w->page);
}

int vfki_pagemap_address(const char *name, const void *addr, uint64_t length,
			 struct vfk_dma_addr *out)
{
	uint64_t first, frame, n, got;
	struct walk w;
	int ret = walk_begin(&w, name);

	if (ret < 0)
		return ret;
	n = (uintptr_t)addr / w.page;
	ret = walk_frame(&w, n, &first);
	if (ret < 0)
		goto end;
	out->addr = first * w.page + (uintptr_t)addr % w.page;
	got = w.page - (uintptr_t)addr % w.page;
	for (uint64_t i = 1; got < length; i++, got += w.page) {
		/* a page that cannot be told of ends what is contiguous, and is asked for on its own */
		if (walk_frame(&w, n + i, &frame) < 0 || frame != first + i)
			break;
	}
	out->contiguous = vfki_min_u64(got, length);
end:
	walk_end(&w);
	return ret;
}

static int check_frame(const char *name, int flags, uint64_t frame)
{
	uint64_t f;

	if (pread(flags, &f, sizeof(f), (off_t)(frame * sizeof(f))) != sizeof(f))
		return vfki_err(-EFAULT, "%s: kpageflags of frame 0x%" PRIx64, name, frame);
	if (!(f & KPF_HUGE))
		return vfki_err(
			-ENOTSUP,
			"%s: without an IOMMU only huge pages can be used, since the kernel moves "
			"others; take memory from vfk_dma_alloc(), or a memfd with MFD_HUGETLB",
			name);
	return 0;
}

int vfki_pagemap_check_huge(const char *name, const void *addr, uint64_t length)
{
	uint64_t frame;
	struct walk w;
	int ret, flags = open_proc(name, "/proc/kpageflags");

	if (flags < 0)
		return flags;
	ret = walk_begin(&w, name);
	if (ret < 0)
		goto close_flags;
	for (uint64_t off = 0; !ret && off < length; off += w.page) {
		ret = walk_frame(&w, ((uintptr_t)addr + off) / w.page, &frame);
		if (!ret)
			ret = check_frame(name, flags, frame);
	}
	walk_end(&w);
close_flags:
	vfki_fd_close(flags);
	return ret;
}

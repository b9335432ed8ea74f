/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alloc_memory.c - memory for DMA; see alloc_memory.h.
 *
 * Any thread.
 */
#include "alloc_memory.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

static int sys_err(const char *what)
{
	int err = -errno;

	return vfki_err_sys(err == -EFBIG || err == -ENOSPC ? -ENOMEM : err, "dma alloc: %s", what);
}

/* Gives @fd the length of @m, seals it against shrinking and growing, and maps it. Takes @fd: on failure it is closed. */
static int make(int fd, struct vfki_memory *m)
{
	int ret;

	if (ftruncate(fd, (off_t)m->length) < 0) {
		ret = sys_err("memfd size");
		goto close_fd;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		ret = sys_err("memfd seals");
		goto close_fd;
	}
	m->vaddr = mmap(NULL, (size_t)m->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m->vaddr == MAP_FAILED) {
		ret = sys_err("map");
		goto close_fd;
	}
	m->fd = fd;
	return 0;
close_fd:
	vfki_fd_close(fd);
	return ret;
}

int vfki_memory_create(uint64_t length, struct vfki_memory *m)
{
	int fd = memfd_create("vfiokit-dma", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return sys_err("memfd");
	m->length = length;
	return make(fd, m);
}

int vfki_memory_create_huge(uint64_t length, struct vfki_memory *m)
{
	int fd = memfd_create("vfiokit-dma", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	struct statfs fs;
	int ret;

	if (fd < 0)
		return vfki_err_sys(errno == EINVAL || errno == ENOENT ? -ENOMEM : -errno,
				    "dma alloc: memfd of huge pages");
	if (fstatfs(fd, &fs) < 0 || !vfki_is_pow2((uint64_t)fs.f_bsize) ||
	    !vfki_align_up(length, (uint64_t)fs.f_bsize, &m->length) || m->length > INT64_MAX) {
		vfki_fd_close(fd);
		return vfki_err(-ENOMEM, "dma alloc: huge pages for 0x%" PRIx64 " bytes", length);
	}
	ret = make(fd, m);
	if (ret == -ENOMEM)
		return vfki_err(ret,
				"dma alloc: no huge pages are free for 0x%" PRIx64
				" bytes; write into /proc/sys/vm/nr_hugepages how many of %" PRIu64
				" KiB there shall be",
				m->length, (uint64_t)fs.f_bsize / 1024);
	return ret;
}

void vfki_memory_free(int fd, void *vaddr)
{
	uint64_t length;

	/* sealed: the file says for certain how much was mapped */
	if (!vfki_fd_size(fd, &length))
		munmap(vaddr, (size_t)length);
	vfki_fd_close(fd);
}

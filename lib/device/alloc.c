/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alloc.c - memory that every backend can share, at an address that every device can reach.
 *
 * The memory is a memfd, sealed so that whoever gets it can trust its size. Any thread.
 */
#include "iova.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include "space.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int sys_err(const char *what)
{
	int err = -errno;

	return vfki_err_sys(err == -EFBIG || err == -ENOSPC ? -ENOMEM : err, "dma alloc: %s", what);
}

/* A memfd of @length bytes that can neither shrink nor grow, and its mapping. */
static int memory_create(uint64_t length, int *out_fd, void **out_addr)
{
	int fd = memfd_create("vfiokit-dma", MFD_CLOEXEC | MFD_ALLOW_SEALING), ret;
	void *addr;

	if (fd < 0)
		return sys_err("memfd");
	if (ftruncate(fd, (off_t)length) < 0) {
		ret = sys_err("memfd size");
		goto close_fd;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		ret = sys_err("memfd seals");
		goto close_fd;
	}
	addr = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED) {
		ret = sys_err("map");
		goto close_fd;
	}
	*out_fd = fd;
	*out_addr = addr;
	return 0;
close_fd:
	vfki_fd_close(fd);
	return ret;
}

/* The highest address that all devices of the space can put on the bus. */
static uint64_t mask_locked(const struct vfk_dma_space *space)
{
	unsigned int bits = 64;

	for (size_t i = 0; i < space->num_sinks; i++) {
		unsigned int own = atomic_load(&space->sinks[i]->mask_bits);

		bits = own < bits ? own : bits;
	}
	return UINT64_MAX >> (64 - bits);
}

/* Maps @m at the first address that no sink refuses. */
static int map_somewhere_locked(struct vfk_dma_space *space, struct vfki_mapping *m,
				struct vfk_dma_addr *addr, bool *kept)
{
	struct vfki_iova_search search = {
		.maps = &space->maps,
		.limits = &space->limits,
		.granule = vfki_limits_granule(&space->limits),
		.mask = mask_locked(space),
		.length = vfki_mapping_length(m),
	};
	uint64_t iova, tried = 0;

	*kept = false;
	for (unsigned int n = 0; n < VFKI_IOVA_TRIES; n++) {
		int ret;

		if (vfki_iova_find(&search, vfki_iova_start(&search, n), &iova) < 0 ||
		    iova == tried)
			continue;
		tried = iova;
		m->first = iova;
		m->last = iova + (search.length - 1);
		ret = vfki_space_map_locked(space, m, addr, kept);
		/* refused by a sink that cannot say beforehand what it can map */
		if (ret != -ERANGE && ret != -EEXIST)
			return ret;
	}
	return vfki_err(-ENOSPC,
			"dma alloc: no address for 0x%" PRIx64 " bytes up to 0x%" PRIx64 "%s",
			search.length, search.mask, tried ? ": the device refuses" : "");
}

static int map_somewhere(struct vfk_dma_space *space, struct vfk_dma_buffer *b, uint32_t prot,
			 bool *kept)
{
	struct vfk_dma_mapping what = {
		.size = sizeof(what),
		.length = b->length,
		.prot = prot,
		.fd = b->fd,
		.vaddr = b->vaddr,
	};
	struct vfki_mapping *m = calloc(1, sizeof(*m));
	int ret;

	*kept = false;
	if (!m)
		return vfki_err(-ENOMEM, "dma alloc: no memory");
	ret = vfki_mapping_init(m, &what);
	if (ret < 0) {
		free(m);
		return ret;
	}
	pthread_mutex_lock(&space->lock);
	ret = map_somewhere_locked(space, m, &b->dev, kept);
	b->iova = m->first;
	pthread_mutex_unlock(&space->lock);
	if (!*kept)
		vfki_space_free_mapping(m);
	return ret;
}

/* The host's pages, or the sinks' if those are larger. */
static int round_length(struct vfk_dma_space *space, uint64_t length, uint64_t *rounded)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), granule;

	pthread_mutex_lock(&space->lock);
	granule = vfki_limits_granule(&space->limits);
	pthread_mutex_unlock(&space->lock);
	if (!length || !vfki_align_up(length, granule > page ? granule : page, rounded) ||
	    *rounded > INT64_MAX || *rounded > SIZE_MAX)
		return vfki_err(-EINVAL, "dma alloc: 0x%" PRIx64 " bytes", length);
	return 0;
}

int vfk_dma_alloc(struct vfk_dma_space *space, uint64_t length, uint32_t prot,
		  struct vfk_dma_buffer *buffer)
{
	struct vfk_dma_buffer b = { .size = buffer->size };
	bool kept;
	int ret;

	if (buffer->size < sizeof(b))
		return vfki_err(-EINVAL, "dma alloc: buffer: size %zu, need %zu", buffer->size,
				sizeof(b));
	ret = round_length(space, length, &b.length);
	if (!ret)
		ret = memory_create(b.length, &b.fd, &b.vaddr);
	if (ret < 0)
		return ret;
	ret = map_somewhere(space, &b, prot, &kept);
	if (!ret)
		*buffer = b;
	/* what a device has and does not let go must stay, even though nobody knows it any more */
	if (kept)
		return ret;
	munmap(b.vaddr, (size_t)b.length);
	vfki_fd_close(b.fd);
	return ret;
}

int vfk_dma_free(struct vfk_dma_space *space, struct vfk_dma_buffer *buffer)
{
	int ret = vfk_dma_unmap(space, buffer->iova, buffer->length);

	if (ret < 0)
		return ret;
	munmap(buffer->vaddr, (size_t)buffer->length);
	vfki_fd_close(buffer->fd);
	*buffer = (struct vfk_dma_buffer){ .size = buffer->size, .fd = -1 };
	return 0;
}

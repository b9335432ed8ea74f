/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu.c - mappings of kernel devices, made once for all that share a container or an IOAS; see iommu.h.
 *
 * The kernel keeps a table of its own. This one is there since several devices may ask for the same mapping, and to know
 * what must be given back.
 *
 * Threads: any, under the iommu's lock.
 */
#include "lib/io/kernel/iommu.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/io/kernel/iommu_kind.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the iommu ---- */

int vfki_iommu_create(const char *name, const struct vfki_iommu_kind *kind, int fd,
		      struct vfki_iommu **out)
{
	struct vfki_iommu *i = calloc(1, sizeof(*i));

	if (!i)
		return vfki_err(-ENOMEM, "%s: no memory", name);
	i->kind = kind;
	i->fd = fd < 0 ? -1 : vfki_fd_dup(fd);
	if (fd >= 0 && i->fd < 0) {
		int ret = vfki_err_sys(i->fd, "%s: duplicating its file", name);

		free(i);
		return ret;
	}
	atomic_init(&i->count, 1);
	pthread_mutex_init(&i->lock, NULL);
	*out = i;
	return 0;
}

struct vfki_iommu *vfki_iommu_get(struct vfki_iommu *i)
{
	if (i)
		atomic_fetch_add(&i->count, 1);
	return i;
}

void vfki_iommu_put(struct vfki_iommu *i)
{
	/* every handle has a count, and gave its mappings back before it put it */
	if (!i || atomic_fetch_sub(&i->count, 1) > 1)
		return;
	if (i->kind->destroy)
		i->kind->destroy(i);
	vfki_iommu_forget(i);
}

void vfki_iommu_forget(struct vfki_iommu *i)
{
	vfki_mappings_fini(&i->maps);
	vfki_fd_close(i->fd);
	pthread_mutex_destroy(&i->lock);
	free(i);
}

int vfki_iommu_fd(const struct vfki_iommu *i)
{
	return i->fd;
}

uint32_t vfki_iommu_ioas_id(const struct vfki_iommu *i)
{
	return i->ioas;
}

int vfki_iommu_ioctl(const struct vfki_iommu *i, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(i->fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	if (ret >= 0)
		return 0;
	return errno == ENOTTY ? -ENOTSUP : -errno;
}

/* ---- entries ---- */

int vfki_iommu_map_file(const char *name, struct vfki_iommu_entry *e)
{
	int prot = PROT_READ | (e->m.prot & VFK_DMA_WRITE ? PROT_WRITE : 0);
	int ret;

	if (e->m.vaddr)
		return 0;
	/* nobody but the kernel looks at it, which pins the pages: no guard is needed against a file that shrinks */
	ret = vfki_guarded_map(NULL, e->m.fd, e->m.fd_offset, vfki_iommu_entry_length(e), prot,
			       &e->mem);
	if (ret == -ENODATA)
		return vfki_err_prefix(-EINVAL, "%s", name);
	if (ret < 0)
		return vfki_err_sys(ret, "%s: DMA map at 0x%" PRIx64 ": the file cannot be mapped",
				    name, e->m.first);
	e->m.vaddr = e->mem.addr;
	return 0;
}

static void free_entry(struct vfki_iommu_entry *e)
{
	vfki_guarded_unmap(NULL, &e->mem);
	vfki_mapping_fini(&e->m);
	free(e->dirty);
	free(e);
}

static int make_entry(const struct vfki_kernel_dma *dma, const struct vfk_dma_mapping *src,
		      struct vfki_iommu_entry **out)
{
	struct vfki_iommu_entry *e;
	int ret;

	if (src->callbacks)
		return vfki_err(
			-ENOTSUP,
			"%s: DMA map at 0x%" PRIx64
			": a device of the kernel reaches real memory only; share the memory "
			"(a file that can be mapped, such as a memfd) instead of serving it "
			"by messages",
			dma->name, src->iova);
	e = calloc(1, sizeof(*e));
	if (!e)
		return vfki_err(-ENOMEM, "%s: no memory", dma->name);
	ret = vfki_mapping_init(&e->m, src);
	if (ret < 0) {
		free(e);
		return vfki_err_prefix(ret, "%s", dma->name);
	}
	e->addr = (struct vfk_dma_addr){ src->iova, src->length };
	*out = e;
	return 0;
}

static bool same_file(const struct vfki_mapping *m, const struct vfk_dma_mapping *src)
{
	struct stat a, b;

	return m->fd >= 0 && src->fd >= 0 && m->fd_offset == src->fd_offset && !fstat(m->fd, &a) &&
	       !fstat(src->fd, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Whether @src is what another device of this iommu has mapped already. */
static bool is_same(const struct vfki_iommu_entry *e, const struct vfk_dma_mapping *src)
{
	if (e->m.prot != src->prot || src->callbacks)
		return false;
	return src->vaddr  ? e->m.vaddr == src->vaddr :
	       e->mem.addr ? same_file(&e->m, src) :
			     !e->m.vaddr && same_file(&e->m, src);
}

/* ---- the sink ---- */

static int map_new(struct vfki_iommu *i, const struct vfki_kernel_dma *dma,
		   const struct vfk_dma_mapping *src, struct vfki_iommu_entry **out)
{
	struct vfki_iommu_entry *e = NULL;
	int ret = make_entry(dma, src, &e);

	if (ret < 0)
		return ret;
	ret = vfki_mappings_insert(&i->maps, &e->m);
	if (ret < 0) {
		vfki_err_prefix(ret, "%s", dma->name);
		goto free_entry;
	}
	ret = vfki_iommu_dirty_mapped(i, dma->name, e);
	if (!ret)
		ret = i->kind->map(i, dma, e);
	if (ret < 0)
		goto remove;
	*out = e;
	return 0;
remove:
	vfki_mappings_remove(&i->maps, &e->m);
free_entry:
	free_entry(e);
	return ret;
}

static int map_locked(struct vfki_iommu *i, const struct vfki_kernel_dma *dma,
		      const struct vfk_dma_mapping *src, struct vfk_dma_addr *addr)
{
	struct vfki_iommu_entry *e =
		(struct vfki_iommu_entry *)vfki_mappings_exact(&i->maps, src->iova, src->length);

	/* what is there but not the same overlaps, and is refused as such */
	if (!e || e->users & dma->bit || !is_same(e, src)) {
		struct vfki_iommu_entry *made = NULL;
		int ret = map_new(i, dma, src, &made);

		if (ret < 0)
			return ret;
		e = made;
	}
	e->users |= dma->bit;
	*addr = e->addr;
	return 0;
}

static int sink_map(struct vfk_io *io, const struct vfk_dma_mapping *src, struct vfk_dma_addr *addr)
{
	const struct vfki_kernel_dma *dma = vfki_kernel_dma_of(io);
	int ret;

	pthread_mutex_lock(&dma->iommu->lock);
	ret = map_locked(dma->iommu, dma, src, addr);
	pthread_mutex_unlock(&dma->iommu->lock);
	return ret;
}

static int drop_user(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e,
		     uint64_t device)
{
	int ret = 0;

	if (e->users == device)
		ret = i->kind->unmap(i, name, e);
	if (ret < 0)
		return ret;
	e->users &= ~device;
	if (e->users)
		return 0;
	vfki_mappings_remove(&i->maps, &e->m);
	vfki_iommu_dirty_unmapped(i, e);
	free_entry(e);
	return 0;
}

static int sink_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	const struct vfki_kernel_dma *dma = vfki_kernel_dma_of(io);
	struct vfki_iommu *i = dma->iommu;
	struct vfki_iommu_entry *e;
	int ret;

	(void)timeout_ms; /* the kernel lets go at once: what a device does after that is a fault in its IOMMU */
	pthread_mutex_lock(&i->lock);
	e = (struct vfki_iommu_entry *)vfki_mappings_exact(&i->maps, iova, length);
	if (!e || !(e->users & dma->bit))
		ret = vfki_err(-ENOENT, "%s: DMA unmap: no mapping is 0x%" PRIx64 " + 0x%" PRIx64,
			       dma->name, iova, length);
	else
		ret = drop_user(i, dma->name, e, dma->bit);
	pthread_mutex_unlock(&i->lock);
	return ret;
}

static int sink_limits(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	const struct vfki_kernel_dma *dma = vfki_kernel_dma_of(io);
	int ret;

	*limits = (struct vfk_dma_limits){
		.size = sizeof(*limits),
		.pgsizes = ~((uint64_t)sysconf(_SC_PAGESIZE) - 1),
		.max_maps = UINT64_MAX,
	};
	pthread_mutex_lock(&dma->iommu->lock);
	ret = dma->iommu->kind->limits(dma->iommu, dma->name, limits);
	pthread_mutex_unlock(&dma->iommu->lock);
	return ret;
}

static int address_locked(struct vfki_iommu *i, const struct vfki_kernel_dma *dma, uint64_t iova,
			  uint64_t length, struct vfk_dma_addr *addr)
{
	const struct vfki_iommu_entry *e =
		(const struct vfki_iommu_entry *)vfki_mappings_find(&i->maps, iova);

	if (!e || !(e->users & dma->bit) || e->m.last - iova < length - 1)
		return vfki_err(-ENOENT,
				"%s: DMA address: 0x%" PRIx64 " + 0x%" PRIx64
				" is not in one mapping",
				dma->name, iova, length);
	if (i->kind->address)
		return i->kind->address(i, dma->name, e, iova, length, addr);
	*addr = (struct vfk_dma_addr){ iova, length };
	return 0;
}

static int sink_address(struct vfk_io *io, uint64_t iova, uint64_t length,
			struct vfk_dma_addr *addr)
{
	const struct vfki_kernel_dma *dma = vfki_kernel_dma_of(io);
	int ret;

	pthread_mutex_lock(&dma->iommu->lock);
	ret = address_locked(dma->iommu, dma, iova, length, addr);
	pthread_mutex_unlock(&dma->iommu->lock);
	return ret;
}

const struct vfk_dma_ops vfki_kernel_dma_ops = {
	.size = sizeof(struct vfk_dma_ops),
	.map = sink_map,
	.unmap = sink_unmap,
	.limits = sink_limits,
	.dirty_start = vfki_iommu_dirty_start,
	.dirty_stop = vfki_iommu_dirty_stop,
	.dirty_report = vfki_iommu_dirty_report,
	.address = sink_address,
};

/* ---- handles ---- */

static int enter_locked(struct vfki_iommu *i, struct vfki_kernel_dma *dma)
{
	uint64_t bit = ~i->devices & (i->devices + 1);
	int ret;

	if (!bit)
		return vfki_err(-ENOSPC, "%s: %d devices share its container or IOAS already",
				dma->name, VFKI_IOMMU_DEVICES);
	dma->bit = bit;
	ret = i->kind->attach ? i->kind->attach(i, dma) : 0;
	if (!ret)
		i->devices |= bit;
	return ret;
}

int vfki_kernel_dma_init(struct vfki_kernel_dma *dma, const char *name, struct vfki_iommu *i,
			 int device_fd, uint32_t dev_id)
{
	int ret;

	*dma = (struct vfki_kernel_dma){
		.iommu = i,
		.name = name,
		.device_fd = device_fd,
		.dev_id = dev_id,
	};
	pthread_mutex_lock(&i->lock);
	ret = enter_locked(i, dma);
	pthread_mutex_unlock(&i->lock);
	if (ret < 0)
		*dma = (struct vfki_kernel_dma){ .device_fd = -1 };
	else
		vfki_iommu_get(i);
	return ret;
}

/* What the kernel does not take back now it takes back with its file. */
static void leave_locked(struct vfki_iommu *i, struct vfki_kernel_dma *dma)
{
	struct vfki_mapping *m, *next;

	vfki_iommu_dirty_leave(i, dma->bit);
	for (m = vfki_mappings_from(&i->maps, 0); m; m = next) {
		struct vfki_iommu_entry *e = (struct vfki_iommu_entry *)m;

		next = vfki_mappings_after(&i->maps, m);
		if (e->users & dma->bit && drop_user(i, dma->name, e, dma->bit) < 0) {
			vfki_mappings_remove(&i->maps, &e->m);
			free_entry(e);
		}
	}
	if (i->kind->detach)
		i->kind->detach(i, dma);
	i->devices &= ~dma->bit;
}

void vfki_kernel_dma_fini(struct vfki_kernel_dma *dma)
{
	struct vfki_iommu *i = dma->iommu;

	if (!i)
		return;
	pthread_mutex_lock(&i->lock);
	leave_locked(i, dma);
	pthread_mutex_unlock(&i->lock);
	*dma = (struct vfki_kernel_dma){ .device_fd = -1 };
	vfki_iommu_put(i);
}

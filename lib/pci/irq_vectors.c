/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq_vectors.c - the vectors that are remembered: their eventfds, made, duplicated and closed.
 *
 * With the lock held, or of a set that nobody else sees yet.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <sys/resource.h>

void vfki_pci_vectors_init(struct vfki_pci_vectors *v)
{
	*v = (struct vfki_pci_vectors){ .info.index = VFK_PCI_IRQ_NONE, .resample = -1 };
}

int vfki_pci_descriptors_short(struct vfk_pci *pci, uint32_t vectors)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		limit.rlim_cur = 0;
	return vfki_err(
		-EMFILE,
		"%s: %" PRIu32
		" vectors: out of descriptors, two or three each are needed: the soft limit "
		"of open files (RLIMIT_NOFILE) is %llu",
		vfki_pci_name(pci), vectors, (unsigned long long)limit.rlim_cur);
}

int vfki_pci_eventfd(struct vfk_pci *pci, int fd, uint32_t vectors)
{
	int ret;

	if (fd >= 0 && !vfki_fd_is_eventfd(fd))
		return vfki_err(-EINVAL, "%s: descriptor %d is no eventfd", vfki_pci_name(pci), fd);
	ret = fd < 0 ? vfki_eventfd_create() : vfki_fd_dup(fd);
	if (ret == -EMFILE)
		return vfki_pci_descriptors_short(pci, vectors);
	return ret < 0 ? vfki_err_sys(ret, "%s: eventfd", vfki_pci_name(pci)) : ret;
}

/*
 * PCI 3.0 section 6.8.1.3: without mask bits a function cannot hold a message back while a kernel has nobody to receive
 * it. MSI-X vectors always have one.
 */
static bool forgets(struct vfk_pci *pci, uint32_t index)
{
	uint32_t cap, flags;

	if (index != VFIO_PCI_MSI_IRQ_INDEX)
		return false;
	return vfki_pci_cap_find_whole(pci, PCI_CAP_ID_MSI, PCI_MSI_FLAGS + 2, &cap) < 0 ||
	       vfk_pci_config_read(pci, cap + PCI_MSI_FLAGS, 2, &flags) < 0 ||
	       !(flags & PCI_MSI_FLAGS_MASKBIT);
}

static int fill(struct vfk_pci *pci, struct vfki_pci_vectors *v, const int *fds)
{
	for (uint32_t i = 0; i < v->num; i++) {
		if (fds && fds[i] < 0)
			continue;
		v->vector[i].fd = vfki_pci_eventfd(pci, fds ? fds[i] : -1, v->num);
		if (v->vector[i].fd < 0)
			return v->vector[i].fd;
	}
	return 0;
}

int vfki_pci_vectors_make(struct vfk_pci *pci, struct vfki_pci_vectors *v,
			  const struct vfk_irq_info *info, uint32_t n, const int *fds)
{
	int ret;

	vfki_pci_vectors_init(v);
	v->vector = calloc(info->count, sizeof(*v->vector));
	v->fds = calloc(info->count, sizeof(*v->fds));
	if (!v->vector || !v->fds) {
		vfki_pci_vectors_release(v);
		return vfki_err(-ENOMEM, "%s: no memory for %" PRIu32 " vectors",
				vfki_pci_name(pci), info->count);
	}
	for (uint32_t i = 0; i < info->count; i++)
		v->vector[i] = (struct vfki_pci_vector){ .fd = -1, .collector = -1 };
	v->info = *info;
	v->forgets = forgets(pci, info->index);
	v->base = v->num = n;
	ret = fill(pci, v, fds);
	if (ret < 0)
		vfki_pci_vectors_release(v);
	return ret;
}

void vfki_pci_vectors_shrink(struct vfki_pci_vectors *v, uint32_t n)
{
	for (uint32_t i = n; i < v->num; i++) {
		vfki_fd_close(v->vector[i].fd);
		vfki_fd_close(v->vector[i].collector);
		v->vector[i] = (struct vfki_pci_vector){ .fd = -1, .collector = -1 };
	}
	v->num = n;
	if (v->base > n)
		v->base = n;
}

void vfki_pci_vectors_release(struct vfki_pci_vectors *v)
{
	if (v->vector)
		vfki_pci_vectors_shrink(v, 0);
	free(v->vector);
	free(v->fds);
	vfki_fd_close(v->resample);
	vfki_pci_vectors_init(v);
}

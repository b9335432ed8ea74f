/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pagemap.h - where memory of this process is, physically: /proc/self/pagemap and /proc/kpageflags.
 *
 * Both are described in the kernel's Documentation/admin-guide/mm/pagemap.rst, and tell to CAP_SYS_ADMIN only.
 *
 * Threads: any.
 */
#ifndef VFKI_IO_KERNEL_PAGEMAP_H
#define VFKI_IO_KERNEL_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/dma.h>

/* The page frame in an entry of pagemap: false when the page is not there, or when who asks may not know. */
bool vfki_pagemap_frame(uint64_t entry, uint64_t *frame);

/*
 * The physical address of @addr, and how many of @length bytes follow it there without a gap. The pages are in memory.
 * Returns 0; -EPERM, -EFAULT, with a text.
 */
int vfki_pagemap_address(const char *name, const void *addr, uint64_t length,
			 struct vfk_dma_addr *out);

/* Whether all of it is huge pages of hugetlbfs: 0; -ENOTSUP, -EPERM, -EFAULT, with a text. */
int vfki_pagemap_check_huge(const char *name, const void *addr, uint64_t length);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alloc_memory.h - memory that every backend can share: a memfd, sealed so that whoever gets it can trust its size.
 *
 * Threads: any.
 */
#ifndef VFKI_DEVICE_ALLOC_MEMORY_H
#define VFKI_DEVICE_ALLOC_MEMORY_H

#include <stdint.h>

struct vfki_memory {
	int fd;
	void *vaddr;
	uint64_t length; /* of both; huge pages make it more than was asked for */
};

/* Returns 0; -ENOMEM, -EMFILE, with a text. @length is whole pages. */
int vfki_memory_create(uint64_t length, struct vfki_memory *memory);

/* The same in huge pages, which are contiguous and stay where they are. -ENOMEM when none are free. */
int vfki_memory_create_huge(uint64_t length, struct vfki_memory *memory);

/* Frees memory of which only this is known. */
void vfki_memory_free(int fd, void *vaddr);

#endif

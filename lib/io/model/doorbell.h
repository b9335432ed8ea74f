/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doorbell.h - registers of a model that an eventfd stands for.
 *
 * Declared in init. The eventfds come to be when somebody asks for them, fresh each time: whoever had them before rings
 * nothing any more. Signalled, one is a write to its register, which the work of the model does (work.h).
 *
 * Threads: serve from any, without the model's lock; the rest as said there.
 */
#ifndef VFKI_MODEL_DOORBELL_H
#define VFKI_MODEL_DOORBELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfk_model;
struct vfk_region_io_fd;

struct vfki_doorbell {
	unsigned int bar;
	unsigned int width;
	uint64_t off;
	uint64_t value; /* what is written */
	bool match;	/* only writes of this value */
	int fd;		/* -1: nobody asked */
};

struct vfki_doorbells {
	struct vfki_doorbell *at; /* constant after init, but for fd */
	uint32_t count;
	int epoll; /* of all eventfds, each with its place; -1: nobody asked */
};

void vfki_doorbells_init(struct vfk_model *m);
void vfki_doorbells_fini(struct vfk_model *m);

/* The op region_io_fds; what was handed out before is dropped. */
int vfki_doorbells_hand_out(struct vfk_model *m, uint32_t region, struct vfk_region_io_fd *fds,
			    size_t max, size_t *count);

/* Does the writes that were rung for; their number. */
int vfki_doorbells_serve(struct vfk_model *m);

#endif

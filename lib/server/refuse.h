/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * refuse.h - clients that connect while another one is there.
 *
 * Each is answered with an Error reply EBUSY to its first message, and closed. They are few, each has a second to speak,
 * and none is ever waited for.
 *
 * Threads: the server's.
 */
#ifndef VFKI_SERVER_REFUSE_H
#define VFKI_SERVER_REFUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFKI_REFUSALS_MAX 8

/* One who is to be told. */
struct vfki_refusal {
	int fd;		   /* -1: the place is free */
	uint8_t head[16];  /* of its first message, as far as it arrived */
	size_t have;	   /* bytes in head */
	uint64_t deadline; /* CLOCK_MONOTONIC, ns: then it is closed without a word */
};

struct vfki_refusals {
	struct vfki_refusal at[VFKI_REFUSALS_MAX];
};

void vfki_refusals_init(struct vfki_refusals *r);

/*
 * Takes @fd. Returns its place, to be polled for input; -EBUSY, and @fd is closed, when the message was there already, or
 * all places are taken.
 */
int vfki_refusals_add(struct vfki_refusals *r, int fd, uint64_t now);

/* Something arrived at @place. True when it is done with; its descriptor is closed. */
bool vfki_refusals_ready(struct vfki_refusals *r, size_t place);

/* Closes the one at @place without a word. */
void vfki_refusals_drop(struct vfki_refusals *r, size_t place);

/* Closes those whose time is over. */
void vfki_refusals_expire(struct vfki_refusals *r, uint64_t now);

/* The earliest deadline, UINT64_MAX when nobody waits. */
uint64_t vfki_refusals_deadline(const struct vfki_refusals *r);

void vfki_refusals_close(struct vfki_refusals *r);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client_memory.h - a client's memory that is not shared: reached by DMA_READ and DMA_WRITE messages.
 *
 * Threads: any that does the device's DMA.
 */
#ifndef VFKI_SERVER_CLIENT_MEMORY_H
#define VFKI_SERVER_CLIENT_MEMORY_H

#include <vfiokit/dma.h>

/* Their ctx is the struct vfki_session, of which conn and agreed stay as they are while there is a mapping. */
extern const struct vfk_dma_callbacks vfki_client_memory;

struct vfki_session;

/*
 * Around whatever the server's thread does in the device: what its accesses in between wait for answers is bounded as if
 * they were one. After the bound they fail at once.
 */
void vfki_turn_begin(struct vfki_session *s);
void vfki_turn_end(struct vfki_session *s);

#endif

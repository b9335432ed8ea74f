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

#endif

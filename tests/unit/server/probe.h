/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.h - a device that does what the test tells it, and remembers what it was asked.
 *
 * Region 0: 8192 bytes of memory, readable and writable, 4096 of them to be mapped if the test says so. Writing 4 bytes at
 * START_DMA moves 16 bytes by the mapping that holds the address at DMA_ADDRESS. Region 1: 64 bytes, read-only. Region 2: not
 * there. Interrupts: index 0 has 1 vector, index 1 has 8, index 2 none.
 */
#ifndef SERVER_PROBE_H
#define SERVER_PROBE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/device.h>

#define PROBE_SIZE	  8192
#define PROBE_DMA_ADDRESS 0x1000
#define PROBE_START_READ  0x1008 /* memory into PROBE_DATA */
#define PROBE_START_WRITE 0x100c /* PROBE_DATA into memory */
#define PROBE_DATA	  0x1010
#define PROBE_DATA_SIZE	  16
#define PROBE_VECTORS	  8
#define PROBE_MAX_MAPS	  64

enum probe_files {
	PROBE_NO_FILE,
	PROBE_FILE,	    /* a descriptor for the region */
	PROBE_WHOLE_DEVICE, /* the same, said to be the whole device's */
};

struct probe {
	struct vfk_io io; /* first */
	struct vfk_device *dev;

	/* what to do */
	enum probe_files files; /* before the first question about region 0 */
	bool no_dma;		/* before opening */
	int irq_result;		/* of arming; 0: does it */
	bool busy;		/* mappings are in use */
	int unmap_result;	/* of unmapping, instead of doing it; 0: does it */
	bool lets_go;		/* dispatch ends that */
	int dispatch_result;
	int flush_result;

	/* what happened */
	uint8_t memory[PROBE_SIZE];
	int memfd;
	int irq_fd[3][PROBE_VECTORS]; /* duplicates; -1 */
	unsigned int accesses, resets, posted, masks, triggers, dispatched, flushes;
	struct vfk_dma_mapping maps[PROBE_MAX_MAPS]; /* length 0: free; fd is -1 always */
	bool had_fd[PROBE_MAX_MAPS];
	uint32_t mig_state;
	struct vfio_device_feature_dma_logging_range logged[4]; /* of the last DMA_LOGGING_START */
	uint32_t num_logged;
	uint8_t stream[64];
	unsigned int stream_len, stream_at;
	int poll_fd;
};

struct probe *probe_open(bool no_dma);
void probe_close(struct probe *probe);

/* How many mappings the device has; the one at @iova, or NULL. */
unsigned int probe_maps(const struct probe *probe);
const struct vfk_dma_mapping *probe_map_at(const struct probe *probe, uint64_t iova);

/* Makes the device's poll descriptor readable. */
void probe_wake(struct probe *probe);

#endif

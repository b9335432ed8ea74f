/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client_reply.c - our vfio-user client, whose server answers out of an input (peer.h).
 *
 * Input: a byte of flags, a byte that chooses among the parts of the script, then the peer's records. The script is what
 * a driver does; its calls may fail in any way, and what they say on success is required to keep the promises of the
 * public headers.
 */
#include "peer.h"
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vfiokit/vfiokit.h>

#define FLAG_GOOD_OPEN 0x01 /* the first two answers, to VERSION and device info, are good */
#define FLAG_GO_ON     0x02 /* good answers when the input is used up */

#define PART_INFO    0x01
#define PART_MAP     0x02
#define PART_REGION  0x04
#define PART_IRQ     0x08
#define PART_FEATURE 0x10
#define PART_DMA     0x20
#define PART_DIRTY   0x40
#define PART_RESET   0x80

#define TIMEOUT_MS 5
#define MOST	   12 /* indices that are looked at */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- infos and mappings ---- */

static void check_region(const struct vfk_region_info *info)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < info->num_areas; i++) {
		REQUIRE(info->areas[i].offset >= end && info->areas[i].length);
		REQUIRE(info->areas[i].offset <= info->size);
		REQUIRE(info->areas[i].length <= info->size - info->areas[i].offset);
		end = info->areas[i].offset + info->areas[i].length;
	}
}

/* Reads every byte, so that the sanitizer sees those that are not there. */
static void look_at(const void *bytes, size_t len)
{
	static volatile uint8_t seen;

	for (size_t i = 0; i < len; i++)
		seen = ((const uint8_t *)bytes)[i];
	(void)seen;
}

static void look_for_cap(const struct vfk_region_info *info, uint16_t id)
{
	const void *cap;
	size_t len;

	if (!vfk_region_cap(info, id, &cap, &len))
		look_at(cap, len);
}

static void ask_infos(struct vfk_device *dev)
{
	const struct vfk_region_info *info;
	struct vfk_irq_info irq;
	const void *cap;
	size_t len;

	for (uint32_t i = 0; i < least(vfk_device_num_regions(dev), MOST); i++) {
		if (vfk_region_get_info(dev, i, &info))
			continue;
		check_region(info);
		for (uint16_t id = 1; id < 6; id++)
			look_for_cap(info, id);
	}
	for (uint32_t i = 0; i < least(vfk_device_num_irqs(dev), MOST); i++)
		vfk_irq_get_info(dev, i, &irq);
	if (!vfk_device_cap(dev, 1, &cap, &len))
		look_at(cap, len);
}

static void map_regions(struct vfk_device *dev)
{
	const struct vfk_region_info *info;
	void *addr;

	for (uint32_t i = 0; i < least(vfk_device_num_regions(dev), 3); i++) {
		if (vfk_region_get_info(dev, i, &info) || !info->num_areas)
			continue;
		if (vfk_region_map(dev, i, info->areas[0].offset, info->areas[0].length, PROT_READ,
				   &addr))
			continue;
		look_at(addr, 1);
		look_at((uint8_t *)addr + info->areas[0].length - 1, 1);
		/* One is left for close. */
		if (i)
			REQUIRE(!vfk_region_unmap(dev, addr));
	}
}

/* ---- accesses ---- */

static void take_doorbells(struct vfk_device *dev)
{
	static struct vfk_region_io_fd fds[VFK_REGION_MAX_IO_FDS];
	const struct vfk_region_info *info;
	size_t count = 0;
	bool known;

	if (vfk_region_get_io_fds(dev, 0, fds, VFK_REGION_MAX_IO_FDS, &count))
		return;
	/* asked for with its capabilities, it may fail where its size alone did not */
	known = !vfk_region_get_info(dev, 0, &info);
	REQUIRE(count <= VFK_REGION_MAX_IO_FDS);
	for (size_t i = 0; i < count; i++) {
		REQUIRE(!known || (fds[i].offset < info->size &&
				   fds[i].length <= info->size - fds[i].offset));
		REQUIRE(fds[i].fd >= 0 && fds[i].type <= VFK_IO_FD_SHADOW);
		close(fds[i].fd);
		if (fds[i].shadow_fd >= 0)
			close(fds[i].shadow_fd);
	}
}

static void access_regions(struct vfk_device *dev)
{
	static const struct vfk_region_write writes[] = {
		{ .offset = 0, .region = 0, .len = 4 },
		{ .offset = 8, .region = 1, .len = 8 },
		{ .offset = 1, .region = 7, .len = 1 },
	};
	uint8_t bytes[6000] = { 0 };
	uint64_t value;

	REQUIRE(vfk_region_read(dev, 0, 0, bytes, sizeof(bytes)) <= (ssize_t)sizeof(bytes));
	vfk_region_get(dev, 7, 0, 4, &value);
	vfk_region_put(dev, 7, 4, 2, 6);
	REQUIRE(vfk_region_write(dev, 1, 16, bytes, 5000, 0) <= 5000);
	vfk_region_write(dev, 0, 0, bytes, 4, VFK_WRITE_POSTED);
	vfk_region_write(dev, 0, 4, bytes, 4, VFK_WRITE_POSTED);
	vfk_region_flush(dev);
	vfk_region_write_multi(dev, writes, sizeof(writes) / sizeof(writes[0]));
	take_doorbells(dev);
}

static void use_irqs(struct vfk_device *dev)
{
	static const uint8_t bools[6] = { 1, 0, 1 };
	struct vfk_irq_info info;
	int fds[6], granted;

	for (size_t i = 0; i < 6; i++)
		fds[i] = i == 4 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	granted = vfk_irq_set_eventfds(dev, 2, 0, 6, fds);
	REQUIRE(granted < 6);
	vfk_irq_set_unmask_eventfd(dev, 0, 0, fds[0]);
	vfk_irq_mask(dev, 0, 0, 1);
	vfk_irq_unmask(dev, 0, 0, 1);
	vfk_irq_trigger(dev, 2, 1, 2);
	vfk_irq_set_bools(dev, 2, VFK_IRQ_TRIGGER, 0, 6, bools);
	if (!vfk_irq_get_info(dev, 2, &info) && info.count)
		vfk_irq_disable(dev, 2);
	for (size_t i = 0; i < 6; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void use_features(struct vfk_device *dev)
{
	struct vfio_device_feature_migration mig;
	struct vfio_device_feature_mig_state state = { .device_state = 2, .data_fd = -1 };
	struct vfk_precopy_info precopy = { .argsz = sizeof(precopy) };
	uint8_t bytes[6000] = { 0 };
	uint32_t ops;

	vfk_feature_probe(dev, VFIO_DEVICE_FEATURE_MIGRATION, &ops);
	vfk_feature_get(dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, sizeof(mig));
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &state, sizeof(state));
	vfk_device_precopy_info(dev, &precopy);
	REQUIRE(vfk_device_mig_read(dev, bytes, sizeof(bytes)) <= (ssize_t)sizeof(bytes));
	REQUIRE(vfk_device_mig_write(dev, bytes, sizeof(bytes)) <= (ssize_t)sizeof(bytes));
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0);
}

/* ---- DMA ---- */

static int callback_read(void *ctx, uint64_t iova, void *buf, size_t len)
{
	(void)ctx;
	(void)iova;
	memset(buf, 0, len);
	return 0;
}

static int callback_write(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	(void)ctx;
	(void)iova;
	look_at(buf, len);
	return 0;
}

static void record_writes(struct vfk_dma_space *space, uint64_t iova)
{
	uint64_t bitmap[1];

	if (vfk_dma_dirty_start(space, 4096))
		return;
	vfk_dma_dirty_report(space, iova, 0x4000, bitmap, 1);
	vfk_dma_dirty_stop(space);
}

static void use_memory(struct vfk_device *dev, struct vfk_dma_space *space,
		       struct vfk_dma_buffer *buffer, bool dirty)
{
	static const struct vfk_dma_callbacks callbacks = { .size = sizeof(callbacks),
							    .read = callback_read,
							    .write = callback_write };
	const struct vfk_dma_mapping called = { .size = sizeof(called),
						.iova = 0x10000000,
						.length = 0x4000,
						.prot = VFK_DMA_READ | VFK_DMA_WRITE,
						.fd = -1,
						.callbacks = &callbacks };
	uint64_t value;
	bool has;

	vfk_dma_map(space, &called, NULL);
	has = !vfk_dma_alloc(space, 0x4000, VFK_DMA_READ | VFK_DMA_WRITE, buffer);
	/* The server's own requests come with the answers to these. */
	vfk_region_get(dev, 0, 0, 4, &value);
	vfk_region_get(dev, 0, 8, 8, &value);
	if (has && dirty)
		record_writes(space, buffer->iova);
	if (has)
		vfk_dma_free(space, buffer);
	vfk_dma_unmap(space, called.iova, called.length);
}

static void use_dma(struct vfk_device *dev, bool dirty)
{
	struct vfk_dma_buffer buffer = { .size = sizeof(buffer), .fd = -1 };
	struct vfk_dma_space *space;

	REQUIRE(!vfk_dma_space_create(&space));
	if (!vfk_device_attach_dma(dev, space))
		use_memory(dev, space, &buffer, dirty);
	/* Whatever the server says, nobody holds the memory. */
	REQUIRE(!vfk_device_detach_dma(dev));
	if (buffer.fd >= 0)
		REQUIRE(!vfk_dma_free(space, &buffer));
	REQUIRE(!vfk_dma_space_destroy(space));
}

/* ---- the script ---- */

static void run(struct vfk_device *dev, uint8_t parts)
{
	if (parts & PART_INFO)
		ask_infos(dev);
	if (parts & PART_MAP)
		map_regions(dev);
	if (parts & PART_REGION)
		access_regions(dev);
	if (parts & PART_IRQ)
		use_irqs(dev);
	if (parts & PART_FEATURE)
		use_features(dev);
	if (parts & PART_DMA)
		use_dma(dev, parts & PART_DIRTY);
	if (parts & PART_RESET)
		vfk_device_reset(dev);
	vfk_device_dispatch(dev);
}

static struct vfk_device *open_client(const struct peer *peer)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .timeout_ms = TIMEOUT_MS };
	struct vfk_device *dev = NULL;
	char uri[40];

	snprintf(uri, sizeof(uri), "vfio-user:fd=%d", peer->client);
	if (vfk_device_open(uri, &opts, &dev))
		dev = NULL;
	close(peer->client);
	return dev;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t good[2] = { PEER_GOOD, PEER_GOOD };
	struct input in = { data, size };
	uint8_t flags = take8(&in), parts = take8(&in), records[4096];
	size_t skipped = flags & FLAG_GOOD_OPEN ? sizeof(good) : 0;
	struct vfk_device *dev;
	struct census before;
	struct peer peer;

	if (skipped + in.len > sizeof(records))
		return -1;
	memcpy(records, good, sizeof(good));
	if (in.len)
		memcpy(records + skipped, in.bytes, in.len);
	census_take(&before);
	peer_begin(&peer, records, skipped + in.len);
	peer.go_on = flags & FLAG_GO_ON;
	dev = open_client(&peer);
	if (dev)
		run(dev, parts);
	vfk_device_close(dev);
	peer_end(&peer);
	census_check(&before);
	return 0;
}

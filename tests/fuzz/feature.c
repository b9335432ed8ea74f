/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.c - structures of DEVICE_FEATURE, and migration data, between a hostile peer and either end of ours.
 *
 * Input: a byte of flags, then records until the end: a byte for the descriptors that go with it (descriptors.h), a part
 * (16 bits of length, and the bytes). For a server of ours a record is the payload of a DEVICE_FEATURE, and each is
 * answered; behind it is a device that has every feature, or, with FLAG_EDU, one for which the server itself logs what is
 * written. For a client of ours (FLAG_CLIENT) it is the payload of the reply to the next of its requests.
 *
 * What reaches the device has passed every check that a program's own call has; what reaches a client's caller is of the
 * length that it gave room for.
 */
#include "lib/base/feature.h"
#include "every_feature.h"
#include "host.h"
#include "lib/wire/header.h"
#include "peer.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLAG_CLIENT 0x01
#define FLAG_EDU    0x02
#define FLAG_SIZES  0x04 /* the client gives more room than is needed */

#define TIMEOUT_MS 5
#define MOST	   32 /* records */
#define PAGES	   64
#define CANARY	   0xa5

/* ---- a server ---- */

static void greet(struct host *h)
{
	static const struct {
		struct vfki_wire_version v;
		char json[60];
	} hello = { { .minor = VFKI_WIRE_MINOR },
		    "{\"capabilities\":{\"migration\":{\"pgsize\":4096}}}" };
	size_t len = sizeof(hello.v) + strlen(hello.json) + 1;

	REQUIRE(host_ask(h, VFKI_WIRE_VERSION, &hello, len, 0) && host_granted(h));
}

static void map_memory(struct host *h)
{
	const struct vfki_wire_dma_map m = {
		.argsz = sizeof(m), .flags = 3, .addr = 0x100000, .size = DESCRIPTORS_MEMORY
	};

	host_ask(h, VFKI_WIRE_DMA_MAP, &m, sizeof(m), 1);
}

/* No more than there is room for, about what was asked. */
static void check_granted(const struct host *h, struct input asked)
{
	struct vfki_wire_feature was, is;
	size_t len = h->head.size - sizeof(h->head);

	REQUIRE(asked.len >= sizeof(was) && len >= sizeof(is));
	memcpy(&was, asked.bytes, sizeof(was));
	memcpy(&is, h->payload, sizeof(is));
	REQUIRE(is.flags == was.flags && is.argsz == len && len <= was.argsz);
	REQUIRE(!h->nfds);
}

static void serve(struct vfk_device *dev, struct input in)
{
	struct host h;

	host_begin(&h, dev);
	greet(&h);
	map_memory(&h);
	for (int i = 0; i < MOST && in.len; i++) {
		uint8_t spec = take8(&in);
		struct input part = take_part(&in);

		if (!host_ask(&h, VFKI_WIRE_DEVICE_FEATURE, part.bytes, part.len, spec))
			break;
		if (host_granted(&h))
			check_granted(&h, part);
	}
	host_end(&h);
}

static void fuzz_server(struct input in, uint8_t flags)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	struct vfk_device *dev;
	struct vfk_io every;

	if (flags & FLAG_EDU) {
		REQUIRE(!vfk_device_open("model:edu", &opts, &dev));
	} else {
		vfk_io_init(&every, &every_feature_ops, "every feature");
		REQUIRE(!vfk_device_open_io(&every, &opts, &dev));
	}
	serve(dev, in);
	vfk_device_close(dev);
}

/* ---- a client ---- */

/* Memory of a feature's own length, so that the sanitizer sees what is written behind it. */
static void get_one(struct vfk_device *dev, const struct vfki_feature *feature, size_t more)
{
	size_t len = vfki_feature_data_size(feature, VFIO_DEVICE_FEATURE_GET) + more;
	uint8_t *data = malloc(len);

	memset(data, CANARY, len);
	if (!vfk_feature_get(dev, feature->id, data, len))
		for (size_t i = len - more; i < len; i++)
			REQUIRE(data[i] == CANARY || data[i] == 0);
	free(data);
}

static void report(struct vfk_device *dev)
{
	uint64_t bitmap[PAGES / 64 + 1] = { [PAGES / 64] = CANARY };
	struct vfio_device_feature_dma_logging_report r = { .iova = 0x100000,
							    .length = PAGES * 4096,
							    .page_size = 4096,
							    .bitmap = (uintptr_t)bitmap };

	vfk_feature_get(dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &r, sizeof(r));
	REQUIRE(bitmap[PAGES / 64] == CANARY);
}

static void start_logging(struct vfk_device *dev)
{
	static const struct vfio_device_feature_dma_logging_range ranges[2] = {
		{ .iova = 0x100000, .length = 0x10000 }, { .iova = 0x200000, .length = 0x1000 }
	};
	const struct vfio_device_feature_dma_logging_control c = { .page_size = 4096,
								   .num_ranges = 2,
								   .ranges = (uintptr_t)ranges };

	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &c, sizeof(c));
}

static void set_rest(struct vfk_device *dev)
{
	struct vfio_device_feature_mig_state state = { .device_state = 2, .data_fd = -1 };
	struct vfio_device_low_power_entry_with_wakeup wakeup = { .wakeup_eventfd = -1 };

	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &state, sizeof(state));
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0);
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, &wakeup,
			sizeof(wakeup));
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0);
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0);
}

static void use(struct vfk_device *dev, size_t more)
{
	struct vfk_precopy_info precopy = { .argsz = sizeof(precopy) };
	const struct vfki_feature *feature;
	uint8_t bytes[64];
	uint32_t ops;

	for (size_t i = 0; (feature = vfki_feature_at(i)); i++) {
		vfk_feature_probe(dev, feature->id, &ops);
		if (feature->methods & VFIO_DEVICE_FEATURE_GET && !feature->get_input)
			get_one(dev, feature, more);
	}
	start_logging(dev);
	report(dev);
	set_rest(dev);
	REQUIRE(vfk_device_mig_read(dev, bytes, sizeof(bytes)) <= (ssize_t)sizeof(bytes));
	REQUIRE(vfk_device_mig_write(dev, bytes, sizeof(bytes)) <= (ssize_t)sizeof(bytes));
	vfk_device_precopy_info(dev, &precopy);
}

/* Each record becomes one of peer.h's replies, behind the answers to VERSION and the device's info. */
static size_t make_replies(struct input in, uint8_t *records)
{
	size_t len = 0;

	records[len++] = PEER_GOOD;
	records[len++] = PEER_GOOD;
	for (int i = 0; i < MOST && in.len; i++) {
		uint8_t spec = take8(&in);
		struct input part = take_part(&in);

		records[len++] = part.len ? PEER_REPLY : PEER_GOOD;
		if (!part.len)
			continue;
		records[len++] = spec;
		records[len++] = (uint8_t)part.len;
		records[len++] = (uint8_t)(part.len >> 8);
		memcpy(records + len, part.bytes, part.len);
		len += part.len;
	}
	return len;
}

static void fuzz_client(struct input in, uint8_t flags)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .timeout_ms = TIMEOUT_MS };
	uint8_t *records = malloc(2 + in.len + 4 * MOST);
	struct vfk_device *dev;
	struct peer peer;
	char uri[40];

	peer_begin(&peer, records, make_replies(in, records));
	peer.go_on = true;
	snprintf(uri, sizeof(uri), "vfio-user:fd=%d", peer.client);
	if (!vfk_device_open(uri, &opts, &dev)) {
		use(dev, flags & FLAG_SIZES ? 16 : 0);
		vfk_device_close(dev);
	}
	close(peer.client);
	peer_end(&peer);
	free(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t flags = take8(&in);
	struct census before;

	census_take(&before);
	(flags & FLAG_CLIENT ? fuzz_client : fuzz_server)(in, flags);
	census_check(&before);
	return 0;
}

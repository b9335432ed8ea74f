/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * version.c - what either end makes of the other's VERSION, and whether it then keeps to what was said.
 *
 * Input: a byte of flags, a byte for the descriptors that go with the payload (descriptors.h), the payload of VERSION. It is
 * what a client proposes to a server of ours, or, with FLAG_CLIENT, what a server answers to a client of ours. Then
 * things are done that take as much as there is: many descriptors, long accesses, more mappings than were allowed.
 */
#include "lib/wire/version.h"
#include "host.h"
#include "lib/wire/header.h"
#include "peer.h"
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FLAG_CLIENT 0x01 /* ours is the client */
#define FLAG_TWIN   0x02 /* and asks for a twin socket */

#define TIMEOUT_MS 5
#define LONG	   6000 /* more than a server that says 4096 takes */
#define VECTORS	   6
#define MAPS	   3

/* ---- a server ---- */

/* The answer has no key that was not said, but for the limits that are everybody's own; and no later minor. */
static void check_answer(const struct host *h, const struct vfki_wire_hello *said)
{
	const uint32_t limits = VFKI_WIRE_KEY_MAX_FDS | VFKI_WIRE_KEY_MAX_XFER | VFKI_WIRE_KEY_JSON;
	struct vfki_wire_hello answer;

	REQUIRE(!vfki_dec_version(h->payload, h->head.size - sizeof(h->head), &answer));
	REQUIRE(answer.major == said->major && answer.minor <= said->minor);
	REQUIRE(!(answer.caps.keys & ~(said->caps.keys | limits)));
	if (answer.caps.keys & VFKI_WIRE_KEY_MAX_XFER)
		REQUIRE(answer.caps.max_data_xfer_size <= HOST_MAX_XFER);
}

static void ask_region(struct host *h, const struct vfki_wire_hello *said)
{
	struct vfio_region_info info = { .argsz = 4096 };

	for (info.index = 0; info.index < 10; info.index++)
		if (host_ask(h, VFKI_WIRE_DEVICE_GET_REGION_INFO, &info, sizeof(info), 0))
			REQUIRE(h->nfds <= said->caps.max_msg_fds);
}

/* What a client asks for it can take, whatever it said; the server's own limit is one for all. */
static void read_long(struct host *h)
{
	struct vfki_wire_region_access a = { .region = VFIO_PCI_BAR2_REGION_INDEX };

	for (a.count = 1; a.count <= 2 * HOST_MAX_XFER; a.count *= 2)
		if (host_ask(h, VFKI_WIRE_REGION_READ, &a, sizeof(a), 0))
			REQUIRE(host_granted(h) == (a.count <= HOST_MAX_XFER));
}

static void greet_server(struct vfk_device *dev, struct input in, uint8_t spec)
{
	struct vfki_wire_hello said;
	struct host h;

	host_begin(&h, dev);
	if (host_ask(&h, VFKI_WIRE_VERSION, in.bytes, in.len, spec) && host_granted(&h)) {
		REQUIRE(!vfki_dec_version(in.bytes, in.len, &said));
		check_answer(&h, &said);
		ask_region(&h, &said);
		read_long(&h);
		/* There is one negotiation. */
		REQUIRE(!host_ask(&h, VFKI_WIRE_VERSION, in.bytes, in.len, 0) || !host_granted(&h));
	} else {
		/* Without one nothing is served. */
		REQUIRE(!host_ask(&h, VFKI_WIRE_DEVICE_RESET, NULL, 0, 0) || !host_granted(&h));
	}
	host_end(&h);
}

/* ---- a client ---- */

/* What the server said, as the specification has it where it did not. */
static struct vfki_wire_caps limits;
static unsigned int maps;

static size_t count_fds(const struct msghdr *m)
{
	const struct cmsghdr *c = m->msg_controllen ? m->msg_control : NULL;

	return c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
}

/* Each message of the client's. */
static void check_message(const struct msghdr *m)
{
	struct vfki_wire_header h;

	REQUIRE(m->msg_iov[0].iov_len >= sizeof(h));
	memcpy(&h, m->msg_iov[0].iov_base, sizeof(h));
	if (h.command == VFKI_WIRE_VERSION)
		return;
	REQUIRE(count_fds(m) <= limits.max_msg_fds);
	REQUIRE(h.command != VFKI_WIRE_REGION_WRITE_MULTI || limits.write_multiple);
	if (h.command == VFKI_WIRE_REGION_WRITE)
		REQUIRE(h.size - sizeof(h) - sizeof(struct vfki_wire_region_access) <=
			limits.max_data_xfer_size);
	if (h.command == VFKI_WIRE_DMA_MAP)
		REQUIRE(++maps <= limits.max_dma_maps);
}

static void learn_limits(struct input in)
{
	struct vfki_wire_hello said;

	vfki_wire_caps_default(&limits);
	maps = 0;
	if (!vfki_dec_version(in.bytes, in.len, &said))
		limits = said.caps;
}

static void map_often(struct vfk_device *dev)
{
	struct vfk_dma_buffer buffer[MAPS];
	struct vfk_dma_space *space;

	REQUIRE(!vfk_dma_space_create(&space));
	if (!vfk_device_attach_dma(dev, space)) {
		for (int i = 0; i < MAPS; i++) {
			buffer[i] = (struct vfk_dma_buffer){ .size = sizeof(buffer[i]) };
			if (vfk_dma_alloc(space, 4096, VFK_DMA_READ, &buffer[i]))
				buffer[i].fd = -1;
		}
		REQUIRE(!vfk_device_detach_dma(dev));
		for (int i = 0; i < MAPS; i++)
			REQUIRE(buffer[i].fd < 0 || !vfk_dma_free(space, &buffer[i]));
	}
	REQUIRE(!vfk_dma_space_destroy(space));
}

static void use_all(struct vfk_device *dev)
{
	struct vfk_region_write writes[4] = { 0 };
	uint8_t bytes[LONG] = { 0 };
	int fds[VECTORS];

	for (size_t i = 0; i < 4; i++)
		writes[i].len = 4;
	for (size_t i = 0; i < VECTORS; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vfk_irq_set_eventfds(dev, VFIO_PCI_MSIX_IRQ_INDEX, 0, VECTORS, fds);
	for (size_t i = 0; i < VECTORS; i++)
		close(fds[i]);
	vfk_region_write(dev, 0, 0, bytes, LONG, 0);
	vfk_region_read(dev, 0, 0, bytes, LONG);
	vfk_region_write_multi(dev, writes, 4);
	map_often(dev);
}

static void greet_client(struct input in, uint8_t flags, uint8_t spec)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .timeout_ms = TIMEOUT_MS };
	uint8_t records[4096] = { PEER_REPLY, spec, (uint8_t)in.len, (uint8_t)(in.len >> 8) };
	struct vfk_device *dev;
	struct peer peer;
	char uri[60];

	if (in.len)
		memcpy(records + 4, in.bytes, in.len);
	peer_begin(&peer, records, 4 + in.len);
	peer.go_on = true;
	peer.sent = check_message;
	learn_limits(in);
	snprintf(uri, sizeof(uri), "vfio-user:fd=%d%s", peer.client,
		 flags & FLAG_TWIN ? ",twin=on" : "");
	if (!vfk_device_open(uri, &opts, &dev)) {
		/* What cannot be understood opens nothing. */
		struct vfki_wire_hello said;

		REQUIRE(!vfki_dec_version(in.bytes, in.len, &said) && !said.major);
		use_all(dev);
		vfk_device_close(dev);
	}
	close(peer.client);
	peer_end(&peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	struct input in = { data, size };
	uint8_t flags = take8(&in), spec = take8(&in);
	struct vfk_device *dev;
	struct census before;

	if (in.len > 4000)
		return -1;
	census_take(&before);
	if (flags & FLAG_CLIENT) {
		greet_client(in, flags, spec);
	} else {
		REQUIRE(!vfk_device_open("model:testdev", &opts, &dev));
		greet_server(dev, in, spec);
		vfk_device_close(dev);
	}
	census_check(&before);
	return 0;
}

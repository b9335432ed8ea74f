/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.c - capability chains of a device that a hostile server makes up: of the device info, of a region's info, and of
 * PCI config space, standard and extended.
 *
 * Input: a byte of flags; a part (16 bits of length, and the bytes) that stands behind the fixed members of the device
 * info, one behind those of region 0's info; then, until the end, what is written over a config space that has a header and
 * nothing else: 16 bits of offset, a byte of length, the bytes.
 *
 * The server is that of peer.h, on a socketpair. What the library finds in a chain lies in it, and is found once.
 */
#include "lib/base/capchain.h"
#include "peer.h"
#include <linux/pci_regs.h>
#include <stdio.h>
#include <unistd.h>
#include <vfiokit/vfiokit.h>

#define FLAG_DEVICE_OFFSET 0x01 /* cap_offset of the device info is 16 bits of the part's front */
#define FLAG_REGION_OFFSET 0x02 /* the same of the region's */
#define FLAG_CONVENTIONAL  0x04 /* config space of 256 bytes */
#define FLAG_KEEP_CAPS	   0x08 /* the virtual device hides none for its meaning */

#define TIMEOUT_MS  5
#define CONFIG	    VFIO_PCI_CONFIG_REGION_INDEX
#define CONFIG_SIZE 4096u
#define STD_SIZE    256u
#define STD_FIRST   64u
#define MOST_STD    48 /* (256 - 64) / 4 */
#define MOST_EXT    960
#define MOST_CHAIN  4096
#define GUEST_FIRST 0x34

static struct device {
	uint8_t flags;
	struct input device_chain, region_chain;
	uint8_t config[CONFIG_SIZE];
} device;

/* ---- the server's device ---- */

static void put16(uint32_t at, uint16_t value)
{
	memcpy(device.config + at, &value, sizeof(value));
}

static void make_config(struct input *in)
{
	memset(device.config, 0, sizeof(device.config));
	put16(PCI_VENDOR_ID, 0x1234);
	put16(PCI_DEVICE_ID, 0x11e8);
	put16(PCI_STATUS, PCI_STATUS_CAP_LIST);
	device.config[PCI_CAPABILITY_LIST] = STD_FIRST;
	while (in->len) {
		uint16_t at = take16(in) % CONFIG_SIZE;
		size_t len = take8(in);

		if (len > in->len)
			len = in->len;
		if (len > CONFIG_SIZE - at)
			len = CONFIG_SIZE - at;
		memcpy(device.config + at, take(in, len), len);
	}
}

/* Fixed members and a chain, as much as the client gave room for; argsz tells what it all needs. */
static size_t with_chain(uint8_t *payload, size_t fixed, struct input chain, uint32_t room)
{
	uint32_t all = (uint32_t)(fixed + chain.len);

	memcpy(payload, &all, sizeof(all));
	if (room < all)
		return fixed;
	if (chain.len)
		memcpy(payload + fixed, chain.bytes, chain.len);
	return all;
}

static uint32_t asked(const struct peer *peer, size_t at)
{
	uint32_t value;

	memcpy(&value, peer->payload + at, sizeof(value));
	return value;
}

static uint32_t first_cap(struct input chain, size_t fixed, uint8_t flag)
{
	return device.flags & flag ? take16(&chain) : (uint32_t)fixed;
}

static size_t device_info(const struct peer *peer, uint8_t *payload)
{
	struct vfio_device_info info = { .flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
					 .num_regions = 9,
					 .num_irqs = 5 };

	if (device.device_chain.len) {
		info.flags |= VFIO_DEVICE_FLAGS_CAPS;
		info.cap_offset = first_cap(device.device_chain, sizeof(info), FLAG_DEVICE_OFFSET);
	}
	memcpy(payload, &info, sizeof(info));
	return with_chain(payload, sizeof(info), device.device_chain, asked(peer, 0));
}

static size_t region_info(const struct peer *peer, uint8_t *payload)
{
	struct vfio_region_info info = {
		.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		.index = asked(peer, 8),
		.size = CONFIG_SIZE,
	};
	struct input chain = { 0 };

	if (info.index == CONFIG && device.flags & FLAG_CONVENTIONAL)
		info.size = STD_SIZE;
	if (!info.index && device.region_chain.len) {
		chain = device.region_chain;
		info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
		info.cap_offset = first_cap(chain, sizeof(info), FLAG_REGION_OFFSET);
	}
	memcpy(payload, &info, sizeof(info));
	return with_chain(payload, sizeof(info), chain, asked(peer, 0));
}

/* What was written is there: the library turns bits on and off. */
static size_t access_config(const struct peer *peer, uint8_t *payload, bool write)
{
	struct vfki_wire_region_access a;
	size_t data = peer->head.size - sizeof(peer->head) - sizeof(a);

	memcpy(&a, peer->payload, sizeof(a));
	memcpy(payload, &a, sizeof(a));
	REQUIRE(a.count <= CONFIG_SIZE && a.offset <= CONFIG_SIZE - a.count);
	if (write && data <= sizeof(peer->payload) - sizeof(a))
		memcpy(device.config + a.offset, peer->payload + sizeof(a), data);
	if (write)
		return sizeof(a);
	memcpy(payload + sizeof(a), device.config + a.offset, a.count);
	return sizeof(a) + a.count;
}

static size_t good(struct peer *peer, uint8_t *payload, uint8_t *spec)
{
	struct vfki_wire_region_access a;

	*spec = 0;
	memcpy(&a, peer->payload, sizeof(a));
	switch (peer->head.command) {
	case VFKI_WIRE_DEVICE_GET_INFO:
		return device_info(peer, payload);
	case VFKI_WIRE_DEVICE_GET_REGION_INFO:
		return region_info(peer, payload);
	case VFKI_WIRE_REGION_READ:
	case VFKI_WIRE_REGION_WRITE:
		if (a.region == CONFIG)
			return access_config(peer, payload,
					     peer->head.command == VFKI_WIRE_REGION_WRITE);
	}
	return peer_good(peer, payload, spec);
}

/* ---- what is found ---- */

static void look_at(const void *bytes, size_t len)
{
	static volatile uint8_t seen;

	for (size_t i = 0; i < len; i++)
		seen = ((const uint8_t *)bytes)[i];
	(void)seen;
}

static void walk_infos(struct vfk_device *dev)
{
	const struct vfk_region_info *info;
	const void *cap;
	size_t len;

	for (uint16_t id = 0; id < 16; id++)
		if (!vfk_device_cap(dev, id, &cap, &len))
			look_at(cap, len);
	if (vfk_region_get_info(dev, 0, &info))
		return;
	for (uint16_t id = 0; id < 16; id++) {
		if (vfk_region_cap(info, id, &cap, &len))
			continue;
		REQUIRE(len >= sizeof(struct vfio_info_cap_header));
		look_at(cap, len);
	}
}

/* Where it may be, and that it is found again by its id unless another of that id comes first. */
static void check_cap(const struct vfk_pci *pci, const struct vfk_pci_cap *cap)
{
	uint32_t off;

	REQUIRE(cap->offset % 4 == 0);
	if (cap->extended) {
		REQUIRE(cap->offset >= STD_SIZE && cap->offset < vfk_pci_config_size(pci));
		REQUIRE(!vfk_pci_ext_cap_find(pci, cap->id, &off) && off >= STD_SIZE);
	} else {
		REQUIRE(cap->offset >= STD_FIRST && cap->offset < STD_SIZE);
		REQUIRE(!vfk_pci_cap_find(pci, (uint8_t)cap->id, &off) && off < STD_SIZE);
	}
}

static void walk_config(const struct vfk_pci *pci)
{
	uint8_t seen[CONFIG_SIZE] = { 0 };
	struct vfk_pci_cap cap = { 0 };
	int count = 0;

	while (vfk_pci_cap_next(pci, &cap) == 1) {
		check_cap(pci, &cap);
		REQUIRE(!seen[cap.offset]++);
		REQUIRE(++count <= MOST_STD + MOST_EXT);
	}
}

static uint32_t next_of_guest(struct vfk_pci_virtual *v, uint32_t at)
{
	uint32_t header;

	REQUIRE(at >= STD_FIRST && at < STD_SIZE && at % 4 == 0);
	REQUIRE(!vfk_pci_virtual_config_read(v, at, 2, &header));
	return header >> 8 & ~3u;
}

/* The chain that a guest sees ends, whatever the device's does. */
static void walk_as_guest(struct vfk_pci_virtual *v)
{
	uint32_t at, count = 0;

	if (vfk_pci_virtual_config_read(v, GUEST_FIRST, 1, &at))
		return;
	for (at &= ~3u; at; at = next_of_guest(v, at))
		REQUIRE(++count <= MOST_STD);
}

/* All of the standard part, and some of the extended one: each is a message. */
static void read_as_guest(struct vfk_pci_virtual *v, uint32_t size)
{
	uint32_t value;

	for (uint32_t off = 0; off < size; off += off < STD_SIZE ? 4 : 256)
		vfk_pci_virtual_config_read(v, off, 4, &value);
}

static void use_virtual(struct vfk_pci *pci)
{
	const struct vfk_pci_virtual_opts opts = {
		.size = sizeof(opts),
		.flags = device.flags & FLAG_KEEP_CAPS ? VFK_PCI_VIRTUAL_KEEP_CAPS : 0,
	};
	static const uint8_t data[6] = { 1, 2, 3, 4, 5, 6 };
	struct vfk_pci_virtual *v;
	uint32_t off;

	if (vfk_pci_virtual_create(pci, &opts, &v))
		return;
	walk_as_guest(v);
	read_as_guest(v, vfk_pci_config_size(pci));
	if (!vfk_pci_virtual_add_cap(v, PCI_CAP_ID_VNDR, data, sizeof(data), NULL, &off))
		REQUIRE(off >= STD_FIRST && off <= STD_SIZE - sizeof(data));
	vfk_pci_virtual_hide_cap(v, false, PCI_CAP_ID_PM);
	vfk_pci_virtual_hide_cap(v, true, PCI_EXT_CAP_ID_ERR);
	walk_as_guest(v);
	vfk_pci_virtual_config_write(v, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (!vfk_pci_virtual_find_cap(v, false, PCI_CAP_ID_MSIX, &off))
		vfk_pci_virtual_config_write(v, off + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	vfk_pci_virtual_reset(v);
	vfk_pci_virtual_destroy(v);
}

static void use(struct vfk_device *dev)
{
	struct vfk_pci *pci;

	walk_infos(dev);
	if (vfk_pci_open(dev, &pci))
		return;
	walk_config(pci);
	use_virtual(pci);
	vfk_pci_close(pci);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .timeout_ms = TIMEOUT_MS };
	struct input in = { data, size };
	struct vfk_device *dev;
	struct census before;
	struct peer peer;
	char uri[40];

	device.flags = take8(&in);
	device.device_chain = take_part(&in);
	device.region_chain = take_part(&in);
	make_config(&in);
	if (device.device_chain.len > MOST_CHAIN || device.region_chain.len > MOST_CHAIN)
		return -1;
	census_take(&before);
	peer_begin(&peer, NULL, 0);
	peer.go_on = true;
	peer.good = good;
	snprintf(uri, sizeof(uri), "vfio-user:fd=%d", peer.client);
	if (!vfk_device_open(uri, &opts, &dev)) {
		use(dev);
		vfk_device_close(dev);
	}
	close(peer.client);
	peer_end(&peer);
	census_check(&before);
	return 0;
}

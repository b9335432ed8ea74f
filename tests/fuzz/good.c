/* SPDX-License-Identifier: BSD-3-Clause */
/* good.c - answers as a well-behaved server gives them: a device of nine regions and five kinds of interrupts. */
#include "lib/wire/region_info.h"
#include "peer.h"

#define REGION_SIZE DESCRIPTORS_MEMORY
/* In the upper half of a descriptor byte. */
#define SEALED	    0x10
#define EVENTFD	    0x30

static size_t put(uint8_t *payload, const void *bytes, size_t len)
{
	memcpy(payload, bytes, len);
	return len;
}

static size_t version(uint8_t *payload)
{
	static const struct vfki_wire_version v = { .minor = VFKI_WIRE_MINOR };
	static const char json[] =
		"{\"capabilities\":{\"max_msg_fds\":4,\"max_data_xfer_size\":4096,"
		"\"write_multiple\":true,\"migration\":{\"pgsize\":4096},"
		"\"vfiokit\":{\"irq_count\":true,\"sparse_fds\":true}}}";

	memcpy(payload + sizeof(v), json, sizeof(json));
	return put(payload, &v, sizeof(v)) + sizeof(json);
}

static size_t device_info(uint8_t *payload)
{
	static const struct vfki_wire_device_info info = {
		.argsz = sizeof(info), .flags = 3, .num_regions = 9, .num_irqs = 5
	};

	return put(payload, &info, sizeof(info));
}

/* Two areas, with a descriptor each. */
static size_t areas(uint8_t *payload, struct vfio_region_info *info)
{
	static const struct {
		struct vfio_info_cap_header head;
		uint32_t count, reserved;
		struct vfki_wire_sparse_fd_area area[2];
	} cap = { { VFKI_WIRE_CAP_SPARSE_MMAP_FDS, 1, 0 },
		  2,
		  0,
		  { { .offset = 0, .size = 0x1000 },
		    { .offset = 0x2000, .fd_offset = 0x1000, .size = 0x2000, .fd_index = 1 } } };

	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	info->cap_offset = sizeof(*info);
	info->argsz += sizeof(cap);
	return put(payload + sizeof(*info), &cap, sizeof(cap));
}

/* The first can be mapped as a whole, the second in part, the others cannot. */
static size_t region_info(const struct peer *peer, uint8_t *payload, uint8_t *spec)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		.size = REGION_SIZE,
	};
	size_t more = 0;

	memcpy(&info.index, peer->payload + 8, sizeof(info.index));
	if (info.index < 2) {
		info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
		*spec = (uint8_t)(SEALED | (info.index + 1));
	}
	if (info.index == 1)
		more = areas(payload, &info);
	return put(payload, &info, sizeof(info)) + more;
}

static size_t irq_info(const struct peer *peer, uint8_t *payload)
{
	struct vfio_irq_info info = {
		.argsz = sizeof(info),
		.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE,
		.count = 8,
	};

	memcpy(&info.index, peer->payload + 8, sizeof(info.index));
	return put(payload, &info, sizeof(info));
}

/* Two, which share an eventfd; the second is a shadow in the same. */
static size_t region_io_fds(const struct peer *peer, uint8_t *payload, uint8_t *spec)
{
	struct {
		struct vfki_wire_region_io_fds head;
		struct vfki_wire_sub_region sub[2];
	} reply = { { .argsz = sizeof(reply), .count = 2 },
		    { { .offset = 16, .size = 4 }, { .offset = 32, .type = 2 } } };

	memcpy(&reply.head.index, peer->payload + 8, sizeof(reply.head.index));
	*spec = EVENTFD | 1;
	return put(payload, &reply, sizeof(reply));
}

static size_t region_read(const struct peer *peer, uint8_t *payload)
{
	struct vfki_wire_region_access a;

	memcpy(&a, peer->payload, sizeof(a));
	if (a.count > PEER_BIGGEST - sizeof(a))
		return put(payload, &a, sizeof(a));
	memset(payload + sizeof(a), 0x5a, a.count);
	return put(payload, &a, sizeof(a)) + a.count;
}

static size_t mig_read(uint8_t *payload)
{
	static const struct vfki_wire_mig_data data = { .argsz = 16, .size = 8 };

	memset(payload + sizeof(data), 0x5a, data.size);
	return put(payload, &data, sizeof(data)) + data.size;
}

/* The structure that was sent, or, for GET, zeros of the length that its caller gave room for. */
static size_t feature(const struct peer *peer, uint8_t *payload)
{
	struct vfki_wire_feature f;
	size_t len = peer->head.size - sizeof(peer->head);

	memcpy(&f, peer->payload, sizeof(f));
	if (f.flags & VFIO_DEVICE_FEATURE_GET && f.argsz <= PEER_BIGGEST)
		len = f.argsz;
	if (len > PEER_BIGGEST)
		len = sizeof(f);
	memset(payload, 0, len);
	memcpy(payload, peer->payload, len < sizeof(peer->payload) ? len : sizeof(peer->payload));
	return len;
}

size_t peer_good(const struct peer *peer, uint8_t *payload, uint8_t *spec)
{
	*spec = 0;
	switch (peer->head.command) {
	case VFKI_WIRE_VERSION:
		return version(payload);
	case VFKI_WIRE_DEVICE_GET_INFO:
		return device_info(payload);
	case VFKI_WIRE_DEVICE_GET_REGION_INFO:
		return region_info(peer, payload, spec);
	case VFKI_WIRE_DEVICE_GET_IRQ_INFO:
		return irq_info(peer, payload);
	case VFKI_WIRE_REGION_READ:
		return region_read(peer, payload);
	case VFKI_WIRE_REGION_WRITE:
		return put(payload, peer->payload, sizeof(struct vfki_wire_region_access));
	case VFKI_WIRE_REGION_WRITE_MULTI:
	case VFKI_WIRE_MIG_DATA_WRITE:
		return put(payload, peer->payload, 8);
	case VFKI_WIRE_DMA_UNMAP:
		return put(payload, peer->payload, sizeof(struct vfki_wire_dma_unmap));
	case VFKI_WIRE_MIG_DATA_READ:
		return mig_read(payload);
	case VFKI_WIRE_DEVICE_GET_REGION_IO_FDS:
		return region_io_fds(peer, payload, spec);
	case VFKI_WIRE_GET_PRECOPY_INFO:
		memset(payload, 0, sizeof(struct vfki_wire_precopy_info));
		return sizeof(struct vfki_wire_precopy_info);
	case VFKI_WIRE_DEVICE_FEATURE:
		return feature(peer, payload);
	default:
		return 0;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * version.c - what both ends agree on.
 *
 * The payload itself is version_json.c's. Pure functions.
 */
#include "lib/wire/version.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

/* Every client known takes this many in max_msg_fds; QEMU refuses a server that says more. */
#define FDS_ANY_CLIENT_TAKES 16u

void vfki_wire_caps_default(struct vfki_wire_caps *caps)
{
	*caps = (struct vfki_wire_caps){
		.max_msg_fds = VFKI_WIRE_DEFAULT_FDS,
		.max_data_xfer_size = VFKI_WIRE_DEFAULT_XFER,
		.max_dma_maps = VFKI_WIRE_DEFAULT_DMA_MAPS,
		.pgsizes = VFKI_WIRE_DEFAULT_PGSIZES,
		.twin_fd_index = -1,
	};
}

void vfki_wire_caps_own(struct vfki_wire_caps *caps, uint64_t max_xfer, bool twin_socket)
{
	if (max_xfer > VFKI_WIRE_MAX_XFER)
		max_xfer = VFKI_WIRE_MAX_XFER;
	if (max_xfer < VFKI_WIRE_MIN_XFER)
		max_xfer = VFKI_WIRE_MIN_XFER;
	*caps = (struct vfki_wire_caps){
		.keys = VFKI_WIRE_KEY_JSON | VFKI_WIRE_KEY_MAX_FDS | VFKI_WIRE_KEY_MAX_XFER |
			VFKI_WIRE_KEY_MAX_DMA_MAPS | VFKI_WIRE_KEY_PGSIZES |
			VFKI_WIRE_KEY_WRITE_MULTI | VFKI_WIRE_KEY_MIGRATION | VFKI_WIRE_KEY_VFIOKIT,
		.max_msg_fds = VFKI_WIRE_MAX_FDS,
		.max_data_xfer_size = max_xfer,
		.max_dma_maps = VFKI_WIRE_MAX_DMA_MAPS,
		.pgsizes = VFKI_WIRE_OWN_PGSIZES,
		.twin_fd_index = -1,
		.write_multiple = true,
		.migration_pgsize = VFKI_WIRE_DEFAULT_PGSIZES,
		.migration_max_bitmap = vfki_min_u64(max_xfer, VFKI_WIRE_MAX_BITMAP),
		.irq_count = true,
		.sparse_fds = true,
	};
	if (twin_socket) {
		caps->keys |= VFKI_WIRE_KEY_TWIN_SOCKET;
		caps->twin_socket = true;
	}
}

/* What two sides have in common: the smaller limits, the features of both. */
static void intersect(const struct vfki_wire_caps *a, const struct vfki_wire_caps *b,
		      struct vfki_wire_caps *r)
{
	r->max_data_xfer_size = vfki_min_u64(a->max_data_xfer_size, b->max_data_xfer_size);
	r->max_dma_maps = vfki_min_u64(a->max_dma_maps, b->max_dma_maps);
	r->pgsizes = a->pgsizes & b->pgsizes;
	r->twin_socket = a->twin_socket && b->twin_socket;
	r->twin_fd_index = -1;
	r->write_multiple = a->write_multiple && b->write_multiple;
	r->migration_pgsize = a->migration_pgsize & b->migration_pgsize;
	r->migration_max_bitmap = vfki_min_u64(a->migration_max_bitmap, b->migration_max_bitmap);
	if (!r->migration_pgsize || !r->migration_max_bitmap)
		r->migration_pgsize = r->migration_max_bitmap = 0;
	r->irq_count = a->irq_count && b->irq_count;
	r->sparse_fds = a->sparse_fds && b->sparse_fds;
}

static int check_common(const struct vfki_wire_caps *common)
{
	if (!common->pgsizes)
		return vfki_err(-EINVAL, "version: no page size in common");
	return 0;
}

static void agree(const struct vfki_wire_caps *common, struct vfki_wire_agreed *agreed)
{
	*agreed = (struct vfki_wire_agreed){
		.send_xfer = common->max_data_xfer_size,
		.recv_xfer = common->max_data_xfer_size,
		.max_dma_maps = common->max_dma_maps,
		.pgsizes = common->pgsizes,
		.twin_socket = common->twin_socket,
		.twin_fd_index = -1,
		.write_multiple = common->write_multiple,
		.migration_pgsize = common->migration_pgsize,
		.migration_max_bitmap = common->migration_max_bitmap,
		.irq_count = common->irq_count,
		.sparse_fds = common->sparse_fds,
	};
}

static uint32_t reply_keys(const struct vfki_wire_caps *own, const struct vfki_wire_caps *client,
			   const struct vfki_wire_caps *common)
{
	uint32_t keys = own->keys & client->keys;

	/* Limits on what we take are worth saying to whoever can read them. */
	if (keys & VFKI_WIRE_KEY_JSON)
		keys |= VFKI_WIRE_KEY_MAX_FDS | VFKI_WIRE_KEY_MAX_XFER;
	if (!common->migration_pgsize)
		keys &= ~VFKI_WIRE_KEY_MIGRATION;
	return keys;
}

int vfki_wire_negotiate_server(const struct vfki_wire_caps *own,
			       const struct vfki_wire_hello *client, struct vfki_wire_hello *reply,
			       struct vfki_wire_agreed *agreed)
{
	struct vfki_wire_caps common = { .keys = 0 };
	uint32_t fds = FDS_ANY_CLIENT_TAKES;
	int r;

	if (client->major != VFKI_WIRE_MAJOR)
		return vfki_err(-EPROTONOSUPPORT, "version: client speaks %u.%u, need %u.x",
				client->major, client->minor, VFKI_WIRE_MAJOR);
	intersect(own, &client->caps, &common);
	r = check_common(&common);
	if (r)
		return r;
	if (client->caps.max_msg_fds > fds)
		fds = client->caps.max_msg_fds;
	common.max_msg_fds = own->max_msg_fds < fds ? own->max_msg_fds : fds;
	common.keys = reply_keys(own, &client->caps, &common);
	if (common.twin_socket)
		common.twin_fd_index = 0;
	agree(&common, agreed);
	agreed->minor = client->minor < VFKI_WIRE_MINOR ? client->minor : VFKI_WIRE_MINOR;
	agreed->send_fds = client->caps.max_msg_fds;
	agreed->recv_fds = common.max_msg_fds;
	reply->major = VFKI_WIRE_MAJOR;
	reply->minor = agreed->minor;
	reply->caps = common;
	return 0;
}

static int check_twin(const struct vfki_wire_caps *own, const struct vfki_wire_caps *server,
		      size_t nfds)
{
	if (!server->twin_socket)
		return nfds ? vfki_err(-EPROTO,
				       "version reply: %zu descriptors that nobody asked for",
				       nfds) :
			      0;
	if (!own->twin_socket)
		return vfki_err(-EPROTO, "version reply: a twin socket that nobody asked for");
	if (nfds != 1 || server->twin_fd_index != 0)
		return vfki_err(-EPROTO, "version reply: twin socket is descriptor %d of %zu",
				server->twin_fd_index, nfds);
	return 0;
}

int vfki_wire_negotiate_client(const struct vfki_wire_hello *own,
			       const struct vfki_wire_hello *server, size_t nfds,
			       struct vfki_wire_agreed *agreed)
{
	struct vfki_wire_caps common = { .keys = 0 };
	int r;

	if (server->major != own->major)
		return vfki_err(-EPROTONOSUPPORT, "version: server speaks %u.%u, need %u.x",
				server->major, server->minor, own->major);
	if (server->minor > own->minor)
		return vfki_err(-EPROTO, "version: server answers %u.%u to %u.%u", server->major,
				server->minor, own->major, own->minor);
	r = check_twin(&own->caps, &server->caps, nfds);
	if (r)
		return r;
	intersect(&own->caps, &server->caps, &common);
	r = check_common(&common);
	if (r)
		return r;
	agree(&common, agreed);
	agreed->minor = server->minor;
	agreed->send_fds = server->caps.max_msg_fds;
	agreed->recv_fds = own->caps.max_msg_fds;
	agreed->recv_xfer = own->caps.max_data_xfer_size;
	if (common.twin_socket)
		agreed->twin_fd_index = server->caps.twin_fd_index;
	return 0;
}

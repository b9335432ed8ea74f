/* SPDX-License-Identifier: BSD-3-Clause */
/* agreed.c - see agreed.h; the same line on both ends, so that the two can be compared. */
#include "lib/connection/agreed.h"
#include "lib/base/debug.h"
#include "lib/wire/wire.h"
#include <inttypes.h>

void vfki_agreed_tell(const char *name, const struct vfki_wire_agreed *a)
{
	if (!name)
		return;
	vfki_debug("%s: version %d.%u agreed; sends %" PRIu32 " descriptors and %" PRIu64
		   " bytes of data in a message, receives %" PRIu32 " and %" PRIu64
		   "; max_dma_maps %" PRIu64 ", pgsizes 0x%" PRIx64 "%s%s%s%s",
		   name, VFKI_WIRE_MAJOR, a->minor, a->send_fds, a->send_xfer, a->recv_fds,
		   a->recv_xfer, a->max_dma_maps, a->pgsizes,
		   a->write_multiple ? ", write_multiple" : "",
		   a->twin_socket ? ", twin_socket" : "", a->migration_pgsize ? ", migration" : "",
		   a->sparse_fds ? ", sparse fds" : "");
}

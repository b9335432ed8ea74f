/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bind_batch.h - the devices that "vfiokit bind" or "unbind" is about: one, or its IOMMU group.
 *
 * A batch is moved as a whole or not at all.
 */
#ifndef BIND_BATCH_H
#define BIND_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "args.h"
#include "binding.h"

struct bind_batch {
	bool group; /* the other members as well */
	bool force; /* also a disk that is in use */
	size_t num;
	struct binding *at; /* the named device first */
};

/* ADDRESS [--group], and --force where @may_force. Whether to go on; if not, exit with args->status. */
bool bind_batch_parse(struct bind_batch *batch, struct args *args, int argc, char **argv,
		      const char *help, bool may_force);

/*
 * Adds the members of the group, if they are wanted, for which wanted() is true; takes the lock; steps
 * through all, and back with undo() when one fails. STATUS_OK, or the failure printed.
 */
int bind_batch_run(struct bind_batch *batch, bool (*wanted)(const struct pci_slot *slot),
		   int (*step)(struct binding *binding), void (*undo)(struct binding *binding));

void bind_batch_free(struct bind_batch *batch);

/* For texts. */
const char *bind_batch_driver(const struct binding *binding);

#endif

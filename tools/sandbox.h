/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.h - the system calls that a server's loop needs, and no others.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether this build has it. */
bool sandbox_is_built_in(void);

/*
 * Restricts all threads of this process, for good. Only command, a child of ours, can then be signalled; 0: nobody. Call it
 * after privileges_drop(). STATUS_OK, or the failure printed.
 */
int sandbox_enter(const char *device, pid_t command);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privileges.h - giving up rights, for good, before a client is listened to. Before there are threads: the kernel keeps
 * most of these for each thread.
 */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <pwd.h>

/* The user of that name, in static memory; NULL, and the failure printed. */
const struct passwd *privileges_find(const char *device, const char *user);

/*
 * Becomes that user, with its groups. Memory may then be pinned as far as was permitted before. STATUS_OK, or
 * the failure printed.
 */
int privileges_become(const char *device, const struct passwd *user);

/*
 * Gives up all capabilities, and that any program started later has more rights than this one. STATUS_OK, or the failure
 * printed: also where a thread that is there already keeps capabilities.
 */
int privileges_drop(const char *device);

#endif

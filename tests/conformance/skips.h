/* SPDX-License-Identifier: BSD-3-Clause */
/* skips.h - the list of skips that are expected: a line each, "backend case reason", '#' begins a comment. */
#ifndef VFK_SKIPS_H
#define VFK_SKIPS_H

#include <stdbool.h>

struct skips;

/* Reads @path (NULL: an empty list). A line that names a case that does not exist, or no reason, is -EINVAL. */
int skips_read(const char *path, const char *backend, struct skips **skips);
void skips_free(struct skips *skips);
bool skips_listed(const struct skips *skips, const char *backend, const char *name);

#endif

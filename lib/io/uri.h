/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uri.h - a parsed device URI or filter description; <vfiokit/uri.h> has the syntax and the functions.
 *
 * Threads: any; a parsed URI never changes.
 */
#ifndef VFKI_IO_URI_H
#define VFKI_IO_URI_H

#include <stddef.h>
#include <vfiokit/uri.h>

#define VFKI_URI_MAX 4096

struct vfki_uri_pair {
	const char *key;
	const char *value; /* "" when there was no '=' */
};

/* One allocation: the pairs, then the text as it was given, then the text again, cut into its parts. */
struct vfk_uri {
	const char *text;
	const char *scheme;
	const char *target;
	size_t num_pairs;
	struct vfki_uri_pair pairs[];
};

#endif

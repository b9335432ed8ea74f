/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uri.h - how a device is named.
 *
 *	scheme:target[,key=value]...
 *
 *	model:edu			a bundled model, in this process
 *	model:edu,latency=100		with parameters of the model's own
 *	vfio-user:/run/x.sock		a vfio-user server's socket
 *	vfio-user:fd=5			a connected socket that was inherited; borrowed, the device has a duplicate
 *
 * A comma inside a target or a value is written twice. A key without "=" has the empty value. The scheme is letters,
 * digits and "-". What follows the colon may itself be a key=value pair, as in the last line; then the target is empty.
 * Only a target without '/' is looked at in this way.
 *
 * The same syntax with a filter's name in place of scheme and target names a filter: "trace,file=t.pcapng".
 */
#ifndef VFK_URI_H
#define VFK_URI_H

#include <stdint.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_uri;

/**
 * vfk_uri_parse - take a device URI apart
 * @text: the URI; borrowed, copied; at most 4096 bytes
 * @uri: set to the result, owned by the caller
 *
 * Returns 0; -EINVAL when it does not parse (the text says where); -ENAMETOOLONG; -ENOMEM.
 */
VFK_API int vfk_uri_parse(const char *text, struct vfk_uri **uri);

/**
 * vfk_uri_parse_filter - take a filter's description apart
 *
 * As vfk_uri_parse(), for "name[,key=value]...": the name becomes the scheme, the target is empty.
 */
VFK_API int vfk_uri_parse_filter(const char *text, struct vfk_uri **uri);

/** vfk_uri_free - free a URI; NULL is allowed */
VFK_API void vfk_uri_free(struct vfk_uri *uri);

/** vfk_uri_text - the text as it was given; borrowed, valid as long as @uri */
VFK_API const char *vfk_uri_text(const struct vfk_uri *uri);

/** vfk_uri_scheme - what stands before the colon; borrowed, valid as long as @uri */
VFK_API const char *vfk_uri_scheme(const struct vfk_uri *uri);

/** vfk_uri_target - what stands between the colon and the first single comma, "" if nothing; borrowed */
VFK_API const char *vfk_uri_target(const struct vfk_uri *uri);

/** vfk_uri_get - the value of @key, or NULL if the key is not there; borrowed, valid as long as @uri */
VFK_API const char *vfk_uri_get(const struct vfk_uri *uri, const char *key);

/**
 * vfk_uri_get_u64 - the value of @key as a number
 * @uri: the URI
 * @key: which
 * @min: smallest value allowed
 * @max: largest value allowed
 * @value: set to the number (decimal, or hexadecimal after 0x); untouched on failure, so it may hold the default
 *
 * Returns 0; -ENOENT when the key is not there (no text is set: it is no error of the user's); -EINVAL when the value is
 * no number; -ERANGE when it is outside @min to @max.
 */
VFK_API int vfk_uri_get_u64(const struct vfk_uri *uri, const char *key, uint64_t min, uint64_t max,
			    uint64_t *value);

/**
 * vfk_uri_get_choice - the value of @key as one of several words
 * @uri: the URI
 * @key: which
 * @choices: NULL-terminated list of the words; borrowed
 * @value: set to the word's place in the list; untouched on failure, so it may hold the default
 *
 * Returns 0; -ENOENT when the key is not there (no text is set: it is no error of the user's); -EINVAL with a text that
 * lists the words.
 */
VFK_API int vfk_uri_get_choice(const struct vfk_uri *uri, const char *key,
			       const char *const *choices, unsigned int *value);

/**
 * vfk_uri_only - refuse keys that nobody knows
 * @uri: the URI
 * @keys: NULL-terminated list of those that are known; borrowed
 *
 * Returns 0; -EINVAL with a text that names the first unknown key and lists the known ones.
 */
VFK_API int vfk_uri_only(const struct vfk_uri *uri, const char *const *keys);

VFK_END

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uri.c - taking device URIs and filter descriptions apart; see <vfiokit/uri.h>.
 *
 * The text is cut in place in a copy: each part becomes a string, doubled commas become single ones. Any thread; pure.
 */
#include "uri.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(const char *s, const char *more)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		bool alnum = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			     (*s >= '0' && *s <= '9');

		if (!alnum && !strchr(more, *s))
			return false;
	}
	return true;
}

/*
 * Ends the part at *@at where a single comma or the text's end is, and makes doubled commas single. Returns the part;
 * *@at is moved behind the comma, or set to NULL at the end.
 */
static char *cut_part(char **at)
{
	char *part = *at, *in = part, *out = part;

	while (*in && !(in[0] == ',' && in[1] != ',')) {
		if (*in == ',')
			in++;
		*out++ = *in++;
	}
	*at = *in ? in + 1 : NULL;
	*out = '\0';
	return part;
}

static const char *find(const struct vfk_uri *uri, const char *key)
{
	for (size_t i = 0; i < uri->num_pairs; i++) {
		if (!strcmp(uri->pairs[i].key, key))
			return uri->pairs[i].value;
	}
	return NULL;
}

static int add_pair(struct vfk_uri *uri, char *part)
{
	char *eq = strchr(part, '=');

	if (eq)
		*eq++ = '\0';
	if (!is_word(part, "-_."))
		return vfki_err(-EINVAL, "%s: \"%s\" is not the name of an option", uri->text,
				part);
	if (find(uri, part))
		return vfki_err(-EINVAL, "%s: option %s is given twice", uri->text, part);
	uri->pairs[uri->num_pairs++] = (struct vfki_uri_pair){ part, eq ? eq : "" };
	return 0;
}

static int add_pairs(struct vfk_uri *uri, char *at)
{
	int ret = 0;

	while (!ret && at)
		ret = add_pair(uri, cut_part(&at));
	return ret;
}

/* What follows the scheme's colon: the target, unless it is a pair already. */
static int parse_target(struct vfk_uri *uri, char *at)
{
	char *part = cut_part(&at);
	int ret = 0;

	uri->target = "";
	if (strchr(part, '/') || !strchr(part, '='))
		uri->target = part;
	else
		ret = add_pair(uri, part);
	return ret ? ret : add_pairs(uri, at);
}

static int parse_device(struct vfk_uri *uri, char *copy)
{
	char *colon = strchr(copy, ':');

	if (!colon)
		return vfki_err(-EINVAL, "\"%s\" is no device: no colon, as in model:edu",
				uri->text);
	*colon = '\0';
	if (!is_word(copy, "-"))
		return vfki_err(-EINVAL, "\"%s\" is no device: \"%s\" is not the name of a scheme",
				uri->text, copy);
	uri->scheme = copy;
	return parse_target(uri, colon + 1);
}

static int parse_filter(struct vfk_uri *uri, char *copy)
{
	char *at = copy;

	uri->scheme = cut_part(&at);
	uri->target = "";
	if (!is_word(uri->scheme, "-"))
		return vfki_err(-EINVAL, "filter \"%s\": \"%s\" is not the name of a filter",
				uri->text, uri->scheme);
	return add_pairs(uri, at);
}

/* The number of parts is at most that of all commas and one, and the first of them is no pair or has no other. */
static size_t max_pairs(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

static int parse(const char *text, int (*parts)(struct vfk_uri *, char *), struct vfk_uri **out)
{
	size_t len = text ? strnlen(text, VFKI_URI_MAX + 1) : 0, head;
	struct vfk_uri *uri;
	char *copy;
	int ret;

	if (!text)
		return vfki_err(-EINVAL, "no URI");
	if (len > VFKI_URI_MAX)
		return vfki_err(-ENAMETOOLONG, "%.40s...: longer than %d bytes", text,
				VFKI_URI_MAX);
	head = sizeof(*uri) + max_pairs(text) * sizeof(struct vfki_uri_pair);
	uri = calloc(1, head + 2 * (len + 1));
	if (!uri)
		return vfki_err(-ENOMEM, "%.80s: no memory", text);
	copy = (char *)uri + head;
	uri->text = copy;
	memcpy(copy, text, len);
	copy += len + 1;
	memcpy(copy, text, len);
	ret = parts(uri, copy);
	if (ret < 0) {
		free(uri);
		return ret;
	}
	*out = uri;
	return 0;
}

int vfk_uri_parse(const char *text, struct vfk_uri **uri)
{
	return parse(text, parse_device, uri);
}

int vfk_uri_parse_filter(const char *text, struct vfk_uri **uri)
{
	return parse(text, parse_filter, uri);
}

void vfk_uri_free(struct vfk_uri *uri)
{
	free(uri);
}

const char *vfk_uri_text(const struct vfk_uri *uri)
{
	return uri->text;
}

const char *vfk_uri_scheme(const struct vfk_uri *uri)
{
	return uri->scheme;
}

const char *vfk_uri_target(const struct vfk_uri *uri)
{
	return uri->target;
}

const char *vfk_uri_get(const struct vfk_uri *uri, const char *key)
{
	return find(uri, key);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* strtoull() would take signs, spaces and octal numbers. */
static int parse_number(const char *s, uint64_t *value)
{
	unsigned int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	uint64_t v = 0;
	bool fits = true;

	if (base == 16)
		s += 2;
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned int d = (unsigned int)digit(*s);

		if (d >= base)
			return -EINVAL;
		fits = fits && vfki_mul_u64(v, base, &v) && vfki_add_u64(v, d, &v);
	}
	*value = v;
	return fits ? 0 : -ERANGE;
}

int vfk_uri_get_u64(const struct vfk_uri *uri, const char *key, uint64_t min, uint64_t max,
		    uint64_t *value)
{
	const char *text = find(uri, key);
	uint64_t v = 0;
	int ret;

	if (!text)
		return -ENOENT;
	ret = parse_number(text, &v);
	if (ret == -EINVAL)
		return vfki_err(-EINVAL, "%s: %s=%s is not a number", uri->text, key, text);
	if (ret < 0 || v < min || v > max)
		return vfki_err(-ERANGE, "%s: %s=%s is not in %" PRIu64 " to %" PRIu64, uri->text,
				key, text, min, max);
	*value = v;
	return 0;
}

static bool is_listed(const char *const *keys, const char *key)
{
	for (; *keys; keys++) {
		if (!strcmp(*keys, key))
			return true;
	}
	return false;
}

static void join(char *buf, size_t size, const char *const *keys)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; keys[i] && used < size; i++) {
		int n = snprintf(buf + used, size - used, "%s%s", i ? ", " : "", keys[i]);

		used += n > 0 ? (size_t)n : 0;
	}
}

int vfk_uri_get_choice(const struct vfk_uri *uri, const char *key, const char *const *choices,
		       unsigned int *value)
{
	const char *text = find(uri, key);
	char list[256];

	if (!text)
		return -ENOENT;
	for (unsigned int i = 0; choices[i]; i++) {
		if (!strcmp(choices[i], text)) {
			*value = i;
			return 0;
		}
	}
	join(list, sizeof(list), choices);
	return vfki_err(-EINVAL, "%s: %s=%s is none of: %s", uri->text, key, text, list);
}

int vfk_uri_only(const struct vfk_uri *uri, const char *const *keys)
{
	char known[256];

	for (size_t i = 0; i < uri->num_pairs; i++) {
		if (is_listed(keys, uri->pairs[i].key))
			continue;
		join(known, sizeof(known), keys);
		return vfki_err(-EINVAL, "%s: unknown option %s; known: %s", uri->text,
				uri->pairs[i].key, *known ? known : "none");
	}
	return 0;
}

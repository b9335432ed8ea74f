/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * version_json.c - the payload of VERSION: four bytes, and capabilities in JSON.
 *
 * One line a capability in each of the two tables below. libjson-c parses and prints; what it
 * allocates is freed before the functions return. Threads: any.
 */
#include "lib/wire/version.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <json-c/json.h>
#include <string.h>

/* Bits of a page size that no machine has; some peers set them. */
#define SMALL_PAGES 0xfffull

static int get_number(const char *key, struct json_object *value, uint64_t min, uint64_t max,
		      uint64_t *out)
{
	uint64_t n;

	if (!json_object_is_type(value, json_type_int))
		return vfki_err(-EINVAL, "version: %s is no whole number", key);
	if (json_object_get_int64(value) < 0)
		return vfki_err(-EINVAL, "version: %s is negative", key);
	n = json_object_get_uint64(value);
	if (n < min)
		return vfki_err(-EINVAL, "version: %s is %llu, need %llu or more", key,
				(unsigned long long)n, (unsigned long long)min);
	*out = vfki_min_u64(n, max);
	return 0;
}

static int get_bool(const char *key, struct json_object *value, bool *out)
{
	if (!json_object_is_type(value, json_type_boolean))
		return vfki_err(-EINVAL, "version: %s is neither true nor false", key);
	*out = json_object_get_boolean(value);
	return 0;
}

static int get_object(const char *key, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_object))
		return vfki_err(-EINVAL, "version: %s is no object", key);
	return 0;
}

static int get_member_bool(struct json_object *object, const char *key, bool *out)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? get_bool(key, value, out) : 0;
}

static int get_max_fds(const char *key, struct json_object *value, struct vfki_wire_caps *caps)
{
	uint64_t n;
	int r = get_number(key, value, 0, VFKI_WIRE_SCM_MAX_FDS, &n);

	if (!r)
		caps->max_msg_fds = (uint32_t)n;
	return r;
}

static int get_max_xfer(const char *key, struct json_object *value, struct vfki_wire_caps *caps)
{
	return get_number(key, value, VFKI_WIRE_MIN_XFER, VFKI_WIRE_MAX_XFER,
			  &caps->max_data_xfer_size);
}

static int get_max_dma_maps(const char *key, struct json_object *value, struct vfki_wire_caps *caps)
{
	return get_number(key, value, 1, VFKI_WIRE_MAX_DMA_MAPS, &caps->max_dma_maps);
}

static int get_pages(const char *key, struct json_object *value, uint64_t *pages)
{
	uint64_t n;
	int r = get_number(key, value, 1, UINT64_MAX, &n);

	if (r)
		return r;
	if (!(n & ~SMALL_PAGES))
		return vfki_err(-EINVAL, "version: %s has no page size of 4096 or more", key);
	*pages = n & ~SMALL_PAGES;
	return 0;
}

static int get_pgsizes(const char *key, struct json_object *value, struct vfki_wire_caps *caps)
{
	return get_pages(key, value, &caps->pgsizes);
}

static int get_twin_socket(const char *key, struct json_object *value, struct vfki_wire_caps *caps)
{
	struct json_object *index;
	uint64_t n;
	int r = get_object(key, value);

	if (!r)
		r = get_member_bool(value, "supported", &caps->twin_socket);
	if (r || !json_object_object_get_ex(value, "fd_index", &index))
		return r;
	r = get_number("fd_index", index, 0, VFKI_WIRE_MAX_FDS, &n);
	if (!r)
		caps->twin_fd_index = (int32_t)n;
	return r;
}

static int get_write_multiple(const char *key, struct json_object *value,
			      struct vfki_wire_caps *caps)
{
	return get_bool(key, value, &caps->write_multiple);
}

static int get_migration(const char *key, struct json_object *value, struct vfki_wire_caps *caps)
{
	struct json_object *member;
	int r = get_object(key, value);

	caps->migration_pgsize = VFKI_WIRE_DEFAULT_PGSIZES;
	caps->migration_max_bitmap = VFKI_WIRE_MAX_BITMAP;
	if (!r && json_object_object_get_ex(value, "pgsize", &member))
		r = get_pages("pgsize", member, &caps->migration_pgsize);
	if (!r && json_object_object_get_ex(value, "max_bitmap_size", &member))
		r = get_number("max_bitmap_size", member, 0, VFKI_WIRE_MAX_BITMAP,
			       &caps->migration_max_bitmap);
	return r;
}

static int get_vfiokit(const char *key, struct json_object *value, struct vfki_wire_caps *caps)
{
	int r = get_object(key, value);

	if (!r)
		r = get_member_bool(value, "irq_count", &caps->irq_count);
	if (!r)
		r = get_member_bool(value, "sparse_fds", &caps->sparse_fds);
	return r;
}

static const struct {
	const char *name;
	uint32_t key;
	int (*get)(const char *key, struct json_object *value, struct vfki_wire_caps *caps);
} readers[] = {
	{ "max_msg_fds", VFKI_WIRE_KEY_MAX_FDS, get_max_fds },
	{ "max_data_xfer_size", VFKI_WIRE_KEY_MAX_XFER, get_max_xfer },
	{ "max_dma_maps", VFKI_WIRE_KEY_MAX_DMA_MAPS, get_max_dma_maps },
	{ "pgsizes", VFKI_WIRE_KEY_PGSIZES, get_pgsizes },
	{ "twin_socket", VFKI_WIRE_KEY_TWIN_SOCKET, get_twin_socket },
	{ "write_multiple", VFKI_WIRE_KEY_WRITE_MULTI, get_write_multiple },
	{ "migration", VFKI_WIRE_KEY_MIGRATION, get_migration },
	{ "vfiokit", VFKI_WIRE_KEY_VFIOKIT, get_vfiokit },
};

#define NREADERS (sizeof(readers) / sizeof(readers[0]))

static int read_caps(struct json_object *root, struct vfki_wire_caps *caps)
{
	struct json_object *object, *value;
	int r = get_object("its data", root);

	if (r || !json_object_object_get_ex(root, "capabilities", &object))
		return r;
	r = get_object("capabilities", object);
	for (size_t i = 0; !r && i < NREADERS; i++) {
		if (!json_object_object_get_ex(object, readers[i].name, &value))
			continue;
		caps->keys |= readers[i].key;
		r = readers[i].get(readers[i].name, value, caps);
	}
	return r;
}

/* Whether nothing but white space follows what was parsed. */
static bool only_space(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

static int parse(const char *text, size_t len, struct json_object **root)
{
	struct json_tokener *tok = json_tokener_new_ex(VFKI_WIRE_MAX_JSON_DEPTH);
	struct json_object *object;
	int r = 0;

	if (!tok)
		return -ENOMEM;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
					    JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tok, text, (int)len + 1);
	if (json_tokener_get_error(tok) != json_tokener_success)
		r = vfki_err(-EINVAL, "version: capabilities are no JSON: %s",
			     json_tokener_error_desc(json_tokener_get_error(tok)));
	else if (!only_space(text + vfki_min_u64(json_tokener_get_parse_end(tok), len)))
		r = vfki_err(-EINVAL, "version: something follows the JSON");
	json_tokener_free(tok);
	if (r) {
		json_object_put(object);
		return r;
	}
	*root = object;
	return 0;
}

static int read_text(const char *text, size_t len, struct vfki_wire_caps *caps)
{
	struct json_object *root;
	int r;

	if (len > VFKI_WIRE_MAX_VERSION)
		return vfki_err(-EINVAL, "version: %zu bytes of JSON, at most %u", len,
				VFKI_WIRE_MAX_VERSION);
	if (text[len - 1])
		return vfki_err(-EINVAL, "version: JSON has no NUL at its end");
	if (strlen(text) != len - 1)
		return vfki_err(-EINVAL, "version: JSON has a NUL inside");
	r = parse(text, len - 1, &root);
	if (r)
		return r;
	caps->keys = VFKI_WIRE_KEY_JSON;
	r = read_caps(root, caps);
	json_object_put(root);
	return r;
}

int vfki_dec_version(const void *payload, size_t len, struct vfki_wire_hello *hello)
{
	struct vfki_wire_version v;
	struct vfki_wire_caps caps;
	int r = 0;

	if (len < sizeof(v))
		return vfki_err(-EPROTO, "version: %zu bytes of payload, need 4", len);
	memcpy(&v, payload, sizeof(v));
	vfki_wire_caps_default(&caps);
	if (len > sizeof(v))
		r = read_text((const char *)payload + sizeof(v), len - sizeof(v), &caps);
	if (r)
		return r;
	hello->major = v.major;
	hello->minor = v.minor;
	hello->caps = caps;
	return 0;
}

/* An object that is being filled; after a failed allocation nothing more is added. */
struct printer {
	struct json_object *object;
	bool failed;
};

static void put(struct printer *p, const char *key, struct json_object *value)
{
	if (p->failed || !value || json_object_object_add(p->object, key, value)) {
		json_object_put(value);
		p->failed = true;
	}
}

static void put_number(struct printer *p, const char *key, uint64_t n)
{
	put(p, key, json_object_new_uint64(n));
}

static void put_bool(struct printer *p, const char *key, bool b)
{
	put(p, key, json_object_new_boolean(b));
}

static void put_object(struct printer *p, const char *key, struct printer *child)
{
	p->failed |= child->failed;
	put(p, key, child->object);
}

static struct printer new_object(void)
{
	struct printer p = { .object = json_object_new_object() };

	p.failed = !p.object;
	return p;
}

static void put_twin_socket(struct printer *p, const struct vfki_wire_caps *caps)
{
	struct printer twin = new_object();

	put_bool(&twin, "supported", caps->twin_socket);
	if (caps->twin_fd_index >= 0)
		put_number(&twin, "fd_index", (uint64_t)caps->twin_fd_index);
	put_object(p, "twin_socket", &twin);
}

static void put_migration(struct printer *p, const struct vfki_wire_caps *caps)
{
	struct printer migration = new_object();

	put_number(&migration, "pgsize", caps->migration_pgsize);
	put_number(&migration, "max_bitmap_size", caps->migration_max_bitmap);
	put_object(p, "migration", &migration);
}

static void put_vfiokit(struct printer *p, const struct vfki_wire_caps *caps)
{
	struct printer vfiokit = new_object();

	put_bool(&vfiokit, "irq_count", caps->irq_count);
	put_bool(&vfiokit, "sparse_fds", caps->sparse_fds);
	put_object(p, "vfiokit", &vfiokit);
}

static struct printer print_caps(const struct vfki_wire_caps *caps)
{
	struct printer root = new_object(), p = new_object();

	if (caps->keys & VFKI_WIRE_KEY_MAX_FDS)
		put_number(&p, "max_msg_fds", caps->max_msg_fds);
	if (caps->keys & VFKI_WIRE_KEY_MAX_XFER)
		put_number(&p, "max_data_xfer_size", caps->max_data_xfer_size);
	if (caps->keys & VFKI_WIRE_KEY_MAX_DMA_MAPS)
		put_number(&p, "max_dma_maps", caps->max_dma_maps);
	if (caps->keys & VFKI_WIRE_KEY_PGSIZES)
		put_number(&p, "pgsizes", caps->pgsizes);
	if (caps->keys & VFKI_WIRE_KEY_TWIN_SOCKET)
		put_twin_socket(&p, caps);
	if (caps->keys & VFKI_WIRE_KEY_WRITE_MULTI)
		put_bool(&p, "write_multiple", caps->write_multiple);
	if (caps->keys & VFKI_WIRE_KEY_MIGRATION)
		put_migration(&p, caps);
	if (caps->keys & VFKI_WIRE_KEY_VFIOKIT)
		put_vfiokit(&p, caps);
	put_object(&root, "capabilities", &p);
	return root;
}

static int print_text(char *text, size_t cap, const struct vfki_wire_caps *caps)
{
	struct printer root = print_caps(caps);
	const char *json = NULL;
	size_t len = 0;
	int r = -ENOMEM;

	if (!root.failed)
		json = json_object_to_json_string_length(root.object, JSON_C_TO_STRING_PLAIN, &len);
	if (json && len + 1 > vfki_min_u64(cap, VFKI_WIRE_MAX_VERSION))
		r = vfki_err(-ENOBUFS, "version: %zu bytes of JSON do not fit into %zu", len + 1,
			     cap);
	else if (json) {
		memcpy(text, json, len + 1);
		r = (int)len + 1;
	}
	json_object_put(root.object);
	return r;
}

int vfki_enc_version(void *buf, size_t cap, const struct vfki_wire_hello *hello)
{
	struct vfki_wire_version v = { .major = hello->major, .minor = hello->minor };
	int r = 0;

	if (cap < sizeof(v))
		return vfki_err(-ENOBUFS, "version: no room for %zu bytes", sizeof(v));
	memcpy(buf, &v, sizeof(v));
	if (hello->caps.keys & VFKI_WIRE_KEY_JSON)
		r = print_text((char *)buf + sizeof(v), cap - sizeof(v), &hello->caps);
	return r < 0 ? r : (int)sizeof(v) + r;
}

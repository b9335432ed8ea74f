/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testdev_params.c - the test device's parameters.
 *
 * Threads: inside init only.
 */
#include "testdev.h"
#include <errno.h>
#include <string.h>

static const char *const on_off[] = { "off", "on", NULL };
static const char *const tables[] = { "shared", "own", "mappable", NULL };
static const char *const pbas[] = { "same", "apart", NULL };
static const char *const caps[] = { "all", "min", "none", NULL };
static const char *const chains[] = { "ok",	  "loop",     "self",	   "short",   "header",
				      "ext-loop", "ext-self", "ext-short", "ext-low", NULL };
static const char *const roms[] = { "ok",   "off",   "broken", "empty",	   "short",
				    "fail", "again", "loop",   "too-long", NULL };
static const char *const siblings[] = { "owned", "foreign", NULL };
static const char *const fails[] = { "none", "read", "write", "both", NULL };

#define MEMBER(m) offsetof(struct testdev_params, m)

/* Words; the place of a word in its list is what the member becomes. */
static const struct {
	const char *key;
	const char *const *words;
	size_t member;
} choices[] = {
	{ "subpage", on_off, MEMBER(subpage) },
	{ "sparse", on_off, MEMBER(sparse) },
	{ "io", on_off, MEMBER(io) },
	{ "prefetch", on_off, MEMBER(prefetch) },
	{ "intx", on_off, MEMBER(intx) },
	{ "msi-masks", on_off, MEMBER(msi_masks) },
	{ "msix-table", tables, MEMBER(msix_table) },
	{ "pba", pbas, MEMBER(pba_apart) },
	{ "noresize", on_off, MEMBER(noresize) },
	{ "maskable", on_off, MEMBER(maskable) },
	{ "caps", caps, MEMBER(caps) },
	{ "chain", chains, MEMBER(chain) },
	{ "pm", on_off, MEMBER(pm) },
	{ "d1", on_off, MEMBER(d1) },
	{ "d2", on_off, MEMBER(d2) },
	{ "soft-reset", on_off, MEMBER(soft_reset) },
	{ "rom", roms, MEMBER(rom) },
	{ "vga", on_off, MEMBER(vga) },
	{ "type-region", on_off, MEMBER(type_region) },
	{ "sibling", siblings, MEMBER(sibling) },
	{ "fail", fails, MEMBER(fail) },
};

static const struct {
	const char *key;
	size_t member;
	uint64_t min, max;
} numbers[] = {
	{ "buffer", MEMBER(buffer), 0, 1ull << 40 },
	{ "msi", MEMBER(msi), 0, 32 },
	{ "msix", MEMBER(msix), 0, 2048 },
	{ "vectors-limit", MEMBER(vectors_limit), 0, 2048 },
	{ "rom-size", MEMBER(rom_size), 2048, 1u << 24 },
	{ "functions", MEMBER(functions), 1, 2 },
	{ "slow", MEMBER(slow), 0, 10000 },
};

const char *const testdev_param_names[] = {
	"subpage",   "sparse",	   "io",   "prefetch",	 "buffer", "intx",
	"msi",	     "msi-masks",  "msix", "msix-table", "pba",	   "vectors-limit",
	"noresize",  "maskable",   "caps", "chain",	 "pm",	   "d1",
	"d2",	     "soft-reset", "rom",  "rom-size",	 "vga",	   "type-region",
	"functions", "sibling",	   "slow", "fail",	 NULL,
};

static const struct testdev_params defaults = {
	.subpage = 1,
	.sparse = 1,
	.io = 1,
	.prefetch = 1,
	.buffer = 0x100000,
	.intx = 1,
	.msi = 32,
	.msi_masks = 1,
	.msix = 2048,
	.vectors_limit = 2048,
	.maskable = 1,
	.pm = 1,
	.d1 = 1,
	.d2 = 1,
	.rom_size = 0x10000,
	.type_region = 1,
	.functions = 1,
};

static int take_choices(struct testdev_params *params, const struct vfk_uri *uri)
{
	int ret = 0;

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		unsigned int value;

		ret = vfk_uri_get_choice(uri, choices[i].key, choices[i].words, &value);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		if (!ret)
			memcpy((char *)params + choices[i].member, &value, sizeof(value));
	}
	return 0;
}

static int take_numbers(struct testdev_params *params, const struct vfk_uri *uri)
{
	int ret = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t value;

		ret = vfk_uri_get_u64(uri, numbers[i].key, numbers[i].min, numbers[i].max, &value);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		if (!ret)
			memcpy((char *)params + numbers[i].member, &value, sizeof(value));
	}
	return 0;
}

int testdev_take_params(struct testdev_params *params, const struct vfk_uri *uri)
{
	int ret;

	*params = defaults;
	ret = take_choices(params, uri);
	return ret ? ret : take_numbers(params, uri);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* skips.c - reads the list of expected skips. Backend names are fnmatch() patterns, so that one line serves several. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "skips.h"
#include "suite.h"

struct skip {
	struct skip *next;
	char *backend;
	char *name;
};

struct skips {
	struct skip *first;
};

static bool case_exists(const char *name)
{
	const char *n;

	for (size_t i = 0; (n = vfk_suite_case_name(i)); i++) {
		if (strcmp(n, name) == 0)
			return true;
	}
	return false;
}

static int add_line(struct skips *skips, char *line)
{
	char *save = NULL;
	char *backend = strtok_r(line, " \t\n", &save);
	char *name, *reason;
	struct skip *s;

	if (!backend || backend[0] == '#')
		return 0;
	name = strtok_r(NULL, " \t\n", &save);
	reason = strtok_r(NULL, "\n", &save);
	if (!name || !reason || !case_exists(name))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->backend = strdup(backend);
	s->name = strdup(name);
	s->next = skips->first;
	skips->first = s;
	return s->backend && s->name ? 0 : -ENOMEM;
}

int skips_read(const char *path, const char *backend, struct skips **out)
{
	struct skips *skips = calloc(1, sizeof(*skips));
	char line[512];
	FILE *f = NULL;
	int ret = 0;

	if (!skips)
		return -ENOMEM;
	if (path) {
		f = fopen(path, "re");
		ret = !f ? -errno : !backend ? -EINVAL : 0;
	}
	while (f && ret == 0 && fgets(line, sizeof(line), f))
		ret = add_line(skips, line);
	if (f)
		fclose(f);
	if (ret < 0) {
		skips_free(skips);
		return ret;
	}
	*out = skips;
	return 0;
}

void skips_free(struct skips *skips)
{
	while (skips && skips->first) {
		struct skip *s = skips->first;

		skips->first = s->next;
		free(s->backend);
		free(s->name);
		free(s);
	}
	free(skips);
}

bool skips_listed(const struct skips *skips, const char *backend, const char *name)
{
	for (const struct skip *s = skips->first; s; s = s->next) {
		if (strcmp(s->name, name) == 0 && fnmatch(s->backend, backend, 0) == 0)
			return true;
	}
	return false;
}

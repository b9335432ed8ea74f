/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - the conformance suite must be seen to fail:  faulty GROUP
 *
 * GROUP "control" runs the whole suite on the wrapper without a flaw: nothing fails. The other groups run, for each of
 * their flaws, the one case that the flaw's line names, first without the flaw, where it passes, then with it, where
 * it fails for the reason that the line gives. A flaw for which the library makes up has a case that passes with it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/suite.h"
#include "wrapper.h"

/* A case that hangs on a flaw is killed after so long; one that only waits does so for 5 seconds. */
#define CASE_TIMEOUT_S 15

static const struct group {
	const char *name;
	const struct flaw *flaws;
} groups[] = {
	{ "access", flaws_access },
	{ "config", flaws_config },
	{ "info", flaws_info },
	{ "chain", flaws_chain },
	{ "intx", flaws_intx },
	{ "irq", flaws_irq },
	{ "reset", flaws_reset },
	{ "feature", flaws_feature },
	{ "dma", flaws_dma },
	{ "lifecycle", flaws_lifecycle },
	{ "pci", flaws_pci },
	{ "pci_irq", flaws_pci_irq },
	{ "pci_reset", flaws_pci_reset },
};

static const char *const base_names[NUM_BASES] = {
	[BASE_EDU] = "edu",
	[BASE_LATENCY] = "edu with latency",
	[BASE_MAPPED] = "mapped model",
	[BASE_TESTDEV] = "testdev",
};

/* Runs the cases of @pattern on the wrapper; their TAP is @text, to be freed. The number of failures, or -errno. */
static int run(const struct flaw *flaw, const char *pattern, char **text)
{
	const struct vfk_open_opts open = { .size = sizeof(open) };
	struct vfk_suite_opts opts = {
		.uri = "wrapper",
		.open_device = wrapper_open,
		.open = &open,
		.pattern = pattern,
		.case_timeout_s = flaw->name ? CASE_TIMEOUT_S : 0,
		/* an empty list: a flaw that makes a case skip itself is noticed, as it is on a backend that is known */
		.backend = "wrapper",
		.expected_skips = flaw->name ? "/dev/null" : NULL,
	};
	size_t len;
	int ret;

	*text = NULL;
	opts.tap = open_memstream(text, &len);
	if (!opts.tap)
		return -errno;
	wrapper_spoil(flaw);
	ret = vfk_suite_run(&opts);
	if (fclose(opts.tap) != 0)
		ret = -errno;
	return ret;
}

static void print_as_diagnostics(char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("# | %s\n", line);
}

/* One line of TAP, and what the suite said when it is not ok. Returns whether it is. */
static bool report(size_t n, const char *what, const char *wrong, char *text)
{
	printf("%s %zu - %s\n", wrong ? "not ok" : "ok", n, what);
	if (wrong) {
		printf("# %s\n", wrong);
		if (text)
			print_as_diagnostics(text);
	}
	return !wrong;
}

static bool has_one_case(const char *text)
{
	return strstr(text, "\n1..1\n") && !strstr(text, "# SKIP");
}

/* NULL, or what is wrong with the case on the right device. */
static const char *without(const struct flaw *flaw, const char *name, char **text)
{
	const struct flaw none = { .base = flaw->base };
	int ret = run(&none, name, text);

	if (ret < 0 || !*text)
		return "the suite did not run";
	if (!has_one_case(*text))
		return "without the flaw: no such case, or it was skipped";
	return ret ? "without the flaw: failed" : NULL;
}

static const char *with(const struct flaw *flaw, const char *name, char **text)
{
	int ret = run(flaw, name, text);

	if (ret < 0 || !*text)
		return "the suite did not run";
	if (flaw->passes)
		return ret || !has_one_case(*text) ? "the case does not pass" : NULL;
	if (ret != 1)
		return "the flaw goes unnoticed";
	return strstr(*text, flaw->says) ? NULL : "the case failed for another reason";
}

static bool try_flaw(const struct flaw *flaw, size_t n)
{
	const char *name = flaw->fails ? flaw->fails : flaw->passes, *wrong;
	char what[256], *text = NULL;
	bool ok;

	snprintf(what, sizeof(what), "%s: %s %s", flaw->name, name,
		 flaw->fails ? "fails" : "passes all the same");
	wrong = flaw->fails ? without(flaw, name, &text) : NULL;
	if (!wrong) {
		free(text);
		text = NULL;
		wrong = with(flaw, name, &text);
	}
	ok = report(n, what, wrong, text);
	if (!ok)
		printf("# rule: %s\n", flaw->rule);
	free(text);
	return ok;
}

static int run_group(const struct flaw *flaws)
{
	size_t count = 0;
	int failed = 0;

	while (flaws[count].name)
		count++;
	printf("TAP version 13\n1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		failed += !try_flaw(&flaws[i], i + 1);
		fflush(stdout);
	}
	return failed;
}

static int run_control(void)
{
	int failed = 0;

	printf("TAP version 13\n1..%d\n", NUM_BASES);
	for (size_t base = 0; base < NUM_BASES; base++) {
		const struct flaw none = { .base = (enum base)base };
		char *text, what[64];
		int ret = run(&none, NULL, &text);

		snprintf(what, sizeof(what), "no flaw: nothing fails on %s", base_names[base]);
		failed += !report(base + 1, what, ret ? "failures, or the suite did not run" : NULL,
				  text);
		free(text);
		fflush(stdout);
	}
	return failed;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "control") == 0)
		return run_control() != 0;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(groups[i].name, argv[1]) == 0)
			return run_group(groups[i].flaws) != 0;
	}
	fprintf(stderr, "faulty: no group %s\n", argv[1]);
	return 2;
}

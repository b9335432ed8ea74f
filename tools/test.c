/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test.c - "vfiokit test": the conformance suite, on any device that a user has.
 */
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "descriptors.h"
#include "failure.h"
#include "number.h"
#include "opening.h"
#include "subcommand.h"
#include "tests/conformance/suite.h"

static const char help[] =
	"usage: vfiokit test URI [PATTERN] [--case-timeout S] [options]\n"
	"       vfiokit test --list\n"
	"\n"
	"Runs the conformance suite on the device, and prints TAP, a line a case as it ends. The device\n"
	"is written to, reset, and made to do DMA: it should be in nobody's use.\n"
	"PATTERN is a shell pattern of case names: 'irq_*'.\n"
	"\n"
	"  --list              show the names of the cases\n"
	"  --case-timeout S    bound on each case (60)\n"
	"  --backend NAME --expected-skips FILE\n"
	"                      fail a skip that FILE does not list for NAME, and a listed one that runs\n" ARGS_DEVICE_HELP;

enum {
	OPTION_LIST = 1,
	OPTION_CASE_TIMEOUT,
	OPTION_BACKEND,
	OPTION_EXPECTED_SKIPS,
};

static const struct option options[] = {
	{ "list", no_argument, NULL, OPTION_LIST },
	{ "case-timeout", required_argument, NULL, OPTION_CASE_TIMEOUT },
	{ "backend", required_argument, NULL, OPTION_BACKEND },
	{ "expected-skips", required_argument, NULL, OPTION_EXPECTED_SKIPS },
	{ NULL },
};

static int list_cases(struct args *args)
{
	const char *name;

	if (!args_words(args, 0, 0))
		return args->status;
	for (size_t i = 0; (name = vfk_suite_case_name(i)); i++)
		puts(name);
	return STATUS_OK;
}

static bool some_case_matches(const char *pattern)
{
	const char *name;

	for (size_t i = 0; (name = vfk_suite_case_name(i)); i++)
		if (fnmatch(pattern, name, 0) == 0)
			return true;
	return false;
}

static int run(struct args *args, struct vfk_suite_opts *opts)
{
	struct vfk_device *dev;
	int failures;

	opts->uri = args->words[0];
	opts->open = &args->open;
	opts->pattern = args->num_words > 1 ? args->words[1] : NULL;
	opts->tap = stdout;
	/* A device that cannot be opened at all is one line, not a hundred failed cases. */
	if (opening_open(args, args->words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	vfk_device_close(dev);
	signal(SIGPIPE, SIG_IGN);
	failures = vfk_suite_run(opts);
	if (failures < 0)
		return fail_text(args->words[0], "%s", strerror(-failures));
	if (failures > 0)
		return fail_text(args->words[0], "%d of the cases failed", failures);
	return STATUS_OK;
}

static bool take_option(struct args *args, int option, struct vfk_suite_opts *opts, bool *list)
{
	uint64_t seconds;

	switch (option) {
	case OPTION_LIST:
		*list = true;
		return true;
	case OPTION_BACKEND:
		opts->backend = optarg;
		return true;
	case OPTION_EXPECTED_SKIPS:
		opts->expected_skips = optarg;
		return true;
	default:
		if (!number_parse(optarg, 1, 3600, &seconds)) {
			args_wrong(args, "--case-timeout %s: not seconds from 1 to 3600", optarg);
			return false;
		}
		opts->case_timeout_s = (unsigned int)seconds;
		return true;
	}
}

int cmd_test(int argc, char **argv)
{
	struct vfk_suite_opts opts = { 0 };
	bool list = false;
	struct args args;
	int option;

	descriptors_allow_all();
	args_init(&args, argc, argv, help, options, ARGS_DEVICE);
	while ((option = args_next(&args)) > 0) {
		if (!take_option(&args, option, &opts, &list))
			return args.status;
	}
	if (option < 0)
		return args.status;
	if (list)
		return list_cases(&args);
	if (!args_words(&args, 1, 2))
		return args.status;
	if (!opts.backend != !opts.expected_skips)
		return args_wrong(&args, "--backend and --expected-skips go together");
	if (args.num_words == 2 && !some_case_matches(args.words[1]))
		return args_wrong(&args, "no case matches \"%s\"", args.words[1]);
	return run(&args, &opts);
}

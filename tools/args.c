/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * args.c - a subcommand's arguments. Runs before there is any thread.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "number.h"
#include "subcommand.h"

enum {
	OPTION_HELP = 1000, /* above every letter */
	OPTION_FILTER,
	OPTION_TIMEOUT,
	OPTION_PROGRESS,
	OPTION_JSON,
};

static void add(struct args *args, const char *name, int has_arg, int val)
{
	size_t n = 0;

	while (args->options[n].name)
		n++;
	assert(n < ARGS_MAX_OPTIONS);
	args->options[n] = (struct option){ name, has_arg, NULL, val };
}

void args_init(struct args *args, int argc, char **argv, const char *help, const struct option *own,
	       unsigned flags)
{
	*args = (struct args){ .help = help, .argc = argc, .argv = argv, .flags = flags };
	args->open.size = sizeof(args->open);
	args->open.filters = args->filters;
	for (; own && own->name; own++)
		add(args, own->name, own->has_arg, own->val);
	add(args, "help", no_argument, OPTION_HELP);
	if (flags & ARGS_DEVICE) {
		add(args, "filter", required_argument, OPTION_FILTER);
		add(args, "progress", no_argument, OPTION_PROGRESS);
		if (!(flags & ARGS_OWN_TIME))
			add(args, "timeout", required_argument, OPTION_TIMEOUT);
	}
	if (flags & ARGS_JSON)
		add(args, "json", no_argument, OPTION_JSON);
	opterr = 0;
}

int args_wrong(struct args *args, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "vfiokit %s: ", args->argv[0]);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, " (see vfiokit %s --help)\n", args->argv[0]);
	args->status = STATUS_USAGE;
	return STATUS_USAGE;
}

static void wrong_option(struct args *args, int option)
{
	const char *text = args->argv[optind - 1];

	if (option == ':')
		args_wrong(args, "%s needs a value", text);
	else if (strncmp(text, "--", 2) == 0)
		args_wrong(args, optopt ? "%s takes no value" : "no option %s", text);
	else
		args_wrong(args, "no option -%c", optopt);
}

/* An option that all share: whether to go on. */
static bool shared_option(struct args *args, int option)
{
	uint64_t ms;

	switch (option) {
	case OPTION_FILTER:
		if (args->open.num_filters == ARGS_MAX_FILTERS) {
			args_wrong(args, "more than %d filters", ARGS_MAX_FILTERS);
			return false;
		}
		args->filters[args->open.num_filters++] = optarg;
		return true;
	case OPTION_TIMEOUT:
		if (!number_parse(optarg, 1, 3600000, &ms)) {
			args_wrong(args, "--timeout %s: not milliseconds from 1 to 3600000",
				   optarg);
			return false;
		}
		args->open.timeout_ms = (uint32_t)ms;
		return true;
	case OPTION_PROGRESS:
		args->progress = true;
		return true;
	case OPTION_JSON:
		args->json = true;
		return true;
	default:
		fputs(args->help, stdout);
		args->status = STATUS_OK;
		return false;
	}
}

int args_next(struct args *args)
{
	const char *short_options = args->flags & ARGS_REST ? "+:h" : ":h";
	int option;

	for (;;) {
		option = getopt_long(args->argc, args->argv, short_options, args->options, NULL);
		if (option == -1)
			break;
		if (option == '?' || option == ':') {
			wrong_option(args, option);
			return -1;
		}
		if (option == 'h')
			option = OPTION_HELP;
		if (option < OPTION_HELP)
			return option;
		if (!shared_option(args, option))
			return -1;
	}
	args->words = args->argv + optind;
	args->num_words = args->argc - optind;
	return 0;
}

bool args_words(struct args *args, int min, int max)
{
	int length = (int)strcspn(args->help, "\n");

	if (args->num_words >= min && args->num_words <= max)
		return true;
	fprintf(stderr, "vfiokit %s: %s arguments; %.*s\n", args->argv[0],
		args->num_words < min ? "too few" : "too many", length, args->help);
	args->status = STATUS_USAGE;
	return false;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * args.h - a subcommand's arguments: its own options, those that all share, and its words.
 *
 *	args_init(&args, argc, argv, help, own_options, ARGS_DEVICE | ARGS_JSON);
 *	while ((option = args_next(&args)) > 0)
 *		one of own_options, its argument in optarg
 *	if (option < 0 || !args_words(&args, 2, 2))
 *		return args.status;
 */
#ifndef ARGS_H
#define ARGS_H

#include <getopt.h>
#include <stdbool.h>
#include <vfiokit/io.h>

#define ARGS_MAX_FILTERS 16 /* the library's own limit */
#define ARGS_MAX_OPTIONS 32

#define ARGS_DEVICE   (1u << 0) /* opens a device: --filter, --timeout, --progress */
#define ARGS_JSON     (1u << 1) /* shows something: --json */
#define ARGS_REST     (1u << 2) /* options end at the first word; the rest is somebody else's */
#define ARGS_OWN_TIME (1u << 3) /* the subcommand has a --timeout of its own */

/* What the help of a subcommand with ARGS_DEVICE ends with. */
#define ARGS_FILTER_HELP                                                                  \
	"  --filter DESC   put a filter before the device; repeatable, outermost first\n" \
	"  --progress      show progress even where stderr is no terminal\n"
#define ARGS_DEVICE_HELP \
	ARGS_FILTER_HELP \
	"  --timeout MS    bound on every wait for the device's process (5000)\n"

struct args {
	const char *help; /* the subcommand's, whole; its first line is "usage: ..." */
	int argc;
	char **argv;	/* argv[0] is the subcommand's name */
	unsigned flags; /* ARGS_ */
	struct option options[ARGS_MAX_OPTIONS + 1];
	const char *filters[ARGS_MAX_FILTERS]; /* open.filters points here */
	struct vfk_open_opts open;
	bool json;
	bool progress;
	char **words; /* valid once args_next() returned 0 */
	int num_words;
	int status; /* what to exit with, valid once a function here said to stop */
};

/* own: getopt_long's options with val from 1 to 99, ended by a zeroed one; NULL: none. */
void args_init(struct args *args, int argc, char **argv, const char *help, const struct option *own,
	       unsigned flags);

/* The val of the next own option; 0 when the words are all that is left; -1: exit with args->status. */
int args_next(struct args *args);

/* Whether the number of words is right; if not, exit with args->status. */
bool args_words(struct args *args, int min, int max);

/* Says what is wrong with the arguments. Returns STATUS_USAGE, which is in args->status too. */
__attribute__((format(printf, 2, 3))) int args_wrong(struct args *args, const char *format, ...);

#endif

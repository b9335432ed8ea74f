/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfiokit.c - the tool's front door: the table of subcommands, and its own help.
 *
 * Exit status 0: done; 1: failed, with a line on stderr; 2: wrong usage. Output is flushed here, so
 * that a full disk or a closed pipe is a failure of every subcommand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "subcommand.h"

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

#define SUBCOMMAND_ENTRY(name, help) { #name, cmd_##name, help },
static const struct subcommand subcommands[] = { SUBCOMMANDS(SUBCOMMAND_ENTRY) };

#define NUM_SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static void print_help(FILE *out)
{
	fputs("usage: vfiokit SUBCOMMAND [URI] ...\n\n", out);
	for (size_t i = 0; i < NUM_SUBCOMMANDS; i++)
		fprintf(out, "  %-10s%s\n", subcommands[i].name, subcommands[i].help);
	fputs("\nA URI names a device: model:edu, vfio-user:/run/x.sock, kernel:0000:03:00.0; \"vfiokit\n"
	      "list\" shows more. \"vfiokit SUBCOMMAND --help\" says what a subcommand takes.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
	      out);
}

static const struct subcommand *find(const char *name)
{
	for (size_t i = 0; i < NUM_SUBCOMMANDS; i++)
		if (strcmp(subcommands[i].name, name) == 0)
			return &subcommands[i];
	return NULL;
}

static int run(int argc, char **argv)
{
	const struct subcommand *subcommand;

	if (argc < 2) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("vfiokit " VFIOKIT_VERSION);
		return STATUS_OK;
	}
	subcommand = find(argv[1]);
	if (!subcommand) {
		fprintf(stderr, "vfiokit: no subcommand \"%s\" (see vfiokit --help)\n", argv[1]);
		return STATUS_USAGE;
	}
	return subcommand->run(argc - 1, argv + 1);
}

/*
 * What is opened next would get the number of a standard descriptor that was closed, and what is printed would go there: to
 * a server, say. In its place comes one on which printing fails.
 */
static void hold_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	int status;

	hold_standard();
	status = run(argc, argv);
	errno = 0;
	if ((fflush(stdout) == EOF || ferror(stdout)) && status == STATUS_OK) {
		/* the stream remembers that an earlier write failed, and not why */
		fprintf(stderr, "vfiokit: standard output: %s\n",
			errno ? strerror(errno) : "not all of it could be written");
		status = STATUS_FAILED;
	}
	return status;
}

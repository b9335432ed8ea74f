/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lspci.c - "vfiokit lspci": a device's config space, shown by the real lspci.
 *
 * lspci reads config space from a text file of its own "-x" format (lspci(8), option -F). The file is a
 * memfd that the child inherits, so that nothing is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "failure.h"
#include "inventory.h"
#include "lspci.h"
#include "opening.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit lspci [options] URI [LSPCI-OPTION]...\n"
	"\n"
	"Shows the device's config space by running lspci on it. What follows the URI is given to\n"
	"lspci as it is: -v, -vv, -vvv, -n, -nn, -x, -xxx, -xxxx. The device is at 00:00.0 there.\n"
	"\n" ARGS_DEVICE_HELP;

extern char **environ;

#define CONFIG_MAX    4096 /* PCIe 6.0 section 7.2: a function's config space */
#define MAX_ARGUMENTS 32

/* Config space in 4-byte accesses, which every device takes; fewer bytes where it ends. */
static int read_config(struct vfk_device *dev, uint8_t *config, size_t *size)
{
	const struct vfk_region_info *info;
	int r = vfk_region_get_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	ssize_t n;

	if (r < 0)
		return fail(vfk_device_name(dev), r);
	if (info->size < 64)
		return fail_text(vfk_device_name(dev), "config space is shorter than its header");
	for (*size = 0; *size < info->size && *size < CONFIG_MAX; *size += 4) {
		n = vfk_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX, *size, config + *size, 4);
		if (n < 0)
			return fail(vfk_device_name(dev), (int)n);
		if (n < 4)
			break;
	}
	return STATUS_OK;
}

static void write_text(FILE *file, const struct pci_identity *id, const uint8_t *config,
		       size_t size)
{
	fprintf(file, "00:00.0 Class %04x: %04x:%04x (rev %02x)\n", id->class_code >> 8, id->vendor,
		id->device, id->revision);
	for (size_t i = 0; i < size; i++) {
		if (i % 16 == 0)
			fprintf(file, "%s%02zx:", i ? "\n" : "", i);
		fprintf(file, " %02x", config[i]);
	}
	fputs("\n\n", file);
}

/* The file that lspci reads: its descriptor, or -1 with the failure printed. */
static int make_file(struct vfk_device *dev)
{
	struct pci_identity id;
	uint8_t config[CONFIG_MAX];
	size_t size;
	FILE *file;
	int r, fd;

	r = inventory_pci(dev, &id);
	if (r < 0) {
		failure_print(vfk_device_name(dev), r);
		return -1;
	}
	if (read_config(dev, config, &size) != STATUS_OK)
		return -1;
	fd = memfd_create("config", 0); /* no MFD_CLOEXEC: the child opens it by its number */
	file = fd < 0 ? NULL : fdopen(dup(fd), "w");
	if (!file) {
		failure_print_text(vfk_device_name(dev), "memfd: %m");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	write_text(file, &id, config, size);
	fclose(file);
	return fd;
}

/*
 * What lspci wrote to its stderr, into text. The line about modules is left out: lspci looks for the
 * running kernel's, which are none of the device's business.
 */
static void take_messages(int fd, char *text, size_t size)
{
	FILE *file = fdopen(fd, "r");
	char line[256];
	size_t len = 0;

	text[0] = '\0';
	if (!file) {
		close(fd);
		return;
	}
	rewind(file);
	while (fgets(line, sizeof(line), file) && len < size - 1)
		if (!strstr(line, "libkmod"))
			len += (size_t)snprintf(text + len, size - len, "%s", line);
	fclose(file);
}

/*
 * Passes on what lspci prints, which looks for no failure of its own output. Whoever reads ours and goes away ends us by
 * SIGPIPE, as any program; where that is ignored it is a failure as a full disk is.
 */
static int pass_on(struct vfk_device *dev, int fd)
{
	char bytes[4096];
	ssize_t n;

	do {
		n = read(fd, bytes, sizeof(bytes));
		if (n > 0 && (fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n || fflush(stdout)))
			return fail_text(vfk_device_name(dev), "standard output: %m");
	} while (n > 0 || (n < 0 && errno == EINTR));
	return STATUS_OK;
}

static int judge(struct vfk_device *dev, int status, char *messages)
{
	bool exited = WIFEXITED(status);

	if (exited && WEXITSTATUS(status) == 0) {
		fputs(messages, stderr);
		return STATUS_OK;
	}
	messages[strcspn(messages, "\n")] = '\0';
	return fail_text(vfk_device_name(dev), "lspci ended with %s %d%s%s",
			 exited ? "status" : "signal",
			 exited ? WEXITSTATUS(status) : WTERMSIG(status), messages[0] ? ": " : "",
			 messages);
}

static int start(pid_t *pid, char *const *argv, int output, int messages)
{
	posix_spawn_file_actions_t actions;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO);
	r = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int run(struct vfk_device *dev, int fd, char *const *arguments, int num)
{
	char path[32], *argv[MAX_ARGUMENTS + 4] = { (char *)"lspci", (char *)"-F", path };
	int messages = memfd_create("messages", MFD_CLOEXEC), output[2], status, r, passed;
	char text[512];
	pid_t pid;

	if (messages < 0)
		return fail_text(vfk_device_name(dev), "memfd: %m");
	if (pipe2(output, O_CLOEXEC)) {
		close(messages);
		return fail_text(vfk_device_name(dev), "pipe: %m");
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memcpy(argv + 3, arguments, (size_t)num * sizeof(*argv));
	r = start(&pid, argv, output[1], messages);
	close(output[1]);
	if (r) {
		close(output[0]);
		close(messages);
		return fail_text(vfk_device_name(dev), "%s",
				 r == ENOENT ? "lspci is not installed (Debian package pciutils)" :
					       strerror(r));
	}
	passed = pass_on(dev, output[0]);
	close(output[0]); /* ends lspci, where it has more to say */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	take_messages(messages, text, sizeof(text));
	return passed == STATUS_OK ? judge(dev, status, text) : passed;
}

int lspci_show(struct vfk_device *dev, char *const *arguments, int num)
{
	int fd, status;

	if (!(vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI))
		return fail_text(vfk_device_name(dev), "no PCI device, it has no config space");
	fd = make_file(dev);
	if (fd < 0)
		return STATUS_FAILED;
	status = run(dev, fd, arguments, num);
	close(fd);
	return status;
}

int cmd_lspci(int argc, char **argv)
{
	struct vfk_device *dev;
	struct args args;
	int status;

	args_init(&args, argc, argv, help, NULL, ARGS_DEVICE | ARGS_REST);
	if (args_next(&args) < 0 || !args_words(&args, 1, MAX_ARGUMENTS))
		return args.status;
	if (opening_open(&args, args.words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	status = lspci_show(dev, args.words + 1, args.num_words - 1);
	vfk_device_close(dev);
	return status;
}

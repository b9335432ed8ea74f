/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * demo.c - "vfiokit demo": what the library is for, in plain words, on an edu device.
 *
 * The same lines drive the device in another process, in this one, and wherever a URI says. Every value
 * that comes back is compared; the exit status is 0 only if all were right.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <vfiokit/device.h>

#include "args.h"
#include "edu_driver.h"
#include "failure.h"
#include "lspci.h"
#include "opening.h"
#include "server_process.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit demo [URI] [options]\n"
	"\n"
	"Drives an edu device (QEMU's teaching device, 1234:11e8): shows it as lspci does, computes 10!\n"
	"by interrupt, moves a page by the device's DMA, and compares every value. Without a URI it\n"
	"does so twice: on model:edu served by another process, over a vfio-user socket, and on\n"
	"model:edu in this process. Exit status 0 only if every value was right.\n"
	"\n" ARGS_DEVICE_HELP;

#define LIVENESS 0x12345678u
#define NUMBER	 10u

static uint32_t factorial(uint32_t n)
{
	return n < 2 ? 1 : n * factorial(n - 1);
}

static int show_identity(struct edu *edu)
{
	const char *name = vfk_device_name(edu->dev);
	uint32_t id, answer;

	if (edu_identification(edu, &id) != STATUS_OK ||
	    edu_liveness(edu, LIVENESS, &answer) != STATUS_OK)
		return STATUS_FAILED;
	if ((id & 0xffff) != 0x00ed)
		return fail_text(name, "identification 0x%08" PRIx32 " is not an edu's", id);
	printf("  It identifies itself as 0x%08" PRIx32 ", an edu of version %u.%u.\n", id,
	       id >> 24, id >> 16 & 0xff);
	if (answer != ~LIVENESS)
		return fail_text(name, "liveness: wrote 0x%08x, read 0x%08" PRIx32, LIVENESS,
				 answer);
	printf("  It is alive: 0x%08x written, its complement 0x%08" PRIx32 " read.\n", LIVENESS,
	       answer);
	return STATUS_OK;
}

static int show_factorial(struct edu *edu)
{
	uint32_t result;

	if (edu_factorial(edu, NUMBER, &result) != STATUS_OK)
		return STATUS_FAILED;
	if (result != factorial(NUMBER))
		return fail_text(vfk_device_name(edu->dev), "%u! is %" PRIu32 ", not %" PRIu32,
				 NUMBER, factorial(NUMBER), result);
	printf("  It computed %u! = %" PRIu32 ", and said by %s interrupt that it was done.\n",
	       NUMBER, result, edu->irq_index == VFIO_PCI_MSI_IRQ_INDEX ? "MSI" : "INTx");
	return STATUS_OK;
}

static int show_dma(struct edu *edu)
{
	uint8_t *source = edu->source.vaddr, *sink = edu->sink.vaddr;
	unsigned int before = edu->interrupts;

	/* No byte is the same in both pages, nor at the same place of both halves. */
	for (size_t i = 0; i < EDU_PAGE; i++) {
		source[i] = (uint8_t)(i * 7 + i / 256 * 31 + 1);
		sink[i] = (uint8_t)~source[i];
	}
	if (edu_move_page(edu) != STATUS_OK)
		return STATUS_FAILED;
	for (size_t i = 0; i < EDU_PAGE; i++)
		if (sink[i] != source[i])
			return fail_text(vfk_device_name(edu->dev),
					 "DMA: byte %zu of the page is 0x%02x, not 0x%02x", i,
					 sink[i], source[i]);
	printf("  It read a page of our memory by DMA at 0x%" PRIx64
	       ", and wrote it to another at 0x%" PRIx64 ",\n"
	       "  in two halves of %d bytes, with %u interrupts; the pages are equal.\n",
	       edu->source.dev.addr, edu->sink.dev.addr, EDU_HALF, edu->interrupts - before);
	return STATUS_OK;
}

static int drive(struct vfk_device *dev)
{
	struct edu edu;
	int status;

	if (edu_attach(&edu, dev) != STATUS_OK)
		return STATUS_FAILED;
	status = show_identity(&edu);
	if (status == STATUS_OK)
		status = show_factorial(&edu);
	if (status == STATUS_OK)
		status = show_dma(&edu);
	if (edu_detach(&edu) != STATUS_OK)
		status = STATUS_FAILED;
	return status;
}

static int show_lspci(struct vfk_device *dev)
{
	char *const arguments[] = { (char *)"-v", (char *)"-nn" };

	puts("  lspci reads its config space so:\n");
	return lspci_show(dev, arguments, 2);
}

static int run_on(struct args *args, const char *uri, const char *heading)
{
	struct vfk_device *dev;
	int status;

	if (opening_open(args, uri, 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	printf("%s\n", heading);
	status = show_lspci(dev);
	if (status == STATUS_OK)
		status = drive(dev);
	vfk_device_close(dev);
	return status;
}

static int run_served(struct args *args)
{
	char heading[SOCKET_URI_SIZE + 128];
	struct server_process server;
	int status;

	if (server_process_start(&server, "model:edu", -1, 0) != STATUS_OK)
		return STATUS_FAILED;
	snprintf(heading, sizeof(heading),
		 "Process %d serves model:edu; this process has opened it as\n%s:", (int)server.pid,
		 server.uri);
	status = run_on(args, server.uri, heading);
	if (server_process_stop(&server) != STATUS_OK)
		status = STATUS_FAILED;
	return status;
}

static void on_signal(int sig)
{
	(void)sig; /* waits end with EINTR, and everything is undone on the way out */
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int cmd_demo(int argc, char **argv)
{
	struct args args;
	int status;

	args_init(&args, argc, argv, help, NULL, ARGS_DEVICE);
	if (args_next(&args) < 0 || !args_words(&args, 0, 1))
		return args.status;
	catch_signals();
	if (args.num_words == 1)
		return run_on(&args, args.words[0], args.words[0]);
	status = run_served(&args);
	if (status != STATUS_OK)
		return status;
	status = run_on(&args, "model:edu",
			"\nThe same program on model:edu, a model in this process:");
	if (status == STATUS_OK)
		puts("\nEvery value was right, in two processes and in one.");
	return status;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reset.c - "vfiokit reset": of a device, or of the slot or bus that it is on.
 */
#include <string.h>
#include <vfiokit/device.h>
#include <vfiokit/pci.h>
#include <vfiokit/pci_reset.h>

#include "args.h"
#include "dependents.h"
#include "failure.h"
#include "opening.h"
#include "progress.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit reset URI [--method NAME] [options]\n"
	"       vfiokit reset URI --hot [--with URI]... [options]\n"
	"       vfiokit reset URI --list [--with URI]... [--json] [options]\n"
	"\n"
	"Brings the device's registers and buffers to their initial state. A PCI device is stopped\n"
	"before, and its config space is as it was after it. Says nothing when that was done.\n"
	"\n"
	"  --method NAME   how a PCI device is reset: function (as whoever has it chooses), pm (to D3hot\n"
	"                  and back), hot (of its bus, where it is alone on it); or auto, the best of these\n"
	"  --hot           reset the slot or bus that the device is on, with all devices there; each must\n"
	"                  be ours: of an IOMMU group of, or open with, the devices that are given\n"
	"  --list          show which devices that resets, and whether they are ours\n"
	"  --with URI      a further device on it; repeatable\n"
	"  --json          with --list: as JSON\n" ARGS_DEVICE_HELP;

#define MAX_DEVICES (1 + VFK_PCI_HOT_RESET_MAX_OTHERS)

enum {
	OPTION_HOT = 1,
	OPTION_LIST,
	OPTION_WITH,
	OPTION_METHOD,
};

static const struct option options[] = {
	{ "hot", no_argument, NULL, OPTION_HOT },
	{ "list", no_argument, NULL, OPTION_LIST },
	{ "with", required_argument, NULL, OPTION_WITH },
	{ "method", required_argument, NULL, OPTION_METHOD },
	{ 0 },
};

struct job {
	struct args args;
	bool hot, list;
	const char *method; /* NULL: not said */
	size_t num_uris;    /* the first is the device */
	const char *uris[MAX_DEVICES];
	struct vfk_device *devs[MAX_DEVICES];
	struct vfk_pci *pcis[MAX_DEVICES];
};

/* ---- what is asked for ---- */

static int find_method(const char *name)
{
	static const char *const names[] = {
		[VFK_PCI_RESET_AUTO] = "auto",
		[VFK_PCI_RESET_FUNCTION] = "function",
		[VFK_PCI_RESET_PM] = "pm",
		[VFK_PCI_RESET_HOT] = "hot",
	};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
		if (!strcmp(name, names[i]))
			return i;
	}
	return -1;
}

static int take_option(struct job *job, int option)
{
	switch (option) {
	case OPTION_HOT:
		job->hot = true;
		return STATUS_OK;
	case OPTION_LIST:
		job->list = true;
		return STATUS_OK;
	case OPTION_METHOD:
		job->method = optarg;
		return STATUS_OK;
	default:
		if (job->num_uris == MAX_DEVICES)
			return args_wrong(&job->args, "more than %d further devices",
					  VFK_PCI_HOT_RESET_MAX_OTHERS);
		job->uris[job->num_uris++] = optarg;
		return STATUS_OK;
	}
}

static int check_options(struct job *job)
{
	struct args *args = &job->args;

	if (!args_words(args, 1, 1))
		return args->status;
	job->uris[0] = args->words[0];
	if (job->hot + job->list + (job->method != NULL) > 1)
		return args_wrong(args, "--hot, --list and --method exclude each other");
	if (job->num_uris > 1 && !job->hot && !job->list)
		return args_wrong(args, "--with goes with --hot and --list");
	if (args->json && !job->list)
		return args_wrong(args, "--json goes with --list");
	if (job->method && find_method(job->method) < 0)
		return args_wrong(args, "method \"%s\": auto, function, pm or hot", job->method);
	return STATUS_OK;
}

static int take_options(struct job *job, int argc, char **argv)
{
	int option, status = STATUS_OK;

	job->num_uris = 1;
	args_init(&job->args, argc, argv, help, options, ARGS_DEVICE | ARGS_JSON);
	while (status == STATUS_OK && (option = args_next(&job->args)) > 0)
		status = take_option(job, option);
	if (status != STATUS_OK)
		return status;
	return option < 0 ? job->args.status : check_options(job);
}

/* ---- doing it ---- */

static int open_pci(struct job *job, size_t i)
{
	int r;

	if (!(vfk_device_flags(job->devs[i]) & VFIO_DEVICE_FLAGS_PCI) && i == 0 && !job->hot &&
	    !job->list && !job->method)
		return STATUS_OK;
	r = vfk_pci_open(job->devs[i], &job->pcis[i]);
	return r < 0 ? fail(job->uris[i], r) : STATUS_OK;
}

static int open_all(struct job *job)
{
	int status = STATUS_OK;

	for (size_t i = 0; i < job->num_uris && status == STATUS_OK; i++) {
		status = i ? opening_share(&job->args, job->uris[i], job->devs[0], &job->devs[i]) :
			     opening_open(&job->args, job->uris[0], 0, &job->devs[0]);
		if (status == STATUS_OK)
			status = open_pci(job, i);
	}
	return status;
}

static void close_all(struct job *job)
{
	for (size_t i = job->num_uris; i-- > 0;) {
		vfk_pci_close(job->pcis[i]);
		vfk_device_close(job->devs[i]);
	}
}

static int reset(struct job *job)
{
	int method = job->method ? find_method(job->method) : VFK_PCI_RESET_AUTO;
	struct progress progress;
	int r;

	progress_start(&progress, job->args.progress, job->uris[0], "resetting", 0);
	if (job->hot)
		r = vfk_pci_hot_reset(job->pcis[0], job->pcis + 1, job->num_uris - 1);
	else if (job->pcis[0])
		r = vfk_pci_reset(job->pcis[0], (enum vfk_pci_reset_method)method);
	else
		r = vfk_device_reset(job->devs[0]);
	progress_stop(&progress);
	return r < 0 ? fail(job->uris[0], r) : STATUS_OK;
}

int cmd_reset(int argc, char **argv)
{
	struct job job = { 0 };
	int status = take_options(&job, argc, argv);

	if (status != STATUS_OK || !job.args.num_words)
		return status;
	status = open_all(&job);
	if (status == STATUS_OK)
		status = job.list ? dependents_show(job.uris[0], job.pcis[0], job.pcis + 1,
						    job.num_uris - 1, job.args.json) :
				    reset(&job);
	close_all(&job);
	return status;
}

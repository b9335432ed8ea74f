/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - "vfiokit irq": arm an interrupt, provoke it, wait for it.
 *
 * Armed before it is provoked, so that nothing is missed; the device's peer is served while we wait.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "descriptors.h"
#include "failure.h"
#include "names.h"
#include "number.h"
#include "opening.h"
#include "output.h"
#include "progress.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit irq URI INDEX [--count N] [--vectors N] [--min N] [--timeout S]\n"
	"                   [--mask V]... [--unmask V]... [--trigger]\n"
	"                   [--write REGION:OFFSET:WIDTH=VALUE]... [--json] [options]\n"
	"\n"
	"Arms the vectors of an interrupt, provokes it, waits, and prints each vector that was\n"
	"signalled with its number of signals. INDEX is intx, msi, msix, err, req, or a number.\n"
	"\n"
	"  --count N       wait until N signals came, all vectors together (1)\n"
	"  --vectors N     arm vectors 0 to N - 1 (as many as there are)\n"
	"  --min N         fewer of these vectors do, down to N, where the device cannot have all (all\n"
	"                  of --vectors; without that 1)\n"
	"  --mask V        mask vector V before it is provoked; repeatable\n"
	"  --unmask V      unmask vector V after that, so that what was held back comes; repeatable\n"
	"  --timeout S     wait no longer than S seconds, and fail then (10); may have decimals\n"
	"  --trigger       provoke by signalling the armed vectors from software\n"
	"  --write ...     provoke by writing a register; repeatable, done in order\n"
	"  --json          as JSON: vectors, each with vector and count\n" ARGS_FILTER_HELP "\n"
	"A message needs bus mastering on most devices: --write config:4:2=6 comes first then.\n"
	"The bound on a vfio-user server's answers is set in its URI: vfio-user:/x.sock,timeout=MS\n";

enum {
	OPTION_COUNT = 1,
	OPTION_VECTORS,
	OPTION_MIN,
	OPTION_MASK,
	OPTION_UNMASK,
	OPTION_TIMEOUT,
	OPTION_TRIGGER,
	OPTION_WRITE,
};

static const struct option options[] = {
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "vectors", required_argument, NULL, OPTION_VECTORS },
	{ "min", required_argument, NULL, OPTION_MIN },
	{ "mask", required_argument, NULL, OPTION_MASK },
	{ "unmask", required_argument, NULL, OPTION_UNMASK },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "trigger", no_argument, NULL, OPTION_TRIGGER },
	{ "write", required_argument, NULL, OPTION_WRITE },
	{ NULL },
};

#define MAX_WRITES  64
#define MAX_VECTORS 2048 /* of one vfk_irq_wait() */

struct irq {
	struct args args;
	uint32_t index;
	bool named;
	struct vfk_irq_info info;
	uint64_t want;	     /* signals to wait for */
	uint64_t vectors;    /* to arm; 0: all */
	uint64_t min;	     /* of those; 0: all that were asked for, or 1 */
	uint64_t timeout_ms; /* of the wait */
	bool trigger;
	struct access writes[MAX_WRITES];
	size_t num_writes;
	bool masks[MAX_VECTORS], unmasks[MAX_VECTORS];
	uint32_t num;	  /* vectors armed: the length of what follows */
	int *fds;	  /* owned; -1 where there is none */
	uint64_t *counts; /* of one wait */
	uint64_t *totals;
};

/* ---- arguments ---- */

static bool parse_write(struct irq *irq)
{
	if (irq->num_writes == MAX_WRITES) {
		args_wrong(&irq->args, "more than %d --write", MAX_WRITES);
		return false;
	}
	return access_parse_write(&irq->args, optarg, &irq->writes[irq->num_writes++]) == STATUS_OK;
}

static bool parse_vector(bool *vectors)
{
	uint64_t vector;

	if (!number_parse(optarg, 0, MAX_VECTORS - 1, &vector))
		return false;
	vectors[vector] = true;
	return true;
}

static bool parse_option(struct irq *irq, int option)
{
	bool good = false;

	switch (option) {
	case OPTION_COUNT:
		good = number_parse(optarg, 1, UINT32_MAX, &irq->want);
		break;
	case OPTION_VECTORS:
		good = number_parse(optarg, 1, MAX_VECTORS, &irq->vectors);
		break;
	case OPTION_MIN:
		good = number_parse(optarg, 1, MAX_VECTORS, &irq->min);
		break;
	case OPTION_MASK:
		good = parse_vector(irq->masks);
		break;
	case OPTION_UNMASK:
		good = parse_vector(irq->unmasks);
		break;
	case OPTION_TIMEOUT:
		good = number_parse_seconds(optarg, 86400000, &irq->timeout_ms);
		break;
	case OPTION_TRIGGER:
		irq->trigger = true;
		return true;
	case OPTION_WRITE:
		return parse_write(irq);
	}
	if (!good)
		args_wrong(&irq->args, "--%s %s: not a number that it can be",
			   options[option - 1].name, optarg);
	return good;
}

static bool parse(struct irq *irq, int argc, char **argv)
{
	struct args *args = &irq->args;
	uint64_t index;
	int option;

	*irq = (struct irq){ .want = 1, .timeout_ms = 10000 };
	args_init(args, argc, argv, help, options, ARGS_DEVICE | ARGS_JSON | ARGS_OWN_TIME);
	while ((option = args_next(args)) > 0)
		if (!parse_option(irq, option))
			return false;
	if (option < 0 || !args_words(args, 2, 2))
		return false;
	if (irq->vectors && irq->min > irq->vectors) {
		args_wrong(args, "--min %" PRIu64 " of --vectors %" PRIu64, irq->min, irq->vectors);
		return false;
	}
	irq->named = name_to_irq(args->words[1], &irq->index);
	if (irq->named)
		return true;
	if (!number_parse(args->words[1], 0, UINT32_MAX, &index)) {
		args_wrong(args, "no interrupt \"%s\": intx, msi, msix, err, req, or a number",
			   args->words[1]);
		return false;
	}
	irq->index = (uint32_t)index;
	return true;
}

/* ---- arming ---- */

static int check(struct vfk_device *dev, struct irq *irq)
{
	const char *name = vfk_device_name(dev), *word = irq->args.words[1];
	int r;

	if (irq->named && !(vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI))
		return fail_text(name, "%s is a PCI device's interrupt, this is no PCI device",
				 word);
	r = vfk_irq_get_info(dev, irq->index, &irq->info);
	if (r < 0)
		return fail(name, r);
	if (irq->info.count == 0)
		return fail_text(name, "the device has no interrupt %s", word);
	if (irq->vectors > irq->info.count || irq->min > irq->info.count)
		return fail_text(name, "interrupt %s has %u vectors", word, irq->info.count);
	for (size_t i = 0; i < irq->num_writes; i++)
		if (access_check(dev, &irq->writes[i]) != STATUS_OK)
			return STATUS_FAILED;
	irq->num = irq->vectors ? (uint32_t)irq->vectors : irq->info.count;
	if (irq->num > MAX_VECTORS)
		irq->num = MAX_VECTORS;
	return STATUS_OK;
}

static int make_eventfds(struct vfk_device *dev, struct irq *irq)
{
	irq->fds = calloc(irq->num, sizeof(*irq->fds));
	irq->counts = calloc(irq->num, sizeof(*irq->counts));
	irq->totals = calloc(irq->num, sizeof(*irq->totals));
	if (!irq->fds || !irq->counts || !irq->totals)
		return fail_text(vfk_device_name(dev), "out of memory");
	for (uint32_t i = 0; i < irq->num; i++)
		irq->fds[i] = -1;
	for (uint32_t i = 0; i < irq->num; i++) {
		irq->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (irq->fds[i] < 0)
			return fail_text(vfk_device_name(dev),
					 "%u vectors: eventfd: %m (RLIMIT_NOFILE is %llu)",
					 irq->num, descriptors_limit());
	}
	return STATUS_OK;
}

static void close_eventfds(struct irq *irq, uint32_t from)
{
	for (uint32_t i = from; irq->fds && i < irq->num; i++)
		if (irq->fds[i] >= 0)
			close(irq->fds[i]);
}

/* Arms as many vectors as can be had of those that were asked for, and no fewer than do. */
static int arm(struct vfk_device *dev, struct irq *irq)
{
	uint32_t num = irq->num, least = irq->vectors ? (uint32_t)irq->vectors : 1;
	int r;

	if (irq->min)
		least = (uint32_t)irq->min;

	while ((r = vfk_irq_set_eventfds(dev, irq->index, 0, num, irq->fds)) != 0) {
		if (r > 0 && (uint32_t)r < least)
			return fail_text(vfk_device_name(dev), "only %d vectors can be had", r);
		if (r > 0 && (uint32_t)r < num)
			num = (uint32_t)r;
		else if (r == -ENOSPC && num > least)
			num = num / 2 > least ? num / 2 : least;
		else
			return fail(vfk_device_name(dev), r > 0 ? -ENOSPC : r);
	}
	close_eventfds(irq, num);
	irq->num = num;
	return STATUS_OK;
}

/* ---- provoking and waiting ---- */

/* Which are not armed is known only now. */
static int for_each(struct vfk_device *dev, struct irq *irq, const bool *vectors, const char *what,
		    int (*call)(struct vfk_device *dev, uint32_t index, uint32_t start,
				uint32_t count))
{
	for (uint32_t i = 0; i < MAX_VECTORS; i++) {
		int r;

		if (!vectors[i])
			continue;
		if (i >= irq->num)
			return fail_text(vfk_device_name(dev),
					 "--%s %u: vector %u is not armed, %u are", what, i, i,
					 irq->num);
		r = call(dev, irq->index, i, 1);
		if (r < 0)
			return fail(vfk_device_name(dev), r);
	}
	return STATUS_OK;
}

static int provoke(struct vfk_device *dev, struct irq *irq)
{
	int r = for_each(dev, irq, irq->masks, "mask", vfk_irq_mask);

	if (r != STATUS_OK)
		return r;
	if (irq->trigger) {
		r = vfk_irq_trigger(dev, irq->index, 0, irq->num);
		if (r < 0)
			return fail(vfk_device_name(dev), r);
	}
	for (size_t i = 0; i < irq->num_writes; i++)
		if (access_put(dev, &irq->writes[i]) != STATUS_OK)
			return STATUS_FAILED;
	return for_each(dev, irq, irq->unmasks, "unmask", vfk_irq_unmask);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Adds what came to the totals. An automasked vector stays silent until it is unmasked. */
static int collect(struct vfk_device *dev, struct irq *irq, uint64_t *sum)
{
	int r;

	for (uint32_t i = 0; i < irq->num; i++) {
		irq->totals[i] += irq->counts[i];
		*sum += irq->counts[i];
	}
	for (uint32_t i = 0; i < irq->num && *sum < irq->want; i++) {
		if (!irq->counts[i] || !(irq->info.flags & VFIO_IRQ_INFO_AUTOMASKED))
			continue;
		r = vfk_irq_unmask(dev, irq->index, i, 1);
		if (r < 0)
			return fail(vfk_device_name(dev), r);
	}
	return STATUS_OK;
}

static int wait_all(struct vfk_device *dev, struct irq *irq, struct progress *progress)
{
	uint64_t sum = 0, deadline = now_ms() + irq->timeout_ms, now;
	int r;

	while (sum < irq->want) {
		now = now_ms();
		r = vfk_irq_wait(dev, irq->fds, irq->num,
				 now < deadline ? (int)(deadline - now) : 0, irq->counts);
		if (r == -ETIMEDOUT)
			return fail_text(vfk_device_name(dev),
					 "interrupt %s: %" PRIu64 " of %" PRIu64
					 " signals within %g s",
					 irq->args.words[1], sum, irq->want,
					 (double)irq->timeout_ms / 1000);
		if (r < 0 && r != -EINTR)
			return fail(vfk_device_name(dev), r);
		if (r > 0 && collect(dev, irq, &sum) != STATUS_OK)
			return STATUS_FAILED;
		progress_step(progress, sum);
	}
	return STATUS_OK;
}

static int wait_with_progress(struct vfk_device *dev, struct irq *irq)
{
	struct progress progress;
	int status;

	progress_start(&progress, irq->args.progress, vfk_device_name(dev), "waiting", irq->want);
	status = wait_all(dev, irq, &progress);
	progress_stop(&progress);
	return status;
}

/* ---- showing ---- */

static void show(struct vfk_device *dev, const struct irq *irq)
{
	char name[NAME_SIZE];

	name_of_irq(vfk_device_flags(dev), irq->index, name);
	for (uint32_t i = 0; i < irq->num; i++)
		if (irq->totals[i])
			printf("%s %u: %" PRIu64 "\n", name, i, irq->totals[i]);
}

static void show_json(struct vfk_device *dev, const struct irq *irq)
{
	json_object *root = json_object_new_object(), *array = json_object_new_array();
	char name[NAME_SIZE];

	name_of_irq(vfk_device_flags(dev), irq->index, name);
	json_object_object_add(root, "uri", json_object_new_string(vfk_device_name(dev)));
	json_object_object_add(root, "index", json_object_new_int64(irq->index));
	json_object_object_add(root, "name", json_object_new_string(name));
	json_object_object_add(root, "armed", json_object_new_int64(irq->num));
	json_object_object_add(root, "vectors", array);
	for (uint32_t i = 0; i < irq->num; i++) {
		json_object *vector;

		if (!irq->totals[i])
			continue;
		vector = json_object_new_object();
		json_object_object_add(vector, "vector", json_object_new_int64(i));
		json_object_object_add(vector, "count", json_object_new_uint64(irq->totals[i]));
		json_object_array_add(array, vector);
	}
	output_json(root);
}

static int run(struct vfk_device *dev, struct irq *irq)
{
	int status = check(dev, irq);

	if (status == STATUS_OK)
		status = make_eventfds(dev, irq);
	if (status == STATUS_OK)
		status = arm(dev, irq);
	if (status == STATUS_OK)
		status = provoke(dev, irq);
	if (status == STATUS_OK)
		status = wait_with_progress(dev, irq);
	if (status == STATUS_OK && irq->args.json)
		show_json(dev, irq);
	else if (status == STATUS_OK)
		show(dev, irq);
	return status;
}

int cmd_irq(int argc, char **argv)
{
	struct vfk_device *dev;
	struct irq irq;
	int status;

	if (!parse(&irq, argc, argv))
		return irq.args.status;
	descriptors_allow_all();
	if (opening_open(&irq.args, irq.args.words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	status = run(dev, &irq);
	vfk_device_close(dev);
	close_eventfds(&irq, 0);
	free(irq.fds);
	free(irq.counts);
	free(irq.totals);
	return status;
}

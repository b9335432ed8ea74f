/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.c - "vfiokit bench": how fast a device is reached, each figure beside its limit.
 *
 * A round is as many operations as fill a set time, found once; the device's rounds and the limit's alternate, so that
 * what disturbs the machine disturbs both. Shown are medians.
 */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vfiokit/error.h>
#include <vfiokit/kernel.h>
#include <vfiokit/uri.h>

#include "bench.h"
#include "failure.h"
#include "inventory.h"
#include "names.h"
#include "number.h"
#include "opening.h"
#include "output.h"
#include "progress.h"
#include "server_process.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit bench URI [CASE]... [--serve] [--cpus CLIENT,SERVER] [--spin US] [--time MS]\n"
	"                     [--rounds N] [--read REGION:OFFSET] [--write REGION:OFFSET:WIDTH=VALUE]\n"
	"                     [--raise REGION:OFFSET:WIDTH=VALUE] [--irq INDEX] [--json] [options]\n"
	"\n"
	"Measures how long operations on a device take, each beside its limit, which is measured in\n"
	"turns with it: a bare socket with messages of the same size where the device is behind one,\n"
	"the bare system calls where the kernel has it, memory where it is in this process. Prints\n"
	"medians, and the median of the ratios. CASE is a pattern: read, write, posted, batch, mapped,\n"
	"irq, map, maps-16, maps-256, maps-4096, maps-65000 (mapped beside so many), lookup,\n"
	"lookup-last, lookup-held, transfer; all of them without one.\n"
	"\n"
	"  --serve         serve URI by another process, and measure through its socket\n"
	"  --cpus C,S      keep this process on processor C, the server and the bare peer on S; the\n"
	"                  server is kept only where --serve starts it\n"
	"  --spin US       with --serve: both ends ask so long before they sleep. The bare socket does the\n"
	"                  same, as it does where URI says spin=\n"
	"  --time MS       length of a round (100)\n"
	"  --rounds N      rounds of each (5)\n"
	"  --read R:O      what is read, 4 bytes (config:0)\n"
	"  --write ...     what is written; without it only what is known of edu is\n"
	"  --raise ...     a write that raises the interrupt; without it the same\n"
	"  --irq INDEX     the interrupt that it raises (msi)\n"
	"  --json          as JSON\n" ARGS_DEVICE_HELP;

enum {
	OPTION_SERVE = 1,
	OPTION_CPUS,
	OPTION_TIME,
	OPTION_ROUNDS,
	OPTION_READ,
	OPTION_WRITE,
	OPTION_RAISE,
	OPTION_IRQ,
	OPTION_SPIN,
};

static const struct option options[] = {
	{ "serve", no_argument, NULL, OPTION_SERVE },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "time", required_argument, NULL, OPTION_TIME },
	{ "rounds", required_argument, NULL, OPTION_ROUNDS },
	{ "read", required_argument, NULL, OPTION_READ },
	{ "write", required_argument, NULL, OPTION_WRITE },
	{ "raise", required_argument, NULL, OPTION_RAISE },
	{ "irq", required_argument, NULL, OPTION_IRQ },
	{ "spin", required_argument, NULL, OPTION_SPIN },
	{ NULL },
};

#define MAX_ROUNDS 101
#define MAX_CASES  32

/* What came out of a case. */
struct figures {
	const char *why;		  /* it was not measured; NULL */
	double device_ns, bare_ns, ratio; /* medians */
};

/* ---- arguments ---- */

static bool parse_cpus(struct bench *b)
{
	char text[32], *comma;
	uint64_t cpu[2];

	snprintf(text, sizeof(text), "%s", optarg);
	comma = strchr(text, ',');
	if (comma)
		*comma = '\0';
	if (!comma || !number_parse(text, 0, CPU_SETSIZE - 1, &cpu[0]) ||
	    !number_parse(comma + 1, 0, CPU_SETSIZE - 1, &cpu[1]))
		return false;
	b->cpus[0] = (int)cpu[0];
	b->cpus[1] = (int)cpu[1];
	return true;
}

static bool parse_read(struct bench *b)
{
	char region[32], *colon;

	snprintf(region, sizeof(region), "%s", optarg);
	colon = strchr(region, ':');
	if (!colon) {
		args_wrong(&b->args, "--read %s: not REGION:OFFSET", optarg);
		return false;
	}
	*colon = '\0';
	return access_parse(&b->args, region, colon + 1, "4", NULL, &b->read) == STATUS_OK;
}

static bool parse_option(struct bench *b, int option, bool *serve)
{
	bool good = true;

	switch (option) {
	case OPTION_SERVE:
		*serve = true;
		break;
	case OPTION_CPUS:
		good = parse_cpus(b);
		break;
	case OPTION_TIME:
		good = number_parse(optarg, 1, 60000, &b->millis);
		break;
	case OPTION_ROUNDS:
		good = number_parse(optarg, 1, MAX_ROUNDS, &b->rounds);
		break;
	case OPTION_READ:
		return parse_read(b);
	case OPTION_WRITE:
		b->can_write = true;
		return access_parse_write(&b->args, optarg, &b->write) == STATUS_OK;
	case OPTION_RAISE:
		b->can_raise = true;
		return access_parse_write(&b->args, optarg, &b->raise) == STATUS_OK;
	case OPTION_SPIN:
		good = number_parse(optarg, 1, 1000000, &b->spin_us);
		break;
	case OPTION_IRQ:
		good = name_to_irq(optarg, &b->irq);
		break;
	}
	if (!good)
		args_wrong(&b->args, "--%s %s: not what it can be", options[option - 1].name,
			   optarg);
	return good;
}

static bool is_case(const char *pattern)
{
	for (const struct bench_case *c = bench_cases; c->name; c++)
		if (!fnmatch(pattern, c->name, 0))
			return true;
	return false;
}

static bool parse(struct bench *b, int argc, char **argv, bool *serve)
{
	struct args *args = &b->args;
	int option;

	*b = (struct bench){ .millis = 100,
			     .rounds = 5,
			     .read = { .region = VFIO_PCI_CONFIG_REGION_INDEX, .width = 4 },
			     .irq = VFIO_PCI_MSI_IRQ_INDEX,
			     .cpus = { -1, -1 },
			     .kernel_fd = -1,
			     .fd = -1,
			     .bare_fd = -1 };
	args_init(args, argc, argv, help, options, ARGS_DEVICE | ARGS_JSON);
	while ((option = args_next(args)) > 0)
		if (!parse_option(b, option, serve))
			return false;
	if (option < 0 || !args_words(args, 1, MAX_CASES))
		return false;
	for (int i = 1; i < args->num_words; i++) {
		if (!is_case(args->words[i])) {
			args_wrong(args, "no case \"%s\"", args->words[i]);
			return false;
		}
	}
	if (b->spin_us && !*serve) {
		args_wrong(
			args,
			"--spin is for --serve; otherwise it is the URI's spin=, and the server's");
		return false;
	}
	return true;
}

/* ---- what is known ---- */

/* edu's registers (QEMU, docs/specs/edu): 0x04 may be written as one likes, 0x60 raises. */
static void use_what_is_known(struct bench *b)
{
	struct pci_identity id;

	if (inventory_pci(b->dev, &id) < 0 || id.vendor != 0x1234 || id.device != 0x11e8)
		return;
	if (b->read.region == VFIO_PCI_CONFIG_REGION_INDEX && !b->read.offset)
		b->read.region = VFIO_PCI_BAR0_REGION_INDEX;
	if (!b->can_write)
		b->write = (struct access){ .offset = 0x04, .width = 4, .value = 0x12345678 };
	if (!b->can_raise)
		b->raise = (struct access){ .offset = 0x60, .width = 4, .value = 1 };
	b->can_write = b->can_raise = true;
}

/* Ready for DMA, where it can be; what it cannot is told by the case that needs it. */
static int make_ready(struct bench *b)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };
	int ret = vfk_dma_space_create(&b->space);

	if (ret < 0)
		return fail("bench", ret);
	if (vfk_device_attach_dma(b->dev, b->space) < 0) {
		vfk_dma_space_destroy(b->space);
		b->space = NULL;
	}
	b->kernel_fd = vfk_kernel_get_fds(b->dev, &fds) ? -1 : fds.device;
	use_what_is_known(b);
	return STATUS_OK;
}

/* ---- measuring ---- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nanoseconds of one operation, or -errno. */
static double time_it(struct bench *b, int (*fn)(struct bench *, uint64_t), uint64_t n)
{
	uint64_t start = now_ns();
	int ret = fn(b, n);

	return ret ? ret : (double)(now_ns() - start) / (double)n;
}

/* How many operations fill a round; 0: they fail, and *err says why. */
static uint64_t calibrate(struct bench *b, int (*fn)(struct bench *, uint64_t), int *err)
{
	double want = (double)b->millis * 1e6;

	for (uint64_t n = 1;; n *= 4) {
		double each = time_it(b, fn, n);

		*err = each < 0 ? (int)each : 0;
		if (*err)
			return 0;
		if (each * (double)n >= want / 8 || n > UINT64_C(1) << 40)
			return (uint64_t)(want / (each > 0.01 ? each : 0.01)) + 1;
	}
}

static int by_value(const void *a, const void *b)
{
	const double *l = a, *r = b;

	return (*l > *r) - (*l < *r);
}

static double median(double *values, uint64_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static int run_rounds(struct bench *b, const struct bench_case *c, struct figures *f)
{
	double device[MAX_ROUNDS], bare[MAX_ROUNDS], ratio[MAX_ROUNDS];
	uint64_t n_device, n_bare;
	int err;

	n_device = calibrate(b, c->device, &err);
	n_bare = n_device ? calibrate(b, c->bare, &err) : 0;
	for (uint64_t i = 0; n_bare && i < b->rounds; i++) {
		device[i] = time_it(b, c->device, n_device);
		bare[i] = device[i] < 0 ? device[i] : time_it(b, c->bare, n_bare);
		if (bare[i] < 0) {
			err = (int)bare[i];
			break;
		}
		ratio[i] = c->rate ? bare[i] / device[i] : device[i] / bare[i];
	}
	if (err && *vfk_error())
		return fail(vfk_device_name(b->dev), err);
	if (err)
		return fail_text(vfk_device_name(b->dev), "%s: %s", c->name, strerror(-err));
	f->device_ns = median(device, b->rounds);
	f->bare_ns = median(bare, b->rounds);
	f->ratio = median(ratio, b->rounds);
	return STATUS_OK;
}

static int run_case(struct bench *b, const struct bench_case *c, struct figures *f)
{
	int status = STATUS_OK;

	*f = (struct figures){ 0 };
	if (c->prepare)
		status = c->prepare(b, &f->why);
	if (status == STATUS_OK && !f->why)
		status = run_rounds(b, c, f);
	if (c->finish)
		c->finish(b);
	return status;
}

/* ---- showing ---- */

static void print_time(double ns)
{
	if (ns < 1000)
		printf("%9.2f ns", ns);
	else if (ns < 1e6)
		printf("%9.2f us", ns / 1000);
	else
		printf("%9.2f ms", ns / 1e6);
}

static const char *limit_of(const struct bench *b, const struct bench_case *c)
{
	return b->socket && c->socket ? c->socket : c->limit;
}

static void print_case(const struct bench *b, const struct bench_case *c, const struct figures *f)
{
	printf("%-12s", c->name);
	if (f->why) {
		printf("  not measured: %s\n", f->why);
		return;
	}
	print_time(f->device_ns);
	print_time(f->bare_ns);
	printf("%8.2f  %s %s", f->ratio, c->rate ? "times the rate of" : "times", limit_of(b, c));
	if (c->bytes)
		printf(" (%.2f GB/s)", (double)c->bytes / f->device_ns);
	putchar('\n');
}

static void add_case(const struct bench *b, json_object *cases, const struct bench_case *c,
		     const struct figures *f)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "name", json_object_new_string(c->name));
	json_object_object_add(o, "help", json_object_new_string(c->help));
	json_object_object_add(o, "limit", json_object_new_string(limit_of(b, c)));
	json_object_array_add(cases, o);
	if (f->why) {
		json_object_object_add(o, "not_measured", json_object_new_string(f->why));
		return;
	}
	json_object_object_add(o, "ns", json_object_new_double(f->device_ns));
	json_object_object_add(o, "limit_ns", json_object_new_double(f->bare_ns));
	json_object_object_add(o, c->rate ? "rate_ratio" : "time_ratio",
			       json_object_new_double(f->ratio));
	if (c->bytes)
		json_object_object_add(o, "bytes", json_object_new_uint64(c->bytes));
}

static bool wanted(const struct bench *b, const struct bench_case *c)
{
	for (int i = 1; i < b->args.num_words; i++)
		if (!fnmatch(b->args.words[i], c->name, 0))
			return true;
	return b->args.num_words == 1;
}

/* ---- all of it ---- */

static int run_cases(struct bench *b, json_object *cases)
{
	int status = STATUS_OK;

	if (!cases)
		printf("%-12s%12s%12s%8s\n", "case", "device", "limit", "ratio");
	for (const struct bench_case *c = bench_cases; c->name && status == STATUS_OK; c++) {
		struct figures f;

		if (!wanted(b, c))
			continue;
		status = run_case(b, c, &f);
		if (status == STATUS_OK && cases)
			add_case(b, cases, c, &f);
		else if (status == STATUS_OK)
			print_case(b, c, &f);
		fflush(stdout);
	}
	return status;
}

static int measure(struct bench *b)
{
	json_object *root = b->args.json ? json_object_new_object() : NULL, *cases = NULL;
	struct progress progress;
	int status;

	if (root) {
		cases = json_object_new_array();
		json_object_object_add(root, "uri",
				       json_object_new_string(vfk_device_name(b->dev)));
		json_object_object_add(root, "rounds", json_object_new_uint64(b->rounds));
		json_object_object_add(root, "cases", cases);
	}
	progress_start(&progress, b->args.progress, vfk_device_name(b->dev), "measuring", 0);
	status = run_cases(b, cases);
	progress_stop(&progress);
	if (root && status == STATUS_OK)
		output_json(root);
	else
		json_object_put(root);
	return status;
}

static int keep_on(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return STATUS_OK;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ?
		       fail_text("bench", "processor %d: %m", cpu) :
		       STATUS_OK;
}

/* What URI says; one that it cannot say is told by whoever opens it. */
static uint64_t spin_of(const char *text)
{
	struct vfk_uri *uri;
	uint64_t us = 0;

	if (vfk_uri_parse(text, &uri) < 0)
		return 0;
	vfk_uri_get_u64(uri, "spin", 0, 1000000, &us);
	vfk_uri_free(uri);
	return us;
}

static int run_on(struct bench *b, const char *uri)
{
	int status = keep_on(b->cpus[0]);

	b->socket = !strncmp(uri, "vfio-user:", 10);
	if (status == STATUS_OK && b->socket)
		status = bench_peer_start(&b->peer, b->cpus[1], spin_of(uri));
	if (status != STATUS_OK)
		return status;
	status = opening_open(&b->args, uri, 0, &b->dev);
	if (status != STATUS_OK)
		goto stop_peer;
	status = make_ready(b);
	if (status == STATUS_OK)
		status = access_check(b->dev, &b->read);
	if (status == STATUS_OK)
		status = measure(b);
	vfk_device_close(b->dev);
	if (b->space)
		vfk_dma_space_destroy(b->space);
stop_peer:
	bench_peer_stop(&b->peer);
	return status;
}

int cmd_bench(int argc, char **argv)
{
	char uri[SOCKET_URI_SIZE + 32];
	struct server_process server;
	bool serve = false;
	struct bench b;
	int status;

	if (!parse(&b, argc, argv, &serve))
		return b.args.status;
	if (!serve)
		return run_on(&b, b.args.words[0]);
	if (server_process_start(&server, b.args.words[0], b.cpus[1], (uint32_t)b.spin_us) !=
	    STATUS_OK)
		return STATUS_FAILED;
	snprintf(uri, sizeof(uri), "%s", server.uri);
	if (b.spin_us)
		snprintf(uri, sizeof(uri), "%s,spin=%" PRIu64, server.uri, b.spin_us);
	status = run_on(&b, uri);
	if (server_process_stop(&server) != STATUS_OK)
		status = STATUS_FAILED;
	return status;
}

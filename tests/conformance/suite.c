/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * suite.c - runs the cases: a process each, a bound on its time, TAP out.
 *
 * The child reports through a pipe: what it writes there becomes diagnostics, its exit status the result. Exit statuses
 * are those of automake: 0 passed, 77 skipped, anything else failed (a sanitizer's exit included).
 */
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "skips.h"
#include "suite.h"

#define OUTPUT_MAX 16384
#define EXIT_SKIP  77

static const struct vfk_case *const tables[] = {
	vfk_cases_info,	      vfk_cases_region,	    vfk_cases_map,	   vfk_cases_config,
	vfk_cases_irq,	      vfk_cases_feature,    vfk_cases_reset,	   vfk_cases_dma,
	vfk_cases_engine_irq, vfk_cases_engine_dma, vfk_cases_pci_bar,	   vfk_cases_pci_irq,
	vfk_cases_pci_reset,  vfk_cases_pci_rom,    vfk_cases_pci_virtual, vfk_cases_lifecycle,
};

struct result {
	int status; /* as waitpid() gives it */
	bool timed_out;
	size_t len;
	char text[OUTPUT_MAX]; /* the child's diagnostics, NUL-terminated */
};

static const struct vfk_case *case_at(size_t i)
{
	for (size_t n = 0; n < sizeof(tables) / sizeof(tables[0]); n++) {
		for (const struct vfk_case *c = tables[n]; c->name; c++) {
			if (i-- == 0)
				return c;
		}
	}
	return NULL;
}

const char *vfk_suite_case_name(size_t i)
{
	const struct vfk_case *c = case_at(i);

	return c ? c->name : NULL;
}

static void collect(int fd, unsigned int timeout_s, pid_t pid, struct result *r)
{
	uint64_t end = case_now_ms() + timeout_s * 1000ull;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = case_now_ms();
		ssize_t n;

		if (now >= end) {
			r->timed_out = true;
			kill(pid, SIGKILL);
			return;
		}
		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;
		n = read(fd, r->text + r->len, OUTPUT_MAX - 1 - r->len);
		if (n <= 0)
			return;
		r->len += (size_t)n;
		if (r->len == OUTPUT_MAX - 1)
			r->len = OUTPUT_MAX /
				 2; /* keep the beginning, let the tail be overwritten */
	}
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += dup2(fd, fd) == fd;
	return n;
}

static void child(const struct vfk_suite_opts *opts, const struct vfk_case *c)
{
	struct t t = { .uri = opts->uri, .open = opts->open, .open_device = opts->open_device };
	int before = open_fds(), after;

	if (case_open(&t) < 0)
		case_fail(&t, __FILE__, __LINE__, "open failed");
	c->fn(&t);
	vfk_device_close(t.dev);
	t.dev = NULL;
	after = open_fds();
	if (after != before)
		case_fail(&t, __FILE__, __LINE__, "%d descriptors before, %d after", before, after);
	exit(0);
}

static int run_case(const struct vfk_suite_opts *opts, const struct vfk_case *c, struct result *r)
{
	int p[2], ret = 0;
	pid_t pid;

	memset(r, 0, sizeof(*r));
	if (pipe(p) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		ret = -errno;
		goto out_pipe;
	}
	if (pid == 0) {
		dup2(p[1], STDERR_FILENO);
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		child(opts, c);
	}
	close(p[1]);
	p[1] = -1;
	collect(p[0], opts->case_timeout_s ? opts->case_timeout_s : 60, pid, r);
	while (waitpid(pid, &r->status, 0) < 0 && errno == EINTR)
		;
	r->text[r->len] = '\0';
out_pipe:
	close(p[0]);
	if (p[1] >= 0)
		close(p[1]);
	return ret;
}

static void print_text(FILE *tap, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		fprintf(tap, "# %s\n", line);
}

/* A skip's reason is the last line that the child wrote. */
static const char *last_line(char *text)
{
	size_t len = strlen(text);
	char *nl;

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	nl = strrchr(text, '\n');
	return nl ? nl + 1 : text;
}

/* Returns whether the case counts as a failure. */
static bool report(const struct vfk_suite_opts *opts, struct skips *skips, size_t n,
		   const char *name, struct result *r)
{
	bool skipped = WIFEXITED(r->status) && WEXITSTATUS(r->status) == EXIT_SKIP;
	bool passed = WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0;
	bool listed = skips_listed(skips, opts->backend, name);
	FILE *tap = opts->tap;

	if (skipped && (listed || !opts->expected_skips)) {
		fprintf(tap, "ok %zu - %s # SKIP %s\n", n, name, last_line(r->text));
		return false;
	}
	if (passed && !listed) {
		fprintf(tap, "ok %zu - %s\n", n, name);
		return false;
	}
	fprintf(tap, "not ok %zu - %s\n", n, name);
	if (skipped)
		fprintf(tap, "# skipped, but %s does not list it for %s:\n", opts->expected_skips,
			opts->backend);
	else if (passed)
		fprintf(tap, "# passed, but %s lists it as skipped for %s\n", opts->expected_skips,
			opts->backend);
	if (r->timed_out)
		fprintf(tap, "# killed: it did not end in time\n");
	else if (WIFSIGNALED(r->status))
		fprintf(tap, "# died of signal %d\n", WTERMSIG(r->status));
	print_text(tap, r->text);
	return true;
}

static size_t count_cases(const char *pattern)
{
	size_t n = 0;

	for (size_t i = 0; case_at(i); i++)
		n += !pattern || fnmatch(pattern, case_at(i)->name, 0) == 0;
	return n;
}

int vfk_suite_run(const struct vfk_suite_opts *opts)
{
	struct result *r = calloc(1, sizeof(*r));
	struct skips *skips = NULL;
	int failed = 0, ret = -ENOMEM;
	size_t n = 0;

	if (!r)
		return ret;
	ret = skips_read(opts->expected_skips, opts->backend, &skips);
	if (ret < 0)
		goto out;
	fprintf(opts->tap, "TAP version 13\n1..%zu\n", count_cases(opts->pattern));
	for (size_t i = 0; case_at(i); i++) {
		const struct vfk_case *c = case_at(i);

		if (opts->pattern && fnmatch(opts->pattern, c->name, 0) != 0)
			continue;
		ret = run_case(opts, c, r);
		if (ret < 0)
			goto out;
		failed += report(opts, skips, ++n, c->name, r);
		fflush(opts->tap);
	}
	ret = failed;
out:
	skips_free(skips);
	free(r);
	return ret;
}

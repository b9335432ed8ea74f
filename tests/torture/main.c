/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - either end dies at any byte, again and again:  torture [ROUNDS [SEED]]
 *
 * In each round a client does what drivers do with a served device (workload.h), through a relay that cuts at a byte that
 * was rolled: it kills the client's process, kills the server's process, hangs up on both, or falls silent. Then whoever
 * survived is counted (census.h), and the server, or the next one on the same path, serves another client.
 *
 * Round n of seed s is that of seed s+n with one round: what a failure prints repeats it.
 */
#include "census.h"
#include "relay.h"
#include "server.h"
#include "workload.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Rounds before anything is counted: what is made once and kept is made then. */
#define WARM_UP	   24
#define ROUND_S	   60 /* a round that takes longer hangs */
#define TIMEOUT_MS 2000
#define SILENCE_MS 20
#define MOST_STEPS 60

enum kind {
	KIND_PAIR,   /* both in this process, on a socketpair; none dies */
	KIND_CLIENT, /* the client's process is killed; or both see the end */
	KIND_SERVER, /* the server's process is killed under a client in this one */
	KINDS,
};

static const char *const kind_names[KINDS] = { "cut", "client killed", "server killed" };

struct torture {
	char folder[32];
	/* One that lasts, and one that is killed every time. */
	struct server_process lasting[WORKLOAD_DEVICES], doomed[WORKLOAD_DEVICES];
	struct vfk_device *dev[WORKLOAD_DEVICES]; /* of KIND_PAIR */
	struct census before;			  /* of this process */
	struct census served[WORKLOAD_DEVICES];	  /* of the servers' */
	bool counting;
	unsigned long cuts[KINDS], rounds[KINDS], silences;
	uint64_t bytes;
	char wrong[1024];
};

struct round {
	enum kind kind;
	enum workload_device which;
	struct relay_plan plan;
	struct dice dice;
	const char *options; /* of the client */
	unsigned int steps;
	uint32_t timeout_ms;
};

static uint64_t current_seed;

static void on_alarm(int sig)
{
	static char text[100];
	int n = snprintf(text, sizeof(text), "Bail out! a round hangs: torture 1 %llu\n",
			 (unsigned long long)current_seed);

	(void)sig;
	if (write(STDOUT_FILENO, text, (size_t)n))
		_exit(1);
	_exit(1);
}

static bool fail(struct torture *t, const char *what, const char *more)
{
	snprintf(t->wrong, sizeof(t->wrong), "%s:%s", what, more);
	return false;
}

/* ---- a round ---- */

/* Every magnitude: a header is as likely to be hit as the middle of a long session. */
static uint64_t roll_byte(struct dice *dice)
{
	return dice_roll(dice) % (1ull << (4 + dice_below(dice, 13)));
}

static struct round plan(uint64_t seed)
{
	/* The kernel takes its time over a server that is killed. */
	static const enum kind kinds[] = { KIND_PAIR, KIND_PAIR, KIND_CLIENT, KIND_CLIENT,
					   KIND_SERVER };
	static const char *const options[] = { "", "", ",twin=on", ",batch=100" };
	struct round r = { .dice = { seed } };
	struct dice *dice = &r.dice;

	r.kind = kinds[dice_below(dice, sizeof(kinds) / sizeof(kinds[0]))];
	r.which = dice_below(dice, WORKLOAD_DEVICES);
	r.plan.to_client = dice_once_in(dice, 2);
	r.plan.at = roll_byte(dice);
	r.plan.without_fds = dice_once_in(dice, 5);
	r.plan.cut = r.kind == KIND_PAIR ? RELAY_HANG_UP : RELAY_KILL;
	r.options = options[dice_below(dice, sizeof(options) / sizeof(options[0]))];
	r.steps = 5 + dice_below(dice, MOST_STEPS);
	r.timeout_ms = TIMEOUT_MS;
	if (r.kind != KIND_SERVER && dice_once_in(dice, 25)) {
		r.plan.cut = RELAY_SILENCE;
		r.timeout_ms = SILENCE_MS;
		r.steps = 5;
	} else if (r.kind == KIND_CLIENT && dice_once_in(dice, 4)) {
		r.plan.cut = RELAY_HANG_UP;
	}
	return r;
}

static void make_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		perror("socketpair");
		exit(1);
	}
}

static const char *work(struct round *r, int fd)
{
	return workload_run(fd, r->which, r->options, &r->dice, r->steps, r->timeout_ms);
}

static const char *round_pair(struct torture *t, struct round *r, struct relay *relay)
{
	struct server_thread server;
	const char *wrong;
	int near[2], far[2];

	make_pair(near);
	make_pair(far);
	server_thread_start(&server, t->dev[r->which], far[1]);
	relay_start(relay, &r->plan, near[1], far[0]);
	wrong = work(r, near[0]);
	relay_stop(relay);
	server_thread_stop(&server);
	return wrong;
}

static const char *round_client(struct torture *t, struct round *r, struct relay *relay)
{
	int near[2], status = 0;
	pid_t pid;

	make_pair(near);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		const char *wrong;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(near[1]);
		wrong = work(r, near[0]);
		if (wrong)
			printf("# the client: %s\n", wrong);
		fflush(NULL);
		_exit(wrong != NULL);
	}
	close(near[0]);
	r->plan.victim = pid;
	relay_start(relay, &r->plan, near[1], server_process_connect(&t->lasting[r->which]));
	waitpid(pid, &status, 0);
	relay_stop(relay);
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? "the client's process failed" : NULL;
	return WTERMSIG(status) == SIGKILL ? NULL : "the client's process crashed";
}

static const char *round_server(struct torture *t, struct round *r, struct relay *relay)
{
	struct server_process *s = &t->doomed[r->which];
	const char *wrong;
	int near[2], far = server_process_connect(s);

	make_pair(near);
	r->plan.victim = s->pid;
	relay_start(relay, &r->plan, near[1], far);
	wrong = work(r, near[0]);
	relay_stop(relay);
	if (!relay->has_cut)
		kill(s->pid, SIGKILL);
	server_process_reap(s);
	return wrong;
}

/* ---- after it ---- */

static const char *check_pair(struct torture *t, enum workload_device which)
{
	struct server_thread server;
	const char *wrong;
	int ends[2];

	make_pair(ends);
	server_thread_start(&server, t->dev[which], ends[1]);
	wrong = workload_check(ends[0], which);
	server_thread_stop(&server);
	return wrong;
}

static const char *check_lasting(struct torture *t, enum workload_device which)
{
	return workload_check(server_process_connect(&t->lasting[which]), which);
}

/* A new one, in the place of the one that was killed. */
static const char *check_doomed(struct torture *t, enum workload_device which)
{
	if (!server_process_start(&t->doomed[which]))
		return "the next server does not start";
	return workload_check(server_process_connect(&t->doomed[which]), which);
}

static bool count_server(struct torture *t, enum workload_device which)
{
	struct census now;
	char more[256];

	if (!server_process_census(&t->lasting[which], &now))
		return fail(t, "the server", " does not answer");
	if (!t->counting)
		t->served[which] = now;
	else if (census_compare(&t->served[which], &now, more, sizeof(more)))
		return fail(t, "the server has", more);
	return true;
}

static bool count_self(struct torture *t)
{
	struct census now;
	char more[256];

	census_take(&now);
	if (!t->counting)
		t->before = now;
	else if (census_compare(&t->before, &now, more, sizeof(more)))
		return fail(t, "this process has", more);
	return true;
}

static bool run_round(struct torture *t, uint64_t seed)
{
	static const char *(*const how[KINDS])(struct torture *, struct round *,
					       struct relay *) = { round_pair, round_client,
								   round_server };
	static const char *(*const check[KINDS])(struct torture *, enum workload_device) = {
		check_pair, check_lasting, check_doomed
	};
	struct round r = plan(seed);
	struct relay relay;
	const char *wrong;

	current_seed = seed;
	alarm(ROUND_S);
	wrong = how[r.kind](t, &r, &relay);
	if (wrong)
		return fail(t, kind_names[r.kind], wrong);
	t->rounds[r.kind]++;
	t->cuts[r.kind] += relay.has_cut;
	t->silences += relay.has_cut && r.plan.cut == RELAY_SILENCE;
	wrong = check[r.kind](t, r.which);
	if (wrong)
		return fail(t, "the next client", wrong);
	if (r.kind == KIND_CLIENT && !count_server(t, r.which))
		return false;
	alarm(0);
	return count_self(t);
}

/* ---- all of them ---- */

static bool start(const struct torture *t, struct server_process *s, const char *name,
		  enum workload_device which)
{
	s->which = which;
	snprintf(s->path, sizeof(s->path), "%s/%s-%d", t->folder, name, (int)which);
	return server_process_start(s);
}

static bool begin(struct torture *t)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };

	snprintf(t->folder, sizeof(t->folder), "/tmp/vfiokit-torture-XXXXXX");
	if (!mkdtemp(t->folder))
		return fail(t, "no folder for the sockets", t->folder);
	for (int i = 0; i < WORKLOAD_DEVICES; i++)
		if (!start(t, &t->lasting[i], "lasting", i) ||
		    !start(t, &t->doomed[i], "doomed", i))
			return fail(t, "a server", " does not start");
	for (int i = 0; i < WORKLOAD_DEVICES; i++)
		if (vfk_device_open(workload_uris[i], &opts, &t->dev[i]))
			return fail(t, workload_uris[i], vfk_error());
	return true;
}

/* A failure that there was before is the one that is told. */
static bool stop(struct torture *t, struct server_process *s)
{
	if (!s->pid || server_process_stop(s))
		return true;
	return *t->wrong ? false : fail(t, "a server", " ends with a failure");
}

static bool end(struct torture *t)
{
	bool good = true;

	for (int i = 0; i < WORKLOAD_DEVICES; i++) {
		good = stop(t, &t->lasting[i]) && good;
		good = stop(t, &t->doomed[i]) && good;
		vfk_device_close(t->dev[i]);
	}
	rmdir(t->folder);
	return good;
}

static bool run_rounds(struct torture *t, unsigned long rounds, uint64_t seed)
{
	for (uint64_t i = 0; i < WARM_UP; i++)
		if (!run_round(t, i))
			return false;
	memset(t->rounds, 0, sizeof(t->rounds));
	memset(t->cuts, 0, sizeof(t->cuts));
	t->silences = 0;
	t->counting = true;
	for (unsigned long i = 0; i < rounds; i++)
		if (!run_round(t, seed + i))
			return false;
	return true;
}

static void show(const struct torture *t, double seconds)
{
	printf("#");
	for (int i = 0; i < KINDS; i++)
		printf(" %s: %lu of %lu;", kind_names[i], t->cuts[i], t->rounds[i]);
	printf(" %lu of them by silence; %.1f s\n", t->silences, seconds);
	printf("# held at the end: %llu descriptors, %llu shared mappings, %llu mappings, %llu bytes\n",
	       (unsigned long long)t->before.fds, (unsigned long long)t->before.shared,
	       (unsigned long long)t->before.maps, (unsigned long long)t->before.heap);
}

/* What the C library keeps of freed memory for each thread counts as allocated: it shall keep none. */
static void count_exactly(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
	execv("/proc/self/exe", argv);
	perror("exec");
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct timespec from, to;
	static struct torture t;
	bool good;

	count_exactly(argv);
	signal(SIGALRM, on_alarm);
	clock_gettime(CLOCK_MONOTONIC, &from);
	good = begin(&t) && run_rounds(&t, rounds, seed);
	good = end(&t) && good;
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("1..1\n%s 1 - %lu rounds from seed %llu\n", good ? "ok" : "not ok", rounds,
	       (unsigned long long)seed);
	if (!good)
		printf("# %s\n# again: torture 1 %llu\n", t.wrong,
		       (unsigned long long)current_seed);
	show(&t, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return !good;
}

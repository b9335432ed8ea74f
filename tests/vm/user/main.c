/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - edu-user URI MODE: a program with an edu device in full use, to which something happens.
 *
 *	once	one factorial, one round trip of DMA, then the end
 *	dma	DMA without an end; says "running", and is killed
 *	leave	DMA until the kernel asks for the device back; closes it then
 *	stay	likewise, but goes on using the device for three seconds after it was asked
 *	reset	resets while another thread raises interrupts; then the device works
 *	gone	nothing but an open, which has to fail: there is no such device any more
 *
 * It says each step in a line, and ends by itself within a minute whatever happens.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "edu.h"

#define LIFE_S	60
#define RESETS	50
#define STAY_MS 3000

static void say(const char *step)
{
	puts(step);
	fflush(stdout);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void once(struct edu *edu)
{
	edu_factorial(edu);
	edu_round_trip(edu);
	edu_close(edu);
	say("works");
}

/* The last transfer is left to itself: whoever kills this process does so in the middle of it. */
static void dma(struct edu *edu)
{
	edu_round_trip(edu);
	edu_start(edu, true);
	say("running");
	for (;;) {
		usleep(50000);
		edu_start(edu, true);
	}
}

static void until_requested(struct edu *edu)
{
	edu_arm_request(edu);
	edu_round_trip(edu);
	say("running");
	while (!edu_requested(edu, 0))
		edu_round_trip(edu);
	say("requested");
}

static void leave(struct edu *edu)
{
	until_requested(edu);
	edu_close(edu);
	say("closed");
}

static void stay(struct edu *edu)
{
	uint64_t end;

	until_requested(edu);
	end = now_ms() + STAY_MS;
	while (now_ms() < end)
		edu_round_trip(edu);
	edu_factorial(edu);
	say("still works");
	edu_close(edu);
	say("closed");
}

struct noise {
	struct edu *edu;
	atomic_bool stop;
	unsigned long raised, refused;
};

static void *make_noise(void *arg)
{
	struct noise *n = arg;

	while (!atomic_load(&n->stop)) {
		if (edu_raise(n->edu) == 0)
			n->raised++;
		else
			n->refused++; /* the device was off the bus, or its memory not decoded */
	}
	return NULL;
}

static void reset(struct edu *edu)
{
	struct noise n = { .edu = edu };
	pthread_t thread;
	uint64_t count;

	if (pthread_create(&thread, NULL, make_noise, &n) != 0)
		die("thread");
	for (int i = 0; i < RESETS; i++) {
		if (vfk_device_reset(edu->dev) != 0)
			die("reset %d", i);
		usleep(2000);
	}
	atomic_store(&n.stop, true);
	pthread_join(thread, NULL);
	printf("raised %lu times in %d resets, refused %lu times\n", n.raised, RESETS, n.refused);
	if (n.raised < RESETS)
		die("too few interrupts for this to mean anything");
	if (vfk_device_reset(edu->dev) != 0)
		die("last reset");
	(void)read(edu->irq, &count, sizeof(count));
	once(edu);
}

static int gone(const char *uri)
{
	struct vfk_device *dev = NULL;
	int ret = vfk_device_open(uri, NULL, &dev);

	printf("open: %d: %s\n", ret, vfk_error());
	return ret == -ENODEV ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct edu *edu);
	} modes[] = {
		{ "once", once }, { "dma", dma },     { "leave", leave },
		{ "stay", stay }, { "reset", reset },
	};
	struct edu edu;

	alarm(LIFE_S);
	if (argc == 3 && strcmp(argv[2], "gone") == 0)
		return gone(argv[1]);
	for (size_t i = 0; argc == 3 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[2], modes[i].name) == 0) {
			edu_open(&edu, argv[1]);
			modes[i].run(&edu);
			return 0;
		}
	}
	fprintf(stderr, "usage: edu-user URI once|dma|leave|stay|reset|gone\n");
	return 2;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * work.h - a model's deferred work, and who runs it.
 *
 * Work without a delay runs at the end of the model's function that queued it. Work with one waits for a timer, which
 * is a file: the opener polls and dispatches it (VFK_OPEN_DISPATCH), else one worker thread of ours does. That is
 * started when the model asks for deferred work, or the device's user for an unmask eventfd of INTx or for doorbells, which
 * are watched together with the timer.
 *
 * Threads: queues under the model's lock. vfki_work_dispatch() from any thread, without it.
 */
#ifndef VFKI_MODEL_WORK_H
#define VFKI_MODEL_WORK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct vfk_model;
struct vfk_model_work;

struct vfki_work {
	struct vfk_model_work *soon;  /* at the end of this function, oldest first */
	struct vfk_model_work *timed; /* sorted by due */
	bool polled;		      /* the opener dispatches */
	bool timers;		      /* the model asked for delays */
	bool threaded;		      /* thread runs */
	int epoll;		      /* -1: nobody watches anything */
	int timer;		      /* -1: without timers */
	int stop;		      /* ends the thread; -1 without it */
	uint64_t armed;		      /* what the timer is set to; 0: off */
	pthread_t thread;
};

/* @polled: the opener dispatches. fini comes after quiesce. */
void vfki_work_init(struct vfk_model *m, bool polled);
void vfki_work_fini(struct vfk_model *m);

/* After init: opens what the opener polls, if this device can ever have work for it. Returns 0; -EMFILE. */
int vfki_work_power_up(struct vfk_model *m);

/* Ends the thread, so that the model is alone; forgets what is queued. */
void vfki_work_quiesce(struct vfk_model *m);

/* Forgets all that is queued. */
void vfki_work_cancel_all(struct vfk_model *m);

/* Runs what is to run at the end of a function of the model's. */
void vfki_work_run_soon(struct vfk_model *m);

/* Runs what is due, and serves the unmask eventfd and the doorbells; returns how many things that were. Never blocks for more. */
int vfki_work_dispatch(struct vfk_model *m);

/* Watches INTx's unmask eventfd, or the doorbells, or no longer; under the model's lock. Returns 0 or -errno with a text. */
int vfki_work_watch(struct vfk_model *m, int fd);
void vfki_work_unwatch(struct vfk_model *m, int fd);

#endif

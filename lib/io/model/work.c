/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * work.c - a model's deferred work, and who runs it; see work.h.
 *
 * Threads: queues under the model's lock; the worker thread, if there is one, runs worker().
 */
#include "work.h"
#include "instance.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* due of work that waits for the end of the model's function; no clock of ours shows it. */
#define DUE_SOON 1

void vfki_work_init(struct vfk_model *m, bool polled)
{
	m->work = (struct vfki_work){ .polled = polled, .epoll = -1, .timer = -1, .stop = -1 };
}

/* ---- queues ---- */

static bool take_out(struct vfk_model_work **list, struct vfk_model_work *work)
{
	for (; *list; list = &(*list)->next) {
		if (*list == work) {
			*list = work->next;
			return true;
		}
	}
	return false;
}

static void put_in(struct vfk_model_work **list, struct vfk_model_work *work)
{
	while (*list && (*list)->due <= work->due)
		list = &(*list)->next;
	work->next = *list;
	*list = work;
}

static void set_timer(struct vfk_model *m)
{
	struct vfki_work *w = &m->work;
	uint64_t due = w->timed ? w->timed->due : 0;
	struct itimerspec its = { .it_value = vfki_timespec(due) };

	if (w->timer < 0 || due == w->armed)
		return;
	w->armed = due;
	timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &its, NULL);
}

void vfk_model_defer(struct vfk_model *m, struct vfk_model_work *work, uint64_t delay_us)
{
	struct vfki_work *w = &m->work;
	uint64_t delay;

	vfk_model_cancel(m, work);
	if (!delay_us || !w->timers) {
		work->due = DUE_SOON;
		put_in(&w->soon, work);
		vfki_lock_mark(&m->lock);
		return;
	}
	/* What cannot be expressed is far enough away. */
	if (!vfki_mul_u64(delay_us, 1000, &delay) ||
	    !vfki_add_u64(vfki_now_ns(), delay, &work->due) || work->due > INT64_MAX)
		work->due = INT64_MAX;
	put_in(&w->timed, work);
	set_timer(m);
}

void vfk_model_cancel(struct vfk_model *m, struct vfk_model_work *work)
{
	struct vfki_work *w = &m->work;

	if (!work->due)
		return;
	work->due = 0;
	if (!take_out(&w->soon, work) && take_out(&w->timed, work))
		set_timer(m);
	work->next = NULL;
}

static void run_first(struct vfk_model *m, struct vfk_model_work **list)
{
	struct vfk_model_work *work = *list;

	*list = work->next;
	work->next = NULL;
	work->due = 0;
	work->fn(m, m->self, work);
}

void vfki_work_run_soon(struct vfk_model *m)
{
	while (m->work.soon)
		run_first(m, &m->work.soon);
}

void vfki_model_leave_slowly(struct vfk_model *m)
{
	vfki_work_run_soon(m);
	vfki_lock_drop(&m->lock);
}

void vfki_work_cancel_all(struct vfk_model *m)
{
	while (m->work.soon)
		vfk_model_cancel(m, m->work.soon);
	while (m->work.timed)
		vfk_model_cancel(m, m->work.timed);
}

/* ---- running ---- */

static int run_due(struct vfk_model *m)
{
	uint64_t now = vfki_now_ns();
	int n = 0;

	while (m->work.timed && m->work.timed->due <= now) {
		run_first(m, &m->work.timed);
		vfki_work_run_soon(m);
		n++;
	}
	set_timer(m);
	return n;
}

/* So that the timer polls as not readable; whether it had expired does not matter, the queue is looked at. */
static void drain(int timer)
{
	uint64_t expiries;
	ssize_t n = timer < 0 ? 0 : read(timer, &expiries, sizeof(expiries));

	(void)n;
}

/* The edges of what is watched, which a worker has taken already; before the read, so that no signal is missed. */
static void take_edge(const struct vfk_model *m)
{
	struct epoll_event ev[3];

	if ((m->irqs.intx.unmask_fd >= 0 || m->doorbells.epoll >= 0) && !m->work.threaded)
		epoll_wait(m->work.epoll, ev, 3, 0);
}

int vfki_work_dispatch(struct vfk_model *m)
{
	struct vfki_work *w = &m->work;
	int n = 0;

	vfki_lock_take(&m->lock);
	drain(w->timer);
	n += run_due(m);
	take_edge(m);
	n += vfki_intx_resample(m);
	vfki_model_leave(m);
	n += vfki_doorbells_serve(m);
	return n;
}

static void *worker(void *arg)
{
	struct vfk_model *m = arg;
	struct epoll_event ev;

	for (;;) {
		int n = epoll_wait(m->work.epoll, &ev, 1, -1);

		if (n > 0 && ev.data.fd == m->work.stop)
			return NULL;
		vfki_work_dispatch(m);
	}
}

/* ---- what is watched ---- */

static int watch(struct vfk_model *m, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	if (epoll_ctl(m->work.epoll, EPOLL_CTL_ADD, fd, &ev))
		return vfki_err_sys(-errno, "%s: watching a file", m->io.name);
	return 0;
}

void vfki_work_unwatch(struct vfk_model *m, int fd)
{
	epoll_ctl(m->work.epoll, EPOLL_CTL_DEL, fd, NULL);
}

static int open_epoll(struct vfk_model *m)
{
	if (m->work.epoll >= 0)
		return 0;
	m->work.epoll = epoll_create1(EPOLL_CLOEXEC);
	return m->work.epoll < 0 ? vfki_err_sys(-errno, "%s: epoll", m->io.name) : 0;
}

int vfki_work_power_up(struct vfk_model *m)
{
	bool watches = m->irqs.intx.present || m->doorbells.count;

	return m->work.polled && watches ? open_epoll(m) : 0;
}

static int start_thread(struct vfk_model *m)
{
	struct vfki_work *w = &m->work;
	sigset_t all, old;
	int ret;

	w->stop = vfki_eventfd_create();
	if (w->stop < 0)
		return vfki_err_sys(w->stop, "%s: worker", m->io.name);
	ret = watch(m, w->stop, EPOLLIN);
	if (ret < 0)
		return ret;
	/* The program's signals are the program's threads'; but faults of this thread are its own, for the guard. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&w->thread, NULL, worker, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return vfki_err_sys(-ret, "%s: worker thread", m->io.name);
	w->threaded = true;
	return 0;
}

/* For a device that needed nobody to watch anything so far. */
static int start_worker(struct vfk_model *m)
{
	int ret = open_epoll(m);

	if (!ret)
		ret = start_thread(m);
	if (ret)
		vfki_work_fini(m);
	return ret;
}

int vfki_work_watch(struct vfk_model *m, int fd)
{
	int ret = m->work.epoll < 0 ? start_worker(m) : 0;

	/* Its owner can make it one that stays readable (EFD_SEMAPHORE): what counts is each signal, not the state. */
	return ret ? ret : watch(m, fd, EPOLLIN | EPOLLET);
}

/* What fails half-way is closed by fini: init's failure ends the instance. */
int vfk_model_use_deferred_work(struct vfk_model *m)
{
	struct vfki_work *w = &m->work;
	int ret = vfki_model_declaring(m, "deferred work");

	if (ret < 0 || w->timers)
		return ret;
	ret = open_epoll(m);
	if (ret < 0)
		return ret;
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->timer < 0)
		return vfki_err_sys(-errno, "%s: timer", m->io.name);
	ret = watch(m, w->timer, EPOLLIN);
	if (!ret && !w->polled)
		ret = start_thread(m);
	w->timers = !ret;
	return ret;
}

void vfki_work_quiesce(struct vfk_model *m)
{
	struct vfki_work *w = &m->work;
	uint64_t one = 1;

	if (w->threaded && write(w->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(w->thread, NULL);
	w->threaded = false;
	vfki_work_cancel_all(m);
}

void vfki_work_fini(struct vfk_model *m)
{
	struct vfki_work *w = &m->work;

	vfki_fd_close(w->stop);
	vfki_fd_close(w->timer);
	vfki_fd_close(w->epoll);
	w->stop = w->timer = w->epoll = -1;
}

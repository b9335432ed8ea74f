/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * posted.c - posted writes that are held back, to go several in one message; see posted.h.
 */
#include "lib/io/user/posted.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include "lib/wire/region_access.h"
#include <signal.h>
#include <string.h>

static int send_one(struct vfki_user *user, const struct vfk_region_write *w)
{
	const struct vfki_wire_region_access front = { .offset = w->offset,
						       .region = w->region,
						       .count = w->len };
	const struct iovec out[] = { { .iov_base = (void *)&front, .iov_len = sizeof(front) },
				     { .iov_base = (void *)w->data, .iov_len = w->len } };
	const struct vfki_request rq = { .command = VFKI_WIRE_REGION_WRITE,
					 .out = out,
					 .n_out = 2 };

	return vfki_conn_post(user->conn, &rq);
}

static int send_all(struct vfki_user *user, const struct vfk_region_write *writes, size_t count)
{
	struct vfki_wire_write_multi head;
	const struct iovec out[] = { { .iov_base = &head, .iov_len = sizeof(head) },
				     { .iov_base = (void *)writes,
				       .iov_len = count * sizeof(*writes) } };
	const struct vfki_request rq = { .command = VFKI_WIRE_REGION_WRITE_MULTI,
					 .out = out,
					 .n_out = 2 };

	vfki_enc_write_multi_request(&head, count);
	return vfki_conn_post(user->conn, &rq);
}

/* With the lock, which is held until the batch is sent: who sees a count of 0 is behind it. */
static int send_locked(struct vfki_user *user)
{
	struct vfki_user_posted *p = &user->posted;
	unsigned int count = atomic_load_explicit(&p->count, memory_order_relaxed);
	int r;

	if (!count)
		return 0;
	r = count == 1 ? send_one(user, p->writes) : send_all(user, p->writes, count);
	if (!r || vfki_conn_ended(user->conn))
		atomic_store_explicit(&p->count, 0, memory_order_release);
	return r;
}

int vfki_user_posted_send(struct vfki_user *user)
{
	int r;

	pthread_mutex_lock(&user->posted.lock);
	r = send_locked(user);
	pthread_mutex_unlock(&user->posted.lock);
	return r;
}

/* There is room: a batch that is full is sent at once. */
static void put(struct vfki_user_posted *p, uint32_t region, uint64_t off, const void *buf,
		size_t len)
{
	unsigned int count = atomic_load_explicit(&p->count, memory_order_relaxed);
	struct vfk_region_write *w = &p->writes[count];

	*w = (struct vfk_region_write){ .offset = off, .region = region, .len = (uint32_t)len };
	memcpy(w->data, buf, len);
	if (!count) {
		p->due_ns = vfki_now_ns() + p->hold_ns;
		pthread_cond_signal(&p->changed);
	}
	atomic_store_explicit(&p->count, count + 1, memory_order_release);
}

int vfki_user_posted_add(struct vfki_user *user, uint32_t region, uint64_t off, const void *buf,
			 size_t len)
{
	struct vfki_user_posted *p = &user->posted;
	int r = 0;

	pthread_mutex_lock(&p->lock);
	/* Full only when it could not be sent before. */
	if (atomic_load_explicit(&p->count, memory_order_relaxed) >= p->limit)
		r = send_locked(user);
	if (!r) {
		put(p, region, off, buf, len);
		if (atomic_load_explicit(&p->count, memory_order_relaxed) >= p->limit)
			send_locked(user);
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* ---- the thread ---- */

static void wait_until(struct vfki_user_posted *p, uint64_t due_ns)
{
	const struct timespec ts = vfki_timespec(due_ns);

	pthread_cond_timedwait(&p->changed, &p->lock, &ts);
}

static void *run(void *ctx)
{
	struct vfki_user *user = ctx;
	struct vfki_user_posted *p = &user->posted;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if (!atomic_load_explicit(&p->count, memory_order_relaxed))
			pthread_cond_wait(&p->changed, &p->lock);
		else if (vfki_now_ns() < p->due_ns)
			wait_until(p, p->due_ns);
		else if (send_locked(user))
			p->due_ns = vfki_now_ns() + p->hold_ns;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* The program's signals are its own threads' business; a fault of this one is its own, for the guard. */
static int start_thread(struct vfki_user *user)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&user->posted.thread, NULL, run, user);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? vfki_err_sys(-r, "a thread for posted writes") : 0;
}

static unsigned int limit_of(const struct vfki_user *user)
{
	size_t most = user->max_write / sizeof(struct vfk_region_write);

	if (!user->agreed.write_multiple || most < 2)
		return 0;
	return most < VFKI_USER_BATCH ? (unsigned int)most : VFKI_USER_BATCH;
}

int vfki_user_posted_init(struct vfki_user *user, uint64_t hold_us)
{
	struct vfki_user_posted *p = &user->posted;
	pthread_condattr_t attr;
	int r;

	if (!hold_us || !limit_of(user))
		return 0;
	r = pthread_condattr_init(&attr);
	if (r)
		return vfki_err_sys(-r, "posted writes");
	/* None of these can fail on Linux: they set words in memory. */
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->lock, NULL);
	p->hold_ns = hold_us * 1000;
	p->limit = limit_of(user);
	r = start_thread(user);
	if (r) {
		p->limit = 0;
		pthread_cond_destroy(&p->changed);
		pthread_mutex_destroy(&p->lock);
	}
	return r;
}

void vfki_user_posted_fini(struct vfki_user *user)
{
	struct vfki_user_posted *p = &user->posted;

	if (!p->limit)
		return;
	pthread_mutex_lock(&p->lock);
	send_locked(user);
	p->stop = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	p->stop = false;
	p->limit = 0;
	atomic_store_explicit(&p->count, 0, memory_order_relaxed);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

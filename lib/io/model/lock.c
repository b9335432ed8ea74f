/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.c - what happens when the lock of a model instance is held by another thread; see lock.h.
 *
 * Threads: any.
 */
#include "lock.h"
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

void vfki_lock_sleep(struct vfki_lock *lock)
{
	int saved = errno;

	/* Whoever comes through here leaves 2 behind, also when nobody else sleeps: one wake too many does no harm. */
	while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire))
		syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
	errno = saved;
}

void vfki_lock_wake(struct vfki_lock *lock)
{
	int saved = errno;

	syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = saved;
}

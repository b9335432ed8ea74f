/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.h - the lock of a model instance: one atomic operation to take it, one to drop it.
 *
 * A driver that polls a register goes through this lock for every read, and a pthread mutex takes more instructions
 * than everything else on that way together. Sleeping and waking are the kernel's futex(2).
 *
 * Threads: any. Not recursive; whoever takes it drops it.
 */
#ifndef VFKI_MODEL_LOCK_H
#define VFKI_MODEL_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised it is free. */
struct vfki_lock {
	_Atomic uint32_t state; /* 0 free, 1 held, 2 held, and somebody may sleep, or marked */
};

/* The slow halves; not to be called but from here. */
void vfki_lock_sleep(struct vfki_lock *lock);
void vfki_lock_wake(struct vfki_lock *lock);

/* Takes it if it is free; otherwise vfki_lock_sleep() takes it. */
static inline bool vfki_lock_try(struct vfki_lock *lock)
{
	uint32_t is_free = 0;

	return atomic_compare_exchange_strong_explicit(&lock->state, &is_free, 1,
						       memory_order_acquire, memory_order_relaxed);
}

static inline void vfki_lock_take(struct vfki_lock *lock)
{
	if (!vfki_lock_try(lock))
		vfki_lock_sleep(lock);
}

/* For the holder: the next vfki_lock_try_drop() refuses. It is as if somebody slept, so asking for it costs nothing. */
static inline void vfki_lock_mark(struct vfki_lock *lock)
{
	uint32_t is_held = 1;

	atomic_compare_exchange_strong_explicit(&lock->state, &is_held, 2, memory_order_relaxed,
						memory_order_relaxed);
}

/* Drops it if nobody sleeps and it is not marked; otherwise it stays held, and vfki_lock_drop() drops it. */
static inline bool vfki_lock_try_drop(struct vfki_lock *lock)
{
	uint32_t is_held = 1;

	return atomic_compare_exchange_strong_explicit(&lock->state, &is_held, 0,
						       memory_order_release, memory_order_relaxed);
}

static inline void vfki_lock_drop(struct vfki_lock *lock)
{
	if (atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)
		vfki_lock_wake(lock);
}

#endif

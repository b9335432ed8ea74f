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
#include <stdint.h>

/* Zero-initialised it is free. */
struct vfki_lock {
	_Atomic uint32_t state; /* 0 free, 1 held, 2 held and somebody may sleep */
};

/* The slow halves; not to be called but from here. */
void vfki_lock_sleep(struct vfki_lock *lock);
void vfki_lock_wake(struct vfki_lock *lock);

static inline void vfki_lock_take(struct vfki_lock *lock)
{
	uint32_t is_free = 0;

	if (!atomic_compare_exchange_strong_explicit(&lock->state, &is_free, 1,
						     memory_order_acquire, memory_order_relaxed))
		vfki_lock_sleep(lock);
}

static inline void vfki_lock_drop(struct vfki_lock *lock)
{
	if (atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)
		vfki_lock_wake(lock);
}

#endif

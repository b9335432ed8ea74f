/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keep_memory.c - loaded into QEMU by machine.py: what it has freed, it keeps.
 *
 * QEMU calls malloc_trim() whenever its RCU thread has nothing more to free (util/rcu.c), which is after every change of
 * the guest's memory map. What that gives back to the kernel, the next change takes again, page by page: together a
 * quarter of all processor time of the machines, which is all that the tests wait for.
 */
#include <stddef.h>

int malloc_trim(size_t pad);

/* "No memory was released." */
int malloc_trim(size_t pad)
{
	(void)pad;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.h - surviving a peer that shrinks a file under our mapping.
 *
 * Memory that another process shares with us (a client's DMA memory, a server's BAR) is a file. If its owner truncates
 * it, our next access past the new end raises SIGBUS. A file sealed with F_SEAL_SHRINK cannot do that; for the others a
 * program that does not trust its peer creates a guard, names it in struct vfk_open_opts or struct vfk_server_opts, and
 * calls vfk_guard_handle() from its SIGBUS handler. The library installs no handler itself: signals belong to the
 * program.
 *
 *	static struct vfk_guard *guard;
 *	static void on_sigbus(int sig, siginfo_t *si, void *uc)
 *	{
 *		if (vfk_guard_handle(guard, si->si_addr) == 0)
 *			return;
 *		signal(SIGBUS, SIG_DFL);
 *	}
 *
 * A page that was hit is replaced by private zero-filled memory, so that the access goes on, and the mapping is marked:
 * the connection that it came from is closed with -EPROTO.
 */
#ifndef VFK_GUARD_H
#define VFK_GUARD_H

#include <stddef.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_guard;

/**
 * vfk_guard_create - make a guard that watches up to @max_mappings mappings at a time
 * @max_mappings: 1 to 1048576
 * @guard: set to the new guard, owned by the caller
 *
 * One guard serves any number of devices and servers. When all its places are taken, a further mapping of a file that
 * is not sealed is refused with -ENOSPC.
 *
 * Returns 0; -EINVAL for @max_mappings out of range; -ENOMEM.
 */
VFK_API int vfk_guard_create(size_t max_mappings, struct vfk_guard **guard);

/**
 * vfk_guard_destroy - free a guard
 * @guard: NULL is allowed
 *
 * Every device and server that was given it must be closed before, and the handler no longer call it.
 */
VFK_API void vfk_guard_destroy(struct vfk_guard *guard);

/**
 * vfk_guard_handle - to be called from a SIGBUS handler
 * @guard: the guard
 * @addr: siginfo's si_addr
 *
 * Returns 0 when @addr lay in a guarded mapping and is now backed by a zero page; -ENOENT when it is not ours: the
 * program then does what it would have done without a guard; -ENOMEM when no page could be put there.
 *
 * Async-signal-safe; takes no lock; leaves errno as it was.
 */
VFK_API int vfk_guard_handle(struct vfk_guard *guard, void *addr);

VFK_END

#endif

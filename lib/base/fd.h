/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fd.h - file descriptors: closing, duplicating, and finding out what somebody handed to us.
 *
 * Every descriptor that is made here is close-on-exec. Functions return -errno and set no text,
 * since the caller knows what the descriptor was for.
 *
 * Threads: any.
 */
#ifndef VFKI_BASE_FD_H
#define VFKI_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Closes @fd unless it is negative; errno is left as it was. */
void vfki_fd_close(int fd);

/* Closes @n descriptors and sets each to -1. */
void vfki_fd_close_all(int *fds, size_t n);

/* A close-on-exec duplicate, never 0, 1 or 2; or -errno. */
int vfki_fd_dup(int fd);

int vfki_fd_set_cloexec(int fd);
int vfki_fd_set_nonblock(int fd, bool on);

/*
 * Whether @fd has no file type, as only the kernel's anonymous inodes have none: eventfds, but not
 * pipes, sockets, files, devices. A first sieve; see vfki_fd_is_eventfd().
 */
bool vfki_fd_is_anon(int fd);

/* Whether @fd is an eventfd. Exact where /proc is mounted, else as good as vfki_fd_is_anon(). */
bool vfki_fd_is_eventfd(int fd);

/* The F_SEAL_* bits of a memfd; -EINVAL for what cannot be sealed, or another -errno. */
int vfki_fd_seals(int fd);

/* writev(2) that ends no program: -EPIPE where nobody reads the pipe, and no SIGPIPE. */
ssize_t vfki_fd_writev(int fd, const struct iovec *iov, int n);

/*
 * The size of a regular file, a memfd among them; -ENOTSUP for anything else, whose size means
 * nothing.
 */
int vfki_fd_size(int fd, uint64_t *size);

#endif

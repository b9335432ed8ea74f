/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.h - where a trace is written to: a file, or a pipe or terminal whose reader may be slow, or asleep.
 *
 * Nothing waits for such a reader without a bound, since a device's calls wait for what is written of them. A pipe that
 * nobody has opened for reading is waited for by open, 3 s; room in one that is full by each write, 1 s. What a file
 * system needs for a file counts as no wait.
 *
 * Threads: the caller's lock.
 */
#ifndef VFKI_IO_FILTER_OUTPUT_H
#define VFKI_IO_FILTER_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define VFKI_OUTPUT_MS 1000

/*
 * Opens @path for appending and makes it where there is none; @readable: a file is to be read as well. Returns the
 * descriptor, which does not block; -errno with a text: -ENXIO nobody reads the pipe.
 */
int vfki_output_open(const char *path, bool readable);

/*
 * Writes all of @iov, and changes it. Returns 0; -ETIMEDOUT there was no room in time, and part of it may be written;
 * what write(2) fails with. On a descriptor that blocks, as standard error may, the bound holds for up to PIPE_BUF
 * bytes, while nobody else writes to the same pipe.
 */
int vfki_output_write(int fd, struct iovec *iov, int n, uint32_t timeout_ms);

#endif

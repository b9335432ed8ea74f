/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * failure.h - the one line on stderr that a failure gets: the device, and the reason.
 *
 * Macros, so that the compiler sees that the status is never STATUS_OK.
 */
#ifndef FAILURE_H
#define FAILURE_H

#include "subcommand.h"

/* A library call on the device failed with err, a -errno, and set vfk_error(). STATUS_FAILED. */
#define fail(device, err) (failure_print(device, err), STATUS_FAILED)

/* The tool itself found fault with the device: a format, and its arguments. STATUS_FAILED. */
#define fail_text(device, ...) (failure_print_text(device, __VA_ARGS__), STATUS_FAILED)

void failure_print(const char *device, int err);
__attribute__((format(printf, 2, 3))) void failure_print_text(const char *device,
							      const char *format, ...);

#endif

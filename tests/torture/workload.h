/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload.h - what a client does with a served device while somebody cuts its connection.
 */
#ifndef TESTS_TORTURE_WORKLOAD_H
#define TESTS_TORTURE_WORKLOAD_H

#include "dice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The devices that are served. */
enum workload_device {
	WORKLOAD_EDU,	  /* DMA by descriptor and by messages, INTx and MSI */
	WORKLOAD_TESTDEV, /* mapped regions, 2048 vectors, low power */
	WORKLOAD_DEVICES,
};

extern const char *const workload_uris[WORKLOAD_DEVICES];

/*
 * Opens the device behind a socket, which it takes, with options of the URI (",twin=on"), and does @steps things that @dice choose: each may fail, but what
 * succeeds must be right. Gives everything back. NULL, or what was wrong.
 */
const char *workload_run(int fd, enum workload_device which, const char *options, struct dice *dice,
			 unsigned int steps, uint32_t timeout_ms);

/* A client that is not cut: everything works. NULL, or what does not. */
const char *workload_check(int fd, enum workload_device which);

#endif

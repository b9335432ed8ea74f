/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * suite.h - the conformance suite: what every VFIO device does, wherever it lives.
 *
 * Written once against the public headers, run against any device URI: by "vfiokit test URI", and by the test run on
 * every backend. Each case runs in a process of its own, with a bound on its time and a check for leaked descriptors.
 */
#ifndef VFK_SUITE_H
#define VFK_SUITE_H

#include <stdio.h>
#include <vfiokit/device.h>

struct vfk_suite_opts {
	const char *uri; /* what to open, and the name in texts */
	/* opens the device instead, for one that has no URI; NULL: by URI */
	int (*open_device)(const struct vfk_open_opts *opts, struct vfk_device **dev);
	const struct vfk_open_opts *open; /* timeout, filters; not NULL */
	const char *pattern;		  /* fnmatch() pattern of case names; NULL: all */
	const char *backend;		  /* with expected_skips: the name to look for in it */
	const char *
		expected_skips; /* path; a skip that is not listed there fails, and so does a listed one that runs */
	unsigned int case_timeout_s; /* 0: 60 */
	FILE *tap;
};

/* Runs the cases, prints TAP. Returns the number of failures, or -errno when it could not begin. */
int vfk_suite_run(const struct vfk_suite_opts *opts);

/* The names of all cases, one by one; NULL past the last. */
const char *vfk_suite_case_name(size_t i);

#endif

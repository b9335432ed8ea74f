/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * every_feature.h - an io that has every feature, and requires of what it is given what io.h promises to an io.
 */
#ifndef TESTS_FUZZ_EVERY_FEATURE_H
#define TESTS_FUZZ_EVERY_FEATURE_H

#include <vfiokit/vfiokit.h>

extern const struct vfk_io_ops every_feature_ops;

#endif

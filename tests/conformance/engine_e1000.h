/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_e1000.h - two network cards of Intel's as engines, which QEMU has as e1000e and igb.
 */
#ifndef VFK_ENGINE_E1000_H
#define VFK_ENGINE_E1000_H

#include "engine.h"

extern const struct engine vfk_engine_82574;
extern const struct engine vfk_engine_82576;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_nvme.h - QEMU's NVMe controller as an engine.
 */
#ifndef VFK_ENGINE_NVME_H
#define VFK_ENGINE_NVME_H

#include "engine.h"

extern const struct engine vfk_engine_nvme;

#endif

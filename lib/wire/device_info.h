/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device_info.h - DEVICE_GET_INFO, and the two commands of the same kind without anything in them:
 * DEVICE_RESET.
 *
 * Specification: "VFIO_USER_DEVICE_GET_INFO", "VFIO_USER_DEVICE_RESET". The reply is 16 bytes; a
 * capability chain, which the specification does not have, is sent as the kernel lays it out, and
 * only to a client whose argsz has room for it.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_DEVICE_INFO_H
#define VFKI_WIRE_DEVICE_INFO_H

#include "lib/wire/wire.h"
#include <stddef.h>
#include <stdint.h>

/* 16 bytes; @argsz is the room for the reply, at least 16. */
size_t vfki_enc_device_info_request(void *buf, uint32_t argsz);

/* -EPROTO below 16 bytes, -EINVAL for an argsz below 16. */
int vfki_dec_device_info_request(const void *payload, size_t len, uint32_t *argsz);

/*
 * @info is what the io gave: info->argsz bytes, capabilities included. Writes at most min(argsz,
 * cap) bytes, and at least 16: @cap must be that. A chain for which there is no room is left out,
 * and argsz in the reply tells.
 */
size_t vfki_enc_device_info_reply(void *buf, size_t cap, const struct vfio_device_info *info,
				  uint32_t argsz);

/*
 * Into @info of @cap bytes, at least 16. After success info->argsz is the size needed: above @cap,
 * or above what arrived, the chain was left out and cap_offset is 0. The chain that is there is
 * sound. -EPROTO: shorter than 16, more regions or interrupts than wire.h allows, a broken chain.
 */
int vfki_dec_device_info_reply(const void *payload, size_t len, struct vfio_device_info *info,
			       size_t cap);

/* A payload of no bytes, as DEVICE_RESET has in both directions: 0 or -EPROTO. */
int vfki_dec_empty(size_t len, const char *what);

#endif

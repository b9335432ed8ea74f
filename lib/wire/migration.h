/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migration.h - MIG_DATA_READ, MIG_DATA_WRITE, GET_PRECOPY_INFO.
 *
 * Specification: "VFIO_USER_MIG_DATA_READ", "VFIO_USER_MIG_DATA_WRITE"; the third, and a reply to
 * the second that is not empty, are in its newest draft. argsz means different things in the two
 * texts, so no more is asked of it than to cover its own structure.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_MIGRATION_H
#define VFKI_WIRE_MIGRATION_H

#include "lib/wire/wire.h"
#include <stddef.h>
#include <stdint.h>

/* 8 bytes. */
size_t vfki_enc_mig_read_request(void *buf, uint32_t size);

/* -EPROTO unless 8 bytes; -EINVAL: argsz below 8, a size of 0 or above @max_xfer. */
int vfki_dec_mig_read_request(const void *payload, size_t len, uint64_t max_xfer, uint32_t *size);

/* 8 bytes; @size bytes of data follow. */
size_t vfki_enc_mig_read_reply(void *buf, uint32_t size);

/*
 * The first 8 bytes and the payload's length. Returns the bytes of data, at 8, at most @asked;
 * -EPROTO.
 */
int vfki_dec_mig_read_reply(const void *payload, size_t len, uint32_t asked);

/* 8 bytes; @size bytes of data follow. */
size_t vfki_enc_mig_write_request(void *buf, uint32_t size);

/*
 * -EPROTO: below 8 bytes, or the data is not size bytes; -EINVAL: argsz below 8, a size of 0 or
 * above @max_xfer.
 */
int vfki_dec_mig_write_request(const void *payload, size_t len, uint64_t max_xfer, uint32_t *size);

/* 8 bytes. */
size_t vfki_enc_mig_write_reply(void *buf, uint32_t size);

/*
 * Returns the bytes taken: @asked for the empty reply of older servers, else what it says, at most
 * @asked; -EPROTO.
 */
int vfki_dec_mig_write_reply(const void *payload, size_t len, uint32_t asked);

/* 24 bytes. */
size_t vfki_enc_precopy_info_request(void *buf);

/* -EPROTO below 8 bytes; -EINVAL: argsz below 24. */
int vfki_dec_precopy_info_request(const void *payload, size_t len);

/* 24 bytes. */
size_t vfki_enc_precopy_info_reply(void *buf, const struct vfk_precopy_info *info);

/* -EPROTO unless 24 bytes. */
int vfki_dec_precopy_info_reply(const void *payload, size_t len, struct vfk_precopy_info *info);

#endif

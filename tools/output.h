/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.h - JSON on standard output.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <json-c/json.h>
#include <stdint.h>

/* "0x0042": hexadecimal text of that many digits; owned by the caller. */
json_object *output_hex(uint64_t value, int digits);

/* Prints root, and frees it. */
void output_json(json_object *root);

#endif

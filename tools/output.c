/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.c - JSON on standard output.
 */
#include <inttypes.h>
#include <stdio.h>

#include "output.h"

json_object *output_hex(uint64_t value, int digits)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%0*" PRIx64, digits, value);
	return json_object_new_string(text);
}

void output_json(json_object *root)
{
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_SPACED |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api.h - what every public header needs: the export mark and C linkage.
 *
 * A function marked VFK_API is part of the library's interface, and stands in the linker map.
 */
#ifndef VFK_API_H
#define VFK_API_H

#define VFK_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define VFK_BEGIN extern "C" {
#define VFK_END	  }
#else
#define VFK_BEGIN
#define VFK_END
#endif

#endif

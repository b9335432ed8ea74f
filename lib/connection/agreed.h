/* SPDX-License-Identifier: BSD-3-Clause */
/* agreed.h - what VERSION settled, told on standard error when VFK_DEBUG=1 asks for it (lib/base/debug.h). */
#ifndef VFKI_CONNECTION_AGREED_H
#define VFKI_CONNECTION_AGREED_H

#include "lib/wire/version.h"

/* @name: the device's; NULL: silent. */
void vfki_agreed_tell(const char *name, const struct vfki_wire_agreed *agreed);

#endif

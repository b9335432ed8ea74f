/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h - the text that goes with a -errno.
 *
 * Every function of vfiokit that can fail returns -errno: that is for the program. Beside it a text says which device
 * and what happened: that is for a person.
 */
#ifndef VFK_ERROR_H
#define VFK_ERROR_H

#include <vfiokit/api.h>

VFK_BEGIN

/**
 * vfk_error - the text of this thread's last failure
 *
 * Returns a text such as "vfio-user:/run/x.sock: version: server speaks 1.0, need 0.x"; never NULL, the empty string
 * when nothing failed yet. It is fixed-size storage of the calling thread: valid until the next call of a vfiokit
 * function in this thread, never to be freed, and cut off at 511 bytes. A call that succeeds may leave an older text;
 * ask only after a failure.
 *
 * Threads: any; each thread has its own text.
 */
VFK_API const char *vfk_error(void);

VFK_END

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - the models that come with the library. A new one takes a file of its own, a line in table.h, and one here.
 *
 * Threads: any; constant data.
 */
#include "table.h"

static const struct vfk_model_ops *const models[] = {
	&vfki_edu_model,
	&vfki_null_model,
	&vfki_testdev_model,
};

const struct vfk_model_ops *vfk_model_bundled(size_t i)
{
	return i < sizeof(models) / sizeof(models[0]) ? models[i] : NULL;
}

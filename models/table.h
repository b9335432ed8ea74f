/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h - the models that come with the library; see table.c.
 *
 * Threads: any; constant data.
 */
#ifndef VFKI_MODELS_TABLE_H
#define VFKI_MODELS_TABLE_H

#include <vfiokit/model.h>

extern const struct vfk_model_ops vfki_edu_model;
extern const struct vfk_model_ops vfki_null_model;
extern const struct vfk_model_ops vfki_testdev_model;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* model.h - a model whose BARs can be mapped, for the cases that edu cannot serve. */
#ifndef OWN_MODEL_H
#define OWN_MODEL_H

#include <vfiokit/model.h>

extern const struct vfk_model_ops mapped_model;

#endif

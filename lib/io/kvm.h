/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm.h - telling KVM's vfio device of a VFIO file.
 *
 * Threads: any.
 */
#ifndef VFKI_IO_KVM_H
#define VFKI_IO_KVM_H

#include <stdbool.h>

/* @file is a group, or a device that is no group's; told, or taken back. Returns 0; KVM's -errno, with a text. */
int vfki_kvm_tell(int kvm_fd, int file, bool add);

#endif

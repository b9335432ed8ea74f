/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_devices.h - the devices of this machine that a kernel: URI can name, or could after a bind.
 *
 * All three return an array that the caller owns, and print one that they returned.
 */
#ifndef KERNEL_DEVICES_H
#define KERNEL_DEVICES_H

#include <json-c/json.h>

/* PCI functions: address, uri, vendor, device, class, name, driver, group, members, viable, reason. */
json_object *kernel_devices_pci(void);
void kernel_devices_print_pci(json_object *array);

/* Mediated devices: uuid, uri, parent, type, driver, group. */
json_object *kernel_devices_mdev(void);
void kernel_devices_print_mdev(json_object *array);

/* Character devices of VFIO devices, whatever their bus: path, uri, device, bus. */
json_object *kernel_devices_cdev(void);
void kernel_devices_print_cdev(json_object *array);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* vfiokit.h - everything, for those who want one line; each header can be included alone. */
#ifndef VFK_VFIOKIT_H
#define VFK_VFIOKIT_H

#include <vfiokit/api.h>
#include <vfiokit/bar.h>
#include <vfiokit/device.h>
#include <vfiokit/dma.h>
#include <vfiokit/error.h>
#include <vfiokit/guard.h>
#include <vfiokit/io.h>
#include <vfiokit/kernel.h>
#include <vfiokit/model.h>
#include <vfiokit/pci.h>
#include <vfiokit/pci_bar.h>
#include <vfiokit/pci_irq.h>
#include <vfiokit/pci_power.h>
#include <vfiokit/pci_reset.h>
#include <vfiokit/pci_rom.h>
#include <vfiokit/pci_vga.h>
#include <vfiokit/pci_virtual.h>
#include <vfiokit/reconnect.h>
#include <vfiokit/server.h>
#include <vfiokit/uri.h>

#endif

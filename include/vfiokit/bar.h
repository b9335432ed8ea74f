/* SPDX-License-Identifier: BSD-3-Clause */
/* bar.h - what a BAR is, for those who declare one (model.h) and those who find one (pci_bar.h). */
#ifndef VFK_BAR_H
#define VFK_BAR_H

/* PCI 3.0 section 6.2.5.1 */
#define VFK_BAR_IO	 (1u << 0) /* I/O space; else memory */
#define VFK_BAR_64	 (1u << 1) /* 64 bits: takes the next BAR's place too */
#define VFK_BAR_PREFETCH (1u << 2) /* reading has no side effects, and writes may be merged */

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * subcommand.h - the tool's subcommands, one file each, and what they exit with.
 *
 * A new one is a file with its cmd_ function, and a line here.
 */
#ifndef SUBCOMMAND_H
#define SUBCOMMAND_H

/* name, function cmd_name, and what "vfiokit --help" says of it */
/* clang-format off */
#define SUBCOMMANDS(entry) \
	entry(list, "show the backends, filters and models of this build, and this machine's devices") \
	entry(info, "show a device: regions, interrupts, features, PCI identity") \
	entry(lspci, "show a device's config space as lspci does") \
	entry(read, "read a register") \
	entry(write, "write a register") \
	entry(dump, "show a region's bytes, or save them in a file") \
	entry(irq, "arm an interrupt, provoke it, wait for it") \
	entry(features, "show which features a device offers") \
	entry(reset, "reset a device") \
	entry(bind, "move a PCI device to vfio-pci, so that kernel: URIs can use it") \
	entry(unbind, "give a PCI device back to the driver that it was taken from") \
	entry(serve, "export a device on a vfio-user socket") \
	entry(demo, "drive an edu device: interrupt and DMA, in two processes and in one") \
	entry(bench, "measure how fast a device is reached, each figure beside its limit") \
	entry(test, "run the conformance suite on a device")
/* clang-format on */

enum {
	STATUS_OK,
	STATUS_FAILED, /* after one line on stderr that names the device and the reason */
	STATUS_USAGE,  /* after one line on stderr that says what is wrong with the arguments */
};

/* argv[0] is the subcommand's name. Returns the program's exit status. */
#define SUBCOMMAND_PROTOTYPE(name, help) int cmd_##name(int argc, char **argv);
SUBCOMMANDS(SUBCOMMAND_PROTOTYPE)

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_register.h - registers of PCI config space by their names: those of setpci(8), and shorter ones.
 *
 *	command  COMMAND  bar0  CAP_PM+4.W  ECAP_AER+0x8.L  CAP05+2
 *
 * Upper and lower case are the same. An offset behind + is decimal up to 9, and has 0x above: setpci means 16 by +10.
 */
#ifndef CONFIG_REGISTER_H
#define CONFIG_REGISTER_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/device.h>

#include "args.h"

struct config_register {
	bool in_cap;   /* its offset counts from a capability */
	bool extended; /* from an extended one */
	uint16_t id;
	uint32_t offset;
	unsigned int width; /* 0: neither its name nor a suffix says */
};

/* Whether text could be a name rather than a number. */
bool config_register_is_name(const char *text);

/* STATUS_OK, or says what is wrong and returns STATUS_USAGE. */
int config_register_parse(struct args *args, const char *text, struct config_register *reg);

/* Finds where the register is. STATUS_OK, or the failure printed. */
int config_register_find(struct vfk_device *dev, const struct config_register *reg,
			 uint64_t *offset);

/* The names, for a help. */
#define CONFIG_REGISTER_HELP                                                                       \
	"A register of config may be named instead, and then needs no WIDTH:\n"                    \
	"  vendor device command status revision class_prog class cacheline latency header\n"      \
	"  bist bar0 to bar5 cardbus subvendor subdevice rom caps irq_line irq_pin min_gnt\n"      \
	"  max_lat, or as setpci(8) calls them (setpci --dumpregs). Registers of capabilities\n"   \
	"  are named CAP_PM+4, ECAP_AER+0x8, CAP05, ECAP0001 and so on. Behind a name .B, .W or\n" \
	"  .L says the width: CAP_PM+4.W. Offsets from 10 on are written with 0x.\n"

#endif

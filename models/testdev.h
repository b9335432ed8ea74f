/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testdev.h - the parts of the test device; see testdev.c for what it is.
 *
 * Threads: as every model, see <vfiokit/model.h>.
 */
#ifndef VFKI_MODELS_TESTDEV_H
#define VFKI_MODELS_TESTDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/model.h>

#define TESTDEV_VENDOR 0x1234
#define TESTDEV_DEVICE 0x11e9

/* Which BAR is what. */
#define TESTDEV_REGISTERS 0
#define TESTDEV_SUBPAGE	  1
#define TESTDEV_BUFFER	  2 /* and 3: 64 bits */
#define TESTDEV_SPARSE	  4
#define TESTDEV_IO	  5

enum testdev_table { TESTDEV_TABLE_SHARED, TESTDEV_TABLE_OWN, TESTDEV_TABLE_MAPPABLE };
enum testdev_caps { TESTDEV_CAPS_ALL, TESTDEV_CAPS_MIN, TESTDEV_CAPS_NONE };
enum testdev_chain {
	TESTDEV_CHAIN_OK,
	TESTDEV_CHAIN_LOOP,
	TESTDEV_CHAIN_SELF,
	TESTDEV_CHAIN_SHORT,
	TESTDEV_CHAIN_HEADER,
	TESTDEV_CHAIN_EXT_LOOP,
	TESTDEV_CHAIN_EXT_SELF,
	TESTDEV_CHAIN_EXT_SHORT,
	TESTDEV_CHAIN_EXT_LOW,
};
enum testdev_rom {
	TESTDEV_ROM_OK,
	TESTDEV_ROM_OFF,
	TESTDEV_ROM_BROKEN,
	TESTDEV_ROM_EMPTY,
	TESTDEV_ROM_SHORT,
	TESTDEV_ROM_FAIL,
	TESTDEV_ROM_AGAIN,
	TESTDEV_ROM_LOOP,
	TESTDEV_ROM_TOO_LONG,
};
enum testdev_fail { TESTDEV_FAIL_NONE, TESTDEV_FAIL_READ, TESTDEV_FAIL_WRITE, TESTDEV_FAIL_BOTH };
enum testdev_sibling { TESTDEV_SIBLING_OWNED, TESTDEV_SIBLING_FOREIGN };

/* What the URI says. Switches are unsigned int: 1 on, 0 off. */
struct testdev_params {
	/* BARs */
	unsigned int subpage;
	unsigned int sparse;
	unsigned int io;
	unsigned int prefetch;
	uint64_t buffer; /* length of BAR 2; 0: none */
	/* interrupts */
	unsigned int intx;
	uint64_t msi;
	unsigned int msi_masks;
	uint64_t msix;
	unsigned int msix_table;
	unsigned int pba_apart;
	uint64_t vectors_limit;
	unsigned int noresize;
	unsigned int maskable;
	/* the rest of config space */
	unsigned int caps;
	unsigned int chain;
	unsigned int pm;
	unsigned int d1;
	unsigned int d2;
	unsigned int soft_reset;
	/* regions */
	unsigned int rom;
	uint64_t rom_size;
	unsigned int vga;
	unsigned int type_region;
	/* the slot */
	uint64_t functions;
	unsigned int sibling;
	/* accesses */
	uint64_t slow; /* ms */
	unsigned int fail;
};

struct testdev {
	struct testdev_params params;
	/* registers */
	uint8_t scratch8;
	uint16_t scratch16;
	uint32_t scratch32;
	uint64_t scratch64;
	uint32_t intx;
	uint64_t src;
	uint64_t dst;
	uint32_t count;
	uint32_t cmd;
	uint32_t status;
	uint64_t slow;
	uint64_t fail;
	uint32_t resets; /* kept through them */
	struct vfk_model_work dma;
	/* memory, one file: BAR 1's page, BAR 4, BAR 2 and the region of its own behind each other */
	int fd; /* -1: none */
	uint8_t *memory;
	size_t length; /* of all of it */
	uint8_t io[64];
	uint8_t vga[0x20000]; /* the frame buffer's window */
	uint8_t vga_ports[0x30];
};

extern const char *const testdev_param_names[];

/* testdev_params.c: defaults, and what @uri says instead. Returns 0; -EINVAL or -ERANGE with a text. */
int testdev_take_params(struct testdev_params *params, const struct vfk_uri *uri);

/* testdev_bars.c: memory, BARs and regions; MSI-X, which lives in them. */
int testdev_add_bars(struct vfk_model *model, struct testdev *dev);
void testdev_free_bars(struct testdev *dev);
/* As power-on leaves it. */
void testdev_clear_bars(struct testdev *dev);
/* The memory behind @off of a BAR that has some; NULL for the others. */
uint8_t *testdev_bar_memory(const struct testdev *dev, unsigned int bar, uint64_t off);
/* The DMA buffer, which is BAR 2, and its size: there even where the BAR is not. */
uint8_t *testdev_buffer(const struct testdev *dev, uint64_t *size);

/* testdev_caps.c: the capabilities that the parameters ask for, and what is to be wrong with their chains. */
int testdev_add_caps(struct vfk_model *model, const struct testdev_params *params);
int testdev_break_chains(struct vfk_model *model, const struct testdev_params *params);

/* testdev_rom.c: the expansion ROM; the answer of one that has no data. */
int testdev_add_rom(struct vfk_model *model, const struct testdev_params *params);
ssize_t testdev_rom_read(const struct testdev_params *params);

/* testdev_regs.c: the registers of BAR 0. The range is inside. */
int testdev_read_registers(struct testdev *dev, struct vfk_model *model, uint64_t off, void *buf,
			   size_t len);
int testdev_write_registers(struct testdev *dev, struct vfk_model *model, uint64_t off,
			    const void *buf, size_t len);
void testdev_reset_registers(struct testdev *dev);
void testdev_init_registers(struct testdev *dev);

#endif

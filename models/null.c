/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * null.c - the smallest device that does something: a model to copy and change.
 *
 * It has one register page, and behaves like /dev/null's and /dev/zero's child: what is written vanishes, what is read
 * is zero, but for a register that counts the writes, so that there is something to see. Everything that makes it a PCI
 * device (config space, decoding, reset by vfio) is the toolkit's; <vfiokit/model.h> says what else it offers.
 *
 *	vfiokit lspci model:null
 *	vfiokit write model:null bar0 0x10 4 0x12345678
 *
 * Threads: none to think of. The toolkit calls one function at a time.
 */
#include "table.h"
#include <errno.h>
#include <string.h>

/* Registers of BAR 0; the rest of its page reads as zero. */
#define REG_WRITES 0x00 /* read-only: how many writes there were since the last reset */

/* The page that hosts and guests map at least; a smaller BAR would share its page with somebody else's. */
#define BAR_SIZE 4096

/*
 * The instance: whatever the device remembers. The toolkit allocates it zeroed, one for each time the device is opened,
 * and hands it to every function as @self. Nothing belongs into static variables: two instances may be open at once.
 */
struct null {
	uint32_t writes;
};

/*
 * Says what the device is; runs once, before anybody can reach it. Each declaration returns 0 or -errno with a text,
 * and all that init does about a failure is to pass it on: the toolkit undoes the declarations.
 */
static int null_init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	/* What lspci shows. 1234 is QEMU's vendor id; choose your own. ff0000 is "unassigned class". */
	static const struct vfk_model_identity identity = {
		.vendor = 0x1234,
		.device = 0x0001,
		.class_code = 0xff0000,
	};
	/*
	 * Drivers know registers by their width. A BAR that takes accesses of 4 bytes only need not think about halves
	 * of registers: the toolkit refuses smaller accesses and splits larger ones. fd is for a BAR whose memory users
	 * may map; zero is a descriptor too, so "none" has to be said.
	 */
	static const struct vfk_model_bar bar = {
		.size = sizeof(bar),
		.length = BAR_SIZE,
		.min_access = 4,
		.max_access = 4,
		.fd = -1,
	};
	int ret;

	(void)self; /* zeroed: nothing to set up */
	(void)uri;  /* no parameters: ops.params is NULL, so the toolkit has refused any */
	ret = vfk_model_set_identity(model, &identity);
	if (ret < 0)
		return ret;
	return vfk_model_add_bar(model, 0, &bar);
}

/* The range lies inside the BAR, and is 4 bytes, as declared. Values are little-endian, as on the bus. */
static int null_read(struct vfk_model *model, void *self, unsigned int bar, uint64_t off, void *buf,
		     size_t len)
{
	const struct null *null = self;
	uint8_t *byte = buf;

	(void)model;
	(void)bar; /* there is only one */
	memset(buf, 0, len);
	if (off != REG_WRITES)
		return 0;
	for (size_t i = 0; i < len; i++)
		byte[i] = (uint8_t)(null->writes >> 8 * i);
	return 0;
}

/* A device has no way to fail a write but to say that it does not answer (-EIO); one that ignores a write succeeds. */
static int null_write(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
		      const void *buf, size_t len)
{
	struct null *null = self;

	(void)model;
	(void)bar;
	(void)off;
	(void)buf;
	(void)len;
	null->writes++;
	return 0;
}

/* Back to how init left it. Config space, interrupts and mappings are the toolkit's, and it knows what to keep. */
static void null_reset(struct vfk_model *model, void *self)
{
	struct null *null = self;

	(void)model;
	null->writes = 0;
}

/*
 * The kind of model. What is not named here the device does not have; init is all that is mandatory. In a program of
 * your own, give this to vfk_device_open_model(); to come with the library, it takes a line in table.c.
 */
const struct vfk_model_ops vfki_null_model = {
	.size = sizeof(struct vfk_model_ops),
	.name = "null",
	.help = "writes vanish, reads are zero: the smallest device, to copy",
	.instance_size = sizeof(struct null),
	.init = null_init,
	.bar_read = null_read,
	.bar_write = null_write,
	.reset = null_reset,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testdev.c - a PCI device that is awkward on request, for testing whoever drives one.
 *
 * 1234:11e9: beside QEMU's edu, in QEMU's vendor id, and allocated by nobody. Without parameters it has everything that
 * a sane device can have:
 *
 *	BAR 0	16 KiB, registers (testdev_regs.c says which)
 *	BAR 1	256 bytes, less than a page, can be mapped
 *	BAR 2	1 MiB, 64-bit and prefetchable, can be mapped: the buffer of its DMA
 *	BAR 4	128 KiB, can be mapped in two areas, between them the MSI-X table at 0x8100, on a page with other memory
 *		of the BAR, and pending bits at 0x10800
 *	BAR 5	64 bytes of I/O space, memory
 *	ROM	64 KiB, with an image for a PC and one for EFI
 *	region 9	of type VFIO_REGION_TYPE_PCI_VENDOR_TYPE | 0x1234, subtype 1: one page that can be mapped
 *	INTx; 32 MSI vectors with masks; 2048 MSI-X vectors; the error and the request notifier
 *	power management with D1 and D2, PCI Express, and the other capabilities of testdev_caps.c
 *
 * Its parameters, each with its default first; a size or number may be hexadecimal:
 *
 *	subpage=on|off, io=on|off	BAR 1; BAR 5
 *	sparse=on|off		whether BAR 4 can be mapped
 *	prefetch=on|off		whether BAR 2 is prefetchable
 *	buffer=0x100000		length of BAR 2, a power of two up to 1 TiB; 0: none (the DMA buffer is there all the same)
 *	intx=on|off
 *	msi=32			vectors: a power of two; 0: no MSI
 *	msi-masks=on|off	whether the MSI capability has mask and pending bits
 *	msix=2048		vectors; 0: no MSI-X
 *	msix-table=shared|own|mappable	on a page with other memory, which then cannot be mapped; on pages of its own;
 *				or all of BAR 4 can be mapped, with VFIO_REGION_INFO_CAP_MSIX_MAPPABLE
 *	pba=same|apart		pending bits in BAR 4, or in BAR 0 at 0x3000
 *	vectors-limit=2048	how many vectors of MSI or MSI-X can be had at once; 0: none
 *	noresize=off|on		whether the info of MSI-X says NORESIZE
 *	maskable=on|off		whether the infos of MSI and MSI-X say MASKABLE
 *	caps=all|min|none	all; only power management and PCI Express; none but those of interrupts
 *	chain=ok|loop|self|short|header|ext-loop|ext-self|ext-short|ext-low
 *				the last capability points to the first; to itself; to one whose end is beyond config space;
 *				into the header. The same of extended ones, ext-low: to an offset below 0x100
 *	pm=on|off, d1=on|off, d2=on|off, soft-reset=off|on	power states; soft-reset: D3hot to D0 resets
 *	rom=ok|off|broken|empty|short|fail|again|loop|too-long	no signature; all ones; reads end where the images do;
 *				every read fails with -EIO; or with -EAGAIN; an image of length 0; one longer than the ROM
 *	rom-size=0x10000	length of the ROM's region
 *	vga=off|on		legacy VGA: memory at 0xa0000 and at the ports
 *	type-region=on|off	region 9
 *	functions=1		2: hot reset in process resets a second function, 0000:01:00.1
 *	sibling=owned|foreign	whose that one is
 *	slow=0			how many milliseconds an access to the register SLOW takes; at most 10000
 *	fail=none|read|write|both	which accesses to the register FAIL fail with -EIO
 *
 * Threads: none of its own; the toolkit calls one function at a time.
 */
#include "testdev.h"
#include "table.h"
#include <errno.h>
#include <string.h>

#define VGA_MEMORY 0xa0000u
#define VGA_PORTS  0x3b0u

static int add_identity(struct vfk_model *model, const struct testdev_params *params)
{
	const struct vfk_model_identity identity = {
		.vendor = TESTDEV_VENDOR,
		.device = TESTDEV_DEVICE,
		.subvendor = TESTDEV_VENDOR,
		.subdevice = 1,
		/* vfio-pci has the VGA region of display controllers only. */
		.class_code = params->vga ? 0x030000 : 0x00ff00,
		.revision = 1,
	};

	return vfk_model_set_identity(model, &identity);
}

static int add_slot(struct vfk_model *model, const struct testdev_params *params)
{
	const struct vfk_model_function functions[2] = {
		{ .bus = 1, .devfn = 0, .owned = true },
		{ .bus = 1, .devfn = 1, .owned = params->sibling == TESTDEV_SIBLING_OWNED },
	};

	return vfk_model_add_hot_reset(model, functions, (size_t)params->functions);
}

static int declare(struct vfk_model *model, struct testdev *dev)
{
	const struct testdev_params *params = &dev->params;
	int ret = add_identity(model, params);

	if (!ret)
		ret = testdev_add_bars(model, dev);
	if (!ret)
		ret = testdev_add_rom(model, params);
	if (!ret && params->vga)
		ret = vfk_model_add_vga(model);
	if (!ret && params->intx)
		ret = vfk_model_add_intx(model);
	if (!ret)
		ret = testdev_add_caps(model, params);
	if (!ret)
		ret = add_slot(model, params);
	return ret ? ret : testdev_break_chains(model, params);
}

static int testdev_init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	struct testdev *dev = self;
	int ret;

	dev->fd = -1;
	testdev_init_registers(dev);
	ret = testdev_take_params(&dev->params, uri);
	if (!ret)
		ret = declare(model, dev);
	if (ret < 0)
		testdev_free_bars(dev);
	return ret;
}

static void testdev_fini(struct vfk_model *model, void *self)
{
	(void)model;
	testdev_free_bars(self);
}

static int testdev_read(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
			void *buf, size_t len)
{
	const uint8_t *memory = testdev_bar_memory(self, bar, off);

	if (!memory)
		return testdev_read_registers(self, model, off, buf, len);
	memcpy(buf, memory, len);
	return 0;
}

static int testdev_write(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
			 const void *buf, size_t len)
{
	uint8_t *memory = testdev_bar_memory(self, bar, off);

	if (!memory)
		return testdev_write_registers(self, model, off, buf, len);
	memcpy(memory, buf, len);
	return 0;
}

/* The toolkit lets nothing through that is in neither range. */
static uint8_t *vga_at(struct testdev *dev, uint64_t off)
{
	return off >= VGA_MEMORY ? &dev->vga[off - VGA_MEMORY] : &dev->vga_ports[off - VGA_PORTS];
}

static ssize_t testdev_region_read(struct vfk_model *model, void *self, unsigned int region,
				   uint64_t off, void *buf, size_t len)
{
	struct testdev *dev = self;

	(void)model;
	if (region == VFIO_PCI_ROM_REGION_INDEX)
		return testdev_rom_read(&dev->params);
	memcpy(buf, vga_at(dev, off), len);
	return (ssize_t)len;
}

static ssize_t testdev_region_write(struct vfk_model *model, void *self, unsigned int region,
				    uint64_t off, const void *buf, size_t len)
{
	(void)model;
	(void)region;
	memcpy(vga_at(self, off), buf, len);
	return (ssize_t)len;
}

static void testdev_reset(struct vfk_model *model, void *self)
{
	struct testdev *dev = self;

	(void)model;
	testdev_reset_registers(dev);
	testdev_clear_bars(dev);
	memset(dev->vga, 0, sizeof(dev->vga));
	memset(dev->vga_ports, 0, sizeof(dev->vga_ports));
}

const struct vfk_model_ops vfki_testdev_model = {
	.size = sizeof(struct vfk_model_ops),
	.name = "testdev",
	.help = "awkward on request; subpage, sparse, io, prefetch, intx, msi-masks, maskable, pm, d1, "
		"d2, type-region=on|off, noresize, soft-reset, vga=off|on, buffer=SIZE, msi=N, msix=N, "
		"vectors-limit=N, msix-table=shared|own|mappable, pba=same|apart, caps=all|min|none, "
		"chain=ok|loop|self|short|header|ext-loop|ext-self|ext-short|ext-low, "
		"rom=ok|off|broken|empty|short|fail|again|loop|too-long, rom-size=SIZE, functions=1|2, "
		"sibling=owned|foreign, slow=MS, fail=none|read|write|both",
	.params = testdev_param_names,
	.instance_size = sizeof(struct testdev),
	.init = testdev_init,
	.fini = testdev_fini,
	.bar_read = testdev_read,
	.bar_write = testdev_write,
	.reset = testdev_reset,
	.region_read = testdev_region_read,
	.region_write = testdev_region_write,
};

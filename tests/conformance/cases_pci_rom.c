/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_pci_rom.c - what has no BAR of its own to be reached by: the expansion ROM, the legacy VGA ranges. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "case.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

static struct vfk_pci *open_pci(struct t *t)
{
	struct vfk_pci *pci = NULL;

	case_need_pci(t);
	CHECK_OK(t, vfk_pci_open(t->dev, &pci));
	return pci;
}

/* A device without a ROM says so everywhere, and is asked nothing else. */
static void check_no_rom(struct t *t, struct vfk_pci *pci)
{
	struct vfk_pci_rom_image image = { 0 };
	const void *data;
	size_t len;
	char c;

	CHECK_EQ(t, vfk_pci_rom_load(pci, &data, &len), -ENOENT);
	CHECK_EQ(t, vfk_pci_rom_read(pci, 0, &c, 1), -ENOENT);
	CHECK_EQ(t, vfk_pci_rom_next_image(pci, &image), -ENOENT);
}

/* What was streamed, before, is what is loaded. */
static void check_rom(struct t *t, struct vfk_pci *pci, uint64_t size)
{
	const void *data = NULL;
	uint8_t streamed[64];
	size_t len = 0, first;
	ssize_t n = vfk_pci_rom_read(pci, 0, streamed, sizeof(streamed));

	CHECK(t, n > 0 && (uint64_t)n <= size);
	first = (size_t)n;
	CHECK_OK(t, vfk_pci_rom_load(pci, &data, &len));
	CHECK(t, len >= first && len <= size);
	CHECK(t, memcmp(data, streamed, first) == 0);
	n = vfk_pci_rom_read(pci, len - 1, streamed, 2);
	CHECK_EQ(t, n, 1);
	CHECK_EQ(t, streamed[0], ((const uint8_t *)data)[len - 1]);
	CHECK_EQ(t, vfk_pci_rom_read(pci, len, streamed, 1), 0);
}

/* One that cannot be loaded is too large, or cannot be read either, or not whole; each time for the same reason. */
static void check_refusal(struct t *t, struct vfk_pci *pci, uint64_t size, int why)
{
	const void *data = &data;
	size_t len = 7;

	CHECK_EQ(t, vfk_pci_rom_load(pci, &data, &len), why);
	CHECK(t, data == &data && len == 7);
	CHECK(t, *vfk_error());
	CHECK_EQ(t, why == -EFBIG, size > VFK_PCI_ROM_MAX);
	CHECK(t, why == -EFBIG || why == -EIO || why == -EAGAIN);
}

static void pci_rom_loads_or_says_why(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint64_t command = case_get(t, CONFIG, PCI_COMMAND, 2), size = 0;
	int ret = vfk_pci_rom_get_size(pci, &size);
	const void *data;
	size_t len;
	char c;

	if (ret == -ENOENT) {
		check_no_rom(t, pci);
	} else {
		CHECK_OK(t, ret);
		CHECK_EQ(t, size, case_region(t, VFIO_PCI_ROM_REGION_INDEX)->size);
		CHECK_EQ(t, vfk_pci_rom_read(pci, size, &c, 1), 0);
		ret = vfk_pci_rom_load(pci, &data, &len);
		if (ret < 0)
			check_refusal(t, pci, size, ret);
	}
	if (!ret) { /* again, from the beginning */
		vfk_pci_close(pci);
		pci = open_pci(t);
		check_rom(t, pci, size);
	}
	CHECK_EQ(t, case_get(t, CONFIG, PCI_COMMAND, 2), (long long)command);
	vfk_pci_close(pci);
}

/* What is in a ROM is nobody's promise; what is told of it is sound. */
static void pci_rom_images(struct t *t)
{
	struct vfk_pci_rom_image image = { 0 };
	struct vfk_pci *pci = open_pci(t);
	uint32_t end = 0;
	const void *rom;
	size_t size;
	int ret = vfk_pci_rom_load(pci, &rom, &size);

	if (ret < 0)
		case_skip("no ROM that can be read");
	while ((ret = vfk_pci_rom_next_image(pci, &image)) == 1) {
		CHECK_EQ(t, image.offset, end);
		CHECK(t, image.data == (const char *)rom + end);
		CHECK(t, image.length && image.length % 512 == 0);
		end = image.offset + image.length;
		CHECK(t, end <= size);
	}
	CHECK(t, ret == 0 || ret == -EPROTO);
	CHECK_EQ(t, image.last, ret == 0);
	CHECK_EQ(t, vfk_pci_rom_next_image(pci, &image), ret);
	vfk_pci_close(pci);
}

/* Asking for the size leaves the BAR as it was. */
static void pci_rom_probe_restores(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	struct vfk_pci_identity id;
	uint64_t before, reg = PCI_ROM_ADDRESS;
	uint32_t size = 0;
	int ret;

	vfk_pci_get_identity(pci, &id);
	if (id.header_type != PCI_HEADER_TYPE_NORMAL)
		reg = PCI_ROM_ADDRESS1;
	before = case_get(t, CONFIG, reg, 4);
	ret = vfk_pci_rom_probe_bar(pci, &size);
	if (ret == -ENOENT)
		CHECK_EQ(t, size, 0);
	else
		CHECK_OK(t, ret);
	CHECK_EQ(t, size & (size - 1), 0);
	CHECK(t, !size || size >= 2048);
	CHECK_EQ(t, case_get(t, CONFIG, reg, 4), (long long)before);
	vfk_pci_close(pci);
}

static void pci_vga_or_not(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	int present = vfk_pci_vga_present(pci);
	uint8_t v;

	CHECK(t, present == 0 || present == 1);
	/* 0x3e0 is nobody's of a VGA device */
	CHECK_EQ(t, vfk_pci_vga_read(pci, 0x3e0, &v, 1), present ? -EINVAL : -ENOENT);
	CHECK_EQ(t, vfk_pci_vga_write(pci, 0x3e0, &v, 1), present ? -EINVAL : -ENOENT);
	vfk_pci_close(pci);
}

const struct vfk_case vfk_cases_pci_rom[] = {
	{ "pci_rom_loads_or_says_why", pci_rom_loads_or_says_why },
	{ "pci_rom_images", pci_rom_images },
	{ "pci_rom_probe_restores", pci_rom_probe_restores },
	{ "pci_vga_or_not", pci_vga_or_not },
	{ NULL, NULL },
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom.c - the expansion ROM of a model (PCI 3.0, section 6.2.5.2).
 *
 * As vfio-pci has it: whether the enable bit of its BAR is set makes no difference to a read by message, memory
 * decoding does; behind the image the BAR reads as ones.
 *
 * Threads: declaring inside the model's init; reading under the model's lock.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The lowest address bit of the BAR is 11. */
#define ROM_MIN 2048u
#define ROM_MAX (1ull << 31)

static int check_rom(const struct vfk_model *m, const struct vfk_model_rom *rom, uint64_t *length)
{
	uint64_t need = rom->data ? rom->len : 1, size = ROM_MIN;

	if (rom->size < sizeof(*rom))
		return vfki_err(-EINVAL, "%s: ROM: size %zu, need %zu", m->io.name, rom->size,
				sizeof(*rom));
	if (rom->flags & ~(uint32_t)VFK_ROM_SHORT || (!rom->data && rom->len))
		return vfki_err(-EINVAL, "%s: ROM: flags 0x%x, %zu bytes of data", m->io.name,
				rom->flags, rom->len);
	if (rom->data && !rom->len)
		return vfki_err(-EINVAL, "%s: ROM: no data", m->io.name);
	while (size < need && size < ROM_MAX)
		size <<= 1;
	if (rom->length)
		size = rom->length;
	if (!vfki_is_pow2(size) || size < ROM_MIN || size > ROM_MAX || need > size)
		return vfki_err(-EINVAL, "%s: ROM: length 0x%" PRIx64 " for %zu bytes", m->io.name,
				size, rom->len);
	*length = size;
	return 0;
}

int vfk_model_add_rom(struct vfk_model *m, const struct vfk_model_rom *rom)
{
	struct vfki_rom *r = &m->regions.rom;
	uint64_t length = 0;
	int ret = vfki_model_declaring(m, "expansion ROM");

	if (!ret)
		ret = check_rom(m, rom, &length);
	if (ret < 0)
		return ret;
	if (r->length)
		return vfki_err(-EEXIST, "%s: the expansion ROM is declared twice", m->io.name);
	if (rom->data) {
		r->data = malloc(rom->len);
		if (!r->data)
			return vfki_err(-ENOMEM, "%s: no memory for the expansion ROM", m->io.name);
		memcpy(r->data, rom->data, rom->len);
	}
	r->len = rom->len;
	r->length = length;
	r->flags = rom->flags;
	vfki_put_le32(&m->config.writable[PCI_ROM_ADDRESS],
		      (uint32_t)(~(length - 1) & PCI_ROM_ADDRESS_MASK) | PCI_ROM_ADDRESS_ENABLE);
	return 0;
}

void vfki_rom_fini(struct vfk_model *m)
{
	free(m->regions.rom.data);
	m->regions.rom = (struct vfki_rom){ 0 };
}

ssize_t vfki_rom_read(struct vfk_model *m, uint64_t off, void *buf, size_t len)
{
	const struct vfki_rom *r = &m->regions.rom;
	size_t n;

	if (!(m->decode & PCI_COMMAND_MEMORY))
		return vfki_err(-EIO, "%s: expansion ROM: memory decoding is off", m->io.name);
	if (!r->data)
		return vfki_model_region_ask(m, VFIO_PCI_ROM_REGION_INDEX, off, buf, len);
	n = off < r->len ? (size_t)vfki_min_u64(len, r->len - off) : 0;
	if (r->flags & VFK_ROM_SHORT) {
		if (!n)
			return vfki_err(-EIO, "%s: expansion ROM: 0x%" PRIx64 " is behind its data",
					m->io.name, off);
		len = n;
	}
	memcpy(buf, r->data + off, n);
	memset((uint8_t *)buf + n, 0xff, len - n);
	return (ssize_t)len;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom.c - the bytes of the expansion ROM: how many, from the device, or from a file.
 *
 * Any thread; what changes something is under pci->lock. What was loaded is constant.
 */
#include "rom.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <fcntl.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROM VFIO_PCI_ROM_REGION_INDEX

#define CHUNK	(64u << 10) /* bytes asked for at once */
#define RETRIES 60	    /* a call, after -EAGAIN */

void vfki_pci_rom_fini(struct vfk_pci *pci)
{
	free(atomic_load(&pci->rom.data));
}

/* ---- sizes ---- */

static int region_size(struct vfk_pci *pci, uint64_t *size)
{
	const struct vfk_region_info *info;
	int ret = vfk_region_get_info(pci->dev, ROM, &info);

	if (ret < 0)
		return ret;
	if (!info->size)
		return vfki_err(-ENOENT, "%s: no ROM", vfki_pci_name(pci));
	*size = info->size;
	return 0;
}

int vfk_pci_rom_get_size(struct vfk_pci *pci, uint64_t *size)
{
	if (!atomic_load(&pci->rom.data))
		return region_size(pci, size);
	*size = pci->rom.len;
	return 0;
}

/* Where the BAR is; 0: nowhere. PCI 3.0 section 6.1, PCI-to-PCI bridge 1.2 section 3.2. */
static uint32_t bar_register(const struct vfk_pci *pci)
{
	switch (pci->identity.header_type) {
	case PCI_HEADER_TYPE_NORMAL:
		return PCI_ROM_ADDRESS;
	case PCI_HEADER_TYPE_BRIDGE:
		return PCI_ROM_ADDRESS1;
	default:
		return 0;
	}
}

/* What stays of all ones but the enable bit; the register is as before, or the text says that it is not. */
static int probe(struct vfk_pci *pci, uint32_t off, uint32_t *stayed)
{
	char why[VFKI_ERROR_SIZE];
	uint32_t before;
	int ret = vfk_pci_config_read(pci, off, 4, &before), restored;

	if (ret < 0)
		return ret;
	ret = vfki_pci_config_write_locked(pci, off, 4, ~(uint32_t)PCI_ROM_ADDRESS_ENABLE);
	if (!ret)
		ret = vfk_pci_config_read(pci, off, 4, stayed);
	snprintf(why, sizeof(why), "%s", vfk_error());
	restored = vfki_pci_config_write_locked(pci, off, 4, before);
	if (restored < 0)
		return vfki_err_prefix(restored,
				       "%s: the ROM's BAR was 0x%08" PRIx32 ", and is not restored",
				       vfki_pci_name(pci), before);
	return ret < 0 ? vfki_err(ret, "%s", why) : 0;
}

int vfk_pci_rom_probe_bar(struct vfk_pci *pci, uint32_t *size)
{
	uint32_t off = bar_register(pci), stayed = 0, mask;
	int ret = 0;

	vfki_pci_lock(pci);
	if (off)
		ret = probe(pci, off, &stayed);
	vfki_pci_unlock(pci);
	if (ret < 0)
		return ret;
	if (stayed == UINT32_MAX)
		return vfki_err(-ENODEV, "%s: config space reads as ones", vfki_pci_name(pci));
	mask = stayed & (uint32_t)PCI_ROM_ADDRESS_MASK;
	if (!mask)
		return vfki_err(-ENOENT, "%s: no ROM BAR", vfki_pci_name(pci));
	if (!vfki_is_pow2(~mask + 1ull))
		return vfki_err(-EPROTO,
				"%s: the ROM's BAR keeps 0x%08" PRIx32 ", which is no size",
				vfki_pci_name(pci), stayed);
	*size = ~mask + 1;
	return 0;
}

/* ---- reading ---- */

/* One part, and again while the device says so. @tries is what is left of that. */
static ssize_t read_part(struct vfk_pci *pci, uint64_t off, void *buf, size_t len,
			 unsigned int *tries)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	ssize_t n;

	while ((n = vfk_region_read(pci->dev, ROM, off, buf, len)) == -EAGAIN && *tries) {
		--*tries;
		nanosleep(&ms, NULL);
	}
	if (n == -EAGAIN)
		return vfki_err(-EAGAIN, "%s: ROM at 0x%" PRIx64 ": again and again, %u times",
				vfki_pci_name(pci), off, RETRIES + 1);
	return n < 0 ? vfki_err_prefix((int)n, "%s: ROM at 0x%" PRIx64, vfki_pci_name(pci), off) :
		       n;
}

/*
 * The first part that is short is the ROM's end; so is one that would begin there, which a device with less than it said
 * refuses.
 */
static ssize_t read_parts(struct vfk_pci *pci, uint64_t off, uint8_t *buf, size_t len)
{
	unsigned int tries = RETRIES;
	size_t done = 0;

	while (done < len) {
		size_t part = (size_t)vfki_min_u64(len - done, CHUNK);
		ssize_t n = read_part(pci, off + done, buf + done, part, &tries);

		if (n == -EINVAL && off + done)
			break;
		if (n < 0)
			return n;
		done += (size_t)n;
		if ((size_t)n < part)
			break;
	}
	return (ssize_t)done;
}

/* With memory decoding, without which there is no ROM. The lock is held. */
static ssize_t read_decoded(struct vfk_pci *pci, uint64_t off, void *buf, size_t len)
{
	char why[VFKI_ERROR_SIZE];
	uint32_t command = 0;
	ssize_t n;
	int ret =
		vfki_pci_config_modify_locked(pci, PCI_COMMAND, 2, 0, PCI_COMMAND_MEMORY, &command);

	if (ret < 0)
		return ret;
	n = read_parts(pci, off, buf, len);
	if (command & PCI_COMMAND_MEMORY)
		return n;
	snprintf(why, sizeof(why), "%s", vfk_error());
	ret = vfki_pci_config_modify_locked(pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY, 0, NULL);
	if (ret < 0)
		return vfki_err_prefix(ret, "%s: memory decoding was off, and is on now",
				       vfki_pci_name(pci));
	return n < 0 ? vfki_err((int)n, "%s", why) : n;
}

/* How many of @len bytes at @off there can be. */
static size_t clip(uint64_t off, size_t len, uint64_t size)
{
	return off < size ? (size_t)vfki_min_u64(len, size - off) : 0;
}

ssize_t vfk_pci_rom_read(struct vfk_pci *pci, uint64_t off, void *buf, size_t len)
{
	const uint8_t *data = atomic_load(&pci->rom.data);
	uint64_t size = 0;
	ssize_t n;
	int ret;

	if (data) {
		len = clip(off, len, pci->rom.len);
		if (len)
			memcpy(buf, data + off, len);
		return (ssize_t)len;
	}
	ret = region_size(pci, &size);
	if (ret < 0)
		return ret;
	len = clip(off, len, size);
	if (!len)
		return 0;
	vfki_pci_lock(pci);
	n = read_decoded(pci, off, buf, len);
	vfki_pci_unlock(pci);
	return n;
}

/* ---- the copy ---- */

/* Takes @data. */
static void keep(struct vfk_pci *pci, uint8_t *data, size_t len)
{
	uint8_t *fitting = realloc(data, len);

	pci->rom.len = len;
	atomic_store(&pci->rom.data, fitting ? fitting : data);
}

static int load_locked(struct vfk_pci *pci)
{
	uint64_t size = 0;
	uint8_t *data;
	ssize_t n;
	int ret = region_size(pci, &size);

	if (ret < 0)
		return ret;
	if (size > VFK_PCI_ROM_MAX)
		return vfki_err(-EFBIG, "%s: ROM of %" PRIu64 " bytes, a ROM has %u at most",
				vfki_pci_name(pci), size, VFK_PCI_ROM_MAX);
	data = malloc((size_t)size);
	if (!data)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(pci));
	n = read_decoded(pci, 0, data, (size_t)size);
	if (n > 0)
		keep(pci, data, (size_t)n);
	else
		free(data);
	return n < 0 ? (int)n : 0;
}

int vfk_pci_rom_load(struct vfk_pci *pci, const void **data, size_t *len)
{
	int ret;

	vfki_pci_lock(pci);
	ret = atomic_load(&pci->rom.data) ? 0 : load_locked(pci);
	vfki_pci_unlock(pci);
	if (ret < 0)
		return ret;
	*data = atomic_load(&pci->rom.data);
	*len = pci->rom.len;
	return 0;
}

/* ---- a file ---- */

static int check_file(int fd, const char *path, size_t *len)
{
	uint64_t size;
	int ret = vfki_fd_size(fd, &size);

	if (ret == -ENOTSUP)
		return vfki_err(-EINVAL, "%s: not a regular file", path);
	if (ret < 0)
		return vfki_err_sys(ret, "%s", path);
	if (!size)
		return vfki_err(-EINVAL, "%s: empty", path);
	if (size > VFK_PCI_ROM_MAX)
		return vfki_err(-EFBIG, "%s: %" PRIu64 " bytes, a ROM has %u at most", path, size,
				VFK_PCI_ROM_MAX);
	*len = (size_t)size;
	return 0;
}

static int read_file(int fd, const char *path, uint8_t *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, data + done, len - done);

		if (n < 0 && errno != EINTR)
			return vfki_err_sys(-errno, "%s", path);
		if (!n)
			return vfki_err(-EIO, "%s: it became shorter", path);
		done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

static int set_locked(struct vfk_pci *pci, int fd, const char *path)
{
	size_t len = 0;
	uint8_t *data;
	int ret;

	if (atomic_load(&pci->rom.data))
		return vfki_err(-EBUSY, "%s: a ROM was loaded already", vfki_pci_name(pci));
	ret = check_file(fd, path, &len);
	if (ret < 0)
		return ret;
	data = malloc(len);
	if (!data)
		return vfki_err(-ENOMEM, "%s: no memory", path);
	ret = read_file(fd, path, data, len);
	if (ret < 0)
		free(data);
	else
		keep(pci, data, len);
	return ret;
}

int vfk_pci_rom_set_file(struct vfk_pci *pci, const char *path)
{
	/* Not to wait for the other end of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;

	if (fd < 0)
		return vfki_err_sys(-errno, "%s", path);
	vfki_pci_lock(pci);
	ret = set_locked(pci, fd, path);
	vfki_pci_unlock(pci);
	vfki_fd_close(fd);
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reconnect.c - losing a device, and bringing it back: the same device, told the same again.
 *
 * The io makes the connection anew; from then on its ops serve this thread alone, so that what is said here is said once and
 * whole, before anybody else gets a word in. What cannot be taken back comes last: mapped regions are moved to their
 * addresses when all else was accepted.
 */
#include "device.h"
#include "irq_saved.h"
#include "lib/base/error.h"
#include "region.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vfiokit/reconnect.h>

/* Offsets in config space: PCI 3.0, section 6.1; of the subsystem in a header of type 0 alone. */
#define PCI_ID	      0x00
#define PCI_CLASS     0x08
#define PCI_HEADER    0x0c
#define PCI_SUBSYSTEM 0x2c

/* ---- the loss ---- */

/* The io's word, perhaps several times for one loss. */
static void on_lost(void *ctx, uint64_t epoch)
{
	struct vfki_loss *loss = &((struct vfk_device *)ctx)->loss;
	unsigned long long seen = atomic_load(&loss->epoch);
	void (*fn)(void *ctx, uint64_t epoch);
	void *fn_ctx;

	do
		if (seen >= epoch)
			return;
	while (!atomic_compare_exchange_weak(&loss->epoch, &seen, epoch));
	pthread_mutex_lock(&loss->told);
	fn = loss->fn;
	fn_ctx = loss->ctx;
	pthread_mutex_unlock(&loss->told);
	if (fn)
		fn(fn_ctx, epoch);
}

static int cannot(const struct vfk_device *dev)
{
	return vfki_err(-ENOTSUP, "%s: reconnect: not supported by this device",
			vfk_device_name(dev));
}

int vfk_device_set_lost(struct vfk_device *dev, void (*lost)(void *ctx, uint64_t epoch), void *ctx)
{
	if (!dev->loss.offered)
		return cannot(dev);
	pthread_mutex_lock(&dev->loss.told);
	dev->loss.fn = lost;
	dev->loss.ctx = ctx;
	pthread_mutex_unlock(&dev->loss.told);
	return 0;
}

uint64_t vfk_device_epoch(const struct vfk_device *dev)
{
	return atomic_load(&dev->loss.epoch);
}

int vfki_loss_check(struct vfk_device *dev)
{
	if (!dev->loss.offered || atomic_load(&dev->loss.epoch) == atomic_load(&dev->loss.known))
		return 0;
	return vfki_err(-ECONNRESET, "%s: the server was lost", vfk_device_name(dev));
}

int vfki_loss_force(struct vfk_device *dev)
{
	int ret = vfki_checked_reconnect(&dev->io, VFK_RECONNECT_ABANDON);

	return ret ? ret : vfki_loss_check(dev);
}

int vfki_loss_wait_begin(struct vfk_device *dev)
{
	int ret;

	if (!dev->loss.offered)
		return 0;
	pthread_rwlock_rdlock(&dev->loss.waits);
	ret = vfki_loss_check(dev);
	if (ret)
		pthread_rwlock_unlock(&dev->loss.waits);
	return ret;
}

void vfki_loss_wait_end(struct vfk_device *dev)
{
	if (dev->loss.offered)
		pthread_rwlock_unlock(&dev->loss.waits);
}

/* ---- which device it is ---- */

static int read_config(struct vfk_device *dev, uint64_t off, uint32_t *value)
{
	ssize_t n = vfki_checked_region_read(&dev->io, VFIO_PCI_CONFIG_REGION_INDEX, off, value,
					     sizeof(*value));

	if (n >= 0 && n != sizeof(*value))
		n = vfki_err(-EIO, "%s: config space ends at 0x%" PRIx64, vfk_device_name(dev),
			     off + (uint64_t)n);
	return n < 0 ? (int)n : 0;
}

/* 1, 0, or -errno. A server that shows BARs alone is odd, and no less of a server. */
static int has_config(struct vfk_device *dev)
{
	uint64_t size;
	uint32_t flags;
	int ret;

	if (!(dev->io.info.flags & VFIO_DEVICE_FLAGS_PCI) ||
	    dev->io.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		return 0;
	ret = vfki_checked_region_limit(&dev->io, VFIO_PCI_CONFIG_REGION_INDEX, &size, &flags);
	return ret < 0 ? ret : size > 0;
}

static int read_identity(struct vfk_device *dev, struct vfki_identity *id)
{
	uint32_t header = 0;
	int ret = has_config(dev);

	*id = (struct vfki_identity){ 0 };
	if (ret <= 0)
		return ret;
	ret = read_config(dev, PCI_ID, &id->id);
	if (!ret)
		ret = read_config(dev, PCI_CLASS, &id->class);
	if (!ret)
		ret = read_config(dev, PCI_HEADER, &header);
	/* The byte is at offset 2; its highest bit says something else. */
	if (!ret && !(header >> 16 & 0x7f))
		ret = read_config(dev, PCI_SUBSYSTEM, &id->subsystem);
	return ret;
}

static int another(const struct vfk_device *dev, const char *what)
{
	return vfki_err(-ENODEV, "%s: reconnect: another device: %s", vfk_device_name(dev), what);
}

static int compare_identity(struct vfk_device *dev)
{
	const struct vfki_identity *was = &dev->loss.identity;
	struct vfki_identity is;
	char text[128];
	int ret = read_identity(dev, &is);

	if (ret || !memcmp(&is, was, sizeof(is)))
		return ret;
	snprintf(text, sizeof(text),
		 "ids 0x%08" PRIx32 ", class 0x%08" PRIx32 ", subsystem 0x%08" PRIx32
		 ", then 0x%08" PRIx32 ", 0x%08" PRIx32 ", 0x%08" PRIx32,
		 was->id, was->class, was->subsystem, is.id, is.class, is.subsystem);
	return another(dev, text);
}

static int compare_info(struct vfk_device *dev)
{
	uint32_t size = dev->info->argsz;
	struct vfio_device_info *info;
	int ret;

	if (size < sizeof(*info))
		size = sizeof(*info);
	info = calloc(1, size);
	if (!info)
		return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	info->argsz = size;
	ret = vfki_checked_get_device_info(&dev->io, info);
	if (!ret && (info->argsz != dev->info->argsz || memcmp(info, dev->info, dev->info->argsz)))
		ret = another(dev, "the capabilities of its info");
	free(info);
	return ret;
}

/* The door compares size and flags; an info that the device layer has is compared as a whole. */
static int compare_region(struct vfk_device *dev, uint32_t index)
{
	const struct vfki_region *r = atomic_load(&dev->regions[index]);
	uint32_t size = r ? r->info->argsz : sizeof(struct vfio_region_info);
	struct vfio_region_info *info;
	char text[64];
	int ret;

	if (!r && !atomic_load(&dev->io.regions[index].flags))
		return 0;
	info = calloc(1, size);
	if (!info)
		return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	info->argsz = size;
	info->index = index;
	ret = vfki_checked_get_region_info(&dev->io, info, NULL);
	if (!ret && r && memcmp(info, r->info, size)) {
		snprintf(text, sizeof(text), "region %" PRIu32 ": what of it can be mapped", index);
		ret = another(dev, text);
	}
	free(info);
	return ret;
}

static int compare_irq(struct vfk_device *dev, uint32_t index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	return atomic_load(&dev->io.irqs[index].flags) ?
		       vfki_checked_get_irq_info(&dev->io, &info) :
		       0;
}

static int compare(struct vfk_device *dev)
{
	int ret = compare_info(dev);

	for (uint32_t i = 0; !ret && i < dev->io.num_regions; i++)
		ret = compare_region(dev, i);
	for (uint32_t i = 0; !ret && i < dev->io.num_irqs; i++)
		ret = compare_irq(dev, i);
	/* A peer that broke the protocol has ended the connection, which is another error: this is the door's. */
	if (ret == -EPROTO)
		return vfki_err_prefix(-ENODEV, "reconnect: another device");
	return ret ? ret : compare_identity(dev);
}

/* ---- restoring ---- */

/* Keeps the text of the failure that it is called for. */
static void abandon(struct vfk_device *dev)
{
	char text[VFKI_ERROR_SIZE];

	snprintf(text, sizeof(text), "%s", vfk_error());
	(void)vfki_checked_reconnect(&dev->io, VFK_RECONNECT_ABANDON);
	vfki_err(0, "%s", text);
}

/* The end of it, well or not. */
static int settle(void *ctx, int ret)
{
	struct vfk_device *dev = ctx;

	if (!ret)
		ret = vfki_maps_settle_locked(&dev->maps, dev->guard);
	if (!ret)
		ret = vfki_checked_reconnect(&dev->io, VFK_RECONNECT_DONE);
	if (ret)
		abandon(dev);
	return ret;
}

/* With the locks of the maps and of the saved interrupts. */
static int restore_locked(struct vfk_device *dev)
{
	int ret = compare(dev);

	if (!ret)
		ret = vfki_maps_renew_locked(dev);
	if (!ret)
		ret = vfki_irqs_saved_restore(dev);
	if (!ret && dev->space)
		ret = vfki_space_restore(dev->space, &dev->sink, settle, dev);
	else
		ret = settle(dev, ret);
	if (ret)
		vfki_maps_drop_renewed_locked(&dev->maps, dev->guard);
	return ret;
}

static int restore(struct vfk_device *dev)
{
	int ret;

	pthread_mutex_lock(&dev->maps.lock);
	pthread_mutex_lock(&dev->loss.irq_lock);
	ret = restore_locked(dev);
	pthread_mutex_unlock(&dev->loss.irq_lock);
	pthread_mutex_unlock(&dev->maps.lock);
	return ret;
}

static int check_epoch(struct vfk_device *dev, uint64_t epoch)
{
	unsigned long long now = atomic_load(&dev->loss.epoch);

	if (epoch != now)
		return vfki_err(-ESTALE,
				"%s: reconnect: epoch %" PRIu64 ", the device is in epoch %llu",
				vfk_device_name(dev), epoch, now);
	if (now == atomic_load(&dev->loss.known))
		return vfki_err(-EALREADY, "%s: reconnect: it is not lost", vfk_device_name(dev));
	return 0;
}

static int reconnect_locked(struct vfk_device *dev, uint64_t epoch)
{
	int ret = check_epoch(dev, epoch);

	if (ret)
		return ret;
	/* Whoever polls the old socket sees its end, and leaves. */
	pthread_rwlock_wrlock(&dev->loss.waits);
	pthread_rwlock_unlock(&dev->loss.waits);
	ret = vfki_checked_reconnect(&dev->io, VFK_RECONNECT_BEGIN);
	if (ret)
		return ret;
	ret = restore(dev);
	if (!ret)
		atomic_store(&dev->loss.known, epoch);
	return ret;
}

int vfk_device_reconnect(struct vfk_device *dev, uint64_t epoch)
{
	int ret;

	if (!dev->loss.offered)
		return cannot(dev);
	if (pthread_mutex_trylock(&dev->loss.restoring))
		return vfki_err(-EBUSY, "%s: reconnect: another thread is at it",
				vfk_device_name(dev));
	ret = reconnect_locked(dev, epoch);
	pthread_mutex_unlock(&dev->loss.restoring);
	return ret;
}

/* ---- its life ---- */

static void init_locks(struct vfki_loss *loss)
{
	pthread_rwlockattr_t attr;

	/* None of these can fail on Linux: they set words in memory. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&loss->waits, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&loss->told, NULL);
	pthread_mutex_init(&loss->restoring, NULL);
	pthread_mutex_init(&loss->irq_lock, NULL);
}

int vfki_loss_init(struct vfk_device *dev)
{
	int ret;

	if (!(vfki_device_io_flags(dev) & VFK_IO_RECONNECT))
		return 0;
	ret = vfki_irqs_saved_init(dev);
	if (ret)
		return ret;
	init_locks(&dev->loss);
	dev->loss.offered = true;
	ret = vfki_checked_set_lost(&dev->io, on_lost, dev);
	if (!ret)
		ret = read_identity(dev, &dev->loss.identity);
	if (ret)
		vfki_loss_fini(dev);
	return ret;
}

void vfki_loss_fini(struct vfk_device *dev)
{
	struct vfki_loss *loss = &dev->loss;

	if (!loss->offered)
		return;
	vfki_irqs_saved_fini(dev);
	pthread_mutex_destroy(&loss->irq_lock);
	pthread_mutex_destroy(&loss->restoring);
	pthread_mutex_destroy(&loss->told);
	pthread_rwlock_destroy(&loss->waits);
	loss->offered = false;
}

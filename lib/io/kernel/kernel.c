/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel.c - opening and closing a device of the kernel's: what the URI says, and which way in is taken.
 *
 * Open and close run alone; everything else in this room runs on any number of threads.
 */
#include "lib/io/kernel/kernel.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/io/kernel/instance.h"
#include "lib/io/kvm.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int vfki_kernel_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	if (ret >= 0)
		return ret;
	return errno == ENOTTY ? -ENOTSUP : -errno;
}

int vfki_kernel_ioctl_value(int fd, unsigned long request, unsigned long value)
{
	return vfki_kernel_ioctl(fd, request, (void *)value);
}

static int no_file(const char *path, const char *module)
{
	if (module)
		return vfki_err(-ENOENT,
				"there is no %s; the kernel lacks it, or a module: modprobe %s",
				path, module);
	return vfki_err(
		-ENOENT,
		"there is no %s, though the device is with VFIO: /dev does not show all, as in a "
		"container or chroot",
		path);
}

int vfki_kernel_cannot_open(int err, const char *path, const char *module)
{
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		return no_file(path, module);
	if (err == -EACCES || err == -EPERM)
		return vfki_err(
			-EACCES, "no permission for %s; %s", path,
			strstr(path, "noiommu") ?
				"without an IOMMU it takes CAP_SYS_RAWIO and access to the file" :
				"give access to it to this user (chown, or a rule of udev)");
	if (err == -EBUSY)
		return vfki_err(-EBUSY, "%s is in use by another program, or open here already",
				path);
	return vfki_err_sys(err, "%s", path);
}

struct vfki_kernel_dma *vfki_kernel_dma_of(struct vfk_io *io)
{
	return &vfki_kernel_of(io)->dma;
}

void vfki_kernel_set_opts(struct vfk_io *io, const struct vfk_kernel_opts *opts,
			  struct vfk_io *share)
{
	struct vfki_kernel *k = vfki_kernel_of(io);

	k->given = opts;
	k->share = share;
}

int vfki_kernel_tell_kvm(struct vfki_kernel *k, const struct vfki_kernel_how *how, int file)
{
	int ret;

	if (how->opts->kvm_fd < 0)
		return 0;
	ret = vfki_kvm_tell(how->opts->kvm_fd, file, true);
	if (ret == -EEXIST) /* of another device of the group */
		return 0;
	k->told_kvm = !ret;
	return ret;
}

void vfki_kernel_untell_kvm(struct vfki_kernel *k, const struct vfk_kernel_opts *opts, int file)
{
	if (k->told_kvm)
		(void)vfki_kvm_tell(opts->kvm_fd, file, false);
	k->told_kvm = false;
}

/* ---- the way in ---- */

enum way { WAY_GROUP, WAY_CDEV };

static bool usable(const char *path)
{
	return *path && !faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS);
}

/* The cdev where there is one, else the group. What cannot be opened is chosen only if the other cannot, either. */
static enum way choose(const struct vfki_kernel_how *how)
{
	const struct vfk_kernel_opts *o = how->opts;
	const struct vfki_target *t = &how->target;
	char group[64];

	if (o->iommufd >= 0 || t->by_cdev || (how->share && vfki_kernel_is_cdev(how->share)))
		return WAY_CDEV;
	if (how->share && how->share->group)
		return WAY_GROUP;
	if (o->device_fd >= 0 || o->group_fd >= 0 || o->container_fd >= 0)
		return WAY_GROUP;
	if (usable(t->cdev) && usable("/dev/iommu"))
		return WAY_CDEV;
	vfki_target_group_path(t, group, sizeof(group));
	if (t->group >= 0 && usable(group) && usable("/dev/vfio/vfio"))
		return WAY_GROUP;
	return *t->cdev && !access("/dev/iommu", F_OK) ? WAY_CDEV : WAY_GROUP;
}

static int check_type1(const struct vfki_target *t)
{
	if (t->by_cdev)
		return vfki_err(-EINVAL,
				"iommu=type1: a cdev has no container, only iommu=iommufd");
	if (t->noiommu)
		return vfki_err(
			-EINVAL,
			"iommu=type1: there is no IOMMU before %s; iommu=noiommu does without it",
			t->name);
	return WAY_GROUP;
}

static int check_iommufd(const struct vfki_kernel_how *how)
{
	const struct vfki_target *t = &how->target;

	if (how->opts->device_fd < 0 && !*t->cdev)
		return vfki_err(
			-ENOTSUP,
			"iommu=iommufd: this kernel has no cdev for %s (CONFIG_VFIO_DEVICE_CDEV); "
			"iommu=type1 goes by its group",
			t->name);
	return WAY_CDEV;
}

static int check_noiommu(const struct vfki_kernel_how *how)
{
	const struct vfki_target *t = &how->target;
	char group[64];

	if (!t->noiommu && *t->sysfs)
		return vfki_err(
			-ENOTSUP,
			t->group >= 0 ?
				"iommu=noiommu: %s is behind an IOMMU" :
				"iommu=noiommu: not offered for %s; it needs the parameter "
				"vfio.enable_unsafe_noiommu_mode=1 before the device is bound",
			t->name);
	vfki_target_group_path(t, group, sizeof(group));
	return t->by_cdev || (*t->cdev && access(group, F_OK)) ? WAY_CDEV : WAY_GROUP;
}

/* Returns an enum way, or -errno with a text. */
static int find_way(const struct vfki_kernel_how *how)
{
	const char *iommu = how->opts->iommu;

	if (!iommu || !strcmp(iommu, "auto"))
		return (int)choose(how);
	if (!strcmp(iommu, "type1"))
		return check_type1(&how->target);
	if (!strcmp(iommu, "iommufd"))
		return check_iommufd(how);
	if (!strcmp(iommu, "noiommu"))
		return check_noiommu(how);
	return vfki_err(-EINVAL, "iommu=%s; known: auto, type1, iommufd, noiommu", iommu);
}

static int find_target(const struct vfk_kernel_opts *o, struct vfki_target *t)
{
	int ret;

	if (!o->device) {
		if (o->device_fd < 0)
			return vfki_err(-EINVAL, "neither a device's name nor its file is given");
		vfki_target_of_fd(o->device_fd, t);
		return 0;
	}
	ret = vfki_target_find(o->device, t);
	if (ret < 0)
		return ret;
	if (o->device_fd < 0)
		return vfki_target_check(t);
	t->by_cdev |= vfki_target_is_cdev(o->device_fd);
	return 0;
}

static int enter(struct vfki_kernel *k, const struct vfk_kernel_opts *opts)
{
	struct vfki_kernel_how *how = calloc(1, sizeof(*how));
	int ret;

	if (!how)
		return vfki_err(-ENOMEM, "no memory");
	how->opts = opts;
	how->share = k->share ? vfki_kernel_of(k->share) : NULL;
	ret = find_target(opts, &how->target);
	if (!ret)
		ret = find_way(how);
	k->noiommu = how->target.noiommu;
	k->mediated = *how->target.sysfs && !how->target.pci;
	if (ret >= 0)
		ret = ret == WAY_CDEV ? vfki_kernel_open_cdev(k, how) :
					vfki_kernel_open_group(k, how);
	free(how);
	return ret;
}

static void leave(struct vfki_kernel *k)
{
	vfki_kernel_dma_fini(&k->dma);
	vfki_fd_close(k->device);
	vfki_kernel_put_group(k->group);
}

/* ---- open, close ---- */

static int from_uri(const struct vfk_uri *uri, struct vfk_kernel_opts *opts)
{
	static const char *const keys[] = { "iommu", "vf_token", NULL };
	static const struct vfk_kernel_opts none = VFK_KERNEL_OPTS_INIT;

	*opts = none;
	opts->device = vfk_uri_target(uri);
	opts->iommu = vfk_uri_get(uri, "iommu");
	opts->vf_token = vfk_uri_get(uri, "vf_token");
	return vfk_uri_only(uri, keys);
}

static int kernel_open(struct vfk_io *io, const struct vfk_uri *uri,
		       const struct vfk_open_opts *unused)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	const struct vfk_kernel_opts *given = k->given;
	struct vfk_kernel_opts opts;
	int ret = given ? 0 : from_uri(uri, &opts);

	(void)unused; /* there is no peer to wait for */
	k->device = -1;
	k->mig_fd = -1;
	k->mig_state = VFIO_DEVICE_STATE_RUNNING;
	if (!ret)
		ret = enter(k, given ? given : &opts);
	k->given = NULL;
	k->share = NULL;
	if (ret < 0)
		return ret;
	ret = vfki_kernel_fetch(k);
	if (ret < 0)
		goto leave;
	pthread_mutex_init(&k->mig_lock, NULL);
	pthread_mutex_init(&k->ioeventfds_lock, NULL);
	io->dma = k->dma.iommu ? &vfki_kernel_dma_ops : NULL;
	io->flags = VFK_IO_HARDWARE | (k->noiommu ? VFK_IO_NOIOMMU : 0);
	return 0;
leave:
	vfki_kernel_untell_kvm(k, given ? given : &opts, k->group ? k->group->fd : k->device);
	leave(k);
	return ret;
}

/* Files that were handed in or out may keep the device open: what was done through this io is undone one by one. */
static void kernel_close(struct vfk_io *io)
{
	struct vfki_kernel *k = vfki_kernel_of(io);

	vfki_kernel_end_ioeventfds(k);
	vfki_kernel_disarm_all(k);
	/* with an IOMMU that is what keeps it from the memory */
	if (k->noiommu)
		vfki_kernel_stop_dma(k);
	vfki_kernel_dma_fini(&k->dma);
	vfki_kernel_end_migration(k);
	leave(k);
	vfki_kernel_forget(k);
	pthread_mutex_destroy(&k->ioeventfds_lock);
	pthread_mutex_destroy(&k->mig_lock);
}

static int kernel_fds(struct vfk_io *io, struct vfk_kernel_fds *fds)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	int iommu = k->dma.iommu ? vfki_iommu_fd(k->dma.iommu) : -1;

	fds->device = k->device;
	fds->group = k->group ? k->group->fd : -1;
	fds->container = k->group ? iommu : -1;
	fds->iommufd = k->group ? -1 : iommu;
	fds->ioas_id = k->dma.iommu ? vfki_iommu_ioas_id(k->dma.iommu) : 0;
	fds->dev_id = k->dev_id;
	fds->group_id = k->group ? k->group->number : -1;
	return 0;
}

const struct vfk_io_ops vfki_kernel_io_ops = {
	.size = sizeof(struct vfk_io_ops),
	.name = "kernel",
	.help = "a device of the kernel's VFIO: kernel:PCI-ADDRESS, a path in /sys or "
		"/dev/vfio/devices; iommu=auto|type1|iommufd|noiommu, vf_token=UUID",
	.instance_size = sizeof(struct vfki_kernel),
	.open = kernel_open,
	.close = kernel_close,
	.get_device_info = vfki_kernel_get_device_info,
	.get_region_info = vfki_kernel_get_region_info,
	.get_irq_info = vfki_kernel_get_irq_info,
	.set_irqs = vfki_kernel_set_irqs,
	.region_read = vfki_kernel_region_read,
	.region_write = vfki_kernel_region_write,
	.device_feature = vfki_kernel_device_feature,
	.reset = vfki_kernel_reset,
	.mig_read = vfki_kernel_mig_read,
	.mig_write = vfki_kernel_mig_write,
	.hot_reset_info = vfki_kernel_hot_reset_info,
	.hot_reset = vfki_kernel_hot_reset,
	.ioeventfd = vfki_kernel_ioeventfd,
	.kernel_fds = kernel_fds,
	.precopy_info = vfki_kernel_precopy_info,
};

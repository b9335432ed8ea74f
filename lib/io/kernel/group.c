/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group.c - the way in by IOMMU group: group into container, container to an IOMMU, device out of the group
 * (Documentation/driver-api/vfio.rst of Linux).
 *
 * Runs in the opening thread; a group is put by whoever closes its last device.
 */
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/io/kernel/instance.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONTAINER "/dev/vfio/vfio"

/* ---- group ---- */

static struct vfki_group *group_of_fd(int fd, int number)
{
	struct vfki_group *g = calloc(1, sizeof(*g));

	if (!g) {
		vfki_fd_close(fd);
		return NULL;
	}
	atomic_init(&g->users, 1);
	g->fd = fd;
	g->number = number;
	return g;
}

void vfki_kernel_put_group(struct vfki_group *g)
{
	if (!g || atomic_fetch_sub(&g->users, 1) != 1)
		return;
	/* somebody else may hold the group open, and would find it in a container that is gone */
	if (g->entered)
		(void)ioctl(g->fd, VFIO_GROUP_UNSET_CONTAINER);
	vfki_fd_close(g->fd);
	free(g);
}

static int open_group_file(const struct vfki_target *t)
{
	char path[64];
	int fd;

	if (t->group < 0)
		return vfki_err(
			-ENOTSUP,
			"%s is in no IOMMU group: the machine's IOMMU is off (a BIOS setting, or "
			"intel_iommu=on), or there is none (then iommu=noiommu)",
			*t->name ? t->name : "the device");
	vfki_target_group_path(t, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : vfki_kernel_cannot_open(-errno, path, NULL);
}

static int get_group(const struct vfki_kernel_how *how, struct vfki_group **out)
{
	const struct vfki_target *t = &how->target;
	struct vfki_group *shared = how->share ? how->share->group : NULL;
	int fd;

	if (shared && shared->number == t->group && t->group >= 0) {
		atomic_fetch_add(&shared->users, 1);
		*out = shared;
		return 0;
	}
	if (how->opts->group_fd >= 0) {
		fd = vfki_fd_dup(how->opts->group_fd);
		if (fd < 0)
			return vfki_err_sys(fd, "group file %d", how->opts->group_fd);
	} else {
		fd = open_group_file(t);
	}
	if (fd < 0)
		return fd;
	*out = group_of_fd(fd, t->group);
	return *out ? 0 : vfki_err(-ENOMEM, "no memory");
}

static int not_viable(const struct vfki_target *t)
{
	char who[256] = "";
	int n = vfki_target_obstacles(t, who, sizeof(who));

	return vfki_err(
		-EBUSY,
		"group %d is not viable: all its devices must be with VFIO or without a driver, "
		"and %s %s not; \"vfiokit bind --group %s\" takes the whole group",
		t->group, n ? who : "one of them", n > 1 ? "are" : "is", t->name);
}

static int group_status(const struct vfki_group *g, const struct vfki_target *t, bool *inside)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int ret = vfki_kernel_ioctl(g->fd, VFIO_GROUP_GET_STATUS, &status);

	if (ret < 0)
		return vfki_err_sys(ret, "group status");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return not_viable(t);
	*inside = status.flags & VFIO_GROUP_FLAGS_CONTAINER_SET;
	return 0;
}

/* ---- container ---- */

static int open_container(void)
{
	int fd = open(CONTAINER, O_RDWR | O_CLOEXEC), version;

	if (fd < 0)
		return vfki_kernel_cannot_open(-errno, CONTAINER, "vfio_iommu_type1 vfio-pci");
	version = vfki_kernel_ioctl_value(fd, VFIO_GET_API_VERSION, 0);
	if (version == VFIO_API_VERSION)
		return fd;
	vfki_fd_close(fd);
	return vfki_err(-ENOTSUP, CONTAINER ": version %d of its interface, need %d", version,
			VFIO_API_VERSION);
}

static int enter_container(struct vfki_group *g, int container)
{
	int ret = vfki_kernel_ioctl(g->fd, VFIO_GROUP_SET_CONTAINER, &container);

	if (ret == -EPERM)
		return vfki_err(-EACCES, "group %d: entering its container needs %s", g->number,
				"CAP_SYS_RAWIO where there is no IOMMU");
	if (ret < 0)
		return vfki_err_sys(ret, "group %d cannot enter the container", g->number);
	g->entered = true;
	return 0;
}

static bool offers(int container, unsigned long type)
{
	return vfki_kernel_ioctl_value(container, VFIO_CHECK_EXTENSION, type) > 0;
}

/* A container that has its IOMMU already, as one that was handed in may, answers questions about it. */
static bool has_iommu(int container, bool noiommu)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	int ret = vfki_kernel_ioctl(container, VFIO_IOMMU_GET_INFO, &info);

	return noiommu ? ret == -ENOTSUP : !ret;
}

/* VFIO_SET_IOMMU is refused for interrupts that could be forged, among others. */
static int set_iommu_failed(int err, unsigned long type)
{
	if (err == -EPERM)
		return vfki_err(
			-EACCES,
			"the IOMMU does not isolate interrupts; where that is acceptable, the "
			"parameter vfio_iommu_type1.allow_unsafe_interrupts=1 permits it");
	return vfki_err_sys(err, "VFIO_SET_IOMMU %lu", type);
}

static int set_iommu(int container, bool noiommu)
{
	unsigned long type = VFIO_TYPE1v2_IOMMU;
	int ret;

	if (has_iommu(container, noiommu))
		return 0;
	if (noiommu)
		type = VFIO_NOIOMMU_IOMMU;
	else if (!offers(container, type))
		type = VFIO_TYPE1_IOMMU;
	if (!offers(container, type))
		return vfki_err(-ENOTSUP,
				noiommu ? "the kernel offers no container without an IOMMU" :
					  "the kernel offers no type1 IOMMU: modprobe "
					  "vfio_iommu_type1");
	ret = vfki_kernel_ioctl_value(container, VFIO_SET_IOMMU, type);
	return ret < 0 ? set_iommu_failed(ret, type) : 0;
}

/* The IOMMU of a container that @g is in, or enters. */
static int make_iommu(struct vfki_kernel *k, struct vfki_group *g, int container, bool inside,
		      struct vfki_iommu **iommu)
{
	int ret = inside ? 0 : enter_container(g, container);

	if (!ret)
		ret = set_iommu(container, k->noiommu);
	if (!ret)
		ret = k->noiommu ? vfki_iommu_noiommu(k->io.name, container, iommu) :
				   vfki_iommu_type1(k->io.name, container, iommu);
	return ret;
}

/* The container of another device, as far as the kernel lets this group into it. */
static bool join(struct vfki_kernel *k, const struct vfki_kernel_how *how, struct vfki_group *g,
		 bool inside, struct vfki_iommu **iommu)
{
	const struct vfki_kernel *share = how->share;
	struct vfki_iommu *other = share && share->group ? share->dma.iommu : NULL;

	if (!other || share->noiommu != k->noiommu || (inside && share->group != g))
		return false;
	if (!inside && enter_container(g, vfki_iommu_fd(other)) < 0)
		return false;
	*iommu = vfki_iommu_get(other);
	return true;
}

/* *iommu is NULL when the group is in a container that nobody handed in: no DMA then. */
static int get_iommu(struct vfki_kernel *k, const struct vfki_kernel_how *how, struct vfki_group *g,
		     struct vfki_iommu **iommu)
{
	bool inside = false;
	int fd, ret = group_status(g, &how->target, &inside);

	*iommu = NULL;
	if (ret < 0 || join(k, how, g, inside, iommu))
		return ret;
	if (how->opts->container_fd >= 0)
		return make_iommu(k, g, how->opts->container_fd, inside, iommu);
	if (inside)
		return 0;
	fd = open_container();
	if (fd < 0)
		return fd;
	ret = make_iommu(k, g, fd, false, iommu);
	vfki_fd_close(fd);
	return ret;
}

/* ---- device ---- */

static int device_refused(const struct vfki_target *t, const char *vf_token, int err)
{
	if (err == -EACCES)
		return vfki_err(
			-EACCES, "%s: %s the token of the one who has its physical function",
			t->name,
			vf_token ? "vf_token is not" : "a virtual function, needs vf_token=UUID,");
	if (err == -EINVAL && vf_token)
		return vfki_err(-EINVAL, "%s: it takes no vf_token", t->name);
	if (err == -EPERM)
		return not_viable(t);
	if (err == -ENODEV)
		return vfki_err(-ENODEV, "%s: not in group %d, or gone", t->name, t->group);
	return vfki_err_sys(err, "%s: its group does not give it", t->name);
}

/* The token goes behind the name (vfio_pci_core_match_token_uuid() of Linux). */
static int device_from_group(const struct vfki_group *g, const struct vfki_kernel_how *how)
{
	const char *token = how->opts->vf_token;
	char name[VFKI_TARGET_NAME + 64];
	int fd, len;

	if (!*how->target.name)
		return vfki_err(-EINVAL, "a group is given, but not which device of it");
	len = snprintf(name, sizeof(name), "%s%s%s", how->target.name, token ? " vf_token=" : "",
		       token ? token : "");
	if (len < 0 || (size_t)len >= sizeof(name))
		return vfki_err(-EINVAL, "vf_token=%.40s... is no UUID", token);
	fd = vfki_kernel_ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0)
		return device_refused(&how->target, token, fd);
	(void)vfki_fd_set_cloexec(fd);
	return fd;
}

static int get_device(const struct vfki_group *g, const struct vfki_kernel_how *how)
{
	int fd;

	if (how->opts->device_fd < 0)
		return device_from_group(g, how);
	fd = vfki_fd_dup(how->opts->device_fd);
	return fd >= 0 ? fd : vfki_err_sys(fd, "device file %d", how->opts->device_fd);
}

/* Open, and everything after the group is known. */
static int open_in_group(struct vfki_kernel *k, const struct vfki_kernel_how *how,
			 struct vfki_group *g)
{
	struct vfki_iommu *iommu;
	int fd, ret = get_iommu(k, how, g, &iommu);

	if (ret < 0)
		return ret;
	ret = vfki_kernel_tell_kvm(k, how, g->fd);
	if (ret < 0)
		goto put_iommu;
	ret = fd = get_device(g, how);
	if (ret < 0)
		goto untell_kvm;
	ret = iommu ? vfki_kernel_dma_init(&k->dma, k->io.name, iommu, fd, 0) : 0;
	if (ret < 0)
		goto close_device;
	k->device = fd;
	goto put_iommu;
close_device:
	vfki_fd_close(fd);
untell_kvm:
	vfki_kernel_untell_kvm(k, how->opts, g->fd);
put_iommu:
	vfki_iommu_put(iommu);
	return ret;
}

/* A device file that came without its group: its container may still be there to map into. */
static int open_alone(struct vfki_kernel *k, const struct vfki_kernel_how *how)
{
	const struct vfk_kernel_opts *o = how->opts;
	struct vfki_iommu *iommu = NULL;
	int ret = 0, fd = get_device(NULL, how);

	if (fd < 0)
		return fd;
	if (o->container_fd >= 0)
		ret = k->noiommu ? vfki_iommu_noiommu(k->io.name, o->container_fd, &iommu) :
				   vfki_iommu_type1(k->io.name, o->container_fd, &iommu);
	if (!ret && iommu)
		ret = vfki_kernel_dma_init(&k->dma, k->io.name, iommu, fd, 0);
	vfki_iommu_put(iommu);
	if (ret < 0)
		vfki_fd_close(fd);
	else
		k->device = fd;
	return ret;
}

int vfki_kernel_open_group(struct vfki_kernel *k, const struct vfki_kernel_how *how)
{
	struct vfki_group *g;
	int ret;

	if (how->opts->device_fd >= 0 && how->opts->group_fd < 0)
		return open_alone(k, how);
	ret = get_group(how, &g);
	if (ret < 0)
		return ret;
	ret = open_in_group(k, how, g);
	if (ret < 0)
		vfki_kernel_put_group(g);
	else
		k->group = g;
	return ret;
}

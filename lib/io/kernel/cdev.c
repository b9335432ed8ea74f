/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cdev.c - the way in by the device's own file and iommufd: bind, then attach to an IOAS
 * (Documentation/driver-api/vfio.rst and userspace-api/iommufd.rst of Linux).
 *
 * Runs in the opening thread. Closing the device's file unbinds it.
 */
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/io/kernel/instance.h"
#include "lib/io/kernel/iommufd_compat.h"
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define IOMMUFD	 "/dev/iommu"
#define UUID_LEN 36

static int hex(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* In the order in which it is written (RFC 9562), as uuid_parse() of Linux has it. */
static int parse_uuid(const char *text, uint8_t *uuid)
{
	size_t n = 0, i = 0;

	while (i < UUID_LEN && n < 16) {
		int high, low;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i++] != '-')
				break;
			continue;
		}
		high = hex(text[i]);
		low = high < 0 ? -1 : hex(text[i + 1]);
		if (low < 0)
			break;
		uuid[n++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	if (n < 16 || text[i])
		return vfki_err(-EINVAL, "vf_token=%.40s is no UUID", text);
	return 0;
}

static int get_device(const struct vfki_kernel_how *how)
{
	const char *path = how->target.cdev;
	int fd = how->opts->device_fd;

	if (fd >= 0) {
		fd = vfki_fd_dup(fd);
		return fd >= 0 ? fd : vfki_err_sys(fd, "device file %d", how->opts->device_fd);
	}
	if (!*path)
		return vfki_err(-ENOTSUP, "%s has no cdev; iommu=type1 goes by its group",
				how->target.name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : vfki_kernel_cannot_open(-errno, path, NULL);
}

static int get_iommufd(const struct vfki_kernel_how *how)
{
	const struct vfki_kernel *share = how->share;
	int fd = how->opts->iommufd;

	if (share && vfki_kernel_is_cdev(share))
		fd = vfki_iommu_fd(share->dma.iommu);
	if (fd >= 0) {
		fd = vfki_fd_dup(fd);
		return fd >= 0 ? fd : vfki_err_sys(fd, "iommufd");
	}
	fd = open(IOMMUFD, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : vfki_kernel_cannot_open(-errno, IOMMUFD, "iommufd");
}

/* Before it is bound a device answers nothing. */
static bool is_bound(int device)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	return !vfki_kernel_ioctl(device, VFIO_DEVICE_GET_INFO, &info);
}

/* Other members of the group whose drivers keep it from us; false when there are none. */
static bool held_by_others(const struct vfki_target *t)
{
	char who[256] = "";
	int n = vfki_target_obstacles(t, who, sizeof(who));

	if (n)
		vfki_err(
			-EBUSY,
			"%s shares its IOMMU group with %s, which must leave %s, too; \"vfiokit bind "
			"--group %s\" takes the whole group",
			t->name, who, n > 1 ? "their drivers" : "its driver", t->name);
	return n;
}

/* iommufd_device_bind() says EPERM of a group that somebody else has, too. */
static int not_permitted(const struct vfki_target *t, const char *name)
{
	if (held_by_others(t))
		return -EBUSY;
	if (t->noiommu)
		return vfki_err(-EACCES, "%s has no IOMMU before it: this needs CAP_SYS_RAWIO",
				name);
	return vfki_err(
		-EACCES,
		"%s: another program has a device of its IOMMU group, or the IOMMU does not isolate "
		"interrupts; where that is acceptable, the parameter "
		"iommufd.allow_unsafe_interrupts=1 permits it",
		name);
}

static int bind_failed(const struct vfki_kernel_how *how, int err)
{
	const struct vfki_target *t = &how->target;
	const char *name = *t->name ? t->name : "the device";

	if (err == -EPERM)
		return not_permitted(t, name);
	if (err == -EBUSY && held_by_others(t))
		return err;
	if (err == -EBUSY)
		return vfki_err(err, "%s is in use by another program, or open here already", name);
	/* so it says of a cdev that is open already, and of a token that it does not know about */
	if (err == -EINVAL)
		return vfki_err(how->opts->vf_token ? err : -EBUSY,
				"%s is in use by another program%s", name,
				how->opts->vf_token ?
					", or the kernel takes no token by cdev; try iommu=type1" :
					", or open here already");
	if (err == -EACCES)
		return vfki_err(err, "%s: %s the token of the one who has its physical function",
				name,
				how->opts->vf_token ? "vf_token is not" :
						      "a virtual function, needs vf_token=UUID,");
	return vfki_err_sys(err, "%s cannot be bound to iommufd", name);
}

static int bind_device(struct vfki_kernel *k, const struct vfki_kernel_how *how, int device,
		       int iommufd)
{
	struct vfki_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	uint8_t token[16];
	int ret = 0;

	if (how->opts->vf_token) {
		ret = parse_uuid(how->opts->vf_token, token);
		bind.flags = VFKI_DEVICE_BIND_FLAG_TOKEN;
		bind.token_uuid_ptr = (uintptr_t)token;
	}
	if (ret < 0)
		return ret;
	if (!bind.flags) /* kernels before 6.18 know nothing behind */
		bind.argsz = offsetof(struct vfki_device_bind_iommufd, token_uuid_ptr);
	ret = vfki_kernel_ioctl(device, VFKI_DEVICE_BIND_IOMMUFD, &bind);
	if (ret < 0)
		return bind_failed(how, ret);
	k->dev_id = bind.out_devid;
	return 0;
}

static int own_ioas(struct vfki_kernel *k, int iommufd, int device)
{
	struct vfki_iommu *iommu;
	int ret = vfki_iommu_ioas(k->io.name, iommufd, k->noiommu, &iommu);

	if (ret < 0)
		return ret;
	ret = vfki_kernel_dma_init(&k->dma, k->io.name, iommu, device, k->dev_id);
	vfki_iommu_put(iommu);
	return ret;
}

/* The IOAS of another device if the kernel lets this one into it, else one of its own. */
static int attach(struct vfki_kernel *k, const struct vfki_kernel_how *how, int iommufd, int device)
{
	const struct vfki_kernel *share = how->share;

	if (share && vfki_kernel_is_cdev(share) && share->noiommu == k->noiommu &&
	    !vfki_kernel_dma_init(&k->dma, k->io.name, share->dma.iommu, device, k->dev_id))
		return 0;
	return own_ioas(k, iommufd, device);
}

static int bind_and_attach(struct vfki_kernel *k, const struct vfki_kernel_how *how, int device)
{
	int ret, iommufd = get_iommufd(how);

	if (iommufd < 0)
		return iommufd;
	ret = bind_device(k, how, device, iommufd);
	if (!ret)
		ret = attach(k, how, iommufd, device);
	vfki_fd_close(iommufd);
	return ret;
}

int vfki_kernel_open_cdev(struct vfki_kernel *k, const struct vfki_kernel_how *how)
{
	const struct vfk_kernel_opts *o = how->opts;
	int ret, device = get_device(how);

	if (device < 0)
		return device;
	ret = vfki_kernel_tell_kvm(k, how, device);
	if (ret < 0)
		goto close_device;
	if (o->device_fd >= 0 && is_bound(device)) {
		k->dev_id = o->dev_id;
		ret = o->iommufd >= 0 ? attach(k, how, o->iommufd, device) : 0;
	} else {
		ret = bind_and_attach(k, how, device);
	}
	if (ret < 0)
		goto untell_kvm;
	k->device = device;
	return 0;
untell_kvm:
	vfki_kernel_untell_kvm(k, o, device);
close_device:
	vfki_fd_close(device);
	return ret;
}

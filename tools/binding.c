/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * binding.c - moving PCI functions to vfio-pci and back, through driver_override.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "binding.h"
#include "disk_use.h"
#include "failure.h"
#include "holders.h"
#include "iommu_group.h"
#include "subcommand.h"

#define VFIO	"vfio-pci"
#define NOIOMMU "/sys/module/vfio/parameters"

#define NO_DEVICE "no such PCI device (vfiokit list shows them)"

#define WHY_SIZE 256

/* A key that is pressed half way is not to leave a device without a driver. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int binding_begin(const struct pci_slot *slot)
{
	int r;

	if (!pci_slot_there(slot))
		return fail_text(slot->address, NO_DEVICE);
	block_signals();
	r = bind_record_lock();
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return fail_text(slot->address, "/run/vfiokit: %s (moving devices needs root)",
				 strerror(-r));
	return r < 0 ? fail_text(slot->address, "/run/vfiokit: %s", strerror(-r)) : STATUS_OK;
}

/* ---- one move ---- */

static int refused(char why[WHY_SIZE], const char *what, const char *driver, int r)
{
	snprintf(why, WHY_SIZE, "%s %s: %s%s", what, driver, strerror(-r),
		 r == -EACCES || r == -EPERM ? " (moving devices needs root)" : "");
	return r;
}

static int set_override(const struct pci_slot *slot, const char *override, char why[WHY_SIZE])
{
	char now[SYSFS_NAME_SIZE];
	int r;

	pci_slot_override(slot, now);
	if (strcmp(now, override) == 0)
		return 0;
	/* an empty line takes back what is there */
	r = sysfs_write(slot->folder, "driver_override", override[0] ? override : "\n");
	return r < 0 ? refused(why, "driver_override cannot be set to",
			       override[0] ? override : "nothing", r) :
		       0;
}

static int set_driver(const struct pci_slot *slot, const char *driver, char why[WHY_SIZE])
{
	char folder[SYSFS_PATH_SIZE], now[SYSFS_NAME_SIZE];
	int r;

	pci_slot_driver(slot, now);
	if (strcmp(now, driver) == 0)
		return 0;
	if (now[0]) {
		r = sysfs_write(slot->folder, "driver/unbind", slot->address);
		if (r < 0)
			return refused(why, "it cannot be taken from", now, r);
	}
	if (!driver[0])
		return 0;
	snprintf(folder, sizeof(folder), PCI_DRIVERS "/%s", driver);
	r = sysfs_write(folder, "bind", slot->address);
	if (r < 0)
		return refused(why, "it cannot be given to", driver, r);
	pci_slot_driver(slot, now);
	return strcmp(now, driver) == 0 ? 0 : refused(why, "it was not taken by", driver, -ENODEV);
}

/* Override first: what is without a driver for a moment goes to nobody else. */
static int move(const struct pci_slot *slot, const char *override, const char *driver,
		char why[WHY_SIZE])
{
	int r = set_override(slot, override, why);

	return r < 0 ? r : set_driver(slot, driver, why);
}

/* The line for a move that failed, and whose undoing may have. */
static int fail_move(const struct pci_slot *slot, const char *why, int undone,
		     const char *why_not_undone)
{
	return undone < 0 ? fail_text(slot->address, "%s; nor could that be undone: %s", why,
				      why_not_undone) :
			    fail_text(slot->address, "%s", why);
}

/* ---- to vfio-pci ---- */

static int check_take(const struct pci_slot *slot)
{
	char value[SYSFS_NAME_SIZE];

	if (!pci_slot_there(slot))
		return fail_text(slot->address, NO_DEVICE);
	if (pci_slot_is_bridge(slot))
		return fail_text(slot->address, "a bridge, which stays with its driver");
	if (!sysfs_exists(PCI_DRIVERS, VFIO))
		return fail_text(slot->address,
				 "the driver " VFIO " is not loaded: run modprobe " VFIO);
	if (!sysfs_exists(slot->folder, "iommu_group") &&
	    !(sysfs_text(NOIOMMU, "enable_unsafe_noiommu_mode", value, sizeof(value)) &&
	      value[0] == 'Y'))
		return fail_text(
			slot->address,
			"in no IOMMU group: turn the IOMMU on (firmware, kernel command line)");
	return STATUS_OK;
}

static int check_disks(const struct binding *binding)
{
	char text[SYSFS_PATH_SIZE];

	if (binding->force || !disk_use_find(&binding->slot, text, sizeof(text)))
		return STATUS_OK;
	return fail_text(binding->slot.address, "its disk %s (--force takes it all the same)",
			 text);
}

/* What it is now; or was, if a bind was killed when it had taken the device from its driver. */
static void find_out(const struct pci_slot *slot, struct bind_record *was)
{
	struct bind_record record;

	pci_slot_driver(slot, was->driver);
	pci_slot_override(slot, was->override);
	if (!was->driver[0] && strcmp(was->override, VFIO) == 0 &&
	    bind_record_read(slot->address, &record) == 0)
		*was = record;
}

int binding_take(struct binding *binding)
{
	const struct pci_slot *slot = &binding->slot;
	char why[WHY_SIZE], why_not[WHY_SIZE];
	int r, undone;

	binding->moved = false;
	if (check_take(slot) != STATUS_OK)
		return STATUS_FAILED;
	find_out(slot, &binding->was);
	if (iommu_driver_is_vfio(slot->folder, binding->was.driver))
		return STATUS_OK;
	if (check_disks(binding) != STATUS_OK)
		return STATUS_FAILED;
	r = bind_record_write(slot->address, &binding->was);
	if (r < 0)
		return fail_text(slot->address, "it cannot be remembered in /run/vfiokit: %s",
				 strerror(-r));
	r = move(slot, VFIO, VFIO, why);
	binding->moved = r == 0;
	if (binding->moved)
		return STATUS_OK;
	undone = move(slot, binding->was.override, binding->was.driver, why_not);
	if (undone == 0)
		bind_record_remove(slot->address);
	return fail_move(slot, why, undone, why_not);
}

void binding_undo_take(struct binding *binding)
{
	char why[WHY_SIZE];

	if (!binding->moved)
		return;
	if (move(&binding->slot, binding->was.override, binding->was.driver, why) < 0)
		failure_print_text(binding->slot.address, "cannot be put back: %s", why);
	else
		bind_record_remove(binding->slot.address);
	binding->moved = false;
}

/* ---- and back ---- */

bool binding_is_remembered(const struct pci_slot *slot)
{
	return bind_record_there(slot->address);
}

static int read_record(struct binding *binding, const char *now)
{
	const char *address = binding->slot.address;
	int r = bind_record_read(address, &binding->was);

	if (r == -ENOENT && strcmp(now, VFIO))
		return fail_text(address, "not bound to " VFIO);
	if (r == -ENOENT)
		return fail_text(address,
				 "bound to " VFIO ", but not by vfiokit bind: nothing says "
				 "which driver it was taken from");
	if (r < 0)
		return fail_text(address, "its record in /run/vfiokit cannot be read: %s",
				 strerror(-r));
	return STATUS_OK;
}

static int check_give_back(struct binding *binding)
{
	const struct pci_slot *slot = &binding->slot;
	char now[SYSFS_NAME_SIZE], text[SYSFS_PATH_SIZE];

	if (!pci_slot_there(slot))
		return fail_text(slot->address, NO_DEVICE);
	pci_slot_driver(slot, now);
	if (read_record(binding, now) != STATUS_OK)
		return STATUS_FAILED;
	if (now[0] && strcmp(now, VFIO)) {
		bind_record_remove(slot->address);
		return fail_text(slot->address, "somebody else has moved it from " VFIO " to %s",
				 now);
	}
	if (binding->was.driver[0] && !sysfs_exists(PCI_DRIVERS, binding->was.driver))
		return fail_text(slot->address,
				 "the driver %s, which it was taken from, is not loaded",
				 binding->was.driver);
	if (holders_find(slot, text, sizeof(text)))
		return fail_text(slot->address, "in use by %s, which must close it first", text);
	return STATUS_OK;
}

int binding_give_back(struct binding *binding)
{
	const struct pci_slot *slot = &binding->slot;
	char why[WHY_SIZE], why_not[WHY_SIZE];

	binding->moved = false;
	if (check_give_back(binding) != STATUS_OK)
		return STATUS_FAILED;
	if (move(slot, binding->was.override, binding->was.driver, why) < 0)
		return fail_move(slot, why, move(slot, VFIO, VFIO, why_not), why_not);
	bind_record_remove(slot->address);
	binding->moved = true;
	return STATUS_OK;
}

void binding_undo_give_back(struct binding *binding)
{
	char why[WHY_SIZE];

	if (!binding->moved)
		return;
	if (bind_record_write(binding->slot.address, &binding->was) < 0 ||
	    move(&binding->slot, VFIO, VFIO, why) < 0)
		failure_print_text(binding->slot.address, "it is with %s now, not with " VFIO,
				   binding->was.driver);
	binding->moved = false;
}

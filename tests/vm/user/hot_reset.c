/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hot_reset.c - hot-reset WAY TWIN TWIN2 PAIR PAIR2: hot resets of devices with two functions, by WAY, type1 or iommufd.
 *
 * TWIN and TWIN2 are edu devices in one IOMMU group; PAIR and PAIR2 have one each. Prints results.
 *
 * QEMU's edu keeps its own registers over a reset. That a function was reset is seen by its MSI address: written past
 * VFIO, which does not show the real one, and given back by nobody while MSI is off.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vfiokit/kernel.h>

#include "edu.h"
#include "said.h"

#define MARK	  0xfeed5a5cu
#define REG_ID	  0x00
#define REG_RAISE 0x60
#define REG_ACK	  0x64
#define EDU_ID	  0x010000edu

static const char *way;

struct function {
	const char *bdf;
	struct vfk_device *dev;
	struct vfk_pci *pci;
	uint32_t msi;
	int sysfs; /* its config space, past VFIO */
};

static void open_function(struct function *f, const char *bdf, struct function *share)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	char path[128];

	*f = (struct function){ .bdf = bdf };
	opts.device = bdf;
	opts.iommu = way;
	opts.share = share ? share->dev : NULL;
	if (vfk_kernel_open(&opts, NULL, &f->dev) != 0 || vfk_pci_open(f->dev, &f->pci) != 0 ||
	    vfk_pci_cap_find(f->pci, PCI_CAP_ID_MSI, &f->msi) != 0)
		die("open of %s", bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	f->sysfs = open(path, O_RDWR | O_CLOEXEC);
	if (f->sysfs < 0)
		die("%s", path);
}

static void close_function(struct function *f)
{
	close(f->sysfs);
	vfk_pci_close(f->pci);
	vfk_device_close(f->dev);
}

static bool is_cdev(void)
{
	return strcmp(way, "iommufd") == 0;
}

/* ---- whether a reset took place ---- */

static uint32_t mark_of(const struct function *f)
{
	uint32_t v = 0;

	if (pread(f->sysfs, &v, sizeof(v), f->msi + PCI_MSI_ADDRESS_LO) != sizeof(v))
		die("config space of %s by sysfs", f->bdf);
	return v;
}

static void mark(const struct function *f)
{
	uint32_t v = MARK;

	if (pwrite(f->sysfs, &v, sizeof(v), f->msi + PCI_MSI_ADDRESS_LO) != sizeof(v))
		die("config space of %s by sysfs", f->bdf);
	said(mark_of(f), MARK, "a mark is in the device");
}

static uint32_t config(const struct function *f, uint32_t off, unsigned int width)
{
	uint32_t v = 0;

	if (vfk_pci_config_read(f->pci, off, width, &v) != 0)
		die("config space of %s", f->bdf);
	return v;
}

/* ---- cases ---- */

/* Both functions are in use, with what a driver sets up. */
static void both(struct function *a, struct function *b)
{
	uint32_t bar[2] = { config(a, PCI_BASE_ADDRESS_0, 4), config(b, PCI_BASE_ADDRESS_0, 4) };
	uint32_t command[2];

	said(vfk_pci_set_master(a->pci, true), 0, "the first may do DMA");
	said(vfk_pci_set_master(b->pci, false), 0, "the second may not");
	command[0] = config(a, PCI_COMMAND, 2);
	command[1] = config(b, PCI_COMMAND, 2);
	mark(a);
	mark(b);
	said(vfk_pci_hot_reset(a->pci, &b->pci, 1), 0, "hot reset of the two");
	said(mark_of(a), 0, "the first was reset");
	said(mark_of(b), 0, "the second was reset");
	said(config(a, PCI_COMMAND, 2), command[0], "the first one's command register is back");
	said(config(b, PCI_COMMAND, 2), command[1], "and the second one's");
	said(config(a, PCI_BASE_ADDRESS_0, 4), bar[0], "so is the first one's BAR");
	said(config(b, PCI_BASE_ADDRESS_0, 4), bar[1], "and the second one's");
}

static void raise_interrupt(const struct function *f, int fd, const char *text)
{
	uint64_t count = 0;

	if (vfk_region_put(f->dev, 0, REG_RAISE, 4, 1) != 0)
		die("a register of %s", f->bdf);
	said(vfk_irq_wait(f->dev, &fd, 1, 5000, &count), 1, text);
	(void)vfk_region_put(f->dev, 0, REG_ACK, 4, 1);
}

static void armed(struct function *a, struct function *b)
{
	int fds[2] = { eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		       eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	uint64_t id = 0;

	said(vfk_pci_set_master(a->pci, true), 0, "the first may send messages");
	said(vfk_pci_set_master(b->pci, true), 0, "the second, too");
	said(vfk_irq_set_eventfds(a->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fds[0]), 0, "MSI");
	said(vfk_irq_set_eventfds(b->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fds[1]), 0, "of both");
	raise_interrupt(a, fds[0], "an interrupt before");
	said(vfk_pci_hot_reset(b->pci, &a->pci, 1), 0, "hot reset of the two with interrupts");
	said(vfk_region_get(a->dev, 0, REG_ID, 4, &id), 0, "the first answers");
	said((long)id, EDU_ID, "as the edu that it is");
	raise_interrupt(a, fds[0], "its interrupt comes");
	raise_interrupt(b, fds[1], "and the second one's");
	said(vfk_irq_disable(a->dev, VFIO_PCI_MSI_IRQ_INDEX), 0, "off");
	said(vfk_irq_disable(b->dev, VFIO_PCI_MSI_IRQ_INDEX), 0, "both");
	close(fds[0]);
	close(fds[1]);
}

static void one_group(const char *twin, const char *twin2)
{
	struct vfk_pci_dependent list[4];
	struct function a, b;
	size_t count = 0;
	uint32_t methods = 0;

	open_function(&a, twin, NULL);
	said(vfk_pci_hot_reset_info(a.pci, NULL, 0, list, 4, &count), 0, "who is reset");
	said((long)count, 2, "both functions");
	said(list[0].owner, VFK_PCI_OWNER_CALLER, "the first is ours");
	said(list[1].owner, VFK_PCI_OWNER_CALLER, "the second, by its group");
	said(list[0].by_group, !is_cdev(), "by group, or by iommufd");
	said(vfk_pci_reset_methods(a.pci, &methods), 0, "methods of the one");
	said(methods, 0, "there is none");
	said(vfk_pci_reset(a.pci, VFK_PCI_RESET_AUTO), -ENOTSUP, "so it is not reset alone");
	open_function(&b, twin2, &a);
	both(&a, &b);
	armed(&a, &b);
	close_function(&b);
	close_function(&a);
}

static void refused(struct function *a, const char *other, const char *text)
{
	mark(a);
	said(vfk_pci_hot_reset(a->pci, NULL, 0), -EPERM, text);
	said(strstr(vfk_error(), other) != NULL, 1, "the one that is missing is named");
	said(strstr(vfk_error(), a->bdf) == NULL ||
		     strstr(vfk_error(), a->bdf) < strstr(vfk_error(), "not ours"),
	     1, "and no other");
	said(mark_of(a), MARK, "nothing was reset");
	printf("says: %s\n", vfk_error());
}

/* Another process has it, until the pipe is closed. */
static pid_t hold(const char *bdf, int *end)
{
	struct function f;
	int up[2], down[2];
	char c = 0;
	pid_t pid;

	if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
		die("pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(down[1]);
		open_function(&f, bdf, NULL);
		(void)!write(up[1], &c, 1);
		(void)!read(down[0], &c, 1);
		close_function(&f);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	said(read(up[0], &c, 1), 1, "another process has the second");
	close(up[0]);
	*end = down[1];
	return pid;
}

static void two_groups(const char *pair, const char *pair2)
{
	struct function a, b;
	int end, status = -1;
	pid_t pid = hold(pair2, &end);

	open_function(&a, pair, NULL);
	refused(&a, pair2, "a hot reset is refused while another process has one of them");
	close(end);
	waitpid(pid, &status, 0);
	said(status, 0, "the other process has gone");
	refused(&a, pair2, "and while nobody has it");
	open_function(&b, pair2, &a);
	both(&a, &b);
	close_function(&b);
	close_function(&a);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: hot-reset type1|iommufd TWIN TWIN2 PAIR PAIR2\n");
		return 2;
	}
	alarm(60);
	way = argv[1];
	one_group(argv[2], argv[3]);
	two_groups(argv[4], argv[5]);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * case.h - what the cases are written with.
 *
 * A case is a function that runs in a process of its own: a failed check prints both values, the device and
 * vfk_error(), and ends the process. What a case opens with case_open() is closed after it, and must then have left no
 * descriptor behind.
 */
#ifndef VFK_CASE_H
#define VFK_CASE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <vfiokit/vfiokit.h>

struct t {
	const char *uri;
	const struct vfk_open_opts *open;
	int (*open_device)(const struct vfk_open_opts *opts, struct vfk_device **dev);
	struct vfk_device *dev; /* open while a case runs */
	void *engine;		/* what the engine keeps between its begin and end, engine.h */
};

struct vfk_case {
	const char *name;
	void (*fn)(struct t *t);
};

extern const struct vfk_case vfk_cases_info[];
extern const struct vfk_case vfk_cases_region[];
extern const struct vfk_case vfk_cases_map[];
extern const struct vfk_case vfk_cases_config[];
extern const struct vfk_case vfk_cases_pci_bar[];
extern const struct vfk_case vfk_cases_pci_rom[];
extern const struct vfk_case vfk_cases_irq[];
extern const struct vfk_case vfk_cases_feature[];
extern const struct vfk_case vfk_cases_reset[];
extern const struct vfk_case vfk_cases_pci_reset[];
extern const struct vfk_case vfk_cases_dma[];
extern const struct vfk_case vfk_cases_engine_irq[];
extern const struct vfk_case vfk_cases_engine_dma[];
extern const struct vfk_case vfk_cases_pci_irq[];
extern const struct vfk_case vfk_cases_lifecycle[];
extern const struct vfk_case vfk_cases_pci_virtual[];

/* End the case: failed, or not applicable to this device. */
void case_fail(struct t *t, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), noreturn));
void case_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Open the device as the suite was told to; 0 or -errno. */
int case_open(struct t *t);
/* Close the device and open it anew. */
void case_reopen(struct t *t);

#define FAIL(t, ...) case_fail(t, __FILE__, __LINE__, __VA_ARGS__)

#define CHECK(t, expr)                                 \
	do {                                           \
		if (!(expr))                           \
			FAIL(t, "%s is false", #expr); \
	} while (0)

#define CHECK_EQ(t, expr, want)                                                                  \
	do {                                                                                     \
		long long got_ = (long long)(expr), want_ = (long long)(want);                   \
		if (got_ != want_)                                                               \
			FAIL(t, "%s: got %lld (0x%llx), want %s = %lld (0x%llx)", #expr, got_,   \
			     (unsigned long long)got_, #want, want_, (unsigned long long)want_); \
	} while (0)

#define CHECK_OK(t, expr) CHECK_EQ(t, expr, 0)

/* Helpers that fail the case themselves. */
const struct vfk_region_info *case_region(struct t *t, uint32_t index);
struct vfk_irq_info case_irq(struct t *t, uint32_t index);
uint64_t case_get(struct t *t, uint32_t region, uint64_t off, unsigned int width);
void case_put(struct t *t, uint32_t region, uint64_t off, unsigned int width, uint64_t value);
/* Set and clear bits of the PCI command register. */
void case_command(struct t *t, uint16_t clear, uint16_t set);
/* Skips unless the device is a PCI device. */
void case_need_pci(struct t *t);
/* A new eventfd, non-blocking for the reader. */
int case_eventfd(struct t *t);
/* The count of an eventfd, 0 when it was not signalled; does not wait. */
uint64_t case_count(struct t *t, int fd);
/* Waits at most 5 seconds for one signal, serving the device. */
void case_wait(struct t *t, int fd);
/* Checks that no signal comes in the next 30 ms, serving the device. */
void case_quiet(struct t *t, int fd);
/* CLOCK_MONOTONIC in milliseconds. */
uint64_t case_now_ms(void);

#endif

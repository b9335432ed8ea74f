/* SPDX-License-Identifier: BSD-3-Clause */
/* census.c - counts of descriptors, mappings and memory; see census.h. */
#include "census.h"
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST_FDS   4096
/* The C library's own, as stacks of threads that it keeps, come and go. */
#define SLACK_MAPS 16
/* What a device or a connection makes when it is first needed, and keeps; a leak is more than that soon. */
#define SLACK_HEAP 4096

/* As fast as /proc/self/fd, and without a descriptor of its own. */
static uint64_t count_fds(void)
{
	static struct pollfd p[MOST_FDS];
	uint64_t count = 0;

	for (int i = 0; i < MOST_FDS; i++)
		p[i] = (struct pollfd){ .fd = i };
	if (poll(p, MOST_FDS, 0) < 0)
		return UINT64_MAX;
	for (int i = 0; i < MOST_FDS; i++)
		count += !(p[i].revents & POLLNVAL);
	return count;
}

/* Lines of the form "address-address rwxs ...". */
static void count_maps(struct census *census)
{
	static char bytes[65536];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t column = 0, spaces = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (bytes[i] == ' ')
				spaces++;
			/* the fourth letter behind the first space */
			column = spaces == 1 ? column + 1 : 0;
			census->shared += column == 5 && bytes[i] == 's';
			if (bytes[i] == '\n') {
				census->maps++;
				spaces = column = 0;
			}
		}
	}
	close(fd);
}

void census_take(struct census *census)
{
	*census = (struct census){ .heap = mallinfo2().uordblks };
	census->fds = count_fds();
	count_maps(census);
}

static size_t compare(const char *what, uint64_t before, uint64_t now, char *text, size_t size)
{
	int n;

	if (now <= before)
		return 0;
	n = snprintf(text, size, " %s: %llu, were %llu;", what, (unsigned long long)now,
		     (unsigned long long)before);
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

size_t census_compare(const struct census *before, const struct census *now, char *text,
		      size_t size)
{
	size_t len = compare("descriptors", before->fds, now->fds, text, size);

	len += compare("shared mappings", before->shared, now->shared, text + len, size - len);
	/* A sanitizer's allocator maps as it likes; it finds leaks by itself. */
	if (!before->heap)
		return len;
	len += compare("mappings", before->maps + SLACK_MAPS, now->maps, text + len, size - len);
	len += compare("bytes of memory", before->heap + SLACK_HEAP, now->heap, text + len,
		       size - len);
	return len;
}

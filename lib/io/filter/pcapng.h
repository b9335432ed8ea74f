/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng.h - a capture file: pcapng with one interface of LINKTYPE_WIRESHARK_UPPER_PDU, a packet a vfio-user message.
 *
 * Format: IETF draft-ietf-opsawg-pcapng; link type 252: "LINKTYPE_WIRESHARK_UPPER_PDU" of the tcpdump group's list. Before
 * each message stand tags that name the dissector, "vfio-user". Times are nanoseconds.
 *
 * A packet is one write to a file opened for appending, so a program that is killed leaves a whole capture. A file may
 * have several sections, one for each time that it was opened.
 *
 * Threads: the caller's lock, for as long as output.h waits. A packet that cannot be written whole is the last, since
 * what follows would not be found: the file is closed, and the reader of a pipe sees its end.
 */
#ifndef VFKI_IO_FILTER_PCAPNG_H
#define VFKI_IO_FILTER_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Bytes of a message that are kept; Wireshark takes packets of 256 KiB, the tags included. */
#define VFKI_PCAPNG_SNAPLEN (256 * 1024 - 64)
/* Pieces that one message may have. */
#define VFKI_PCAPNG_PIECES  4

struct vfki_pcapng {
	int fd; /* owned; -1: nothing is written any more */
};

/*
 * Opens @path for appending and begins a section; @device is named in it. Returns 0; -EINVAL when the file has something
 * else than a capture in it; what open or write fail with.
 */
int vfki_pcapng_open(struct vfki_pcapng *p, const char *path, const char *device);
void vfki_pcapng_close(struct vfki_pcapng *p);

/* One message, now. @request: from the client. @nfds: descriptors beside it, said in the packet's comment. */
void vfki_pcapng_message(struct vfki_pcapng *p, bool request, const struct iovec *pieces, size_t n,
			 size_t nfds);

#endif

# SPDX-License-Identifier: BSD-3-Clause
"""The 16 bytes before every payload: what they may say, and what ends the connection."""

import errno
import os
import struct

import pytest
from serving import some
from session import (COMMAND, DIRTY_PAGES, DMA_MAP, DMA_READ, DMA_UNMAP, DMA_WRITE, ERROR, FEATURE,
                     GET_INFO, GET_IRQ_INFO, GET_REGION_INFO, GET_REGION_IO_FDS, HEADER, MIG_READ,
                     MIG_WRITE, NO_REPLY, PRECOPY_INFO, PROBE, REGION_READ, REGION_WRITE, REPLY, RESET,
                     SET_IRQS, VERSION, WRITE_MULTI, access, dma_map, dma_unmap, irq_set, pack)

UNKNOWN = (0, DIRTY_PAGES, 20, 21, 100, 0x7fff, 0x8000, 0xffff)
CANNOT = (errno.ENOTSUP, errno.ENOSYS)

READ_ID = access(0, 0, 4)
INFO = struct.pack("=IIII", 16, 0, 0, 0)

# One request a command, most of them good; the server must not answer any of them under No_reply.
SILENT = [
    (DMA_MAP, dma_map(0x10000, 0x1000)),
    (DMA_MAP, dma_map(0x10000, 0x1000)),  # overlaps: an error that nobody hears
    (DMA_UNMAP, dma_unmap(0x10000, 0x1000)),
    (GET_INFO, INFO),
    (GET_REGION_INFO, struct.pack("=IIIIQQ", 32, 0, 0, 0, 0, 0)),
    (GET_REGION_INFO, struct.pack("=IIIIQQ", 32, 0, 999, 0, 0, 0)),
    (GET_REGION_IO_FDS, struct.pack("=IIII", 16, 0, 0, 0)),
    (GET_IRQ_INFO, struct.pack("=IIII", 16, 0, 0, 0)),
    (SET_IRQS, irq_set(0, 1 | 32, 0, 0)),
    (SET_IRQS, irq_set(77, 1 | 32, 0, 0)),
    (REGION_READ, READ_ID),
    (REGION_READ, access(0, 99, 4)),
    (REGION_WRITE, access(4, 0, 4, b"abcd")),
    (REGION_WRITE, access(1 << 40, 0, 4, b"abcd")),
    (DMA_READ, struct.pack("=QQ", 0, 4)),
    (DMA_WRITE, struct.pack("=QQ", 0, 4) + b"abcd"),
    (RESET, b""),
    (WRITE_MULTI, struct.pack("=QQII8s", 1, 4, 0, 4, b"wxyz")),
    (FEATURE, struct.pack("=II", 8, 1 | PROBE)),
    (MIG_READ, struct.pack("=II", 8, 16)),
    (MIG_WRITE, struct.pack("=II", 8, 4) + b"abcd"),
    (PRECOPY_INFO, struct.pack("=IIQQ", 24, 0, 0, 0)),
] + [(number, b"12345678") for number in UNKNOWN]


@pytest.mark.parametrize("size", range(16))
def test_size_below_header(server, size):
    server.client().killed(GET_INFO, INFO, size=size)


@pytest.mark.parametrize("size", (0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, 65 << 20))
def test_size_above_all_limits(server, size):
    """Told at once, without waiting for bytes that never come."""
    for command in (GET_INFO, REGION_WRITE, 77, VERSION):
        server.client().killed(command, INFO, size=size)


def test_size_beyond_what_is_sent(server):
    """The rest never comes, but the end of the stream does."""
    for command, payload in SILENT:
        session = server.client()
        session.send(command, payload, size=HEADER.size + len(payload) + 1)
        session.close()
    server.client().in_step()


def test_size_short_of_what_is_sent(server):
    """What follows is the next message's header, and no such one."""
    session = server.client()
    id = session.send(REGION_READ, READ_ID + b"\xff" * 16, size=HEADER.size + 16)
    assert not session.reply(id, REGION_READ).error
    session.ends()


def test_unknown_commands(client, keep):
    for number in UNKNOWN:
        for payload in (b"", b"x", b"y" * 4096, b"z" * 65536):
            client.refused(number, payload, CANNOT)
    client.refused(4711, b"", CANNOT, fds=[keep(os.eventfd(0)), keep(os.eventfd(0))])


def test_commands_of_the_other_direction(client):
    for payload in (b"", struct.pack("=QQ", 0x1000, 4), struct.pack("=QQ", 0x1000, 4) + b"abcd"):
        client.refused(DMA_READ, payload, (errno.EINVAL,) + CANNOT)
        client.refused(DMA_WRITE, payload, (errno.EINVAL,) + CANNOT)


def test_reply_that_nobody_asked_for(server):
    for command in (VERSION, GET_INFO, REGION_READ, DMA_READ, DMA_WRITE, 0, 77):
        server.client().killed(command, struct.pack("=QQ", 0, 4) + b"abcd", flags=REPLY)
        server.client().killed(command, flags=REPLY | ERROR, error=errno.EIO)


@pytest.mark.parametrize("flags", [kind for kind in range(2, 16)] + [1 << bit for bit in range(6, 32)] +
                         [COMMAND | ERROR, COMMAND | ERROR | NO_REPLY, REPLY | NO_REPLY, REPLY | 1 << 31])
def test_flags_that_cannot_be(server, flags):
    server.client().killed(REGION_READ, READ_ID, flags=flags)
    server.client().killed(RESET, flags=flags)


def test_error_number_in_a_command_means_nothing(client):
    for error in (1, errno.EIO, 0xffffffff):
        assert client.good(REGION_READ, READ_ID, error=error)[16:] == b"\xed\x00\x00\x01"


def test_ids_are_the_clients_own(client):
    for id in (0, 1, 1, 1, 2, 0x7fff, 0x8000, 0xfffe, 0xffff, 0xffff, 0):
        message = client.ask(REGION_READ, READ_ID, id=id)
        assert message.id == id and message.payload[16:] == b"\xed\x00\x00\x01"
    for id in (0, 0xffff):
        assert client.ask(77, id=id).id == id


def test_no_reply_is_kept(client):
    """Not even an error: what comes next is the answer to what was asked next."""
    for command, payload in SILENT:
        client.send(command, payload, flags=NO_REPLY)
        client.in_step()
    # all at once as well
    for command, payload in SILENT:
        client.send(command, payload, flags=NO_REPLY)
    client.in_step()


def test_no_reply_is_done_before_what_follows(client):
    for value in some(range(200), 50):
        client.send(REGION_WRITE, access(4, 0, 4, struct.pack("=I", value)), flags=NO_REPLY)
        assert client.get(0, 4, 4) == value ^ 0xffffffff


def test_no_reply_that_cannot_be_ends_the_connection(server):
    server.client().killed(REGION_READ, READ_ID[:15], flags=NO_REPLY)
    server.client().killed(GET_INFO, INFO, size=3, flags=NO_REPLY)


def test_split_anywhere(client):
    """A message may come in any two pieces."""
    message = pack(REGION_WRITE, access(4, 0, 4, b"\x0f\x00\x00\x00"), id=7)
    for cut in range(1, len(message)):
        client.raw(message[:cut])
        client.raw(message[cut:])
        assert client.reply(7, REGION_WRITE).payload == access(4, 0, 4)


def test_joined(client):
    """A piece may hold the end of one message, others, and the beginning of one more."""
    stream = b"".join(pack(REGION_READ, READ_ID, id=n) for n in range(500))
    for begin in range(0, len(stream), 777):
        client.raw(stream[begin:begin + 777])
    for n in range(500):
        assert client.reply(n, REGION_READ).payload[16:] == b"\xed\x00\x00\x01"

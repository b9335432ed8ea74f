# SPDX-License-Identifier: BSD-3-Clause
"""MIG_DATA_READ, MIG_DATA_WRITE, GET_PRECOPY_INFO: on a device that does not migrate, and on one that does."""

import errno
import struct

import pytest
from rich_serving import PRECOPY as PRECOPY_REGISTER, STREAM_LEFT, STREAM_STEP, STREAM_SUM, STREAM_TAKEN
from session import MIG_READ, MIG_WRITE, PRECOPY_INFO

ABSENT = (errno.ENOTSUP, errno.ENOSYS)
REFUSED = ABSENT + (errno.EINVAL,)
U32 = (1 << 32) - 1
PRECOPY = struct.pack("=IIQQ", 24, 0, 0, 0)


def data(size, body=b"", argsz=8):
    return struct.pack("=II", argsz, size) + body


def test_not_offered(client):
    for size in (1, 8, 4096, 1 << 20):
        client.refused(MIG_READ, data(size), ABSENT)
        client.refused(MIG_WRITE, data(size, bytes(size)), ABSENT)
    client.refused(PRECOPY_INFO, PRECOPY, ABSENT)
    client.refused(PRECOPY_INFO, PRECOPY[:8], ABSENT)


@pytest.mark.parametrize("size", (0, (1 << 20) + 1, 1 << 31, U32 - 7, U32))
def test_sizes(client, size):
    client.refused(MIG_READ, data(size), REFUSED)


def test_argsz(client):
    for argsz in range(8):
        client.refused(MIG_READ, data(16, argsz=argsz), REFUSED)
        client.refused(MIG_WRITE, data(16, bytes(16), argsz), REFUSED)
    for argsz in range(24):
        client.refused(PRECOPY_INFO, struct.pack("=IIQQ", argsz, 0, 0, 0), REFUSED)


@pytest.mark.parametrize("length", range(8))
def test_truncated(server, length):
    server.client().killed(MIG_READ, data(16)[:length])
    server.client().killed(MIG_WRITE, data(16, bytes(16))[:length])
    server.client().killed(PRECOPY_INFO, PRECOPY[:length])


@pytest.mark.parametrize("size, body", ((0, 1), (1, 0), (4, 3), (4, 5), (U32, 4), (U32 - 7, 4), (1 << 31, 4096)))
def test_size_is_not_the_data(server, size, body):
    server.client().killed(MIG_WRITE, data(size, bytes(body)))


def test_oversized(server):
    server.client().killed(MIG_READ, data(16) + b"\0")
    server.client().killed(PRECOPY_INFO, PRECOPY + b"\0")


def test_descriptors(server, event):
    for command, payload in ((MIG_READ, data(16)), (MIG_WRITE, data(4, b"abcd")), (PRECOPY_INFO, PRECOPY)):
        server.client().killed(command, payload, fds=[event])


# ---- a device that migrates ----

def counted(left, size):
    return bytes((left - 1 - n) & 0xff for n in range(min(left, size)))


@pytest.mark.parametrize("step", (0, 7, 1000))
def test_read(rich, step):
    """As much as was asked for, however little the device gives at a time; less is the end."""
    client = rich.client()
    client.put(0, STREAM_LEFT, 4, 1000)
    client.put(0, STREAM_STEP, 4, step)
    assert client.good(MIG_READ, data(600)) == data(600, counted(1000, 600), 608)
    assert client.good(MIG_READ, data(600)) == data(400, counted(400, 600), 408)
    assert client.good(MIG_READ, data(600)) == data(0, b"", 8)


@pytest.mark.parametrize("step", (0, 7))
def test_write(rich, step):
    """All of it, and the newer reply, which older clients never look at."""
    client = rich.client()
    client.put(0, STREAM_STEP, 4, step)
    for argsz in (8, 108, U32):
        assert client.good(MIG_WRITE, data(100, bytes(range(100)), argsz)) == data(100)
    assert (client.get(0, STREAM_TAKEN, 4), client.get(0, STREAM_SUM, 4)) == (300, 3 * sum(range(100)))


def test_largest(rich):
    client = rich.client()
    client.put(0, STREAM_LEFT, 4, 1 << 20)
    assert len(client.good(MIG_READ, data(1 << 20))) == 8 + (1 << 20)
    client.good(MIG_WRITE, data(1 << 20, bytes(1 << 20)))
    assert client.get(0, STREAM_TAKEN, 4) == 1 << 20


@pytest.mark.parametrize("request_length", (8, 24))
def test_precopy_info(rich, request_length):
    client = rich.client()
    client.refused(PRECOPY_INFO, PRECOPY[:request_length])
    client.put(0, PRECOPY_REGISTER, 4, 5)
    assert client.good(PRECOPY_INFO, PRECOPY[:request_length]) == struct.pack("=IIQQ", 24, 1, 5, 6 << 32)


@pytest.mark.parametrize("length", (*range(8), *range(9, 24), 25, 64))
def test_precopy_info_lengths(rich, length):
    """The structure, or its first half: what the reply fills need not be sent."""
    session = rich.client()
    if 8 < length < 24:
        session.ask(PRECOPY_INFO, (PRECOPY + bytes(64))[:length])
        session.in_step()
    else:
        session.killed(PRECOPY_INFO, (PRECOPY + bytes(64))[:length])

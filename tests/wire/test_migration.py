# SPDX-License-Identifier: BSD-3-Clause
"""MIG_DATA_READ, MIG_DATA_WRITE, GET_PRECOPY_INFO on a device that does not migrate."""

import errno
import struct

import pytest
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

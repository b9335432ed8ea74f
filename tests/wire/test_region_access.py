# SPDX-License-Identifier: BSD-3-Clause
"""REGION_READ, REGION_WRITE, REGION_WRITE_MULTI: data, ranges, and counts that lie."""

import errno
import struct

import pytest
from session import CONFIG, REGION_READ, REGION_WRITE, WRITE_MULTI, access

BAR_SIZE = 1 << 20
U32, U64 = (1 << 32) - 1, (1 << 64) - 1
NOWHERE = (errno.EINVAL, errno.EACCES)


def one(offset, region, data, count=None):
    """An entry of REGION_WRITE_MULTI."""
    return struct.pack("=QII8s", offset, region, len(data) if count is None else count, data)


def multi(*entries, count=None):
    return struct.pack("=Q", len(entries) if count is None else count) + b"".join(entries)


def config_size(client):
    """The last byte that can be read tells."""
    for size in (4096, 256):
        if not client.ask(REGION_READ, access(size - 1, CONFIG, 1)).error:
            return size
    raise AssertionError("no config space")


# ---- reading and writing ----

def test_config_space(client):
    whole = client.read(CONFIG, 0, 256)
    assert whole[:4] == b"\x34\x12\xe8\x11"
    for width in (1, 2, 4):
        assert b"".join(client.read(CONFIG, at, width) for at in range(0, 256, width)) == whole
    assert client.read(CONFIG, 1, 3) == whole[1:4]


def test_registers(client):
    assert client.get(0, 0, 4) == 0x010000ed
    for value in (0, 1, 0x80000000, 0xffffffff, 0xdeadbeef):
        client.put(0, 4, 4, value)
        assert client.get(0, 4, 4) == value ^ 0xffffffff


def test_widths_that_the_device_does_not_take(client):
    """edu: below 0x80 only four bytes; refused, or as much as there is; the stream goes on."""
    for width in (1, 2, 3, 8, 5, 64, 4096):
        client.ask(REGION_READ, access(0, 0, width))
        client.ask(REGION_WRITE, access(4, 0, width, bytes(width)))
    client.in_step()


def test_whole_regions_in_one_read(client):
    size = config_size(client)
    assert len(client.read(CONFIG, 0, size)) == size


# ---- where there is nothing ----

@pytest.mark.parametrize("offset", (BAR_SIZE, BAR_SIZE + 1, 1 << 32, 1 << 63, U64 - 3, U64 - 2, U64))
def test_offset_at_the_size_and_above(client, offset):
    client.refused(REGION_READ, access(offset, 0, 4))
    client.refused(REGION_WRITE, access(offset, 0, 4, b"abcd"))
    client.refused(WRITE_MULTI, multi(one(offset, 0, b"abcd")))


def test_config_offset_at_the_size(client):
    size = config_size(client)
    for offset in (size, size + 1, U64):
        client.refused(REGION_READ, access(offset, CONFIG, 1))
        client.refused(REGION_WRITE, access(offset, CONFIG, 1, b"a"))


def test_range_across_the_end(client):
    """Short, as pread is; never more than there is."""
    size = config_size(client)
    for count in (2, 4, 8, 100):
        reply = client.ask(REGION_READ, access(size - 1, CONFIG, count))
        if reply.error:
            assert reply.error == errno.EINVAL
        else:
            assert reply.payload[:16] == access(size - 1, CONFIG, 1) and len(reply.payload) == 17
    reply = client.ask(REGION_READ, access(BAR_SIZE - 4, 0, 8))
    assert reply.error or len(reply.payload) <= 20
    client.in_step()


def test_range_that_wraps(client):
    for offset, count in ((U64, 1), (U64, 2), (U64 - 3, 4), (U64 - 3, 8), (U64 - 4095, 4096), (U64 - 1, 0x10000)):
        client.refused(REGION_READ, access(offset, 0, count))
        client.refused(REGION_WRITE, access(offset, 0, count, bytes(count)))


@pytest.mark.parametrize("region", (9, 10, 255, 256, 1 << 16, 1 << 31, U32))
def test_region_that_is_none(client, region):
    client.refused(REGION_READ, access(0, region, 4))
    client.refused(REGION_WRITE, access(0, region, 4, b"abcd"))
    client.refused(WRITE_MULTI, multi(one(0, region, b"abcd")))


@pytest.mark.parametrize("region", (1, 2, 3, 4, 5, 6, 8))
def test_region_that_is_empty(client, region):
    for offset in (0, 4, 1 << 40, U64):
        client.refused(REGION_READ, access(offset, region, 4), NOWHERE)
        client.refused(REGION_WRITE, access(offset, region, 4, b"abcd"), NOWHERE)


# ---- counts ----

@pytest.mark.parametrize("count", (0, (1 << 20) + 1, 64 << 20, 1 << 31, U32 - 15, U32))
def test_read_counts(client, count):
    for region in (0, CONFIG, 99):
        client.refused(REGION_READ, access(0, region, count))


def test_write_of_nothing(client):
    client.refused(REGION_WRITE, access(4, 0, 0))


@pytest.mark.parametrize("count", (0, 1, 3, 5, 20, 1 << 20, 1 << 31, U32 - 15, U32))
def test_write_count_is_not_the_data(server, count):
    server.client().killed(REGION_WRITE, access(4, 0, count, b"abcd"))


@pytest.mark.parametrize("length", range(16))
def test_truncated(server, length):
    server.client().killed(REGION_READ, access(0, 0, 4)[:length])
    server.client().killed(REGION_WRITE, access(4, 0, 4, b"abcd")[:length])


def test_truncated_data(server):
    for length in range(16, 20):
        server.client().killed(REGION_WRITE, access(4, 0, 4, b"abcd")[:length])


def test_read_with_data(server):
    for pad in (1, 4, 1 << 20):
        server.client().killed(REGION_READ, access(0, 0, 4) + bytes(pad))


def test_write_above_the_transfer_size(server):
    """The server said how much it takes; more is not read."""
    session = server.client()
    count = (1 << 20) + 1
    try:
        session.send(REGION_WRITE, access(0, 0, count, bytes(count)))
    except (BrokenPipeError, ConnectionResetError):
        pass
    session.ends()


def test_descriptors(server, event):
    server.client().killed(REGION_READ, access(0, 0, 4), fds=[event])
    server.client().killed(REGION_WRITE, access(4, 0, 4, b"abcd"), fds=[event])
    server.client().killed(WRITE_MULTI, multi(one(4, 0, b"abcd")), fds=[event])


# ---- several at once ----

def test_multi(client):
    writes = [one(4, 0, struct.pack("=I", n)) for n in range(200)]
    assert client.good(WRITE_MULTI, multi(*writes)) == struct.pack("=Q", 200)
    assert client.get(0, 4, 4) == 199 ^ 0xffffffff
    assert client.good(WRITE_MULTI, multi(one(4, 0, b"\x11\0\0\0"), one(0x3c, CONFIG, b"\x05"))) == \
        struct.pack("=Q", 2)
    assert (client.get(0, 4, 4), client.get(CONFIG, 0x3c, 1)) == (0xffffffee, 5)


def test_multi_stops_at_the_first_failure(client):
    client.put(0, 4, 4, 0)
    bad = [one(4, 0, b"\x01\0\0\0"), one(BAR_SIZE, 0, b"abcd"), one(4, 0, b"\x02\0\0\0")]
    reply = client.ask(WRITE_MULTI, multi(*bad))
    assert reply.error or struct.unpack("=Q", reply.payload)[0] == 1
    assert client.get(0, 4, 4) in (0xfffffffe, 0xffffffff), "a write after the failure was done"


@pytest.mark.parametrize("width", (0, 3, 5, 6, 7, 9, 255, U32))
def test_multi_widths(client, width):
    client.put(0, 4, 4, 0)
    client.refused(WRITE_MULTI, multi(one(4, 0, b"\x07\0\0\0", count=width)))
    assert client.get(0, 4, 4) == 0xffffffff


def test_multi_of_nothing(client):
    client.refused(WRITE_MULTI, multi())


# 24 * count modulo 2^64 is 24 for the third
@pytest.mark.parametrize("count", (0, 2, 1 + (1 << 61), 1 << 32, (1 << 32) + 1, U64, U64 // 24 + 1))
def test_multi_count_is_not_the_data(server, count):
    server.client().killed(WRITE_MULTI, multi(one(4, 0, b"abcd"), count=count))


@pytest.mark.parametrize("length", range(32))
def test_multi_truncated(server, length):
    server.client().killed(WRITE_MULTI, multi(one(4, 0, b"abcd"))[:length])


def test_multi_too_many(server):
    writes = [one(4, 0, b"abcd")] * 5000
    session = server.client()
    try:
        session.send(WRITE_MULTI, multi(*writes))
    except (BrokenPipeError, ConnectionResetError):
        pass
    session.ends()

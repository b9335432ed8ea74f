# SPDX-License-Identifier: BSD-3-Clause
"""Commands with No_reply: no answer ever, done in order and before the reply to what comes later, also when some fail."""

import errno
import struct

import pytest
from rich_serving import BROKEN, LOG_GET, LOG_PUT, POSTED, SCRATCH
from session import (COMMAND, DMA_UNMAP, GET_INFO, NO_REPLY, REGION_READ, REGION_WRITE, RESET, WRITE_MULTI, access,
                     dma_unmap, pack)


def u32(value):
    return struct.pack("=I", value)


def one(offset, value, region=0):
    return struct.pack("=QII8s", offset, region, 4, u32(value))


def multi(*entries):
    return struct.pack("=Q", len(entries)) + b"".join(entries)


def post(session, offset, value):
    session.send(REGION_WRITE, access(offset, 0, 4, u32(value)), NO_REPLY)


def log(session):
    return [session.get(0, LOG_GET, 4) for _ in range(session.get(0, LOG_PUT, 4))]


def test_in_order_before_a_later_reply(rich):
    client = rich.client()
    for n in range(300):
        post(client, LOG_PUT, n)
    assert client.get(0, LOG_PUT, 4) == 300
    assert log(client) == list(range(300))
    assert client.get(0, POSTED, 4) == 300


def test_in_one_send(rich):
    """Posted and asked for in the bytes of one send."""
    client = rich.client()
    data = b"".join(pack(REGION_WRITE, access(LOG_PUT, 0, 4, u32(n)), NO_REPLY, 7) for n in range(50))
    client.raw(data + pack(REGION_READ, access(LOG_PUT, 0, 4), COMMAND, 8))
    assert client.reply(8, REGION_READ).payload[16:] == u32(50)


def test_mixed_with_batches(rich):
    client = rich.client()
    post(client, LOG_PUT, 1)
    client.send(WRITE_MULTI, multi(one(LOG_PUT, 2), one(LOG_PUT, 3)), NO_REPLY)
    client.put(0, LOG_PUT, 4, 4)
    assert client.good(WRITE_MULTI, multi(one(LOG_PUT, 5), one(LOG_PUT, 6))) == struct.pack("=Q", 2)
    post(client, LOG_PUT, 7)
    assert log(client) == [1, 2, 3, 4, 5, 6, 7]
    assert client.get(0, POSTED, 4) == 4


def test_a_failure_stops_nothing(rich):
    """Posted writes are independent of each other, be they in one message or in several; the failure is lost."""
    client = rich.client()
    post(client, LOG_PUT, 1)
    post(client, BROKEN, 1)
    post(client, 1 << 40, 1)
    post(client, LOG_PUT, 2)
    client.send(WRITE_MULTI, multi(one(LOG_PUT, 3), one(BROKEN, 1), one(1 << 40, 1), one(0, 1, 5), one(0, 1, 99),
                                   one(LOG_PUT, 4)), NO_REPLY)
    assert log(client) == [1, 2, 3, 4]
    assert client.get(0, BROKEN, 4) == 2


def test_an_acknowledged_batch_stops(rich):
    client = rich.client()
    client.refused(WRITE_MULTI, multi(one(LOG_PUT, 1), one(BROKEN, 1), one(LOG_PUT, 2)), (errno.EIO,))
    assert log(client) == [1]
    # refused before any was done: no device needs to see that
    client.refused(WRITE_MULTI, multi(one(LOG_PUT, 3), one(1 << 40, 1)))
    assert log(client) == []


def test_any_command(rich):
    """Nothing comes back, not even an error: the next reply is to what was asked next."""
    client = rich.client()
    client.put(0, SCRATCH, 4, 5)
    client.send(GET_INFO, struct.pack("=IIII", 16, 0, 0, 0), NO_REPLY)
    client.send(DMA_UNMAP, dma_unmap(4096, 4096), NO_REPLY)
    client.send(REGION_READ, access(0, 99, 4), NO_REPLY)
    client.send(99, b"", NO_REPLY)
    client.in_step()
    client.send(RESET, b"", NO_REPLY)
    assert client.get(0, SCRATCH, 4) == 0xffffffff


@pytest.mark.parametrize("payload", (access(LOG_PUT, 0, 4, b"abc"), access(LOG_PUT, 0, 4, b"abcde"), b"abcd"))
def test_a_lie_ends_it_all_the_same(rich, payload):
    rich.client().killed(REGION_WRITE, payload, flags=NO_REPLY)


@pytest.mark.parametrize("payload", (multi(one(LOG_PUT, 1))[:-1], struct.pack("=Q", 2) + one(LOG_PUT, 1), bytes(7)))
def test_a_lying_batch(rich, payload):
    rich.client().killed(WRITE_MULTI, payload, flags=NO_REPLY)


def test_a_batch_of_nothing_or_too_much(rich):
    """Refused in silence; the stream goes on."""
    client = rich.client()
    client.send(WRITE_MULTI, multi(), NO_REPLY)
    client.send(WRITE_MULTI, multi(*[struct.pack("=QII8s", LOG_PUT, 0, 3, b"")]), NO_REPLY)
    client.in_step()
    assert client.get(0, LOG_PUT, 4) == 0

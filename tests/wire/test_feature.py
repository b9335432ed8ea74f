# SPDX-License-Identifier: BSD-3-Clause
"""DEVICE_FEATURE: what is offered, what never is, and structures that lie."""

import errno
import struct

import pytest
from session import FEATURE, GET, PROBE, SET, Ended

MIGRATION, STATE, LOW_POWER, LOW_POWER_WAKEUP, LOW_POWER_EXIT, START, STOP, REPORT, DATA_SIZE = range(1, 10)
VF_TOKEN, BUS_MASTER, DMA_BUF = 0, 10, 11
KNOWN = range(0, 13)
ABSENT = (errno.ENOTSUP, errno.ENOSYS, errno.ENOTTY)
CANNOT_BE = ABSENT + (errno.EINVAL, errno.E2BIG)
U32, U64 = (1 << 32) - 1, (1 << 64) - 1


def request(flags, data=b"", argsz=None):
    return struct.pack("=II", 8 + len(data) if argsz is None else argsz, flags) + data


def logging(page_size, ranges, count=None):
    """DMA_LOGGING_START's structure with its ranges inline: page size, number, reserved, (iova, length)..."""
    body = struct.pack("=QII", page_size, len(ranges) if count is None else count, 0)
    return body + b"".join(struct.pack("=QQ", *one) for one in ranges)


def report(iova, length, page_size):
    return struct.pack("=QQQ", iova, length, page_size)


def test_probe(client):
    """An echo for what there is, ENOTSUP for what there is not; either is an answer."""
    for id in KNOWN:
        for method in (GET, SET):
            reply = client.ask(FEATURE, request(id | PROBE | method))
            if reply.error:
                assert reply.error in ABSENT, id
            else:
                assert reply.payload == request(id | PROBE | method)
                assert id not in (VF_TOKEN, DMA_BUF)
    client.in_step()


@pytest.mark.parametrize("id", (200, 0x7fff, 0xfffe, 0xffff))
def test_unknown(client, id):
    for flags in (PROBE | GET, PROBE | SET, PROBE, GET, SET):
        client.refused(FEATURE, request(id | flags), ABSENT)
        client.refused(FEATURE, request(id | flags, bytes(64)), ABSENT)


def test_never_offered(client):
    """The VF token is a secret, and a DMA-BUF would hand out the device's memory."""
    for id, data in ((VF_TOKEN, bytes(16)), (DMA_BUF, bytes(32))):
        for flags in (PROBE | GET, PROBE | SET, GET, SET):
            client.refused(FEATURE, request(id | flags, data), ABSENT)


def test_methods(client):
    for id in KNOWN:
        for flags in (0, GET | SET, PROBE | 1 << 19, GET | 1 << 31, 0xfff80000):
            client.refused(FEATURE, request(id | flags), CANNOT_BE)


def test_argsz(client):
    for id in KNOWN:
        for argsz in range(8):
            client.refused(FEATURE, request(id | PROBE | GET, argsz=argsz), CANNOT_BE)


@pytest.mark.parametrize("length", range(8))
def test_truncated(server, length):
    server.client().killed(FEATURE, request(MIGRATION | GET)[:length])


def accepted_or_not(server, id, flags, data, **more):
    """An answer, or the end for data that cannot be; the server goes on in any case. True if it was accepted."""
    session = server.client()
    session.send(FEATURE, request(id | flags, data, **more))
    try:
        reply = session.receive()
    except Ended:
        session.close()
        session = server.client()
        session.in_step()
        session.close()
        return False
    if not reply.error:
        assert reply.payload[4:8] == struct.pack("=I", id | flags)
    session.in_step()
    session.close()
    return not reply.error


@pytest.mark.parametrize("id", KNOWN)
def test_data_of_every_length(server, id):
    for flags in (GET, SET, PROBE | GET, PROBE | SET):
        for length in list(range(0, 41, 4)) + [1, 7, 41, 64, 4096, 65536]:
            for fill in (b"\0", b"\xff"):
                accepted_or_not(server, id, flags, fill * length)


def test_logging_ranges_that_lie(server):
    """Counts, ranges and page sizes that cannot be are never accepted."""
    for page_size, ranges, count in (
            (4096, [], 0), (4096, [], 1), (4096, [], U32), (4096, [(0, 4096)], 2), (4096, [(0, 4096)], U32),
            (4096, [(0, 4096)], 1 << 28), (0, [(0, 4096)], 1), (3, [(0, 4096)], 1), (U64, [(0, 4096)], 1),
            (4096, [(0, 0)], 1), (4096, [(U64, 2)], 1), (4096, [(1 << 63, 1 << 63), (U64, U64)], 2),
            (4096, [(0, 4096)] * 5000, None)):
        assert not accepted_or_not(server, START, SET, logging(page_size, ranges, count)), (page_size, count)


def test_reports_that_lie(server):
    for iova, length, page_size in ((0, 0, 4096), (0, 4096, 0), (0, 4096, 3), (U64, 2, 4096), (0, U64, 1),
                                    (0, 1 << 62, 4096), (1 << 63, (1 << 63) + 1, 4096)):
        for bitmap in (b"", bytes(8), bytes(4096)):
            assert not accepted_or_not(server, REPORT, GET, report(iova, length, page_size) + bitmap)


def test_descriptors(server, event):
    for id in (MIGRATION, STATE, LOW_POWER, START, DATA_SIZE):
        for flags in (GET, SET, PROBE | GET):
            session = server.client()
            session.send(FEATURE, request(id | flags), fds=[event])
            session.close()
    for count in (1, 2, 50):
        session = server.client()
        session.send(FEATURE, request(LOW_POWER_WAKEUP | SET, struct.pack("=iI", event, 0)), fds=[event] * count)
        session.close()

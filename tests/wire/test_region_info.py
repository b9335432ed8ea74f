# SPDX-License-Identifier: BSD-3-Clause
"""DEVICE_GET_REGION_INFO and DEVICE_GET_REGION_IO_FDS."""

import errno
import json
import struct
import subprocess

import pytest
from serving import TOOL
from session import GET_REGION_INFO, GET_REGION_IO_FDS

REGIONS = 9
FLAGS = {"read": 1, "write": 2, "mmap": 4, "caps": 8}
INFO = struct.Struct("=IIIIQQ")  # argsz, flags, index, cap_offset, size, offset
IO_FDS = struct.Struct("=IIII")  # argsz, flags, index, count


def request(index, argsz=32, flags=0, cap=0, size=0, offset=0):
    return INFO.pack(argsz, flags, index, cap, size, offset)


def test_as_in_process(client):
    """Each region is what the same model says without a server between."""
    shown = subprocess.run([TOOL, "info", "model:edu", "--json"], stdout=subprocess.PIPE, check=True)
    expected = {region["index"]: region for region in json.loads(shown.stdout)["regions"]}
    sizes = 0
    for index in range(REGIONS):
        body = client.good(GET_REGION_INFO, request(index, 4096))
        argsz, flags, told, _, size, _ = INFO.unpack(body[:32])
        assert (told, argsz) == (index, len(body))
        region = expected.get(index, {"size": 0, "flags": []})
        assert size == region["size"]
        assert flags == sum(FLAGS[name] for name in region["flags"])
        sizes += size
    assert INFO.unpack(client.good(GET_REGION_INFO, request(0)))[4] == 1 << 20
    assert sizes > 1 << 20


def test_what_the_client_says_of_the_region_means_nothing(client):
    plain = client.good(GET_REGION_INFO, request(0))
    lies = request(0, 32, 0xffffffff, 0xffffffff, (1 << 64) - 1, (1 << 64) - 1)
    assert client.good(GET_REGION_INFO, lies) == plain


def test_padded_as_some_clients_do(client):
    plain = client.good(GET_REGION_INFO, request(7, 4096))
    for pad in (1, 8, 4064, 65536):
        assert client.good(GET_REGION_INFO, request(7, 32 + pad) + bytes(pad))[4:32] == plain[4:32]


@pytest.mark.parametrize("index", (REGIONS, REGIONS + 1, 255, 256, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1))
def test_index_that_is_none(client, index):
    for argsz in (32, 4096, (1 << 32) - 1):
        client.refused(GET_REGION_INFO, request(index, argsz))


def test_argsz_without_room(client):
    for argsz in range(32):
        client.refused(GET_REGION_INFO, request(0, argsz))


@pytest.mark.parametrize("length", range(32))
def test_truncated(server, length):
    server.client().killed(GET_REGION_INFO, request(0)[:length])


def test_oversized(server):
    server.client().killed(GET_REGION_INFO, request(0) + bytes(65537))


def test_descriptors(server, event):
    server.client().killed(GET_REGION_INFO, request(0), fds=[event])
    server.client().killed(GET_REGION_IO_FDS, IO_FDS.pack(16, 0, 0, 0), fds=[event])


def test_io_fds(client):
    """None are offered: none listed, or the command refused; other indices are the caller's fault."""
    for index in range(REGIONS):
        reply = client.ask(GET_REGION_IO_FDS, IO_FDS.pack(16, 0, index, 0))
        if reply.error:
            assert reply.error in (errno.ENOTSUP, errno.ENOSYS)
        else:
            assert IO_FDS.unpack(reply.payload) == (16, 0, index, 0)
        assert not reply.fds
    refusal = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
    for index in (REGIONS, (1 << 32) - 1):
        client.refused(GET_REGION_IO_FDS, IO_FDS.pack(16, 0, index, 0), refusal)
    for argsz in (0, 15):
        client.refused(GET_REGION_IO_FDS, IO_FDS.pack(argsz, 0, 0, 0), refusal)
    client.refused(GET_REGION_IO_FDS, IO_FDS.pack(16, 0, 0, (1 << 32) - 1), refusal)


@pytest.mark.parametrize("length", range(16))
def test_io_fds_truncated(server, length):
    server.client().killed(GET_REGION_IO_FDS, IO_FDS.pack(16, 0, 0, 0)[:length])

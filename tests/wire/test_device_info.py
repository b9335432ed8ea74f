# SPDX-License-Identifier: BSD-3-Clause
"""DEVICE_GET_INFO, and DEVICE_RESET, which says as little."""

import struct

import pytest
from session import GET_INFO, RESET

FLAGS_RESET, FLAGS_PCI = 1, 2
REGIONS, IRQS = 9, 5  # VFIO_PCI_NUM_REGIONS, VFIO_PCI_NUM_IRQS


def request(argsz, flags=0, regions=0, irqs=0):
    return struct.pack("=IIII", argsz, flags, regions, irqs)


@pytest.mark.parametrize("argsz", (16, 17, 32, 4096, 0xffffffff))
def test_good(client, argsz):
    for _ in range(3):
        assert struct.unpack("=IIII", client.good(GET_INFO, request(argsz))[:16]) == \
            (16, FLAGS_RESET | FLAGS_PCI, REGIONS, IRQS)


def test_what_the_client_says_of_the_device_means_nothing(client):
    body = client.good(GET_INFO, request(16, 0xffffffff, 0xffffffff, 0xffffffff))
    assert struct.unpack("=IIII", body) == (16, FLAGS_RESET | FLAGS_PCI, REGIONS, IRQS)


def test_padded_as_some_clients_do(client):
    """A request may be as long as its reply may become; the answer is no longer than it must be."""
    for pad in (1, 4, 100, 65536):
        assert len(client.good(GET_INFO, request(16 + pad) + bytes(pad))) == 16


def test_argsz_without_room(client):
    for argsz in range(16):
        client.refused(GET_INFO, request(argsz))


@pytest.mark.parametrize("length", range(16))
def test_truncated(server, length):
    server.client().killed(GET_INFO, request(16)[:length])


@pytest.mark.parametrize("pad", (65537, 1 << 20))
def test_oversized(server, pad):
    server.client().killed(GET_INFO, request(16) + bytes(pad))


def test_reset(client):
    """Registers as after power-on: liveness inverts what was written last."""
    first = client.get(0, 4, 4)
    client.put(0, 4, 4, 0x12345678)
    assert client.get(0, 4, 4) == 0xedcba987
    assert client.good(RESET) == b""
    assert client.get(0, 4, 4) == first
    assert client.good(RESET) == b""


@pytest.mark.parametrize("payload", (b"\0", bytes(16), bytes(4096)))
def test_reset_with_a_payload(server, payload):
    server.client().killed(RESET, payload)


def test_descriptors(server, event):
    server.client().killed(GET_INFO, request(16), fds=[event])
    server.client().killed(RESET, fds=[event])

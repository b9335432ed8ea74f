# SPDX-License-Identifier: BSD-3-Clause
"""What a server says that it takes is what it gets: page sizes, mappings, bytes in a message."""

import errno
import struct

import pytest
from scripted import STEPS, Device, Scripted, fails, run, sound
from session import CAPS, DMA_MAP, DMA_UNMAP, MIG_READ, MIG_WRITE, REGION_READ, REGION_WRITE, proposal


def limited(tamper=None, **caps):
    device = Device()
    device.version = proposal(caps=dict(CAPS, **caps))
    return Scripted(device, tamper)


def steps(script, *words):
    result = run(script, *words, program=STEPS)
    sound(result)
    return result


def sizes(result, command, at):
    return [struct.unpack_from("=I", message.payload, at)[0] for message in result.seen if message.command == command]


def test_page_sizes():
    """Refused before the server is asked."""
    result = steps(limited(pgsizes=0x10000), "map=0x100000,16", "map=0x201000,16", "map=0x300000,17")
    assert result.out == "map 0\nmap %d\nmap %d\n" % (-errno.EINVAL, -errno.EINVAL)
    assert len([message for message in result.seen if message.command == DMA_MAP]) == 1


def test_number_of_mappings():
    result = steps(limited(max_dma_maps=2), "map=0x100000,1", "map=0x200000,1", "map=0x300000,1",
                   "unmap=0x100000,1", "map=0x300000,1")
    assert result.out == "map 0\nmap 0\nmap %d\nunmap 0\nmap 0\n" % -errno.ENOSPC
    assert len([message for message in result.seen if message.command == DMA_MAP]) == 3


def test_no_access_mode_is_asked_for():
    """Older servers refuse bits that they do not know; without them a server may choose, and maps the file."""
    result = steps(limited(), "map=0x100000,1")
    assert [struct.unpack("=IIQQQ", message.payload) for message in result.seen if message.command == DMA_MAP] == [
        (32, 3, 0, 0x100000, 4096)]
    assert [len(message.payload) for message in result.seen if message.command == DMA_UNMAP] == [24]


@pytest.mark.parametrize("limit, pieces", ((64, [40]), (40, [40]), (39, [32, 8]), (16, [16, 16, 8]), (8, [8] * 5),
                                           (15, [8] * 5)))
def test_long_accesses_go_in_pieces(limit, pieces):
    """Of whole 8 bytes, in order."""
    result = steps(limited(max_data_xfer_size=limit), "readlong=40", "writelong=40")
    assert result.out == "readlong 40\nwritelong 40\n", result
    assert sizes(result, REGION_READ, 12) == pieces
    assert sizes(result, REGION_WRITE, 12) == pieces


def test_small_ones_never():
    result = steps(limited(max_data_xfer_size=8), *["readlong=%d" % n for n in (1, 2, 4, 8)])
    assert sizes(result, REGION_READ, 12) == [1, 2, 4, 8]


@pytest.mark.parametrize("limit", (0, 1, 7))
def test_less_than_an_access(limit):
    """No server can mean that: it is no VERSION."""
    fails(run(limited(max_data_xfer_size=limit), "read", "bar0", "0", "4"))


def test_migration_data():
    """A message at a time: the call returns how much that was."""
    def out(peer, message):
        size = struct.unpack("=I", message.payload[4:8])[0]
        peer.respond(message, message.payload + bytes(size))

    def taken(peer, message):
        peer.respond(message, message.payload[:8])
    result = steps(limited({MIG_READ: out, MIG_WRITE: taken}, max_data_xfer_size=100), "migread=1000", "migwrite=1000",
                   "migwrite=50")
    assert result.out == "migread 96\nmigwrite 96\nmigwrite 50\n"

# SPDX-License-Identifier: BSD-3-Clause
"""ROMs that a server makes up: sizes beyond 32 bits, ends before the end, failures half-way, "again" for ever."""

import errno
import os
import struct

import pytest
from scripted import READ, Device, Scripted, fails, run, works
from session import REGION_READ

ROM = 6
BIG = (4 << 30) + (64 << 10)


class Rom(Device):
    """A device with a ROM whose region has one size, and the ROM another."""

    def __init__(self, size, has=None, fail=None):
        super().__init__(regions={ROM: (size, READ, b"", [])})
        self.has, self.fail, self.asked = size if has is None else has, fail or {}, []

    def on_read(self, message):
        offset, region, count = struct.unpack("=QII", message.payload)
        if region != ROM:
            return super().on_read(message)
        self.asked.append((offset, count))
        if offset in self.fail:
            return self.fail[offset]
        count = max(0, min(count, self.has - offset))
        if not count:
            return errno.EINVAL
        return struct.pack("=QII", offset, region, count) + bytes([offset >> 12 & 0xff]) * count, []


def test_whole(tmp_path):
    path = tmp_path / "rom"
    works(run(Scripted(Rom(0x21000)), "dump", "rom", str(path)), "")
    assert len(path.read_bytes()) == 0x21000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("has", [100, 4096, 0x10000, 0x10000 + 512])
def test_ends_early(tmp_path, has):
    path = tmp_path / "rom"
    works(run(Scripted(Rom(0x20000, has)), "dump", "rom", str(path)), "")
    assert len(path.read_bytes()) == has


def test_beyond_4g():
    """Neither the size nor an offset is cut down to 32 bits."""
    device = Rom(BIG)
    result = run(Scripted(device), "dump", "rom", "--offset", str(BIG - 0x2000), "--length", "0x2000")
    works(result)
    assert result.out.splitlines()[0].startswith("10000e000: ")
    assert all(offset >= 4 << 30 for offset, _ in device.asked) and device.asked
    fails(run(Scripted(Rom(BIG)), "dump", "rom", "--offset", str(BIG)), "ends at 0x100010000")


def test_again_for_ever(tmp_path):
    path = tmp_path / "rom"
    device = Rom(0x10000, fail={0: errno.EAGAIN})
    fails(run(Scripted(device), "dump", "rom", str(path)), "again and again")
    assert len(device.asked) < 200 and not path.exists()


def test_nothing_in_it(tmp_path):
    path = tmp_path / "rom"
    fails(run(Scripted(Rom(0x10000, 0)), "dump", "rom", str(path)), "ROM at 0x0")
    assert not os.listdir(tmp_path)


def test_fails_half_way(tmp_path):
    """What was there before is there still, and nothing else."""
    path = tmp_path / "rom"
    for before in (None, b"before"):
        if before:
            path.write_bytes(before)
        fails(run(Scripted(Rom(0x20000, fail={0x10000: errno.EIO})), "dump", "rom", str(path)), "0x10000")
        assert os.listdir(tmp_path) == (["rom"] if before else [])
        assert not before or path.read_bytes() == before


def test_bar_that_ends_early(tmp_path):
    """A ROM may end before its region; nothing else may."""
    def short(peer, message):
        offset, region, count = struct.unpack("=QII", message.payload)
        got = min(count, 100) if region == 0 else count
        peer.respond(message, struct.pack("=QII", offset, region, got) + bytes(got))

    path = tmp_path / "bar"
    fails(run(Scripted(tamper={REGION_READ: short}), "dump", "bar0", str(path)), "region bar0 ends at 0x64")
    assert not os.listdir(tmp_path)

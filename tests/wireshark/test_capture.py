# SPDX-License-Identifier: BSD-3-Clause
"""What --filter trace,file=x.pcapng writes, by a reader and a decoder that know nothing of the library."""

import os
import signal
import struct
import subprocess
import time

from conftest import TOOL, vfiokit
from encoder import (COMMAND, DEVICE_FEATURE, DEVICE_GET_INFO, DEVICE_GET_REGION_INFO, DEVICE_RESET,
                     DEVICE_SET_IRQS, DMA_MAP, DMA_UNMAP, ERROR, GET, REGION_READ, REGION_WRITE,
                     REPLY, Encoder)
from pcapng import INBOUND, OUTBOUND, read

E = Encoder()


class Exchange:
    def __init__(self, request, reply):
        self.request, self.reply = request.message, reply.message
        self.command = E.header(request.message)["command"]
        self.fds = request.comment
        self.asked, self.answered = request.message[16:], reply.message[16:]
        self.flags = E.header(reply.message)["flags"]
        self.error = E.header(reply.message)["error"]


def exchanges(path):
    """The packets in pairs: each request is followed by its reply, unless it is not to have one."""
    packets, names = read(path)
    pending, pairs = {}, []
    for packet in packets:
        header = E.header(packet.message)
        assert header["size"] == len(packet.message) == packet.length
        if header["flags"] & 0xF == COMMAND:
            assert packet.direction == OUTBOUND
            pending[header["id"]] = packet
            continue
        assert packet.direction == INBOUND
        asked = pending.pop(header["id"])
        assert E.header(asked.message)["command"] == header["command"]
        assert asked.ns <= packet.ns
        pairs.append(Exchange(asked, packet))
    assert not pending
    return pairs, names


def trace(path):
    return "--filter", "trace,file=%s" % path


def of(pairs, command):
    return [pair for pair in pairs if pair.command == command]


def test_a_read(tmp_path):
    path, before = tmp_path / "x.pcapng", time.time_ns()
    assert vfiokit("read", "model:edu", "bar0", "0", "4", *trace(path)) == "0x010000ed\n"
    pairs, names = exchanges(path)
    assert names == ["model:edu"]
    assert before <= read(path)[0][0].ns <= time.time_ns()
    pair, = of(pairs, REGION_READ)
    assert E.unpack("region_access", pair.asked) == {"offset": 0, "region": 0, "count": 4}
    assert pair.answered == E.region_access(0, 0, 4, struct.pack("<I", 0x010000ED))
    assert len(of(pairs, DEVICE_GET_INFO)) == 1
    info = E.unpack("device_info", of(pairs, DEVICE_GET_INFO)[0].answered)
    assert (info["flags"], info["num_regions"], info["num_irqs"]) == (3, 9, 5)
    region = E.decode_region_info(of(pairs, DEVICE_GET_REGION_INFO)[0].answered)
    assert (region["index"], region["size"], region["flags"]) == (0, 0x100000, 3)


def test_a_failure_is_an_error_reply(tmp_path):
    path = tmp_path / "x.pcapng"
    done = subprocess.run([TOOL, "read", "model:edu", "bar0", "0", "4", *trace(path), "--filter",
                           "fault,op=region_read,errno=EBUSY"], capture_output=True, check=False)
    assert done.returncode == 1
    pair, = of(exchanges(path)[0], REGION_READ)
    assert (pair.flags, pair.error, pair.answered) == (REPLY | ERROR, 16, b"")


def test_interrupts_and_writes(tmp_path):
    path = tmp_path / "x.pcapng"
    vfiokit("irq", "model:edu", "msi", "--write", "bar0:0x60:4=1", *trace(path))
    pairs, _ = exchanges(path)
    armed, disabled = of(pairs, DEVICE_SET_IRQS)
    assert armed.asked == E.irq_set(1, 0x24) and armed.fds == "descriptors: 1"
    assert disabled.asked == E.irq_set(1, 0x21, count=0) and not disabled.fds
    write, = of(pairs, REGION_WRITE)
    assert write.asked == E.region_access(0x60, 0, 4, b"\1\0\0\0")
    assert write.answered == E.region_access(0x60, 0, 4)


def test_features_and_reset(tmp_path):
    path = tmp_path / "x.pcapng"
    vfiokit("features", "model:edu", *trace(path))
    vfiokit("reset", "model:edu", *trace(path))
    pairs, names = exchanges(path)
    assert names == ["model:edu"] * 2  # a file is added to
    assert len(of(pairs, DEVICE_RESET)) == 1 and len(of(pairs, DEVICE_RESET)[0].request) == 16
    flags = [E.unpack("feature", pair.asked)["flags"] for pair in of(pairs, DEVICE_FEATURE)]
    assert flags and all(flag & GET or flag >> 17 for flag in flags)


def test_the_conformance_suite(tmp_path):
    """All commands that a program of the library causes; the same through a server is a proxy's."""
    path = tmp_path / "x.pcapng"
    vfiokit("test", "model:edu", *trace(path))
    packets, names = read(path)
    commands = {E.header(packet.message)["command"] for packet in packets}
    assert commands >= {2, 3, 4, 5, 7, 8, 9, 10, 13, 15, 16}
    assert len(names) > 10
    posted = [p for p in packets if E.header(p.message)["flags"] & 0x10]
    assert posted
    maps = [p for p in packets if E.header(p.message)["command"] == DMA_MAP and p.direction == OUTBOUND]
    assert {"descriptors: 1", ""} == {p.comment for p in maps}
    assert all(len(p.message) == 48 for p in maps)
    unmaps = [p for p in packets if E.header(p.message)["command"] == DMA_UNMAP and p.direction == OUTBOUND]
    assert unmaps and all(len(p.message) == 40 for p in unmaps)


def test_killed_it_is_readable(tmp_path):
    """A request that hangs stands in the capture of a program that was killed in it."""
    path = tmp_path / "x.pcapng"
    with subprocess.Popen([TOOL, "read", "model:edu", "bar0", "0", "4", *trace(path), "--filter",
                           "delay,us=4000000,op=region_read"], stdout=subprocess.DEVNULL) as tool:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if path.exists() and E.message(0, REGION_READ, size=32)[2:] in path.read_bytes():
                break
            time.sleep(0.02)
        tool.send_signal(signal.SIGKILL)
    packets, _ = read(path)
    assert E.header(packets[-1].message)["command"] == REGION_READ
    assert packets[-1].direction == OUTBOUND


def refused(tmp_path, options):
    done = subprocess.run([TOOL, "info", "model:edu", "--filter", "trace," + options], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_formats(tmp_path):
    vfiokit("info", "model:edu", "--filter", "trace,format=pcapng,file=%s" % (tmp_path / "any"))
    assert read(tmp_path / "any")[0]
    vfiokit("info", "model:edu", "--filter", "trace,format=text,file=%s" % (tmp_path / "x.pcapng"))
    assert (tmp_path / "x.pcapng").read_text().startswith("get_device_info(")
    assert "format=other" in refused(tmp_path, "format=other")
    assert "needs file" in refused(tmp_path, "format=pcapng")
    assert "No such file" in refused(tmp_path, "file=absent/x.pcapng")


def test_another_file_is_not_spoilt(tmp_path):
    path = tmp_path / "x.pcapng"
    path.write_text("something else\n")
    assert "no pcapng file" in refused(tmp_path, "file=x.pcapng")
    assert path.read_text() == "something else\n"


def test_to_a_pipe(tmp_path):
    """As "wireshark -k -i -" takes it."""
    fifo, path = tmp_path / "fifo", tmp_path / "x.pcapng"
    os.mkfifo(fifo)
    with open(path, "wb") as out, subprocess.Popen(["cat", str(fifo)], stdout=out) as cat:
        vfiokit("read", "model:edu", "bar0", "0", "4", "--filter", "trace,format=pcapng,file=%s" % fifo)
        assert cat.wait(timeout=30) == 0
    assert of(exchanges(path)[0], REGION_READ)

# SPDX-License-Identifier: BSD-3-Clause
"""A session with edu, captured by the filter, as tshark shows it by the names of its fields."""

import os
import subprocess

import pytest

from conftest import TOOL, vfiokit


@pytest.fixture(params=["in process", "over vfio-user"])
def edu(request, tmp_path):
    """The URI of an edu: a model here, or in another process."""
    if request.param == "in process":
        yield "model:edu"
        return
    path = str(tmp_path / "s")
    with subprocess.Popen([TOOL, "serve", "model:edu", "--socket-path=" + path], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as server:
        assert server.stdout.readline()
        yield "vfio-user:" + path
        server.terminate()
        assert server.wait(timeout=30) == 0


@pytest.fixture
def capture(edu, tmp_path, shark):
    """capture(subcommand, arguments...): what tshark has of it."""
    def run(command, *args):
        path = tmp_path / "x.pcapng"
        vfiokit(command, edu, *args, "--filter", "trace,file=%s" % path)
        return shark(path)
    return run


def test_a_read(capture):
    seen = capture("read", "bar0", "0", "4")
    asked, answered = seen.fields("vfio_user.msg_id", "vfio_user.command", "vfio_user.size", "vfio_user.flags",
                                  "vfio_user.region", "vfio_user.offset", "vfio_user.count", "vfio_user.data",
                                  where="vfio_user.command == 9")
    assert asked[1:] == ["9", "32", "0x00000000", "0", "0x0000000000000000", "4", ""]
    assert answered == [asked[0], "9", "36", "0x00000001", "0", "0x0000000000000000", "4", "ed000001"]


def test_a_reply_knows_its_request(capture):
    seen = capture("read", "bar0", "0", "4")
    rows = seen.fields("frame.number", "vfio_user.flags.type", "vfio_user.request_in", "vfio_user.reply_in",
                       "vfio_user.response_time", passes=2)
    asked = {row[0]: row for row in rows if row[1] == "0"}
    answered = [row for row in rows if row[1] == "1"]
    assert answered and len(asked) == len(answered)
    for number, _, request, _, took in answered:
        assert asked[request][3] == number and asked[request][4] == ""
        assert 0 < float(took) < 30


def test_interrupts(capture):
    seen = capture("irq", "msi", "--write", "bar0:0x60:4=1")
    rows = seen.fields("vfio_user.irq.index", "vfio_user.irq.start", "vfio_user.irq.count",
                       "vfio_user.irq.flags.data_eventfd", "vfio_user.irq.flags.data_none",
                       "vfio_user.irq.flags.action_trigger", "vfio_user.fds",
                       where="vfio_user.command == 8 && vfio_user.flags.type == 0")
    assert rows == [["1", "0", "1", "1", "0", "1", "1"], ["1", "0", "0", "0", "1", "1", ""]]
    tree, = seen.json("vfio_user.command == 10 && vfio_user.flags.type == 0")
    assert (tree["vfio_user.data"], tree["vfio_user.offset"]) == ("01:00:00:00", "0x0000000000000060")


def test_infos_and_features(capture):
    seen = capture("info")
    (flags, pci, regions, irqs), = seen.fields(
        "vfio_user.device.flags", "vfio_user.device.flags.pci", "vfio_user.device.num_regions",
        "vfio_user.device.num_irqs", where="vfio_user.command == 4 && vfio_user.flags.type == 1")
    assert (flags, pci, regions, irqs) == ("0x00000003", "1", "9", "5")
    sizes = dict(seen.fields("vfio_user.region", "vfio_user.region_info.size",
                             where="vfio_user.command == 5 && vfio_user.flags.type == 1"))
    assert sizes["0"] == "0x0000000000100000"
    probes = seen.fields("vfio_user.feature.id", "vfio_user.feature.probe",
                         where="vfio_user.command == 16 && vfio_user.flags.type == 0")
    assert {probe for _, probe in probes} == {"1"} and "1" in {id for id, _ in probes}


def test_nothing_is_malformed(edu, tmp_path, shark):
    """All that the conformance suite does."""
    path = tmp_path / "x.pcapng"
    vfiokit("test", edu, "--filter", "trace,file=%s" % path)
    seen = shark(path)
    bad = seen.fields("frame.number", "_ws.col.Info", where="vfio_user.malformed || vfio_user.unasked || !vfio-user")
    assert bad == []
    commands = {int(row[0]) for row in seen.fields("vfio_user.command")}
    assert commands >= {2, 3, 4, 5, 7, 8, 9, 10, 13, 15, 16}
    mapped = seen.fields("vfio_user.dma.addr", "vfio_user.dma.size", "vfio_user.dma.map_flags.readable",
                         where="vfio_user.command == 2 && vfio_user.flags.type == 0")
    assert mapped and all(int(addr, 16) >= 0 and int(size, 16) for addr, size, _ in mapped)
    errors = seen.fields("vfio_user.error", where="vfio_user.flags.error == 1")
    assert ["22"] in errors
    os.unlink(path)

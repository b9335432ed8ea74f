# SPDX-License-Identifier: BSD-3-Clause
"""VFK_DEBUG=1: the library tells what it does, of any program."""

import os
import re
import signal

import pytest
from conftest import Serve, vfiokit

ASKED = dict(os.environ, VFK_DEBUG="1")


def test_operations_and_what_was_agreed(serve):
    server = serve("model:edu")
    said = vfiokit("read", server.uri, "bar0", "0", "4", env=ASKED)
    assert (said.status, said.out) == (0, "0x010000ed\n"), repr(said)
    lines = said.err.splitlines()
    assert re.fullmatch(r"vfiokit: %s: version 0\.2 agreed; sends \d+ descriptors and \d+ bytes of data in a message, .*, "
                        r"write_multiple.*" % re.escape(server.uri), lines[0]), repr(said)
    assert [re.match(r"(\w+)\(", line)[1] for line in lines[1:]] == ["get_device_info", "get_region_info", "region_read"]


@pytest.mark.parametrize("value", [None, "0", "", "yes"])
def test_not_asked(value):
    env = {name: text for name, text in os.environ.items() if name != "VFK_DEBUG"}
    if value is not None:
        env["VFK_DEBUG"] = value
    assert vfiokit("read", "model:edu", "bar0", "0", "4", env=env).done() == "0x010000ed\n"


def test_what_can_be_mapped_stays_so():
    uri = "model:testdev"
    shown = vfiokit("info", uri, "--json").done()
    assert vfiokit("info", uri, "--json", env=ASKED).out == shown


def test_why_a_device_cannot_be_opened(tmp_path):
    said = vfiokit("info", "vfio-user:%s" % (tmp_path / "none"), env=ASKED)
    assert said.status == 1 and re.match(r"vfiokit: cannot be opened: .*none: connect: No such file", said.err), repr(said)


def test_a_server_tells_of_its_clients(tmp_path):
    server = Serve("model:edu", socket=str(tmp_path / "s"), env=ASKED)
    vfiokit("read", server.uri, "bar0", "0", "4").done()
    vfiokit("features", server.uri).done()
    said = server.stop(signal.SIGTERM)
    for line in (r"vfiokit: model:edu: version 0\.2 agreed; .*",
                 r"region_read\(region=0 \(bar0\), offset=0x0, length=4\) = 4 data=ed000001 .*",
                 r"vfiokit: model:edu: its client's device_feature is refused: .*",
                 r"vfiokit: model:edu: the connection of its client has ended: the peer is gone"):
        assert re.search("^%s$" % line, said.err, re.M), (line, repr(said))


def test_a_silent_server(serve):
    server = serve("model:edu")
    os.kill(server.process.pid, signal.SIGSTOP)
    said = vfiokit("read", server.uri + ",timeout=300", "bar0", "0", "4", env=ASKED)
    os.kill(server.process.pid, signal.SIGCONT)
    assert said.status == 1 and re.search(r"^vfiokit: cannot be opened: .*", said.err, re.M), repr(said)

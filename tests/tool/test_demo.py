# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration: in two processes, in one, and on any edu that a URI names."""

import os
import re
import signal
import subprocess
import time

from conftest import TOOL, vfiokit

LINES = ("1234:11e8", "0x010000ed", "10! = 3628800", "MSI interrupt", "with 4 interrupts",
         "pages are equal")


def test_demo(tmp_path):
    out = vfiokit("demo", env=dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path))).done()
    for line in LINES:
        assert out.count(line) == 2, (line, out)
    assert re.search(r"^Process \d+ serves model:edu", out, re.M)
    assert "vfio-user:%s/" % tmp_path in out
    assert out.endswith("Every value was right, in two processes and in one.\n")
    assert not list(tmp_path.iterdir())


def test_demo_on_a_uri(edu):
    out = vfiokit("demo", edu).done()
    for line in LINES:
        assert out.count(line) == 1, (line, out)


def test_demo_with_latency():
    vfiokit("demo", "model:edu,latency=20").done()


def test_demo_with_a_server_of_latency(serve):
    vfiokit("demo", serve("model:edu,latency=20").uri).done()


def test_demo_leaves_the_device_quiet(serve):
    """Bus mastering and MSI are as they were before it."""
    uri = serve("model:edu").uri
    before = vfiokit("dump", uri, "config").done()
    vfiokit("demo", uri).done()
    assert vfiokit("dump", uri, "config").done() == before


def test_demo_cleans_up_when_interrupted(tmp_path):
    process = subprocess.Popen([TOOL, "demo"], env=dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path)),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 20
    while not list(tmp_path.iterdir()) and process.poll() is None and time.monotonic() < end:
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, 1)
    assert not list(tmp_path.iterdir())

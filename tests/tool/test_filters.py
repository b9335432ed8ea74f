# SPDX-License-Identifier: BSD-3-Clause
"""The filters before a device, in this process and in a server."""

import os
import re

from conftest import vfiokit
from test_serve import connect, negotiate


def test_readonly(edu):
    readonly = ("--filter", "readonly")
    assert vfiokit("read", edu, "bar0", "0", "4", *readonly).done() == "0x010000ed\n"
    assert "write" not in vfiokit("info", edu, *readonly).done()
    vfiokit("write", edu, "bar0", "4", "4", "1", *readonly).failed(edu, "not permitted")
    # the bus master is stopped before the reset itself, and that is a write
    vfiokit("reset", edu, *readonly).failed(edu, "not permitted")
    vfiokit("irq", edu, "msi", "--trigger", *readonly).failed(edu, "set_irqs: not by a reader")


def test_a_served_device_is_readonly(serve):
    """What a client of the server may do, whatever it asks for."""
    uri = serve("model:edu", "--filter", "readonly").uri
    assert vfiokit("read", uri, "bar0", "0", "4").done() == "0x010000ed\n"
    vfiokit("write", uri, "bar0", "4", "4", "1").failed(uri, "not permitted")
    vfiokit("reset", uri).failed(uri, "Permission denied|EACCES|not permitted")
    vfiokit("irq", uri, "msi", "--trigger").failed(uri, "Permission denied|EACCES|not permitted")


def test_a_fault_is_told_with_its_code(edu):
    vfiokit("read", edu, "bar0", "0", "4", "--filter", "fault,op=region_read,offset=0").failed(
        edu, "region_read fails, as it was told to")
    assert vfiokit("read", edu, "bar0", "0", "4", "--filter", "fault,op=region_read,offset=4").done()


def test_a_fault_in_a_server(serve):
    """The reason travels as its number."""
    uri = serve("model:edu", "--filter", "fault,op=region_read,errno=EXDEV,offset=8").uri
    assert vfiokit("read", uri, "bar0", "0", "4").done() == "0x010000ed\n"
    vfiokit("read", uri, "bar0", "8", "4").failed(uri, "Invalid cross-device link|EXDEV")


def test_why_it_could_not_be_opened(serve):
    """Also behind a socket, where closing what was open already asks the server for something once more."""
    uri = serve("model:edu").uri
    for filters, reason in (("nosuch", "nosuch"), ("delay", "us=MICROSECONDS"), ("trace,file=/nonexistent/x", "/nonexistent/x"),
                            ("fault,op=open", "open fails, as it was told to"),
                            ("fault,op=get_device_info", "get_device_info fails, as it was told to")):
        vfiokit("read", uri, "bar0", "0", "4", "--filter", filters).failed(uri, reason)


def open_files(server):
    """How many it has while it serves one client: one that is served has found the last one gone."""
    with connect(server.socket) as client:
        assert negotiate(client) == (1, 0)
        return len(os.listdir("/proc/%d/fd" % server.process.pid))


def test_a_server_with_faults_serves_on(serve):
    """Whatever the device fails, clients come and go: no hang, nothing left."""
    for seed in range(3):
        server = serve("model:edu", "--filter", "fault,rate=0.2,seed=%d,op=region_read+region_write+set_irqs+"
                       "reset+dma_map+dma_unmap+device_feature" % seed)
        before = open_files(server)
        for _ in range(5):
            result = vfiokit("irq", server.uri, "msi", "--write", "bar0:0x60:4=1", "--timeout", "1")
            assert result.status in (0, 1), repr(result)
            result = vfiokit("features", server.uri)
            assert result.status in (0, 1), repr(result)
        assert server.process.poll() is None
        assert open_files(server) == before


def test_the_suite_with_faults_ends():
    """Cases fail, and say so; the program neither hangs nor dies."""
    for seed in range(3):
        result = vfiokit("test", "model:edu", "--filter", "fault,rate=0.2,seed=%d" % seed, timeout=120)
        assert result.status == 1, repr(result)
        assert re.search(r"^(not ok|Bail out)", result.out, re.M) or result.err, repr(result)


def test_trace_names_what_it_shows(edu):
    result = vfiokit("read", edu, "bar0", "0", "4", "--filter", "trace")
    assert result.status == 0
    lines = result.err.splitlines()
    assert all(re.fullmatch(r"\w+\(.*\) = .* \[\d+\.\d us\]", line) for line in lines), lines
    assert any("region=0 (bar0)" in line and "data=ed000001" in line for line in lines)
    assert any("flags=reset|pci regions=9 irqs=5" in line for line in lines)

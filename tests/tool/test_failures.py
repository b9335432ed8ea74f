# SPDX-License-Identifier: BSD-3-Clause
"""What bad input gets: exit status 1, and one line on stderr that names the device and the reason."""

import contextlib
import json
import socket
import struct
import threading
import time

import pytest
from conftest import vfiokit

HEADER = struct.Struct("<HHIII")  # message id, command, size, flags, error
VERSION, REPLY, ERROR = 1, 1, 0x21


@contextlib.contextmanager
def script(path, answer):
    """A server that accepts one client, and does to its connection what answer says."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(30)

    def run():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                answer(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield "vfio-user:%s" % path
    finally:
        thread.join()
        listener.close()


def version_reply(connection, major, minor):
    ident = HEADER.unpack(connection.recv(16))[0]
    body = struct.pack("<HH", major, minor) + json.dumps({"capabilities": {}}).encode() + b"\0"
    connection.sendall(HEADER.pack(ident, VERSION, 16 + len(body), REPLY, 0) + body)


def until_closed(connection):
    while connection.recv(4096):
        pass


@pytest.mark.parametrize("uri", ["edu", ":edu", "", "model:", "model:no-such-model", "nosuch:thing",
                                 "model:edu,no-such-parameter=1", "model:edu,latency=soon",
                                 "vfio-user:", "vfio-user:fd=x", "vfio-user:/x,timeout=forever"])
def test_bad_uri(uri):
    vfiokit("info", uri).failed(uri)


def test_a_descriptor_that_is_no_socket():
    """By the number that the user gave it."""
    vfiokit("info", "vfio-user:fd=2").failed("vfio-user:fd=2", "descriptor 2 is no connected UNIX stream socket")


@pytest.mark.parametrize("name", ["bind", "unbind"])
@pytest.mark.parametrize("more", [[], ["--group"]])
def test_no_such_pci_device(name, more):
    vfiokit(name, "fffe:ff:1f.7", *more).failed("fffe:ff:1f.7", "no such PCI device")
    vfiokit(name, "FFFE:FF:1F.7", *more).failed("fffe:ff:1f.7", "no such PCI device")


def test_uri_with_a_newline_stays_one_line():
    vfiokit("info", "model:two\nlines\x1b[31m").failed("model:two?lines?[31m")


@pytest.mark.parametrize("command", [["info"], ["lspci"], ["features"], ["reset"], ["test"], ["demo"],
                                     ["dump", "config"], ["irq", "msi"], ["read", "bar0", "0", "4"],
                                     ["write", "bar0", "4", "4", "1"],
                                     ["serve", "--socket-path=never.sock"]], ids=lambda c: c[0])
def test_absent_socket(command, tmp_path):
    uri = "vfio-user:%s/absent.sock" % tmp_path
    vfiokit(command[0], uri, *command[1:], cwd=tmp_path).failed(uri, "No such file")
    assert not list(tmp_path.iterdir())


def test_refused(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        bound.bind(str(tmp_path / "s"))
        vfiokit("info", "vfio-user:%s/s" % tmp_path).failed("%s/s" % tmp_path, "refused")


def test_silent_server(tmp_path):
    with script(str(tmp_path / "s"), until_closed) as uri:
        start = time.monotonic()
        vfiokit("info", uri, "--timeout", "300").failed(uri, "(?i)time|answer|silent")
        assert time.monotonic() - start < 5


def test_silent_server_bounded_by_its_uri(tmp_path):
    with script(str(tmp_path / "s"), until_closed) as uri:
        vfiokit("read", uri + ",timeout=300", "bar0", "0", "4").failed(uri, "(?i)time|answer|silent")


def test_other_major(tmp_path):
    def answer(connection):
        version_reply(connection, 1, 0)
        until_closed(connection)

    with script(str(tmp_path / "s"), answer) as uri:
        vfiokit("info", uri).failed(uri, r"1\.0")


def test_server_that_hangs_up(tmp_path):
    with script(str(tmp_path / "s"), lambda connection: connection.recv(16)) as uri:
        vfiokit("info", uri).failed(uri)


def test_server_that_talks_nonsense(tmp_path):
    def answer(connection):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
        until_closed(connection)

    with script(str(tmp_path / "s"), answer) as uri:
        vfiokit("info", uri).failed(uri)


def test_server_that_refuses(tmp_path):
    def answer(connection):
        ident = HEADER.unpack(connection.recv(16))[0]
        connection.sendall(HEADER.pack(ident, VERSION, 16, ERROR, 16))
        until_closed(connection)

    with script(str(tmp_path / "s"), answer) as uri:
        vfiokit("info", uri).failed(uri, "(?i)busy|has a client")


def test_region_index_at_the_count(edu):
    count = len(json.loads(vfiokit("info", edu, "--json").done())["regions"])
    vfiokit("read", edu, str(count), "0", "4").failed(edu, "region %d" % count)
    vfiokit("dump", edu, str(count)).failed(edu, "region %d" % count)
    vfiokit("read", edu, "4294967295", "0", "4").failed(edu, "region")


def test_irq_index_at_the_count(edu):
    count = len(json.loads(vfiokit("info", edu, "--json").done())["irqs"])
    vfiokit("irq", edu, str(count)).failed(edu)


@pytest.mark.parametrize("offset", ["0x100000", "0x7fffffffffffffff", "0xffffffffffffffff"])
def test_offset_at_the_size(edu, offset):
    vfiokit("read", edu, "bar0", offset, "4").failed(edu)
    vfiokit("write", edu, "bar0", offset, "4", "0").failed(edu)
    vfiokit("dump", edu, "bar0", "--offset", offset).failed(edu, "ends at 0x100000")


def test_access_past_the_end(edu):
    vfiokit("read", edu, "bar0", "0xffffe", "4").failed(edu)
    vfiokit("dump", edu, "bar0", "--offset", "0xffff0", "--length", "17").failed(edu, "ends at")


def test_region_that_is_not_used(edu):
    vfiokit("read", edu, "bar1", "0", "4").failed(edu)
    vfiokit("write", edu, "rom", "0", "4", "0").failed(edu)
    vfiokit("dump", edu, "bar1").failed(edu, "not used")


def test_access_that_the_device_does_not_take(edu):
    """edu's registers below 0x80 are 4 bytes wide, and nothing else (QEMU, docs/specs/edu)."""
    vfiokit("read", edu, "bar0", "0", "1").failed(edu)


def test_memory_decoding_off(serve):
    uri = serve("model:edu").uri
    vfiokit("write", uri, "config", "4", "2", "0").done()
    vfiokit("read", uri, "bar0", "0", "4").failed(uri)


def test_interrupt_that_is_not_there(edu):
    vfiokit("irq", edu, "msix").failed(edu, "msix")
    vfiokit("irq", edu, "msi", "--vectors", "2").failed(edu, "1 vector")


def test_unknown_filter():
    vfiokit("info", "model:edu", "--filter", "no-such-filter").failed("model:edu", "no-such-filter")


def test_demo_wants_an_edu():
    result = vfiokit("demo", "model:null")
    assert result.status == 1 and "vfiokit: model:null: no edu" in result.err


def test_output_that_cannot_be_made(tmp_path):
    vfiokit("dump", "model:edu", "config", "--output", str(tmp_path / "no" / "file")).failed(
        "model:edu", "No such file")


def test_half_a_file_is_removed(tmp_path):
    path = tmp_path / "raw"
    # The registers do not take accesses of one byte, so this fails at the first.
    vfiokit("dump", "model:edu", "bar0", "--width", "1", "--output", str(path)).failed("model:edu")
    assert not path.exists()

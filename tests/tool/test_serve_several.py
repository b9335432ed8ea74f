# SPDX-License-Identifier: BSD-3-Clause
"""Several devices in one server process; in one loop, or a thread for each."""

import os
import select
import socket

import pytest
from conftest import TOOL, vfiokit
from test_serve import HEADER, connect, negotiate, until

RESET = 13
SLOW_US = 3000000
IDENT = "0x010000ed\n"


def where(tmp_path, count):
    return [str(tmp_path / ("device%d" % n)) for n in range(count)]


def read_ident(path):
    return vfiokit("read", "vfio-user:" + path, "bar0", "0", "4").done()


@pytest.fixture(params=["one loop", "threads"])
def how(request):
    return ("--threads",) if request.param == "threads" else ()


@pytest.fixture
def three(serve, tmp_path, how):
    """Three edus in one process, and their sockets."""
    paths = where(tmp_path, 3)
    more = [word for path in paths[1:] for word in ("model:edu", "--socket-path=" + path)]
    return serve("model:edu", *how, "--socket-path=" + paths[0], *more, pass_fds=[]), paths


def test_each_is_a_device_of_its_own(three):
    _, paths = three
    for n, path in enumerate(paths):
        vfiokit("write", "vfio-user:" + path, "bar0", "4", "4", str(n)).done()
    for n, path in enumerate(paths):
        shown = vfiokit("read", "vfio-user:" + path, "bar0", "4", "4").done()
        assert int(shown, 16) == ~n & 0xffffffff


def test_all_are_told_and_all_are_removed(three):
    server, paths = three
    told = [server.ready] + [server.process.stdout.readline() for _ in paths[1:]]
    assert told == ["serving model:edu on %s\n" % path for path in paths]
    assert server.stop().done() == ""
    assert not any(os.path.exists(path) for path in paths)


def test_clients_come_and_go_independently(three):
    server, paths = three
    with connect(paths[0]) as first, connect(paths[1]) as second:
        assert negotiate(first) == (1, 0)
        assert negotiate(second) == (1, 0)
        assert read_ident(paths[2]) == IDENT
        first.close()
        until(lambda: vfiokit("info", "vfio-user:" + paths[0]).status == 0)
        with connect(paths[1]) as third:
            assert negotiate(third) == (0x21, 16)
        second.sendall(b"rubbish, and enough of it for a header")
        until(lambda: vfiokit("info", "vfio-user:" + paths[1]).status == 0)
    assert server.process.poll() is None


def test_order_decides_which_socket(serve, tmp_path, how):
    paths = where(tmp_path, 2)
    serve("model:null", "model:edu", *how, *("--socket-path=" + path for path in paths), pass_fds=[])
    assert read_ident(paths[1]) == IDENT
    assert "1234" in vfiokit("lspci", "vfio-user:" + paths[0]).done()


def test_one_that_is_lost_ends_itself_only(serve, tmp_path, how):
    inner = serve("model:edu")
    lost, kept = where(tmp_path, 2)
    outer = serve(inner.uri, "model:edu", *how, "--socket-path=" + lost, "--socket-path=" + kept,
                  pass_fds=[])
    assert read_ident(lost) == IDENT
    with connect(kept) as client:
        assert negotiate(client) == (1, 0)
        inner.stop()
        until(lambda: not os.path.exists(lost))
        client.close()
    until(lambda: vfiokit("info", "vfio-user:" + kept).status == 0)
    result = outer.stop()
    assert result.status == 1 and inner.uri in result.err and result.err.count("\n") == 1, repr(result)
    assert not os.path.exists(kept)


def test_the_last_that_is_lost_ends_all(serve, tmp_path, how):
    inner = [serve("model:edu") for _ in range(2)]
    paths = where(tmp_path, 2)
    outer = serve(*(server.uri for server in inner), *how, *("--socket-path=" + path for path in paths),
                  pass_fds=[])
    for server in inner:
        server.stop()
    result = outer.wait()
    assert result.status == 1 and all(server.uri in result.err for server in inner), repr(result)
    assert not any(os.path.exists(path) for path in paths)


def test_connected_ones_end_with_their_clients(serve, how):
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2)]
    theirs = [pair[1].fileno() for pair in pairs]
    server = serve("model:edu", "model:edu", *how, *("--fd=%d" % fd for fd in theirs), pass_fds=theirs)
    for ours, given in pairs:
        given.close()
        ours.settimeout(20)
        assert negotiate(ours) == (1, 0)
    pairs[0][0].close()
    assert server.process.poll() is None
    pairs[1][0].close()
    server.wait().done()


def test_one_that_cannot_be_had_is_the_end_of_all(tmp_path, how):
    paths = where(tmp_path, 2)
    vfiokit("serve", "model:edu", "model:nothing", *how,
            *("--socket-path=" + path for path in paths)).failed("model:nothing")
    vfiokit("serve", "model:edu", "model:edu", *how,
            *("--socket-path=" + paths[0],) * 2).failed("model:edu", paths[0])
    assert not any(os.path.exists(path) for path in paths)


def test_command_gets_all_uris(how):
    result = vfiokit("serve", "model:edu", "model:edu", *how, "--run",
                     '"$T" write $VFIOKIT_URI bar0 4 4 1; "$T" read $VFIOKIT_URI bar0 4 4; '
                     '"$T" read $VFIOKIT_URI2 bar0 4 4', env=dict(os.environ, T=TOOL))
    assert result.done() == "0xfffffffe\n0x00000000\n"


def test_slow_device_holds_up_no_other_thread(serve, tmp_path):
    """While one device still is at its reset, another has been read a hundred times."""
    slow, quick = where(tmp_path, 2)
    serve("model:edu", "model:edu", "--threads", "--filter", "delay,us=%d,op=reset" % SLOW_US,
          "--socket-path=" + slow, "--socket-path=" + quick, pass_fds=[])
    with connect(slow) as client:
        assert negotiate(client) == (1, 0)
        client.sendall(HEADER.pack(8, RESET, 16, 0, 0))
        assert vfiokit("read", "vfio-user:" + quick, "bar0", "0", "4", "--repeat", "100").done() == IDENT * 100
        assert not select.select([client], [], [], 0)[0]
        assert HEADER.unpack(client.recv(16))[1] == RESET


def test_a_place_for_each(tmp_path):
    path = "--socket-path=%s" % (tmp_path / "s")
    vfiokit("serve", "model:edu", "model:edu", path).misused("each device")
    vfiokit("serve", "model:edu", path, path).misused("each device")


def test_spinning_in_threads(serve, tmp_path):
    """One thread waits in its busy client's receive, and the other device is served, and both end."""
    paths = where(tmp_path, 2)
    server = serve("model:edu", "model:edu", "--threads", "--spin=1000", *("--socket-path=" + path for path in paths),
                   pass_fds=[])
    with connect(paths[0]) as client:
        assert negotiate(client) == (1, 0)
        assert [read_ident(path) for path in paths[1:] * 2] == [IDENT] * 2
        server.stop().done()


def test_spinning_is_for_one_device_or_threads(tmp_path):
    places = ["--socket-path=" + path for path in where(tmp_path, 2)]
    vfiokit("serve", "model:edu", "model:edu", *places, "--spin=1").misused("--spin")
    vfiokit("serve", "model:edu", "--socket-path=x", "--spin=1", "--sandbox").misused("--spin")
    vfiokit("serve", "model:edu", "--socket-path=x", "--spin=1000001").misused("--spin")

# SPDX-License-Identifier: BSD-3-Clause
"""The life of a server process."""

import contextlib
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest
from conftest import TOOL, vfiokit

HEADER = struct.Struct("<HHIII")  # message id, command, size, flags, error
VERSION = 1
BODY = struct.pack("<HH", 0, 1) + b'{"capabilities":{}}\0'


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen within %d s" % seconds
        time.sleep(0.01)


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect(path)
    return client


def negotiate(client):
    """Asks for a version; the reply's flags and error."""
    client.sendall(HEADER.pack(7, VERSION, 16 + len(BODY), 0, 0) + BODY)
    reply = b""
    while len(reply) < 16:
        more = client.recv(16 - len(reply))
        assert more, "closed in place of a reply"
        reply += more
    ident, command, size, flags, error = HEADER.unpack(reply)
    assert (ident, command) == (7, VERSION)
    while size > 16:
        size -= len(client.recv(size - 16))
    return flags, error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_it_and_removes_its_socket(serve, number):
    server = serve("model:edu")
    assert server.ready == "serving model:edu on %s\n" % server.socket
    assert stat.S_ISSOCK(os.stat(server.socket).st_mode)
    assert server.stop(number).done() == ""
    assert not os.path.exists(server.socket)


def test_signal_ends_it_with_a_client(serve):
    server = serve("model:edu")
    with connect(server.socket) as client:
        assert negotiate(client)[0] == 1
        assert server.stop().done() == ""
        assert client.recv(1) == b""


def test_only_its_user_may_connect(serve):
    assert stat.S_IMODE(os.stat(serve("model:edu").socket).st_mode) == 0o600


@pytest.mark.parametrize("mode", ["0660", "666"])
def test_who_may_connect_when_told(serve, mode):
    server = serve("model:edu", "--socket-mode=" + mode)
    assert stat.S_IMODE(os.stat(server.socket).st_mode) == int(mode, 8)


def test_options_for_hardware_change_no_model(serve):
    server = serve("model:edu", "--share-bars", "--without-reset", "--without-iommu")
    vfiokit("write", server.uri, "bar0", "4", "4", "0xffffffff").done()
    assert vfiokit("read", server.uri, "bar0", "4", "4").done() == "0x00000000\n"
    assert vfiokit("reset", server.uri).done() == ""


def test_second_client_is_told_busy(serve):
    server = serve("model:edu")
    with connect(server.socket) as first, connect(server.socket) as second:
        assert negotiate(first) == (1, 0)
        assert negotiate(second) == (0x21, 16)
        assert second.recv(1) == b""
        vfiokit("info", server.uri).failed(server.uri, "(?i)busy|has a client")
        first.close()
        until(lambda: vfiokit("info", server.uri).status == 0)


def test_state_outlives_its_client(serve):
    uri = serve("model:edu").uri
    vfiokit("write", uri, "bar0", "4", "4", "0xffffffff").done()
    for _ in range(3):
        assert vfiokit("read", uri, "bar0", "4", "4").done() == "0x00000000\n"


def test_rubbish_ends_a_client_not_the_server(serve):
    server = serve("model:edu")
    for rubbish in (b"GET / HTTP/1.0\r\n\r\n", bytes(64), b"\xff" * 64):
        with connect(server.socket) as client:
            client.sendall(rubbish)
            with contextlib.suppress(ConnectionError):
                while client.recv(4096):
                    pass
        until(lambda: vfiokit("info", server.uri).status == 0)


def test_nobody_reads_its_first_line(tmp_path):
    path = tmp_path / "s"
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen([TOOL, "serve", "model:edu", "--socket-path=%s" % path],
                               stdout=write_end)
    os.close(write_end)
    until(path.exists)
    assert vfiokit("read", "vfio-user:%s" % path, "bar0", "0", "4").done() == "0x010000ed\n"
    process.terminate()
    assert process.wait(timeout=30) == 0


def test_verbose_says_who_comes_and_goes(serve):
    server = serve("model:edu", "--verbose")
    vfiokit("info", server.uri).done()
    err = server.stop().err
    assert "client connected" in err and "client gone" in err


def test_path_in_use(serve):
    server = serve("model:edu")
    vfiokit("serve", "model:edu", "--socket-path=" + server.socket).failed("model:edu", server.socket)
    assert vfiokit("read", server.uri, "bar0", "0", "4").done() == "0x010000ed\n"


def test_stale_socket_is_replaced(serve, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(tmp_path / "stale"))
    server = serve("model:edu", socket=str(tmp_path / "stale"))
    assert vfiokit("read", server.uri, "bar0", "0", "4").done() == "0x010000ed\n"


def test_another_file_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("kept")
    vfiokit("serve", "model:edu", "--socket-path=%s" % path).failed("model:edu", str(path))
    assert path.read_text() == "kept"


def test_path_that_is_too_long(tmp_path):
    vfiokit("serve", "model:edu", "--socket-path=%s/%s" % (tmp_path, "x" * 200)).failed("model:edu")


def test_proxy_ends_with_its_device(serve):
    inner = serve("model:edu")
    outer = serve(inner.uri)
    assert vfiokit("read", outer.uri, "bar0", "0", "4").done() == "0x010000ed\n"
    inner.stop()
    outer.wait().failed(inner.uri)
    assert not os.path.exists(outer.socket)


# ---- inherited sockets ----

def test_fd_connected_ends_with_its_client(serve):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        server = serve("model:edu", "--fd=%d" % theirs.fileno(), pass_fds=[theirs.fileno()])
        theirs.close()
        assert server.ready.startswith("serving model:edu on fd ")
        ours.settimeout(20)
        assert negotiate(ours) == (1, 0)
        ours.close()
        server.wait().done()


def test_fd_connected_to_the_tool(serve):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        server = serve("model:edu", "--fd=%d" % theirs.fileno(), pass_fds=[theirs.fileno()])
        theirs.close()
        shown = vfiokit("info", "vfio-user:fd=%d" % ours.fileno(), "--json", pass_fds=[ours.fileno()])
        assert json.loads(shown.done())["pci"]["device"] == "0x11e8"
        ours.close()
        server.wait().done()


def test_fd_listening(serve, tmp_path):
    path = str(tmp_path / "l")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)
        server = serve("model:edu", "--fd=%d" % listener.fileno(), pass_fds=[listener.fileno()])
    for _ in range(2):
        assert vfiokit("read", "vfio-user:" + path, "bar0", "0", "4").done() == "0x010000ed\n"
    assert server.stop().done() == ""


def test_fd_that_is_no_socket():
    with open("/dev/null", "rb") as null:
        vfiokit("serve", "model:edu", "--fd=%d" % null.fileno(), pass_fds=[null.fileno()]).failed(
            "model:edu", "(?i)socket")
    vfiokit("serve", "model:edu", "--fd=999").failed("model:edu")


# ---- captive ----

def run_captive(command, *more, env=None, timeout=60):
    return vfiokit("serve", "model:edu", "--run", command, *more, timeout=timeout,
                   env=dict(os.environ, TOOL=TOOL, **(env or {})))


def test_run_gives_the_uri(tmp_path):
    result = run_captive('"$TOOL" read "$VFIOKIT_URI" bar0 0 4; echo "$VFIOKIT_URI" >&2',
                         env={"XDG_RUNTIME_DIR": str(tmp_path)})
    assert result.status == 0 and result.out == "0x010000ed\n"
    assert result.err.startswith("vfio-user:%s/" % tmp_path)
    assert not list(tmp_path.iterdir())


def test_run_in_a_folder_of_its_own():
    result = run_captive('stat -c %a "$(dirname "${VFIOKIT_URI#*:}")"')
    assert result.done() == "700\n"


@pytest.mark.parametrize("command, status", [("true", 0), ("exit 7", 7), ("kill -9 $$", 137),
                                             ("no-such-command-at-all 2>/dev/null", 127)])
def test_run_ends_with_its_status(command, status):
    assert run_captive(command).status == status


def test_run_on_a_path(tmp_path):
    path = str(tmp_path / "with,comma.sock")
    result = run_captive('test -S "%s" && "$TOOL" read "$VFIOKIT_URI" bar0 0 4' % path,
                         "--socket-path=" + path)
    assert result.done() == "0x010000ed\n"
    assert not os.path.exists(path)


def test_run_on_a_bare_name(tmp_path):
    result = vfiokit("serve", "model:edu", "--socket-path=a=b", "--run",
                     '"%s" read "$VFIOKIT_URI" bar0 0 4' % TOOL, cwd=tmp_path)
    assert result.done() == "0x010000ed\n"


def test_run_leaves_signals_as_they_are():
    """A pipe's reader that goes ends the writer, as everywhere."""
    assert run_captive("sh -c 'kill -PIPE $$; echo alive'").out == ""


def test_run_is_ended_with_the_server(tmp_path):
    mark = tmp_path / "pid"
    env = dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path))
    process = subprocess.Popen([TOOL, "serve", "model:edu", "--run",
                                "echo $$ > %s.new; mv %s.new %s; exec sleep 1000" % ((mark,) * 3)],
                               env=env)
    until(mark.exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]


# ---- exit with parent ----

def start_by_a_parent_that_dies(tmp_path, *args):
    """Starts a server by a process that then is killed; (socket, pid of the server)."""
    path, mark = str(tmp_path / "s"), str(tmp_path / "pid")
    parent = subprocess.Popen(
        ["/bin/sh", "-c", '"$@" >"$0.out" & echo $! >"$0"; wait', mark,
         TOOL, "serve", "model:edu", "--socket-path=" + path, *args])
    until(lambda: os.path.exists(path))
    until(lambda: os.path.exists(mark) and os.path.getsize(mark))
    assert vfiokit("read", "vfio-user:" + path, "bar0", "0", "4").done() == "0x010000ed\n"
    parent.kill()
    parent.wait()
    with open(mark, encoding="ascii") as text:
        return path, int(text.read())


def test_exit_with_parent(tmp_path):
    path, _ = start_by_a_parent_that_dies(tmp_path, "--exit-with-parent")
    until(lambda: not os.path.exists(path))


def test_outlives_its_parent_otherwise(tmp_path):
    path, pid = start_by_a_parent_that_dies(tmp_path)
    assert vfiokit("read", "vfio-user:" + path, "bar0", "0", "4").done() == "0x010000ed\n"
    os.kill(pid, signal.SIGTERM)
    until(lambda: not os.path.exists(path))

# SPDX-License-Identifier: BSD-3-Clause
"""Who may be a client, and what the server's process has and gives away."""

import os
import pwd
import re
import subprocess
import time

import pytest
from conftest import TOOL, vfiokit
from test_serve import connect, negotiate

NOBODY_HERE = "4000000001"


@pytest.mark.parametrize("option, mine", [("--allow-uid=", os.getuid()), ("--allow-gid=", os.getgid())])
def test_allowed(serve, option, mine):
    server = serve("model:edu", option + NOBODY_HERE, option + str(mine))
    assert vfiokit("read", server.uri, "bar0", "0", "4").done() == "0x010000ed\n"


@pytest.mark.parametrize("option", ["--allow-uid=", "--allow-gid="])
def test_not_allowed(serve, option):
    server = serve("model:edu", option + NOBODY_HERE, "--verbose")
    with connect(server.socket) as client:
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass
    vfiokit("info", server.uri).failed(server.uri)
    err = server.stop().err
    told = "client refused: user %d, group %d, process %d: not allowed" % (
        os.getuid(), os.getgid(), os.getpid())
    assert told in err and "client connected" not in err


def test_who_is_not_allowed_makes_nobody_wait(serve, tmp_path):
    """A proxy waits for its own server on behalf of clients that it would serve."""
    origin = serve("model:edu")
    proxy = serve(origin.uri + ",reconnect=1", "--allow-uid=" + NOBODY_HERE, socket=str(tmp_path / "proxy"))
    origin.process.kill()
    origin.wait()
    for _ in range(3):
        with connect(proxy.socket) as client:
            try:
                assert client.recv(1) == b""
            except ConnectionResetError:
                pass
    time.sleep(1.5)
    assert proxy.process.poll() is None


def test_another_user_is_not_allowed(serve, tmp_path):
    """The mode lets everybody connect, and the list one user only."""
    if os.getuid():
        pytest.skip("only root can become another user")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o755)
    server = serve("model:edu", "--socket-mode=666", "--allow-uid=0")
    attempt = ("import socket; s = socket.socket(socket.AF_UNIX); s.connect('%s'); "
               "print(len(s.recv(1)))" % server.socket)
    for uid, told in ((12345, "0\n"), (0, None)):
        if told is None:
            with connect(server.socket) as client:
                assert negotiate(client) == (1, 0)
            continue
        run = subprocess.run(["/usr/bin/python3", "-c", attempt], user=uid, group=uid, extra_groups=[],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
                             check=False)
        assert run.stdout == told, run.stderr


@pytest.mark.parametrize("umask", [0, 0o777])
def test_mode_whatever_the_umask(tmp_path, umask):
    path = tmp_path / "s"
    run = subprocess.run([TOOL, "serve", "model:edu", "--socket-path=%s" % path, "--socket-mode=640",
                          "--run", "stat -c %%a %s" % path], umask=umask, stdout=subprocess.PIPE,
                         text=True, timeout=60, check=True)
    assert run.stdout == "640\n"


@pytest.mark.once
def test_mode_from_the_first_moment(tmp_path):
    """Nobody can connect between bind() and chmod(): what is wider than asked for is never there."""
    log = tmp_path / "log"
    subprocess.run(["strace", "-f", "-o", str(log), "-e", "trace=bind,listen,chmod,fchmod,fchmodat",
                    TOOL, "serve", "model:edu", "--socket-path=%s" % (tmp_path / "s"), "--run", "true"],
                   umask=0, timeout=60, check=True)
    calls = re.findall(r"\b(bind|listen|f?chmod\w*)\(", log.read_text())
    assert calls == ["fchmod", "bind", "listen"], log.read_text()


def test_every_descriptor_is_closed_on_exec(serve):
    """Those of the library and the tool, an inherited one, and those that a client brought."""
    inherited = os.open("/dev/null", os.O_RDONLY)
    path = serve("model:edu").socket  # one that nobody inherits, to have a name for the next
    server = serve("model:edu", "model:edu", "--socket-path=" + path + "a", "--socket-path=" + path + "b",
                   "--threads", pass_fds=[inherited])
    os.close(inherited)
    with connect(path + "a") as client:
        assert negotiate(client) == (1, 0)
        folder = "/proc/%d/fdinfo" % server.process.pid
        seen = 0
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="ascii") as info:
                flags = int(re.search(r"flags:\s*(\d+)", info.read()).group(1), 8)
            if int(name) > 2:
                seen += 1
                assert flags & os.O_CLOEXEC, (name, os.readlink("/proc/%d/fd/%s" % (server.process.pid, name)))
        assert seen > 5


def test_command_has_three_descriptors(tmp_path):
    inherited = os.open("/dev/null", os.O_RDONLY)
    result = vfiokit("serve", "model:edu", "model:testdev", "--threads", "--run", "ls /proc/self/fd",
                     pass_fds=[inherited])
    os.close(inherited)
    # The fourth is the folder that ls itself reads.
    assert result.done() == "0\n1\n2\n3\n"


def test_user_that_does_not_exist(tmp_path):
    vfiokit("serve", "model:edu", "--socket-path=%s" % (tmp_path / "s"), "--user=no-such-user").failed(
        "model:edu", "no-such-user")
    assert not os.path.exists(tmp_path / "s")


def test_user_is_become_for_good():
    if os.getuid():
        pytest.skip("only root can become another user")
    shown = vfiokit("serve", "model:edu", "--user=nobody", "--run",
                    "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff)' /proc/$PPID/status; id -u; "
                    "test $(ulimit -Sl) = $(ulimit -Hl) && test -w ${VFIOKIT_URI#*:} && "
                    "dirname ${VFIOKIT_URI#*:}")
    lines = [line.split() for line in shown.out.splitlines()]
    nobody = str(pwd.getpwnam("nobody").pw_uid)
    assert lines[0] == ["Uid:"] + [nobody] * 4, repr(shown)
    assert set(lines[2][1:]) <= {lines[1][1]}
    assert int(lines[3][1], 16) == 0 and int(lines[4][1], 16) == 0
    assert lines[5] == [nobody] and shown.status == 0, repr(shown)
    assert not os.path.exists(lines[6][0])


@pytest.mark.parametrize("option", ["--allow-uid=root", "--allow-uid=-1", "--allow-gid=4294967295", "--allow-gid="])
def test_wrong_ids(option):
    vfiokit("serve", "model:edu", "--socket-path=x", option).misused(option.split("=")[0])

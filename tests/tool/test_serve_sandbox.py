# SPDX-License-Identifier: BSD-3-Clause
"""
"vfiokit serve --sandbox": what somebody can do who has taken the server over.

A library that is loaded before all others tries it, in the server's process, when the first client comes (intruder.c). Each
attempt is first made without a sandbox, to see that it is one. Natively only: the sanitizers' own calls are not in the list.
"""

import os
import signal
import subprocess

import pytest
from conftest import TOOL, vfiokit
from test_serve import connect

pytestmark = pytest.mark.once
INTRUDER = os.environ["VFIOKIT_INTRUDER"]
# The attempt, and what comes of it without a sandbox.
ENDS = [("execve", None), ("fork", "done"), ("connect", "ENOTSOCK"), ("openat2", "done"),
        ("ptrace", None), ("kill", "done"), ("tgkill", "done"), ("setuid", None), ("mmap", "done"),
        ("mprotect", "done"), ("ioctl", "ENOTTY"), ("kvm", "ENOTTY"), ("prlimit", "done"),
        ("datagrams", "done"), ("raw", "done"), ("setown", "done"), ("setsig", "done"),
        ("setlease", "EINVAL"), ("async", "done")]
FAILS = [("openat", "done"), ("creat", "done"), ("socket", "done"),
         ("faccessat2", "done")]
WORKS = [("nothing", "done"), ("vfio", "ENOTTY"), ("winsize", "ENOTTY"), ("pair", "done"), ("setfl", "done"),
         ("readlinkat", "done")]
HOW = pytest.mark.parametrize("how", [(), ("--threads",)], ids=["loop", "threads"])


@pytest.fixture
def intrude(serve):
    """What an attempt comes to: (what the intruder says, the server's exit status; None: it lives)."""
    def start(attempt, *options):
        server = serve("model:edu", *options, env=dict(os.environ, LD_PRELOAD=INTRUDER, INTRUSION=attempt))
        with connect(server.socket):
            said = server.process.stderr.readline()
            ended = None
            if not said:
                ended = server.process.wait(timeout=30)
        if said:
            assert vfiokit("read", server.uri, "bar0", "0", "4").done() == "0x010000ed\n"
            said = said.removeprefix("intruder: %s: " % attempt).rstrip()
        return said, ended
    return start


@pytest.mark.parametrize("attempt, result", [case for case in ENDS + FAILS + WORKS if case[1]])
def test_is_possible_without_a_sandbox(intrude, attempt, result):
    said, ended = intrude(attempt)
    assert ended is None
    assert said == result


@HOW
@pytest.mark.parametrize("attempt", [case[0] for case in ENDS])
def test_ends_the_server(intrude, attempt, how):
    assert intrude(attempt, "--sandbox", *how) == ("", -signal.SIGSYS)


@HOW
@pytest.mark.parametrize("attempt", [case[0] for case in FAILS])
def test_fails(intrude, attempt, how):
    assert intrude(attempt, "--sandbox", *how) == ("EPERM", None)


@HOW
@pytest.mark.parametrize("attempt, result", WORKS)
def test_goes_on_working(intrude, attempt, result, how):
    assert intrude(attempt, "--sandbox", *how) == (result, None)


@HOW
def test_no_right_is_left(serve, how):
    """Of no thread."""
    server = serve("model:edu", "--sandbox", *how)
    folder = "/proc/%d/task" % server.process.pid
    threads = os.listdir(folder)
    assert len(threads) == (2 if how else 1)
    for thread in threads:
        with open(os.path.join(folder, thread, "status"), encoding="ascii") as text:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", thread
        for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[which], 16) == 0, (thread, which)


def test_threads_of_a_device(serve, tmp_path):
    """They are older than the sandbox: no right may be left to them either."""
    if os.getuid():
        pytest.skip("only root has rights that a thread could keep")
    inner = serve("model:edu")
    device = inner.uri + ",batch=1000"
    vfiokit("serve", device, "--sandbox", "--socket-path=%s" % (tmp_path / "s")).failed(device, "--user")
    shown = vfiokit("serve", device, "--sandbox", "--user=nobody", "--run",
                    "until grep -q Seccomp:.2 /proc/$PPID/status; do sleep 0.1; done; "
                    "cat /proc/$PPID/task/*/status", env=dict(os.environ, LC_ALL="C"))
    lines = shown.out.splitlines()
    assert lines.count("NoNewPrivs:\t1") == 2 and lines.count("Seccomp:\t2") == 2, repr(shown)
    assert lines.count("CapPrm:\t" + "0" * 16) == 2, repr(shown)


def test_socket_is_removed(serve):
    server = serve("model:edu", "--sandbox")
    vfiokit("info", server.uri).done()
    assert server.stop().done() == ""
    assert not os.path.exists(server.socket)


def test_command_is_outside_of_it(tmp_path):
    """It opens, executes, connects; and has an end, of its own or by us."""
    env = dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path), TOOL=TOOL)
    run = vfiokit("serve", "model:edu", "--sandbox", "--run",
                  'grep NoNewPrivs /proc/self/status; "$TOOL" read "$VFIOKIT_URI" bar0 0 4; exit 5', env=env)
    assert (run.status, run.out) == (5, "NoNewPrivs:\t0\n0x010000ed\n"), repr(run)
    assert not list(tmp_path.iterdir())


def test_command_is_stopped(serve):
    server = serve("model:edu", "--sandbox", "--run", "echo $$; exec sleep 1000", pass_fds=[])
    pid = int(server.ready)
    result = server.stop()
    assert result.status == 128 + signal.SIGTERM, repr(result)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@HOW
@pytest.mark.parametrize("name", ["trace", "readonly", "fault,op=region_write,errno=EXDEV"],
                         ids=lambda name: name.split(",")[0])
def test_filter(serve, name, how):
    """A call of the device passes through it, also one that it refuses."""
    server = serve("model:edu", "--filter", name, "--sandbox", *how)
    assert vfiokit("read", server.uri, "bar0", "0", "4").done() == "0x010000ed\n"
    vfiokit("write", server.uri, "bar0", "4", "4", "1")
    vfiokit("irq", server.uri, "msi", "--trigger")
    assert vfiokit("read", server.uri, "bar0", "0", "4").done() == "0x010000ed\n"
    assert server.stop().status == 0


def test_trace_that_nobody_reads(tmp_path):
    """Its text is lost, and no more than that."""
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen([TOOL, "serve", "model:edu", "--filter", "trace", "--sandbox",
                           "--socket-path=%s" % (tmp_path / "s")], stdout=subprocess.PIPE, stderr=writer) as server:
        os.close(writer)
        server.stdout.readline()
        uri = "vfio-user:%s" % (tmp_path / "s")
        assert vfiokit("read", uri, "bar0", "0", "4").done() == "0x010000ed\n"
        server.terminate()
        assert server.wait(timeout=30) == 0


def test_failure_is_told(serve):
    inner = serve("model:edu")
    outer = serve(inner.uri, "--sandbox")
    vfiokit("info", outer.uri).done()
    inner.stop()
    outer.wait().failed(inner.uri)
    assert not os.path.exists(outer.socket)


def test_as_another_user(serve):
    if os.getuid():
        pytest.skip("only root can become another user")
    run = vfiokit("serve", "model:edu", "--sandbox", "--user=nobody", "--threads", "--run", "id -un; ls -A /root",
                  env=dict(os.environ, LC_ALL="C"))
    assert run.out == "nobody\n" and "Permission denied" in run.err, repr(run)


def test_none_for_a_device_without_an_iommu():
    vfiokit("serve", "model:edu", "--socket-path=x", "--sandbox", "--without-iommu").misused("without-iommu")

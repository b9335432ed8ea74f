# SPDX-License-Identifier: BSD-3-Clause
"""What runs natively only: system calls counted, and the examples built as a user builds them."""

import math
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from conftest import TOOL, vfiokit

pytestmark = pytest.mark.once
SENDS = {"send", "sendto", "sendmsg", "sendmmsg", "write", "writev"}
RECEIVES = {"recv", "recvfrom", "recvmsg", "recvmmsg", "read", "readv"}


def system_calls(path, *args):
    """How often each system call was made by a run of the tool, by strace -c."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    run = subprocess.run(["strace", "-f", "-c", "-o", str(path), TOOL, *args], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert run.returncode == 0 and run.stdout.count("0x010000ed\n") == int(args[-1]), run.stderr
    calls = {}
    for line in path.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and re.fullmatch(r"[\d.]+", fields[0]) and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    assert calls, path.read_text()
    return calls


def test_one_send_and_one_receive_a_read(serve, tmp_path):
    args = ("read", serve("model:edu").uri, "bar0", "0", "4", "--repeat")
    few, many = (system_calls(tmp_path / n, *args, n) for n in ("1", "1001"))
    more = {name: many[name] - few.get(name, 0) for name in many}
    sends = sum(more.get(name, 0) for name in SENDS)
    receives = sum(more.get(name, 0) for name in RECEIVES)
    others = sum(more.values()) - sends - receives
    assert sends == 1000, more
    assert receives == 1000, more
    # Nothing else grows with the reads.
    assert others < 20, more


def calls_of_server(tmp_path, devices):
    """How much more often each system call of a server succeeds when its client reads 2000 times more."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    counts = []
    for reads in (1, 2001):
        trace, command = tmp_path / ("served-%d" % reads), "%s read $VFIOKIT_URI bar0 0 4 --repeat %d" % (TOOL, reads)
        places = [word for n in range(devices) for word in ("model:edu", "--socket-path=%s" % (tmp_path / str(n)))]
        run = subprocess.run(["strace", "-c", "-o", str(trace), TOOL, "serve", *places, "--run", command],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
        assert run.returncode == 0, run.stderr
        # Without those in vain, of which there is one wherever a receive begins before its message: calls, less errors.
        counts.append({fields[-1]: int(fields[3]) - int(fields[4] if len(fields) == 6 else 0)
                       for fields in map(str.split, trace.read_text().splitlines())
                       if len(fields) >= 5 and re.fullmatch(r"[\d.]+", fields[0]) and fields[-1] != "total"})
    return {name: counts[1][name] - counts[0].get(name, 0) for name in counts[1]}


def test_one_receive_and_one_send_a_read_served(tmp_path):
    """With one client the server waits in its receive: no poll for each request."""
    more = calls_of_server(tmp_path, 1)
    assert 2000 <= more["sendto"] <= 2010 and 2000 <= more["recvmsg"] <= 2010, more
    # Every 100 ms a look at everything else, and nothing with each read.
    assert sum(n for name, n in more.items() if name not in ("sendto", "recvmsg")) < 400, more


def test_one_poll_more_a_read_where_two_devices_are_served(tmp_path):
    more = calls_of_server(tmp_path, 2)
    # How a client's end is seen, by one more receive and poll or by the next poll alone, may differ between the two runs.
    assert 2000 <= more["sendto"] <= 2010 and all(1998 <= more[name] <= 2010 for name in ("recvmsg", "poll")), more
    # Who is ready is asked with every sixteenth only.
    assert sum(n for name, n in more.items() if name not in ("sendto", "recvmsg", "poll")) < 400, more


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The library as "make install" leaves it: the environment in which pkg-config and the loader find it."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "-C", os.environ["VFIOKIT_BUILD"], "--no-rebuild", "--quiet",
                    "--destdir", str(root)], stdout=subprocess.DEVNULL, check=True)
    (pc,) = root.rglob("vfiokit.pc")
    return dict(os.environ, PKG_CONFIG_LIBDIR=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(root),
                LD_LIBRARY_PATH=str(pc.parent.parent))


def compile_example(name, folder, env):
    """cc NAME.c -o NAME $(pkg-config --cflags --libs vfiokit)"""
    source = pathlib.Path(os.environ["VFIOKIT_SOURCE"]) / "examples" / (name + ".c")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "vfiokit"], env=env, text=True,
                           stdout=subprocess.PIPE, check=True).stdout.split()
    assert not any(os.environ["VFIOKIT_SOURCE"] in flag for flag in flags), flags
    subprocess.run(["cc", "-Wall", "-Werror", str(source), "-o", str(folder / name), *flags], check=True)
    return [str(folder / name)]


def test_example_driver(edu, tmp_path, installed):
    command, env = compile_example("driver", tmp_path, installed), installed
    run = subprocess.run(command + [edu], env=env, text=True, stdout=subprocess.PIPE, check=False)
    assert run.returncode == 0 and run.stdout == "id 0x010000ed, 10! = 3628800, by interrupt\n"
    assert subprocess.run(command + ["model:none"], env=env, stderr=subprocess.DEVNULL,
                          check=False).returncode == 1


def test_example_pci(serve, tmp_path, installed):
    command, env = compile_example("pci", tmp_path, installed), installed
    for uri in ("model:testdev", serve("model:testdev", socket=tmp_path / "s").uri):
        run = subprocess.run(command + [uri], env=env, text=True, stdout=subprocess.PIPE, check=False)
        assert run.returncode == 0
        assert run.stdout == "1234:11e9, an Express capability, scratch 42, 4 interrupts\n"
    assert subprocess.run(command + ["model:none"], env=env, stderr=subprocess.DEVNULL,
                          check=False).returncode == 1


def test_example_model(tmp_path, installed):
    command, env = compile_example("model", tmp_path, installed), installed
    run = subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE, check=False)
    assert run.returncode == 0 and run.stdout == "counted to 1000, 1 interrupt\n"


def test_example_model_served(tmp_path, installed):
    command, env = compile_example("model", tmp_path, installed), installed
    path = tmp_path / "s"
    process = subprocess.Popen(command + ["served", str(path)], env=env)
    try:
        while not path.exists():
            assert process.poll() is None
        uri = "vfio-user:%s" % path
        assert "1234:c0de" in vfiokit("info", uri).done()
        vfiokit("write", uri, "bar0", "0", "4", "41").done()
        vfiokit("write", uri, "bar0", "0", "4", "1").done()
        assert vfiokit("read", uri, "bar0", "0", "4").done() == "0x0000002a\n"
        assert vfiokit("irq", uri, "msi", "--write", "bar0:0:4=958").done() == "msi 0: 1\n"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert not path.exists()


def test_example_reconnect(serve, tmp_path, installed):
    """Its server is killed between two numbers, as often as there are numbers."""
    command, path = compile_example("reconnect", tmp_path, installed), tmp_path / "s"
    server = serve("model:edu", socket=path)
    process = subprocess.Popen(command + [server.uri + ",reconnect=30"], env=installed, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for n in range(1, 5):
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "%d! = %d\n" % (n, math.factorial(n))
        server.process.kill()
        server.process.wait()
        path.unlink()
        server = serve("model:edu", socket=path)
    process.stdin.close()
    assert process.wait(timeout=30) == 0


def test_each_try_to_reconnect_is_told(serve, tmp_path, installed):
    command, path = compile_example("reconnect", tmp_path, installed), tmp_path / "s"
    server = serve("model:edu", socket=path)
    process = subprocess.Popen(command + [server.uri + ",reconnect=30"], env=dict(installed, VFK_DEBUG="1"), text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "1! = 1\n"
    server.process.kill()
    server.process.wait()
    path.unlink()
    process.stdin.write("\n")
    process.stdin.flush()
    said = []
    while not re.search("the next try is in 40 ms", said[-1] if said else ""):
        said.append(process.stderr.readline())
        assert said[-1], said
    serve("model:edu", socket=path)
    assert process.stdout.readline() == "2! = 2\n"
    process.stdin.close()
    said += process.stderr.readlines()
    assert process.wait(timeout=30) == 0
    start = "vfiokit: %s,reconnect=30: reconnect: " % server.uri
    tries = [line for line in said if line.startswith(start)]
    for n, line in enumerate(tries[:-1]):
        again = r"%sconnect: .*; the next try is in %d ms\n" % (re.escape(start), min(10 << n, 500))
        assert re.fullmatch(again, line), (n, tries)
    assert len(tries) >= 4 and tries[-1] == start + "the server is back\n", tries


def test_examples_are_short():
    folder = pathlib.Path(os.environ["VFIOKIT_SOURCE"]) / "examples"
    assert len((folder / "driver.c").read_text().splitlines()) <= 30
    assert len((folder / "model.c").read_text().splitlines()) < 100

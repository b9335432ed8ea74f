# SPDX-License-Identifier: BSD-3-Clause
"""Dumps into files, which are whole or not there."""

import os
import stat
import subprocess

from conftest import TOOL, vfiokit


def test_dump_takes_the_file_alone(edu, tmp_path):
    path = tmp_path / "raw"
    assert vfiokit("dump", edu, "config", str(path)).done() == ""
    assert path.read_bytes()[:4] == b"\x34\x12\xe8\x11"
    vfiokit("dump", edu, "config", str(path), "--output", str(path)).misused("too many")


def test_dump_keeps_what_it_replaces_until_the_end(tmp_path):
    path, link = tmp_path / "raw", tmp_path / "link"
    path.write_bytes(b"before")
    path.chmod(0o640)
    link.symlink_to("raw")
    vfiokit("dump", "model:edu", "bar0", str(link), "--width", "1").failed("model:edu")
    assert path.read_bytes() == b"before" and sorted(os.listdir(tmp_path)) == ["link", "raw"]
    vfiokit("dump", "model:edu", "config", str(link)).done()
    assert link.is_symlink() and len(path.read_bytes()) >= 256
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_dump_mode_of_a_new_file(tmp_path):
    path = tmp_path / "raw"
    subprocess.run(["sh", "-c", 'umask 027; exec "$0" dump model:edu config "$1"', TOOL, str(path)], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_dump_into_what_is_no_file(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen([TOOL, "dump", "model:edu", "config", str(fifo)]) as process:
        assert fifo.read_bytes()[:2] == b"\x34\x12"
    assert process.returncode == 0 and os.listdir(tmp_path) == ["fifo"]
    vfiokit("dump", "model:edu", "config", str(tmp_path)).failed("model:edu", "directory")
    vfiokit("dump", "model:edu", "config", "/dev/full").failed("model:edu", "No space left")


def test_no_rom():
    vfiokit("dump", "model:edu", "rom").failed("model:edu", "region rom is not used")

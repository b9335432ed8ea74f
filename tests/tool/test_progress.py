# SPDX-License-Identifier: BSD-3-Clause
"""Progress: on a terminal, or when asked for; and nowhere else."""

import os
import pty
import re
import subprocess

from conftest import TOOL, vfiokit

WAIT = ("irq", "model:edu", "msi", "--timeout", "2.5")


def test_shown_when_asked_for():
    result = vfiokit(*WAIT, "--progress")
    lines = result.err.splitlines()
    assert result.status == 1 and len(lines) == 3, repr(result)
    for second in (1, 2):
        assert re.fullmatch(r"vfiokit: model:edu: waiting: 0 of 1, %d s" % second, lines[second - 1])
    assert "0 of 1 signals within 2.5 s" in lines[2]


def test_silent_elsewhere():
    vfiokit(*WAIT).failed("model:edu", "within 2.5 s")


def test_shown_on_a_terminal():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([TOOL, *WAIT], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while True:
            shown += os.read(ours, 4096)
    except OSError:  # EIO: the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=30) == 1
    assert b"waiting: 0 of 1, 1 s" in shown
    # The line of progress is gone before the failure stands there.
    assert re.search(rb"\r\x1b\[Kvfiokit: model:edu: interrupt msi[^\r\n]*\r\n(\r\x1b\[K)?$", shown)


def test_quick_things_show_none():
    assert vfiokit("info", "model:edu", "--progress").err == ""

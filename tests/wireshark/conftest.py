# SPDX-License-Identifier: BSD-3-Clause
"""The tool, tshark, and a place for captures."""

import json
import os
import shutil
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True

TOOL = os.environ.get("VFIOKIT", "")
DISSECTOR = os.environ.get("DISSECTOR", "")
# What Wireshark adds to a packet on which a dissector in Lua has an error.
FAULT = "_ws.lua.error"


def run(*args, **more):
    """Its standard output; it must succeed."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, check=False, **more)
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


def vfiokit(*args, **more):
    return run(TOOL, *args, **more)


class Shark:
    """tshark with the dissector, on one capture. A fault of the dissector is a failure here."""

    def __init__(self, path):
        self.path = path

    def run(self, *args):
        done = subprocess.run(["tshark", "-X", "lua_script:" + DISSECTOR, "-r", str(self.path), *args],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, (args, done.stderr)
        for word in ("Lua Error", "lua error", "vfio-user.lua:", "traceback"):
            assert word not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout

    def fields(self, *names, where=None, passes=1):
        """A list a packet, of the values of each field; "" where there is none, "a,b" where there are two. What is
        known of a packet only from later ones takes two passes."""
        args = ["-2"] * (passes - 1) + ["-T", "fields"] + [arg for name in names + (FAULT,) for arg in ("-e", name)]
        out = self.run(*args, *(["-Y", where] if where else []))
        rows = [line.split("\t") for line in out.splitlines()]
        assert not any(row[-1] for row in rows), rows
        return [row[:-1] for row in rows]

    def json(self, where):
        return [packet["_source"]["layers"]["vfio-user"]
                for packet in json.loads(self.run("-T", "json", "-Y", where))]


@pytest.fixture
def shark():
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed (scripts/install-deps check)")
    return Shark

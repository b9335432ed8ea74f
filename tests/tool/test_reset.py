# SPDX-License-Identifier: BSD-3-Clause
"""Resets. Hot resets of more than one device that is open need a kernel: tests/vm."""

import json

import pytest
from conftest import vfiokit

COMMAND, MEMORY, MASTER = "4", 0x2, 0x4


@pytest.mark.parametrize("how", [[], ["--method", "auto"], ["--method", "function"]], ids=str)
def test_reset_restores_registers(serve, how):
    uri = serve("model:edu").uri
    before = vfiokit("read", uri, "bar0", "8", "4").done()
    vfiokit("write", uri, "bar0", "8", "4", "10").done()
    assert vfiokit("read", uri, "bar0", "8", "4").done() != before
    assert vfiokit("reset", uri, *how).done() == ""
    assert vfiokit("read", uri, "bar0", "8", "4").done() == before


def test_reset_keeps_config(serve):
    uri = serve("model:edu").uri
    for value in (MEMORY, MEMORY | MASTER):
        vfiokit("write", uri, "config", COMMAND, "2", str(value)).done()
        vfiokit("reset", uri).done()
        assert int(vfiokit("read", uri, "config", COMMAND, "2").done(), 16) == value


@pytest.mark.parametrize("option, reason", [
    (["--method", "pm"], "D3hot"), (["--method", "hot"], "alone"), (["--hot"], "hot reset"),
    (["--list"], "hot reset"), (["--list", "--with", "model:null"], "hot reset"),
], ids=str)
def test_lacking(edu, option, reason):
    vfiokit("reset", edu, *option).failed(edu, reason)


TWO = "model:testdev,functions=2"
FOREIGN = TWO + ",sibling=foreign"


def test_list():
    assert vfiokit("reset", FOREIGN, "--list").done() == (
        "0000:01:00.0  ours, open with id 1\n0000:01:00.1  other\n")
    shown = json.loads(vfiokit("reset", FOREIGN, "--list", "--json").done())
    assert shown == {"uri": FOREIGN, "devices": [
        {"address": "0000:01:00.0", "owner": "ours", "dev_id": 1},
        {"address": "0000:01:00.1", "owner": "other"}]}


def test_hot():
    assert vfiokit("reset", TWO, "--hot").done() == ""
    assert "0000:01:00.0" not in vfiokit("reset", FOREIGN, "--hot").failed(
        FOREIGN, "not ours: 0000:01:00.1")


@pytest.mark.parametrize("uri, method", [
    ("model:testdev", "hot"), ("model:testdev,soft-reset=on", "pm"), ("model:testdev", "function")])
def test_method(uri, method):
    assert vfiokit("reset", uri, "--method", method).done() == ""


def test_further_device_that_is_not_there(edu):
    vfiokit("reset", edu, "--hot", "--with", "model:none").failed("model:none", "none")


@pytest.mark.parametrize("args", [
    ["--hot", "--list"],
    ["--hot", "--method", "auto"],
    ["--method", "best"],
    ["--method"],
    ["--with", "model:edu"],
    ["--json"],
    ["--hot", "--json"],
    ["--list"] + ["--with", "model:edu"] * 65,
], ids=lambda args: " ".join(args)[:30])
def test_wrong_usage(args):
    vfiokit("reset", "model:edu", *args).misused("reset")

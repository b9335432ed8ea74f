# SPDX-License-Identifier: BSD-3-Clause
"""Registers of config space by their names."""

import shutil
import subprocess

import pytest
from conftest import vfiokit


def read(uri, *words):
    return vfiokit("read", uri, "config", *words).done().strip()


def test_names(edu):
    assert read(edu, "vendor") == "0x1234"
    assert read(edu, "device") == "0x11e8"
    assert read(edu, "VENDOR_ID") == "0x1234"
    assert read(edu, "Vendor_Id.L") == "0x11e81234"
    assert read(edu, "vendor", "4") == "0x11e81234"
    assert read(edu, "class") == "0x00ff"
    assert read(edu, "irq_pin") == "0x01"
    assert read(edu, "vendor+2.w") == "0x11e8"
    assert read(edu, "vendor+0x2") == "0x11e8"


def test_every_name_is_where_setpci_says():
    """The table of setpci itself, for the header of a device that is no bridge."""
    if not shutil.which("setpci"):
        pytest.skip("setpci is not installed")
    dump = subprocess.run(["setpci", "--dumpregs"], stdout=subprocess.PIPE, text=True, check=True).stdout
    widths, caps, seen = {"B": 1, "W": 2, "L": 4}, {}, 0
    lines = [line.split() for line in dump.splitlines()[1:] if line.strip()]
    for words in lines:
        if len(words) == 4:
            caps[words[3]] = int(words[0], 16)
    # What has the header's own place; bridges come behind MAX_LAT.
    header = [words for words in lines if len(words) == 3]
    header = header[:[words[2] for words in header].index("MAX_LAT") + 1]
    for offset, width, name in header:
        trace = vfiokit("read", "model:null", "config", name, "--json").done()
        assert '"offset": %d' % int(offset, 16) in trace.replace('":', '": ').replace('  ', ' '), (name, trace)
        assert '"width": %d' % widths[width] in trace.replace('":', '": ').replace('  ', ' '), (name, trace)
        seen += 1
    assert seen == 26
    for name, ident in caps.items():
        kind = "extended" if name.startswith("ECAP") else "standard"
        # Of a newer setpci, there may be more than we know.
        if name == "CAP_MSI" or ident > (0x29 if kind == "extended" else 0x14):
            continue
        vfiokit("read", "model:edu", "config", name + ".W").failed(
            "model:edu", "no %s capability 0x%02x" % (kind, ident))
    assert len(caps) > 40


def test_capabilities(edu):
    first = int(read(edu, "caps"), 16)
    assert read(edu, "CAP_MSI.B") == "0x05"
    assert read(edu, "cap05.b") == "0x05"
    assert read(edu, "CAP_MSI+0.W") == read(edu, str(first), "2")
    assert read(edu, "CAP_MSI+2", "2") == read(edu, str(first + 2), "2")
    assert read(edu, "CAP_MSI+0x2.W") == read(edu, str(first + 2), "2")
    vfiokit("read", edu, "config", "CAP_EXP+2.W").failed(edu, "no standard capability 0x10")
    vfiokit("read", edu, "config", "ECAP_AER+4.L").failed(edu, "no extended capability 0x01")
    vfiokit("read", edu, "config", "ECAP0010.L").failed(edu, "no extended capability 0x10")


def test_write(serve):
    uri = serve("model:edu").uri
    vfiokit("write", uri, "config", "command", "6").done()
    assert read(uri, "command") == "0x0006"
    vfiokit("write", uri, "config", "COMMAND.B", "2").done()
    assert read(uri, "4", "2") == "0x0002"
    vfiokit("write", uri, "config", "irq_line", "1", "0x2a").done()
    assert read(uri, "INTERRUPT_LINE") == "0x2a"
    vfiokit("irq", uri, "msi", "--trigger", "--write", "config:command:2=6", "--timeout", "1")
    assert read(uri, "command") == "0x0006"


@pytest.mark.parametrize("words, reason", [
    (["no_such_register"], "no register \"no_such_register\""),
    (["CAP_NONE.B"], "no register"),
    (["CAP5.B"], "no register"),
    (["CAP005.B"], "no register"),
    (["ECAP01.B"], "no register"),
    (["CAP_.B"], "no register"),
    (["command" * 20], "no register"),
    (["command.X"], "its width is not B, W or L"),
    (["command."], "its width is not B, W or L"),
    (["command.WW"], "its width is not B, W or L"),
    (["CAP_PM"], "width is missing"),
    (["CAP_PM+10.W"], "hexadecimal after 0x"),  # 16 of setpci, 10 of ours
    (["CAP_PM+.W"], "hexadecimal after 0x"),
    (["CAP_PM+-1.W"], "hexadecimal after 0x"),
    (["CAP_PM+0x1000.W"], "hexadecimal after 0x"),
    (["command", "3"], "not 1, 2, 4 or 8"),
    (["4"], "WIDTH is missing"),
])
def test_misused(words, reason):
    vfiokit("read", "model:edu", "config", *words).misused(reason)


def test_other_regions_have_no_names():
    vfiokit("read", "model:edu", "bar0", "command", "4").misused("no number")
    vfiokit("read", "model:edu", "7", "command").misused("no number")
    vfiokit("write", "model:edu", "config", "command", "0x10000").misused("no number of 2 bytes")


def test_help_lists_them():
    for name in ("read", "write"):
        out = vfiokit(name, "--help").done()
        for word in ("command", "irq_line", "CAP_PM+4", "ECAP_AER", "setpci"):
            assert word in out

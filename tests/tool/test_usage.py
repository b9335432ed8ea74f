# SPDX-License-Identifier: BSD-3-Clause
"""Help and wrong usage: exit status 2, one line, before any device is touched."""

import pytest
from conftest import vfiokit

SUBCOMMANDS = "list info lspci read write dump irq features reset bind unbind serve demo bench test".split()


def test_help_lists_each_subcommand():
    out = vfiokit("--help").done()
    for name in SUBCOMMANDS:
        assert "\n  %s " % name in out


@pytest.mark.parametrize("name", SUBCOMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_of_each(name, option):
    out = vfiokit(name, option).done()
    assert out.startswith("usage: vfiokit %s" % name)


def test_version():
    assert vfiokit("--version").done().startswith("vfiokit 0.")


def test_nothing_is_wrong_usage():
    result = vfiokit()
    assert result.status == 2 and result.out == "" and result.err.startswith("usage:")


@pytest.mark.parametrize("args", [
    ["no-such-command"],
    ["record", "model:edu"],
    ["--no-such-option"],
    ["info"],
    ["info", "model:edu", "more"],
    ["info", "model:edu", "--no-such-option"],
    ["info", "model:edu", "-q"],
    ["info", "model:edu", "--json=yes"],
    ["info", "model:edu", "--timeout"],
    ["info", "model:edu", "--timeout", "0"],
    ["info", "model:edu", "--timeout", "5s"],
    ["info", "model:edu", "--timeout", "3600001"],
    ["info", "model:edu"] + ["--filter", "x"] * 17,
    ["list", "model:edu"],
    ["features"],
    ["reset"],
    ["lspci"],
    ["read", "model:edu", "bar0", "0"],
    ["read", "model:edu", "bar0", "0", "4", "5"],
    ["read", "model:edu", "bar6", "0", "4"],
    ["read", "model:edu", "BAR0", "0", "4"],
    ["read", "model:edu", "", "0", "4"],
    ["read", "model:edu", "4294967296", "0", "4"],
    ["read", "model:edu", "bar0", "-1", "4"],
    ["read", "model:edu", "bar0", "0x", "4"],
    ["read", "model:edu", "bar0", "0x1g", "4"],
    ["read", "model:edu", "bar0", "1e3", "4"],
    ["read", "model:edu", "bar0", " 1", "4"],
    ["read", "model:edu", "bar0", "+1", "4"],
    ["read", "model:edu", "bar0", "18446744073709551616", "4"],
    ["read", "model:edu", "bar0", "0x10000000000000000", "4"],
    ["read", "model:edu", "bar0", "0", "0"],
    ["read", "model:edu", "bar0", "0", "3"],
    ["read", "model:edu", "bar0", "0", "16"],
    ["read", "model:edu", "bar0", "0", "four"],
    ["read", "model:edu", "bar0", "0", "4", "--repeat", "0"],
    ["read", "model:edu", "bar0", "0", "4", "--repeat", "many"],
    ["write", "model:edu", "bar0", "4", "4"],
    ["write", "model:edu", "bar0", "4", "1", "256"],
    ["write", "model:edu", "bar0", "4", "2", "0x10000"],
    ["write", "model:edu", "bar0", "4", "4", "0x100000000"],
    ["write", "model:edu", "bar0", "4", "8", "0x10000000000000000"],
    ["write", "model:edu", "bar0", "4", "4", "0x12 "],
    ["dump", "model:edu"],
    ["dump", "model:edu", "config", "--length", "0"],
    ["dump", "model:edu", "config", "--width", "5"],
    ["dump", "model:edu", "config", "--width", "4", "--length", "6"],
    ["irq", "model:edu"],
    ["irq", "model:edu", "nmi"],
    ["irq", "model:edu", "msi", "--count", "0"],
    ["irq", "model:edu", "msi", "--vectors", "0"],
    ["irq", "model:edu", "msi", "--timeout", "-1"],
    ["irq", "model:edu", "msi", "--timeout", "1.2345"],
    ["irq", "model:edu", "msi", "--timeout", "."],
    ["irq", "model:edu", "msi", "--write", "bar0:0x60:4"],
    ["irq", "model:edu", "msi", "--write", "bar0:0x60=1"],
    ["irq", "model:edu", "msi", "--write", "bar0:0x60:3=1"],
    ["irq", "model:edu", "msi", "--write", "bar0:0x60:1=0x100"],
    ["irq", "model:edu", "msi", "--write", "bar0:0x60:4=" + "0" * 200],
    ["serve", "model:edu"],
    ["serve", "model:edu", "--fd=-1"],
    ["serve", "model:edu", "--fd=x"],
    ["serve", "model:edu", "--fd=3", "--socket-path=x.sock"],
    ["serve", "model:edu", "--fd=3", "--run", "true"],
    ["serve", "--socket-path=x.sock"],
    ["serve", "model:edu", "--socket-path=x.sock", "--socket-mode=8"],
    ["serve", "model:edu", "--socket-path=x.sock", "--socket-mode=0"],
    ["serve", "model:edu", "--socket-path=x.sock", "--socket-mode=1777"],
    ["serve", "model:edu", "--socket-path=x.sock", "--socket-mode="],
    ["serve", "model:edu", "--fd=3", "--socket-mode=666"],
    ["serve", "model:edu", "--socket-path=x.sock", "--share-bars=yes"],
    ["bind"],
    ["bind", "0000:00:00.0", "0000:00:00.1"],
    ["bind", "nvme0"],
    ["bind", "0000:00:00"],
    ["bind", "0000:00:00.8"],
    ["bind", "0000:00:00.0.0"],
    ["bind", "00000:00.0"],
    ["bind", "0000:00:00.0/../x"],
    ["bind", "kernel:0000:00:00.0"],
    ["bind", "--forced", "0000:00:00.0"],
    ["unbind"],
    ["unbind", "../../devices"],
    ["unbind", "0000:00:0g.0", "--group"],
    ["demo", "model:edu", "more"],
    ["test"],
    ["test", "model:edu", "info_*", "more"],
    ["test", "model:edu", "--case-timeout", "0"],
], ids=" ".join)
def test_wrong_usage(args, tmp_path):
    vfiokit(*args, cwd=tmp_path).misused()
    assert not list(tmp_path.iterdir())

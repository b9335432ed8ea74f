# SPDX-License-Identifier: BSD-3-Clause
"""The subcommand test: the conformance suite as a user runs it; its cases are tested where they are."""

import re

from conftest import vfiokit


def test_list():
    names = vfiokit("test", "--list").done().split()
    assert len(names) > 20 and len(set(names)) == len(names)


def test_pattern_selects(edu):
    names = [name for name in vfiokit("test", "--list").done().split() if name.startswith("info_")]
    out = vfiokit("test", edu, "info_*", timeout=200).done()
    for name in names:
        assert re.search(r"^ok \d+ - %s\b" % name, out, re.M), out
    assert re.search(r"^1\.\.%d$" % len(names), out, re.M), out


def test_pattern_without_a_case():
    vfiokit("test", "model:edu", "no_such_case").misused("no_such_case")

# SPDX-License-Identifier: BSD-3-Clause
"""docs/protocol.md names the tests of each command, good and bad; each must be there, and not switched off.

A name is FILE::TEST, FILE below tests. Its file must be one that a meson.build of its folder registers; that it ran, and
passed, tests/check sees at the end of the native stage: unproven().
"""

import os
import re

DOC = "docs/protocol.md"
COMMANDS = "lib/wire/wire.h"
_NAME = re.compile(r"`((?:wire|client|unit/[a-z]+)/test_\w+\.(?:py|c))::(\w+)`")
_ROW = re.compile(r"^\|\s*(\d+)\s*\|", re.M)
_NUMBER = re.compile(r"VFKI_WIRE_[A-Z_]+ = (\d+),")
_OFF = re.compile(r"@pytest\.mark\.(?:skip|xfail|skipif)|pytest\.skip\(")


def _body(text, name):
    """The text of a test of this name, its decorators included; None when there is none."""
    hit = re.search(r"((?:^@[^\n]*(?:\n[ )][^\n]*)*\n)*)^(?:def|static void) %s\([^\n]*\n(?:[ \t{}#][^\n]*\n|\n)*" % name,
                    text, re.M)
    return hit and hit.group(0)


def _registered(tree, path):
    folder, file = os.path.split(path)
    meson = tree.get("tests/%s/meson.build" % folder, "")
    topic = re.sub(r"^test_|\.\w+$", "", file)
    return re.search(r"'%s'" % re.escape(topic), meson) or file in meson


def _check_name(tree, path, name):
    text = tree.get("tests/" + path)
    if text is None:
        return "no file tests/" + path
    if not _registered(tree, path):
        return "tests/%s: no meson.build registers it" % path
    body = _body(text, name)
    if body is None:
        return "tests/%s: no test %s" % (path, name)
    if _OFF.search(body):
        return "tests/%s: %s is switched off" % (path, name)
    return None


def check(tree):
    if DOC not in tree:
        return []
    text, problems = tree[DOC], []
    rows = {}
    for line in text.splitlines():
        hit = _ROW.match(line)
        if hit:
            rows[int(hit.group(1))] = [cell.strip() for cell in line.strip().strip("|").split("|")]
    for number in sorted({int(n) for n in _NUMBER.findall(tree.get(COMMANDS, ""))} - set(rows)):
        problems.append("%s: command %d has no row" % (DOC, number))
    for number, cells in rows.items():
        for column, what in ((-2, "good"), (-1, "bad")):
            if not _NAME.search(cells[column]):
                problems.append("%s: command %d names no %s test" % (DOC, number, what))
    for path, name in sorted(set(_NAME.findall(text))):
        problem = _check_name(tree, path, name)
        if problem:
            problems.append("%s: %s" % (DOC, problem))
    return problems


def unproven(text, passed):
    """The names in the text for which there is nothing in `passed`: (Meson's name of the test, name of the case)."""
    missing = []
    for path, name in sorted(set(_NAME.findall(text))):
        topic = re.sub(r"^unit/(\w+)/test_(\w+)\.c$", r"\1-\2", path)
        if not any(what == path + "::" + name or (test, what) == (topic, name) for test, what in passed):
            missing.append(path + "::" + name)
    return missing


def check_unproven(samples):
    """Of the samples, as a check: the text is the page, and what passed are lines of test and case."""
    if "passed" not in samples:
        return []
    return unproven(samples[DOC], [tuple(line.split("|")) for line in samples["passed"].splitlines()])


_WIRE = "enum vfki_wire_command {\n\tVFKI_WIRE_VERSION = 1,\n};\n"
_ROWS = "| 1 | VERSION | `wire/test_a.py::test_x` | `wire/test_a.py::test_y` |\n"
_TREE = {COMMANDS: _WIRE, DOC: _ROWS, "tests/wire/meson.build": "foreach name : ['a']\n",
         "tests/wire/test_a.py": "def test_x():\n    pass\n\n\n@pytest.mark.parametrize('n', (1,\n    2))\n"
                                 "def test_y(n):\n    pass\n"}

BAD = [
    dict(_TREE, **{DOC: ""}),
    dict(_TREE, **{DOC: _ROWS.replace("test_y", "test_z")}),
    dict(_TREE, **{DOC: _ROWS.replace("`wire/test_a.py::test_y`", "none")}),
    dict(_TREE, **{"tests/wire/meson.build": "foreach name : ['b']\n"}),
    dict(_TREE, **{"tests/wire/test_a.py": _TREE["tests/wire/test_a.py"].replace(
        "@pytest.mark.param", "@pytest.mark.skip\n@pytest.mark.param")}),
    {path: text for path, text in _TREE.items() if path != "tests/wire/test_a.py"},
]
GOOD = [_TREE]

BAD_UNPROVEN = [
    {DOC: _ROWS, "passed": "wire a|wire/test_a.py::test_x\n"},
    {DOC: _ROWS, "passed": "wire a|wire/test_b.py::test_x\nwire a|wire/test_b.py::test_y\n"},
    {DOC: "`unit/wire/test_irq.c::test_x`", "passed": "wire-irqs|test_x\nwire-irq|test_y\n"},
]
GOOD_UNPROVEN = [
    {DOC: _ROWS, "passed": "wire a|wire/test_a.py::test_x\nwire a|wire/test_a.py::test_y\n"},
    {DOC: "`unit/wire/test_irq.c::test_x`", "passed": "wire-irq|test_x\n"},
]

# SPDX-License-Identifier: BSD-3-Clause
"""What no file may hold, what each must, and how files are named."""

import os
import re

import source

# Written in pieces, so that this file does not hold what it looks for.
_MARK = re.compile(r"\b(%s)\b" % "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")))
_PLACE = re.compile(r"(?<![\w.}-])/(?:%s)/" % "|".join(("wo" "rk", "ro" "ot", "tmp/" "w", "ho" "me")))
_VAGUE = re.compile(r"(misc|utils?|helpers?|common)", re.I)
_SPDX = "SPDX-License-Identifier: BSD-3-Clause"


def _lines(tree, pattern, what):
    return ["%s:%d: %s %s" % (path, number, what, hit[0])
            for path, text in tree.items()
            for number, line in enumerate(text.splitlines(), 1)
            for hit in pattern.finditer(line)]


def marks(tree):
    return _lines(tree, _MARK, "mark")


def places(tree):
    return _lines(tree, _PLACE, "path of one machine")


def names(tree):
    problems = []
    for path in tree:
        parts = [os.path.splitext(part)[0] for part in path.split("/")]
        for part in parts:
            if not _VAGUE.fullmatch(part) or (part == "common" and path.startswith("tools/")):
                continue
            problems.append("%s: \"%s\" does not say what is inside" % (path, part))
    return problems


def spdx(tree):
    """A licence line among the first two, in everything that is code."""
    problems = []
    for path, text in tree.items():
        start = text.split("\n", 2)[:2]
        if source.is_c(path):
            if start[0] != "/* %s */" % _SPDX:
                problems.append("%s: first line is not /* %s */" % (path, _SPDX))
        elif path.endswith((".py", ".sh", ".bash", ".map", "meson.build")) or text.startswith("#!"):
            if not any(_SPDX in line for line in start):
                problems.append("%s: no %s in the first two lines" % (path, _SPDX))
    return problems


def whitespace(tree):
    problems = []
    for path, text in tree.items():
        if text and not text.endswith("\n"):
            problems.append("%s: no newline at the end" % path)
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                problems.append("%s:%d: white space at the end" % (path, number))
    return problems


BAD = {
    marks: [{"lib/base/a.c": "/* %s: later */\n" % word} for word in ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")],
    places: [{"docs/a.md": "see /%s/main/x\n" % word} for word in ("wo" "rk", "ro" "ot", "tmp/" "w")],
    names: [{"lib/base/utils.c": ""}, {"lib/misc/a.c": ""}, {"lib/base/common.h": ""}, {"tests/helpers.py": ""}],
    spdx: [{"lib/base/a.c": "int a;\n"}, {"lib/base/a.c": "// %s\n" % _SPDX}, {"tests/a.py": "import os\n"},
           {"scripts/x": "#!/bin/sh\n:\n"}],
    whitespace: [{"docs/a.md": "a \n"}, {"docs/a.md": "a"}],
}
GOOD = {
    marks: [{"lib/base/a.c": "/* a hackney's todos */\n"}],
    places: [{"docs/a.md": "a/work/b or /dev/vfio/vfio or ~/.cache\n"}],
    names: [{"tools/common.c": "", "lib/base/error.c": ""}],
    spdx: [{"lib/base/a.c": "/* %s */\n" % _SPDX, "tests/a.py": "#!/usr/bin/python3\n# %s\n" % _SPDX}],
    whitespace: [{"docs/a.md": "a\n\nb\n"}],
}

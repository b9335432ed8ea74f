# SPDX-License-Identifier: BSD-3-Clause
"""How long files and functions may be.

A function is found by its layout, which clang-format has checked: its body opens with a brace alone
at the margin and closes with one. It is measured from the brace to the brace.
"""

import source

FILE_LINES = 800
FUNCTION_LINES = 80
_MEASURED = (".c", ".h", ".py", ".sh", ".bash")


def check(tree):
    problems = []
    for path, text in tree.items():
        lines = text.splitlines()
        if path.endswith(_MEASURED) or text.startswith("#!"):
            if len(lines) > FILE_LINES:
                problems.append("%s: %d lines, at most %d" % (path, len(lines), FILE_LINES))
        if not source.is_c(path):
            continue
        opened = None
        for number, line in enumerate(source.code(text).splitlines(), 1):
            if line.rstrip() == "{":
                opened = number
            elif line.startswith("}") and opened:
                if number - opened + 1 > FUNCTION_LINES:
                    problems.append("%s:%d: function of %d lines, at most %d"
                                    % (path, opened, number - opened + 1, FUNCTION_LINES))
                opened = None
    return problems


BAD = [
    {"lib/base/a.c": "int a;\n" * 801},
    {"tests/x/run.sh": "#!/bin/sh\n" + ":\n" * 800},
    {"lib/base/a.c": "int f(void)\n{\n" + "\tg();\n" * 79 + "}\n"},
]
GOOD = [
    {"lib/base/a.c": "int a;\n" * 800},
    {"lib/base/a.c": "int f(void)\n{\n" + "\tg();\n" * 78 + "}\n"},
]

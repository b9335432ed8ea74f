# SPDX-License-Identifier: BSD-3-Clause
"""The layout of C files is clang-format's, after .clang-format."""

import os
import re
import subprocess
import tempfile

import source

TOOL = "clang-format"
_ERROR = re.compile(r"^(.+?):(\d+):\d+: error: ", re.M)


def _ask(folder, style, paths):
    run = subprocess.run([TOOL, "--dry-run", "-Werror", "--style=file:" + style] + paths, cwd=folder,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode == 0:
        return []
    places = sorted(set(_ERROR.findall(run.stdout)), key=lambda p: (p[0], int(p[1])))
    return ["%s:%s: not as clang-format has it" % place for place in places] or [run.stdout.strip()]


def check(tree, root):
    """The files are written out, so that a made-up tree can be asked about too."""
    paths = sorted(filter(source.is_c, tree))
    if not paths:
        return []
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as out:
                out.write(tree[path])
        return _ask(folder, os.path.join(root, ".clang-format"), paths)


BAD = [{"lib/base/a.c": "int f(void) {\n  return 1;\n}\n"}]
GOOD = [{"lib/base/a.c": "int f(void)\n{\n\treturn 1;\n}\n"}]

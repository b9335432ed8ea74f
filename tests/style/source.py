# SPDX-License-Identifier: BSD-3-Clause
"""The files of the project, and C text without its comments and strings.

A tree is a dict from a path relative to the root to its text, so that a check sees a made-up tree
just as it sees the real one.
"""

import os
import re
import subprocess

# Files that are not ours to shape, or hold no text.
_NOT_TEXT = (".bin", ".png", ".gz", ".xz", ".pcapng")
_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def is_c(path):
    return path.endswith((".c", ".h"))


def _listed(root):
    """What git tracks or would track; without git, everything but build trees."""
    try:
        out = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        return sorted(set(filter(None, out.stdout.decode().split("\0"))))
    except (OSError, subprocess.CalledProcessError):
        pass
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in (".git", "__pycache__", ".pytest_cache")
                      and not (folder == root and re.fullmatch(r"build(-.*)?", f))]
        paths += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(paths)


def load(root):
    """The tree below `root`."""
    tree = {}
    for path in _listed(root):
        full = os.path.join(root, path)
        if path.endswith(_NOT_TEXT) or os.path.islink(full) or not os.path.isfile(full):
            continue
        with open(full, "rb") as data:
            raw = data.read()
        if b"\0" not in raw:
            tree[path] = raw.decode("utf-8", errors="replace")
    return tree


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """C text with comments blanked out; places and line numbers stay."""
    return _TOKEN.sub(lambda m: _blank(m[0]) if m[0].startswith("/") else m[0], text)


def code(text):
    """C text with comments and the insides of strings blanked out."""
    return _TOKEN.sub(
        lambda m: _blank(m[0]) if m[0].startswith("/") else m[0][0] + _blank(m[0][1:-1]) + m[0][0],
        text)


def line_of(text, place):
    return text.count("\n", 0, place) + 1

# SPDX-License-Identifier: BSD-3-Clause
"""What the library exports, imports and keeps, as headers, map and linker tell it."""

import os
import re
import subprocess

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_EXPORT = re.compile(r"\bVFK_API\b([^;{]*)")
_NAME = re.compile(r"\b(vfk_\w+)\s*(?=\(|\[|$)")
_NODE = re.compile(r"(\w[\w.]*)\s*\{(.*?)\}\s*[\w.]*\s*;", re.S)

# The library ends no program and prints nothing; whatever asks libc for these would.
NEVER_IMPORTED = {"exit", "_exit", "abort", "printf", "puts", "putchar", "fprintf", "vprintf", "vfprintf",
                  "perror", "__printf_chk", "__fprintf_chk", "__vfprintf_chk", "__assert_fail",
                  "system", "popen", "fork"}


def declared(text):
    """Names that a header marks VFK_API."""
    names = set()
    text = re.sub(r"^[ \t]*#.*$", "", _COMMENT.sub(" ", text), flags=re.M)
    for hit in _EXPORT.finditer(text):
        name = _NAME.search(hit[1].strip())
        names.add(name[1] if name else "?" + " ".join(hit[1].split()))
    return names


def declared_below(folder):
    names = set()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as text:
            names |= declared(text.read())
    return names


def mapped(text):
    """{node: names} of a linker map; a pattern among the globals is returned as it stands."""
    nodes = {}
    for node, body in _NODE.findall(_COMMENT.sub(" ", re.sub(r"^\s*#.*$", "", text, flags=re.M))):
        scope, names = "global", set()
        for word in re.findall(r"[\w*?.\[\]]+:?", body):
            if word.endswith(":"):
                scope = word[:-1]
            elif scope == "global":
                names.add(word)
        nodes[node] = names
    return nodes


def _ask(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True,
                          env=dict(os.environ, LC_ALL="C")).stdout


def exported(library):
    """{node: names} of what the library defines for others."""
    nodes = {}
    for line in _ask("nm", "-D", "--defined-only", library).splitlines():
        kind, name = line.split()[-2:]
        base, _, node = name.replace("@@", "@").partition("@")
        if kind != "A":
            nodes.setdefault(node, set()).add(base)
    return nodes


def imported(library):
    return {line.split()[-1].partition("@")[0] for line in _ask("nm", "-D", "-u", library).splitlines()}


def soname(library):
    hit = re.search(r"\(SONAME\).*\[(.*)\]", _ask("readelf", "-dW", library))
    return hit and hit[1]


def executable_stack(library):
    hit = re.search(r"GNU_STACK.*?\b(R[WE ]*)\b", _ask("readelf", "-lW", library))
    return hit is None or "E" in hit[1]


def writable(archive_or_library):
    """Objects that are written while the program runs: in .data or .bss, thread-local ones aside."""
    sections, names = {}, set()
    for number, name in re.findall(r"^\s*\[\s*(\d+)\]\s+(\S+)", _ask("readelf", "-SW", archive_or_library), re.M):
        sections[number] = name
    if ".symtab" not in sections.values():
        return {"unknown: the symbol table was stripped"}
    for line in _ask("readelf", "-sW", archive_or_library).splitlines():
        field = line.split()
        if len(field) < 8 or field[3] != "OBJECT":
            continue
        section = sections.get(field[6], "")
        # .data.rel.ro is written by the loader only; completed.0 and __dso_handle are the compiler's.
        if re.match(r"\.(data|bss)(?!\.rel\.ro)", section):
            if not re.match(r"completed\.\d+$|__dso_handle$|__TMC_END__$", field[7]):
                names.add(field[7].partition("@")[0])
    return names


def differ(one, what, other, where):
    """Sentences for what two sets of names do not share."""
    return (["%s is in %s, not in %s" % (name, what, where) for name in sorted(one - other)]
            + ["%s is in %s, not in %s" % (name, where, what) for name in sorted(other - one)])

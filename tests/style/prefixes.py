# SPDX-License-Identifier: BSD-3-Clause
"""A public header defines no identifier outside of vfk_ and VFK_.

The compiler is asked, not a pattern: clang's syntax tree gives types, functions, objects and enum
values, the preprocessor gives macros, both with the file that they come from. A forward declaration
of somebody else's struct defines nothing.
"""

import json
import os
import re
import subprocess
import tempfile

TOOL = "clang"
_ALLOWED = re.compile(r"vfk_|VFK_")
_DEFINE = re.compile(r"#define (\w+)")
_LINE = re.compile(r'# \d+ "([^"]*)"')


def _clang(folder, header, *options):
    run = subprocess.run([TOOL, "-std=c99", "-D_GNU_SOURCE", "-I", os.path.join(folder, "include"),
                          "-x", "c", *options, os.path.join(folder, header)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise ValueError(run.stderr.strip())
    return run.stdout


def _place(node, last):
    """clang names the file only when it changes from one node to the next."""
    for key in ("loc", "range"):
        where = node.get(key) or {}
        for part in (where, where.get("spellingLoc"), where.get("expansionLoc"),
                     where.get("begin"), where.get("end")):
            if part and "file" in part:
                last = part["file"]
    return last


def _names(node):
    kind, name = node.get("kind"), node.get("name")
    if kind == "RecordDecl" and not node.get("completeDefinition"):
        return
    if kind == "EnumDecl":
        for value in node.get("inner", ()):
            if value.get("kind") == "EnumConstantDecl":
                yield value["name"]
    if name and kind in ("RecordDecl", "EnumDecl", "TypedefDecl", "FunctionDecl", "VarDecl"):
        yield name


def _walk_places(node, last):
    """The file that is current after this node and all inside of it."""
    last = _place(node, last)
    for inner in node.get("inner", ()):
        last = _walk_places(inner, last)
    return last


def _declared(folder, header):
    tree = json.loads(_clang(folder, header, "-fsyntax-only", "-Xclang", "-ast-dump=json"))
    current = ""
    for node in tree.get("inner", ()):
        current = _place(node, current)
        if os.path.realpath(current) == os.path.realpath(os.path.join(folder, header)):
            yield from _names(node)
        current = _walk_places(node, current)


def _macros(folder, header):
    current = ""
    for line in _clang(folder, header, "-E", "-dD").splitlines():
        moved = _LINE.match(line)
        if moved:
            current = moved[1]
        defined = _DEFINE.match(line)
        if defined and os.path.realpath(current) == os.path.realpath(os.path.join(folder, header)):
            yield defined[1]


def check(tree):
    headers = [path for path in tree if path.startswith("include/") and path.endswith(".h")]
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for path in headers:
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as out:
                out.write(tree[path])
        for path in sorted(headers):
            try:
                names = list(_declared(folder, path)) + list(_macros(folder, path))
            except ValueError as error:
                problems.append("%s: does not compile: %s" % (path, error))
                continue
            problems += ["%s: defines %s" % (path, name) for name in sorted(set(names))
                         if not _ALLOWED.match(name)]
    return problems


_H = "include/vfiokit/a.h"
BAD = [
    {_H: "int open_device(void);\n"},
    {_H: "#include <stdint.h>\nstruct device {\n\tuint32_t a;\n};\n"},
    {_H: "enum vfk_e { ONE, VFK_TWO };\n"},
    {_H: "#define DEVICE_H\n"},
    {_H: "#include <stdint.h>\ntypedef uint32_t iova_t;\n"},
    {_H: "extern int counter;\n"},
    {_H: '#include "absent.h"\n'},
]
GOOD = [
    {_H: "#ifndef VFK_A_H\n#define VFK_A_H\n#include <stdint.h>\n#include <stdio.h>\nstruct vfio_irq_set;\n"
         "struct vfk_a {\n\tuint32_t any;\n};\nenum vfk_e { VFK_ONE };\nint vfk_a_open(struct vfk_a *a);\n#endif\n"},
]

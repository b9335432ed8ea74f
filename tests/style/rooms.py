# SPDX-License-Identifier: BSD-3-Clause
"""Who includes whom: the picture of docs/architecture.md as a table.

A room includes headers of rooms below it, never beside or above. A file of a lower folder belongs to
the room with the longest matching name. Tests of a room may look into everything below the tools.
"""

import os
import re

import source

LOWER = ("lib/base", "lib/wire", "lib/connection", "lib/io")
BACKENDS = ("lib/io/kernel", "lib/io/user", "lib/io/model", "lib/io/filter", "lib/io/replay")
TYPES = ("lib/pci", "lib/platform", "lib/ccw", "lib/ap")

# room: the rooms whose headers it includes, beside its own
ROOMS = {
    "lib/base": (),
    "lib/wire": ("lib/base",),
    "lib/connection": ("lib/base", "lib/wire"),
    "lib/io": ("lib/base",),
    "lib/io/kernel": ("lib/base", "lib/io"),
    "lib/io/user": ("lib/base", "lib/wire", "lib/connection", "lib/io"),
    "lib/io/model": ("lib/base", "lib/io", "models"),
    "lib/io/filter": ("lib/base", "lib/wire", "lib/io"),
    "lib/io/replay": ("lib/base", "lib/io"),
    "lib/device": ("lib/base", "lib/io"),
    "lib/server": ("lib/base", "lib/wire", "lib/connection", "lib/io", "lib/device"),
    "models": (),
    "tools": (),
    "examples": (),
    "tests/conformance": (),
    "tests": LOWER + BACKENDS + TYPES + ("lib/device", "lib/server", "models", "tests/conformance"),
}
ROOMS.update({room: ("lib/base", "lib/io", "lib/device") for room in TYPES})

# The room that a public header stands for; one that is missing here fails, so that it gets a room.
PUBLIC = {
    "api.h": "lib/base",
    "bar.h": "lib/base",
    "error.h": "lib/base",
    "guard.h": "lib/base",
    "uri.h": "lib/io",
    "io.h": "lib/io",
    "dma.h": "lib/io",
    "kernel.h": "lib/io",
    "model.h": "lib/io",
    "device.h": "lib/device",
    "pci.h": "lib/pci",
    "pci_bar.h": "lib/pci",
    "pci_irq.h": "lib/pci",
    "pci_power.h": "lib/pci",
    "pci_reset.h": "lib/pci",
    "pci_rom.h": "lib/pci",
    "pci_vga.h": "lib/pci",
    "pci_virtual.h": "lib/pci",
    "reconnect.h": "lib/device",
    "server.h": "lib/server",
    "vfiokit.h": "programs",
}
# Structs that are the project's vocabulary, beside the kernel's own: wire turns bytes into them and
# back, and calls nothing that these headers declare.
VOCABULARY = {"lib/wire": ("io.h", "dma.h")}
# Rooms outside of the library: they see public headers, the second tuple says which.
PROGRAMS = {"models": ("model.h",), "tools": None, "examples": None, "tests": None,
            "tests/conformance": None}

# Single files that the picture makes an exception for.
EXCEPTIONS = (
    # The table names the concrete backends and filters; nobody else does.
    (re.compile(r"lib/io/table\.c"), re.compile(r"(%s)/.*" % "|".join(BACKENDS))),
    # "vfiokit test" runs the conformance suite.
    (re.compile(r"tools/(.*/)?(cmd_)?test\.c"), re.compile(r"tests/conformance/suite\.h")),
)

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)[>\"]", re.M)


def room_of(path):
    """The room of a file, or None outside of every room."""
    if path.startswith("include/vfiokit/"):
        return PUBLIC.get(os.path.basename(path))
    hits = [room for room in ROOMS if path.startswith(room + "/")]
    return max(hits, key=len, default=None)


def _public(path, room, name):
    if name not in PUBLIC:
        return "public header <vfiokit/%s> has no room in tests/style/rooms.py" % name
    if room == "programs":
        return None
    if room in PROGRAMS:
        allowed = PROGRAMS[room]
        return None if allowed is None or name in allowed else "includes <vfiokit/%s>" % name
    if PUBLIC[name] == room or PUBLIC[name] in ROOMS[room] or name in VOCABULARY.get(room, ()):
        return None
    return "<vfiokit/%s> belongs to %s, which is not below %s" % (name, PUBLIC[name], room)


def _quoted(path, room, name, tree):
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if "/" not in name:
        if beside in tree and not path.startswith("include/"):
            return None
        return "\"%s\" is not beside the file" % name
    if ".." in name.split("/"):
        return "\"%s\" climbs; write the path from the root" % name
    if any(who.fullmatch(path) and what.fullmatch(name) for who, what in EXCEPTIONS):
        return None
    target = room_of(name)
    if target is None:
        return "\"%s\" is in no room" % name
    if path.startswith("include/"):
        return "public header includes the private \"%s\"" % name
    if target == room or target in ROOMS[room]:
        return None
    return "\"%s\" belongs to %s, which is not below %s" % (name, target, room)


def check(tree):
    problems = []
    for path in filter(source.is_c, tree):
        room = room_of(path)
        if room is None:
            problems.append("%s: in no room; give it one in tests/style/rooms.py" % path)
            continue
        text = source.without_comments(tree[path])
        for hit in _INCLUDE.finditer(text):
            bracket, name = hit[1], hit[2]
            if bracket == "<" and name.startswith("vfiokit/"):
                fault = _public(path, room, name[len("vfiokit/"):])
            elif bracket == "<":
                fault = None
            else:
                fault = _quoted(path, room, name, tree)
            if fault:
                problems.append("%s:%d: %s" % (path, source.line_of(text, hit.start()), fault))
    return problems


BAD = [
    {"lib/base/a.c": '#include "lib/io/io.h"\n', "lib/io/io.h": ""},
    {"lib/wire/a.c": '#include "lib/connection/c.h"\n', "lib/connection/c.h": ""},
    {"lib/io/kernel/a.c": '#include "lib/wire/w.h"\n', "lib/wire/w.h": ""},
    {"lib/io/user/a.c": '#include "lib/io/model/m.h"\n', "lib/io/model/m.h": ""},
    {"lib/io/open.c": '#include "lib/io/user/u.h"\n', "lib/io/user/u.h": ""},
    {"lib/device/a.c": '#include "lib/io/kernel/k.h"\n', "lib/io/kernel/k.h": ""},
    {"lib/server/a.c": '#include "lib/pci/p.h"\n', "lib/pci/p.h": ""},
    {"lib/pci/a.c": '#include "lib/io/kernel/k.h"\n', "lib/io/kernel/k.h": ""},
    {"lib/pci/a.c": '#include "lib/io/model/m.h"\n', "lib/io/model/m.h": ""},
    {"lib/pci/a.c": '#include "lib/wire/w.h"\n', "lib/wire/w.h": ""},
    {"lib/io/a.c": "#include <vfiokit/device.h>\n"},
    {"lib/wire/a.c": "#include <vfiokit/uri.h>\n"},
    {"lib/base/a.c": "#include <vfiokit/io.h>\n"},
    {"lib/io/a.c": "#include <vfiokit/new.h>\n"},
    {"lib/io/a.c": "#include <vfiokit/vfiokit.h>\n"},
    {"lib/io/a.c": '#include "absent.h"\n'},
    {"lib/io/filter/a.c": '#include "../io.h"\n', "lib/io/io.h": ""},
    {"include/vfiokit/io.h": '#include "lib/base/error.h"\n', "lib/base/error.h": ""},
    {"include/vfiokit/io.h": "#include <vfiokit/device.h>\n"},
    {"include/vfiokit/new.h": ""},
    {"models/edu/a.c": "#include <vfiokit/device.h>\n"},
    {"models/edu/a.c": '#include "lib/base/error.h"\n', "lib/base/error.h": ""},
    {"tools/read.c": '#include "lib/base/error.h"\n', "lib/base/error.h": ""},
    {"tools/read.c": '#include "tests/conformance/suite.h"\n', "tests/conformance/suite.h": ""},
    {"tests/conformance/irq.c": '#include "lib/base/error.h"\n', "lib/base/error.h": ""},
    {"elsewhere/a.c": ""},
]
GOOD = [
    {"lib/io/table.c": '#include "lib/io/user/u.h"\n#include "io.h"\n#include <vfiokit/io.h>\n',
     "lib/io/io.h": "", "lib/io/user/u.h": ""},
    {"lib/wire/a.c": "#include <vfiokit/io.h>\n"},
    {"lib/server/a.c": '#include <poll.h>\n#include <vfiokit/server.h>\n#include "lib/device/d.h"\n',
     "lib/device/d.h": ""},
    {"tools/test.c": '#include "tests/conformance/suite.h"\n', "tests/conformance/suite.h": ""},
    {"models/edu/edu.c": '#include <errno.h>\n#include <vfiokit/model.h>\n/* #include "lib/x/y.h" */\n'},
    {"tests/wire/a.c": '#include "lib/wire/w.h"\n', "lib/wire/w.h": ""},
]

# SPDX-License-Identifier: BSD-3-Clause
"""Calls that the library and the models never make.

A library does not end its program, does not print, and does not copy without a bound. A check that a
peer could trip is no assert; a static one is welcome.
"""

import re

import source

BANNED = {
    "ends the program": "exit _exit _Exit quick_exit abort assert raise err errx",
    "prints": "printf fprintf vprintf vfprintf dprintf puts fputs putchar putc fputc perror warn warnx syslog",
    "has no bound": "strcpy strcat sprintf vsprintf gets stpcpy strtok",
    "grows the stack": "alloca __builtin_alloca strdupa",
    "runs a program": "system popen fork vfork",
    "is not for threads": "strerror",
}
_WHY = {name: why for why, names in BANNED.items() for name in names.split()}
_CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(_WHY))
_ABOVE = ("lib/", "models/")


def check(tree):
    problems = []
    for path, text in tree.items():
        if not source.is_c(path) or not path.startswith(_ABOVE):
            continue
        body = source.code(text)
        for hit in _CALL.finditer(body):
            problems.append("%s:%d: %s() %s"
                            % (path, source.line_of(body, hit.start()), hit[1], _WHY[hit[1]]))
    return problems


BAD = [{"lib/base/a.c": "void f(void)\n{\n\t%s(x);\n}\n" % name} for name in sorted(_WHY)]
GOOD = [
    {"lib/base/a.c": '/* exit(1) */\nstatic_assert(1, "exit(1)");\n_Static_assert(1, "");\n'
                     "int f(void)\n{\n\treturn snprintf(a, b, c) + ops->exit(1) + my_exit(2);\n}\n"},
    {"tools/a.c": "int main(void)\n{\n\texit(1);\n}\n"},
]

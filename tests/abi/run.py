#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The library as a stranger meets it: headers, symbols, pkg-config. TAP.

    tests/abi/run.py ROOT BUILD LIBRARY

Each check is first seen to fail on something made for it.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import symbols  # noqa: E402  (needs the path above)

NODE = "VFIOKIT_0.1"
SONAME = "libvfiokit.so.0"
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
LANGUAGES = [("gcc", "c", "c99"), ("clang", "c", "c99"), ("g++", "c++", "c++11"), ("clang", "c++", "c++11")]
BAD_HEADERS = {
    "c": ["uint32_t vfk_a(void);", "struct vfk_a { int x; };;", "int vfk_a(struct vfk_b *b);"],
    "c++": ["uint32_t vfk_a(void);", "int vfk_a(int class);", "struct vfk_a { void *p; } *vfk_b = (void *)0 + 1;"],
}


class Tap:
    def __init__(self):
        self.number, self.failed = 0, False

    def result(self, name, problems):
        self.number += 1
        self.failed = self.failed or bool(problems)
        print("%s %d - %s" % ("not ok" if problems else "ok", self.number, name))
        for problem in problems:
            print("# " + problem.rstrip().replace("\n", "\n# "), flush=True)

    def skip(self, name, reason):
        self.number += 1
        print("ok %d - %s # SKIP %s" % (self.number, name, reason))

    def end(self):
        print("1..%d" % self.number)
        return 1 if self.failed else 0


def run(argv, **more):
    """"" or what the program said when it failed."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **more)
    return "" if done.returncode == 0 else "%s:\n%s" % (" ".join(argv), done.stdout)


def compile_header(tool, language, standard, include, text):
    """Problems of a file that holds `text` and nothing else."""
    with tempfile.NamedTemporaryFile("w", suffix=".c" if language == "c" else ".cc") as source:
        # A second time: the guard works. The last line: an empty file is not C99.
        source.write(text + "\n" + text + "\nextern int vfk_end_of_file;\n")
        source.flush()
        out = run([tool, "-x", language, "-std=" + standard] + STRICT + ["-I", include, source.name])
        return [out] if out else []


def headers(tap, root):
    include = os.path.join(root, "include")
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(include, "vfiokit", "*.h")))
    for tool, language, standard in LANGUAGES:
        title = "%s alone with %s -std=%s" % ("%s", tool, standard)
        if not shutil.which(tool):
            tap.skip(title % "each header", tool + " is not installed")
            continue
        missed = ["accepts: " + bad for bad in BAD_HEADERS[language]
                  if not compile_header(tool, language, standard, include, bad)]
        tap.result(title % "a bad header is refused", missed)
        for name in names:
            tap.result(title % name, compile_header(tool, language, standard, include,
                                                    "#include <vfiokit/%s>" % name))


def exports(tap, root, library):
    with open(os.path.join(root, "lib", "vfiokit.map"), encoding="utf-8") as text:
        nodes = symbols.mapped(text.read())
    in_map = set().union(*nodes.values())
    in_headers = symbols.declared_below(os.path.join(root, "include", "vfiokit"))
    in_library = symbols.exported(library)
    compare = [(in_headers, "the headers", in_map, "the map"),
               (in_map, "the map", set().union(*in_library.values()), "the library")]
    for one, what, other, where in compare:
        name = min(one, default="")
        tap.result("%s against %s sees what is missing" % (what, where),
                   [] if symbols.differ(one - {name}, what, other, where)
                   and symbols.differ(one, what, other | {"vfk_strange"}, where) else ["does not"])
        tap.result("%s and %s agree" % (what, where), symbols.differ(one, what, other, where))
    tap.result("the map names each symbol, in node " + NODE,
               ["pattern %s" % name for name in sorted(in_map) if not name.startswith("vfk_") or "*" in name]
               + ([] if NODE in nodes else ["no such node"]))
    tap.result("the library's nodes are the map's",
               symbols.differ({n for n in in_library if n}, "the library", set(nodes), "the map"))
    tap.result("soname is " + SONAME, [] if symbols.soname(library) == SONAME else [str(symbols.soname(library))])


SAMPLE = """
static int counter;
static __thread int own;
static const char *const words[] = { "a" };
int count(int i);
int count(int i) { own++; __builtin_printf("%s\\n", words[i]); return ++counter; }
"""


def habits(tap, library):
    with tempfile.TemporaryDirectory() as folder:
        source, sample = os.path.join(folder, "a.c"), os.path.join(folder, "a.so")
        with open(source, "w", encoding="ascii") as out:
            out.write(SAMPLE)
        built = run(["gcc", "-O1", "-shared", "-fPIC", "-Wl,-z,execstack", source, "-o", sample])
        tap.result("a bad library is seen as one", [built] if built else [
            what for what, seen in (("counter", symbols.writable(sample) == {"counter"}),
                                    ("printf", symbols.imported(sample) & symbols.NEVER_IMPORTED),
                                    ("stack", symbols.executable_stack(sample))) if not seen])
    tap.result("the library has no mutable globals", sorted(symbols.writable(library)))
    tap.result("the library neither prints nor ends the program",
               sorted(symbols.imported(library) & symbols.NEVER_IMPORTED))
    tap.result("the stack is not executable", ["it is"] if symbols.executable_stack(library) else [])


def flags(env, *options):
    out = subprocess.run(["pkg-config", *options, "vfiokit"], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return out.stdout.split()


def readme(root):
    """(program, what it prints) as README.md shows them."""
    with open(os.path.join(root, "README.md"), encoding="utf-8") as text:
        shown = text.read()
    return (re.search(r"^```c\n(.*?)^```$", shown, re.M | re.S)[1],
            re.search(r"^    \$ \./driver model:edu\n    (.*)$", shown, re.M)[1])


def stranger(tap, root, folder, build, library):
    """README's program does what README says, in C and C++."""
    source, printed = readme(root)
    with open(os.path.join(root, "examples", "driver.c"), encoding="utf-8") as text:
        tap.result("README's program is examples/driver.c",
                   [] if text.read().endswith(source) else ["they differ"])
    for compiler, suffix in (("gcc", ".c"), ("g++", ".cc")):
        path, program = os.path.join(folder, "driver" + suffix), os.path.join(folder, "driver")
        with open(path, "w", encoding="utf-8") as out:
            out.write(source)
        problem = build(compiler, path, program)
        if not problem:
            ran = subprocess.run([program, "model:edu"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, check=False,
                                 env=dict(os.environ, LD_LIBRARY_PATH=library))
            if ran.returncode or ran.stdout != printed + "\n":
                problem = "status %d, printed: %s" % (ran.returncode, ran.stdout)
        tap.result("README's program builds with %s and prints what README shows" % compiler,
                   [problem] if problem else [])


def installed(tap, root, build_root):
    """Everything in examples/ builds against an installed copy, with what pkg-config says alone."""
    with tempfile.TemporaryDirectory() as folder:
        out = run(["meson", "install", "-C", build_root, "--no-rebuild", "--destdir", folder])
        tap.result("meson install to a DESTDIR", [out] if out else [])
        found = glob.glob(os.path.join(folder, "**", "vfiokit.pc"), recursive=True)
        tap.result("vfiokit.pc is installed once", [] if len(found) == 1 else [repr(found)])
        if out or len(found) != 1:
            return
        env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=folder, PKG_CONFIG_LIBDIR=os.path.dirname(found[0]))
        options = flags(env, "--cflags"), flags(env, "--libs")
        tap.result("pkg-config shows no private part",
                   [flag for flag in sum(options, []) if "json" in flag or root in flag])

        def build(compiler, source, program):
            return run([compiler, "-Wall", "-Wextra", "-Werror", *options[0], source, "-o", program, *options[1]])

        examples = sorted(glob.glob(os.path.join(root, "examples", "*.c")))
        tap.result("there are examples", [] if examples else ["none"])
        for source in examples:
            out = build("gcc", source, os.path.join(folder, "program"))
            tap.result("%s builds with pkg-config alone" % os.path.basename(source), [out] if out else [])
        stranger(tap, root, folder, build, os.path.dirname(os.path.dirname(found[0])))


def main(root, build, library):
    tap = Tap()
    headers(tap, root)
    exports(tap, root, library)
    habits(tap, library)
    installed(tap, root, build)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

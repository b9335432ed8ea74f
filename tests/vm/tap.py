# SPDX-License-Identifier: BSD-3-Clause
"""TAP from more than one source: a guest's results and what its run adds, numbered anew."""


class Tap:
    """Prints results as they come; done() prints the plan and returns the exit status.

    One that is held prints nothing: another adopts it when it is complete, so that those of machines
    that run side by side do not mix.
    """

    def __init__(self, prefix="", held=False):
        self.count = 0
        self.failed = False
        self._prefix = prefix
        self._held = [] if held else None

    def result(self, ok, rest):
        self.count += 1
        self.failed |= not ok
        rest = self._prefix + rest
        if self._held is not None:
            self._held.append((ok, rest))
        else:
            print(f"{'ok' if ok else 'not ok'} {self.count} - {rest}", flush=True)

    def note(self, text):
        for line in text.splitlines():
            if self._held is not None:
                self._held.append((None, line))
            else:
                print(f"# {line}", flush=True)

    def adopt(self, other):
        for ok, text in other._held:
            if ok is None:
                self.note(text)
            else:
                self.result(ok, text)

    def check(self, ok, name, details=""):
        """A result of our own; DETAILS are for when it fails."""
        self.result(ok, name)
        if not ok:
            self.note(details)

    def skip_all(self, reason):
        """Instead of every result: 0, for a skip is no failure."""
        print(f"1..0 # SKIP {reason}", flush=True)
        return 0

    def done(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0

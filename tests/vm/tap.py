# SPDX-License-Identifier: BSD-3-Clause
"""TAP from more than one source: a guest's results and what its run adds, numbered anew."""


class Tap:
    """Prints results as they come; done() prints the plan and returns the exit status."""

    def __init__(self):
        self.count = 0
        self.failed = False

    def result(self, ok, rest):
        self.count += 1
        self.failed |= not ok
        print(f"{'ok' if ok else 'not ok'} {self.count} - {rest}", flush=True)

    def note(self, text):
        for line in text.splitlines():
            print(f"# {line}", flush=True)

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

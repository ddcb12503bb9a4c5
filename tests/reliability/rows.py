"""The one registry of faults: what a row is, what it needs, what it found. Knows no fault."""

import dataclasses
import typing


@dataclasses.dataclass
class Outcome:
    """What a fault did. `None` where a column has nothing to say."""

    often: str
    holds: bool
    words: str = ""
    acknowledged: typing.Optional[int] = None
    lost: typing.Optional[int] = None
    recovered: str = ""


@dataclasses.dataclass
class Control:
    """The same fault with the protection off. `failed` must be true, or the row proves nothing; None: only looked at."""

    words: str
    failed: typing.Optional[bool]


class Skip(Exception):
    """The row cannot run here; the text says why."""


class Row:
    def __init__(self, name, fault, run, needs, short, promise):
        self.name, self.fault, self.run = name, fault, run
        self.needs, self.short, self.promise = needs, short, promise
        self.run_control = None

    def control(self, run):
        self.run_control = run
        return run


ROWS = []


def row(name, fault, needs=(), short=False, promise=None):
    """Registers a row. `needs`: of "root", "strace", "faketime", "prlimit", "setpriv", "netns". `short`: also a part of `make test`."""

    def register(run):
        found = Row(name, fault, run, needs, short, promise)
        ROWS.append(found)
        return found

    return register

"""strace: faults injected into system calls, and the order of calls read back. The one place that knows its output."""

import os
import re
import time

CALLS = "openat,close,write,writev,pwrite64,fdatasync,fsync,ftruncate,sendto,sendmsg"
_LINE = re.compile(r"^(\d+) +(.*)$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_UNFINISHED = " <unfinished ...>"
# A call on a descriptor that -yy names: name(3</path>, …) or name(5<TCP:[…]>, …)
_CALL = re.compile(r"^(\w+)\((\d+)<(.*?)>(?:[,)]|$)")
_RESULT = re.compile(r"= (-?\d+)(?:<.*?>)?(?: |$)")
_PORT = re.compile(r"TCP:\[[\d.]+:\d+->[\d.]+:(\d+)\]")


def prefix(output, inject=None, paths=(), calls=CALLS, strings=65536):
    """Words before a command. `-D`: the command keeps the pid that was started."""
    words = ["strace", "-D", "-f", "-qq", "-o", output, "-e", "signal=none"]
    if inject:
        words += ["-e", f"trace={inject.split(':')[0]}", "-e", f"inject={inject}"]
    else:
        words += ["-yy", "-s", str(strings), "-e", f"trace={calls}"]
    for path in paths:
        words += ["-P", os.path.realpath(path)]
    return words


def settle(output, seconds=10.0):
    """The tracer writes on for a moment after its program is gone."""
    deadline, size = time.monotonic() + seconds, -1
    while time.monotonic() < deadline:
        now = os.path.getsize(output) if os.path.exists(output) else 0
        if now == size:
            return
        size = now
        time.sleep(0.3)


class Audit:
    """Follows the log's bytes from write to sync to answer: which acknowledgement came before a sync that covers it?"""

    def __init__(self, output, log, loads):
        self.log = os.path.realpath(log)
        self.n_audited = self.n_syncs = self.n_failed_syncs = self.n_on_retired = 0
        self.violations = []
        # What each connection was acknowledged for, in order.
        self._expected = {}
        for load in loads:
            for identity, (_, when, port) in load.acknowledged.items():
                self._expected.setdefault(port, []).append((when, identity))
        for answers in self._expected.values():
            answers.sort()
        # id -> "written" | "synced"; descriptor -> ids written and not synced yet; those whose sync failed
        self._safe, self._pending, self._begun = set(), {}, {}
        self._retired = set()
        with open(output, encoding="utf-8", errors="replace") as file:
            self._read(file)

    def _read(self, lines):
        unfinished = {}
        for line in lines:
            match = _LINE.match(line.rstrip("\n"))
            if not match:
                continue
            thread, text = match.groups()
            resumed = _RESUMED.match(text)
            if resumed:
                text = unfinished.pop(thread, "") + resumed[2]
                self._end(thread, text)
            elif text.endswith(_UNFINISHED):
                text = text.removesuffix(_UNFINISHED)
                unfinished[thread] = text
                self._begin(thread, text)
            else:
                self._begin(thread, text)
                self._end(thread, text)

    def _begin(self, thread, text):
        call = _CALL.match(text)
        if not call:
            return
        name, descriptor, target = call.groups()
        if name in ("fdatasync", "fsync") and target.startswith(self.log):
            # Covered is what was written when the sync began.
            self._begun[thread] = (descriptor, self._pending.pop(descriptor, set()))
        elif name in ("sendto", "write", "sendmsg", "writev"):
            port = _PORT.search(target)
            if port and '"HTTP/1.1 204' in text:
                self._answered(int(port[1]))

    def _end(self, thread, text):
        call = _CALL.match(text)
        if not call:
            return
        name, descriptor, target = call.groups()
        result = _RESULT.search(text, text.rfind(")"))
        is_good = bool(result) and 0 <= int(result[1])
        if not target.startswith(self.log):
            return
        if name in ("write", "writev", "pwrite64") and is_good:
            if descriptor in self._retired:
                self.n_on_retired += 1
            self._pending.setdefault(descriptor, set()).update(re.findall(r"rel-\w+-\d+-\d+", text))
        elif name in ("fdatasync", "fsync"):
            descriptor, ids = self._begun.pop(thread, (descriptor, set()))
            if is_good:
                self.n_syncs += 1
                self._safe |= ids
            else:
                self.n_failed_syncs += 1
                self._retired.add(descriptor)
        elif name == "close":
            self._retired.discard(descriptor)

    def _answered(self, port):
        expected = self._expected.get(port)
        if not expected:
            return
        _, identity = expected.pop(0)
        self.n_audited += 1
        if identity not in self._safe:
            self.violations.append(identity)

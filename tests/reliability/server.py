"""A server under test: ours, or the naive one that is the control. Started, looked at, and ended by its own pid."""

import os
import re
import resource
import select
import signal
import subprocess
import time

import wire

START_S = 30.0


class Gone(Exception):
    """The server did not come up; the text is its stderr."""


class Server:
    """Listens on a free port of 127.0.0.1. `prefix` is a program that becomes it by exec (prlimit, strace -D)."""

    def __init__(self, command, folder, prefix=(), env=None, stderr=None):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.stderr_path = os.path.join(folder, "stderr")
        # Nothing of our own settings: the program is tested as it comes.
        clean = {"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": folder, **(env or {})}
        with open(self.stderr_path, "ab") as errors:
            self.process = subprocess.Popen(
                [*prefix, *command],
                cwd=folder,
                env=clean,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors if stderr is None else stderr,
            )
        self.pid = self.process.pid
        try:
            self.address = self._wait_for_address()
        except BaseException:
            self.kill()
            raise

    def _wait_for_address(self):
        deadline = time.monotonic() + START_S
        pipe = self.process.stdout
        text = b""
        while b"\n" not in text:
            if deadline < time.monotonic():
                raise Gone("no `listening on` line within 30 s: " + self.errors())
            if select.select([pipe], [], [], 0.2)[0]:
                part = os.read(pipe.fileno(), 4096)
                if not part:
                    raise Gone(f"exit {self.process.wait()}: {self.errors()}")
                text += part
        match = re.search(rb"listening on http://([\d.]+):(\d+)", text)
        if not match:
            raise Gone(f"said {text!r}")
        return match[1].decode(), int(match[2])

    def errors(self):
        with open(self.stderr_path, "rb") as file:
            return file.read().decode("utf-8", "replace").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def is_alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.is_alive():
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self, seconds=15.0):
        """SIGTERM; the exit code (None: it had to be killed) and how long it took."""
        begin = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        took = time.monotonic() - begin
        self.kill()
        return code, took

    def limit(self, what, value):
        """Sets a soft limit of the running process; None takes it away."""
        hard = resource.prlimit(self.pid, what)[1]
        resource.prlimit(self.pid, what, (hard if value is None else value, hard))

    def facts(self):
        """Threads, descriptors, resident and virtual KiB; None where the process is gone."""
        try:
            with open(f"/proc/{self.pid}/status") as file:
                fields = dict(line.split(":", 1) for line in file)
            n_descriptors = len(os.listdir(f"/proc/{self.pid}/fd"))
            number = lambda name: int(fields[name].split()[0])
            return {"threads": number("Threads"), "descriptors": n_descriptors, "rss": number("VmRSS"), "size": number("VmSize")}
        except (OSError, KeyError):
            return None

    def metrics(self):
        _, _, body = wire.ask(self.address, wire.get("/metrics"))
        pairs = (line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
        return {name.removeprefix("call_metrics_"): float(value) for name, value in pairs}

    def answers(self, request, seconds):
        """Seconds until `request` is answered with 2xx, each try on a fresh connection; None where it is not in time."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if wire.status_of(self.address, request, 2.0) // 100 == 2:
                return time.monotonic() - begin
            time.sleep(0.01)
        return None

"""What a row works with: folders, servers, mounts. Everything it started or mounted is gone when the row ends, however it ends."""

import contextlib
import fcntl
import glob
import os
import shutil
import struct
import subprocess
import tempfile

import rows
from server import Server

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Programs:
    """The binaries, and what this machine has."""

    def __init__(self, ours, naive):
        self.ours, self.naive = os.path.realpath(ours), os.path.realpath(naive)
        self.help = subprocess.run([self.ours, "serve", "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
        faketime = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
        self.faketime = faketime[0] if faketime else None
        self.missing = {
            "root": None if os.geteuid() == 0 else "needs root",
            "strace": None if shutil.which("strace") and self._can_trace() else "strace is missing or may not trace",
            "setpriv": None if shutil.which("setpriv") or os.geteuid() != 0 else "setpriv is missing (Debian: util-linux)",
            "netns": None if shutil.which("ip") else "ip is missing (Debian: iproute2)",
            "faketime": None if faketime else "libfaketime is missing (Debian: apt-get install libfaketime)",
            "prlimit": None if shutil.which("prlimit") else "prlimit is missing (Debian: util-linux)",
        }

    @staticmethod
    def _can_trace():
        return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0

    def knows(self, flag):
        return flag in self.help

    def usual(self, given=()):
        """Flags that take what is not under test out of the way: one machine plays all clients, and small disks are meant to fill.
        Those that are `given` are under test."""
        args = []
        for flag, value in (("--min-free", "0"), ("--rate-per-address", "0"), ("--connections-per-address", "0")):
            if self.knows(flag + " ") and flag not in given:
                args += [flag, value]
        return args


class Bench:
    def __init__(self, programs, is_short, counts):
        self.programs, self.is_short, self.counts = programs, is_short, counts
        self.stack = contextlib.ExitStack()
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="reliability-", ignore_cleanup_errors=True))
        self._n_folders = 0

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        return self.stack.__exit__(*problem)

    def n(self, short, full):
        return short if self.is_short else full

    def path(self, name):
        return os.path.join(self.folder, name)

    def new_folder(self):
        self._n_folders += 1
        path = self.path(str(self._n_folders))
        os.makedirs(path)
        return path

    def serve(self, folder=None, args=(), log=None, listen="127.0.0.1:0", **options):
        """Our server with its log in `folder` (a new one by default). Killed when the row ends, if not before."""
        folder = folder or self.new_folder()
        command = [self.programs.ours, "serve", "--listen", listen, "--log", log or os.path.join(folder, "beacon.log")]
        command += ["--public", self.path("public"), *self.programs.usual(args), *args]
        server = self.stack.enter_context(Server(command, options.pop("cwd", folder), **options))
        server.log = log or os.path.join(folder, "beacon.log")
        return server

    def naive(self, folder=None, args=(), listen="127.0.0.1:0", **options):
        folder = folder or self.new_folder()
        log = os.path.join(folder, "beacon.log")
        server = self.stack.enter_context(Server([self.programs.naive, log, listen, *args], options.pop("cwd", folder), **options))
        server.log = log
        return server

    def tmpfs(self, size):
        """A small disk (root)."""
        folder = self.new_folder()
        command(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder])
        self.stack.callback(unmount, folder)
        return folder

    def disk(self, megabytes=256):
        return Disk(self.stack, self.path(f"disk-{self._n_folders}.img"), self.new_folder(), megabytes)


def command(words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise rows.Skip(f"`{' '.join(words)}` failed here: {done.stderr.strip()}")
    return done.stdout


def unmount(folder):
    # One may lie on another.
    for _ in range(2):
        if not os.path.ismount(folder):
            return
        done = subprocess.run(["umount", folder], capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            subprocess.run(["umount", "-l", folder], capture_output=True, timeout=60, check=False)


class Disk:
    """An ext4 of its own in a file, whose power can be cut (root)."""

    def __init__(self, stack, image, folder, megabytes):
        self.image, self.folder = image, folder
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        command(["mkfs.ext4", "-q", "-F", image])
        self.device = None
        self.mount()
        stack.callback(unmount, folder)

    def mount(self):
        """On a device of its own: a mount of the same device would find it as it was, even after an error."""
        self.device = command(["losetup", "--find", "--show", self.image]).strip()
        try:
            command(["mount", "-o", "errors=remount-ro", self.device, self.folder])
        finally:
            # Goes by itself when nobody uses it any more.
            command(["losetup", "--detach", self.device])

    def cut(self):
        """Everything that was not synced is gone, the journal's last commits included."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def power_on(self):
        command(["umount", self.folder])
        self.mount()

    def turn_read_only(self):
        """What ext4 does by itself when it finds an error: all that is open goes on as it is, but for writes."""
        trigger = f"/sys/fs/ext4/{os.path.basename(self.device)}/trigger_fs_error"
        try:
            with open(trigger, "w") as file:
                file.write("a test of what then happens")
        except OSError as cause:
            raise rows.Skip(f"cannot make a file system read-only here: {cause}") from None

    def mount_anew(self):
        """As after a repair, while programs still hold files of the old one open: on top of it, so that at no moment the path leads
        to the folder beneath, where whatever is written would be hidden afterwards."""
        self.mount()

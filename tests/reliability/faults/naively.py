"""What one would write oneself for rotation and reports: compresses in place, writes pages in place. The control of rows of B, run
as a program so that it can be killed: `naively.py rotate LOG BYTES` | `naively.py publish FROM TO`. Must not get better."""

import gzip
import itertools
import json
import os
import shutil
import sys


def rotate(log, size_max):
    """Writes numbered lines, prints each number once it is written; past `size_max` renames, compresses, removes."""
    number = itertools.count(len([name for name in os.listdir(os.path.dirname(log)) if name.startswith("beacon.log.")]) + 1)
    file = open(log, "ab")
    for n in itertools.count():
        text = f"{os.getpid()}-{n}"
        file.write(json.dumps({"id": text, "padded": 2000, "pad": "x" * 2000}).encode() + b"\n")
        file.flush()
        print(text, flush=True)
        if size_max < file.tell():
            file.close()
            old = f"{log}.{next(number)}"
            os.rename(log, old)
            with open(old, "rb") as plain, gzip.open(old + ".gz", "wb") as packed:
                shutil.copyfileobj(plain, packed, 4096)
            os.remove(old)
            file = open(log, "ab")


def publish(source, target):
    """Writes every page and its data where readers look for them."""
    for folder, _, names in os.walk(source):
        there = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(there, exist_ok=True)
        for name in names:
            with open(os.path.join(folder, name), "rb") as old, open(os.path.join(there, name), "wb", buffering=0) as new:
                shutil.copyfileobj(old, new, 4096)


if __name__ == "__main__":
    if sys.argv[1] == "rotate":
        rotate(sys.argv[2], int(sys.argv[3]))
    else:
        publish(sys.argv[2], sys.argv[3])

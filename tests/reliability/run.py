#!/usr/bin/env python3
"""Breaks what can break, on purpose, on this machine alone, and prints one table: `make reliability`, `make test-reliability`.
Exit 1 where a row fails, or where a control does not fail as it must. Skipped rows fail with --strict or CI=true."""

import argparse
import datetime
import os
import platform
import re
import subprocess
import signal
import sys
import time
import traceback

import rows
import table
from bench import Bench, Programs
from faults import attacks, calls, disk, durability, link, payload, process, rotation  # noqa: F401  (each registers its rows)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARKS = ("<!-- reliability: begin -->", "<!-- reliability: end -->")
ORDER = {letter: n for n, letter in enumerate("ABCDE")}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=os.path.join(TOP, "target/release/call-metrics"))
    parser.add_argument("--naive", default=os.path.join(TOP, "target/release/examples/naive"))
    parser.add_argument("--short", action="store_true", help="the quick selection, without root")
    parser.add_argument("--only", default="", help="names of rows, such as A1,D2")
    parser.add_argument("--strict", action="store_true", default=os.environ.get("CI") == "true", help="a skipped row is a failure")
    parser.add_argument("--cuts", type=int, default=100, help="power cuts of A1")
    parser.add_argument("--kills", type=int, default=100, help="kills of A2")
    parser.add_argument("--markdown", metavar="FILE", help="write the table there too")
    parser.add_argument("--update-readme", action="store_true", help="put the table between the marks in README.md")
    return parser.parse_args()


def chosen(args):
    only = {name for name in args.only.split(",") if name}
    unknown = only - {row.name for row in rows.ROWS}
    if unknown:
        sys.exit(f"reliability: error: no such rows: {', '.join(sorted(unknown))}")
    picked = [row for row in rows.ROWS if (row.name in only if only else row.short or not args.short)]
    return sorted(picked, key=lambda row: (ORDER[row.name[0]], [int(n) for n in re.findall(r"\d+", row.name)], row.name))


def run(row, programs, args):
    line = table.Line(row)
    missing = [programs.missing[need] for need in row.needs if programs.missing[need]]
    if missing:
        line.skipped = ", ".join(missing)
        return line
    counts = {"cuts": args.cuts, "kills": args.kills}
    try:
        with Bench(programs, args.short, counts) as bench:
            line.outcome = row.run(bench)
        if row.run_control:
            with Bench(programs, args.short, counts) as bench:
                line.control = row.run_control(bench)
    except rows.Skip as cause:
        line.skipped = str(cause)
    except Exception as cause:  # a row that breaks is one failed row, not the end of the table
        traceback.print_exc()
        line.problem = f"{type(cause).__name__}: {cause}"[:200]
    return line


def facts(args, took_s):
    def git(*words):
        done = subprocess.run(["git", "-C", TOP, *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    with open("/proc/meminfo") as file:
        gigabytes = int(file.readline().split()[1]) / (1 << 20)
    words = " ".join(["make reliability", *(["(rows " + args.only + ")"] if args.only else [])])
    if args.short:
        words = "make test-reliability"
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    return (
        f"`{words}`, {date}, {git('log', '-1', '--format=%h') or 'no commit'}"
        f"{' and changes' if git('status', '--porcelain', '-uno') else ''}, {os.cpu_count()} cores, {gigabytes:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}, load {os.getloadavg()[0]:.1f}, {'root' if os.geteuid() == 0 else 'no root'}, "
        f"{took_s / 60:.0f} min."
    )


def update_readme(text):
    path = os.path.join(TOP, "README.md")
    with open(path, encoding="utf-8") as file:
        readme = file.read()
    if readme.count(MARKS[0]) != 1 or readme.count(MARKS[1]) != 1:
        sys.exit(f"reliability: error: README.md needs the marks {MARKS[0]} and {MARKS[1]}, once each")
    before, rest = readme.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{MARKS[0]}\n{text}{MARKS[1]}{after}")


def main():
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        # Under nohup the programs would ignore it too, and some rows are about it. A handler is not inherited.
        signal.signal(signal.SIGHUP, lambda *_: None)
    args = arguments()
    picked = chosen(args)
    programs = Programs(args.bin, args.naive)
    begin = time.monotonic()
    lines = []
    for row in picked:
        started = time.monotonic()
        lines.append(run(row, programs, args))
        print(f"{table.plain(lines[-1])}    [{time.monotonic() - started:.1f} s]", flush=True)
    text = table.markdown(lines, facts(args, time.monotonic() - begin))
    if args.markdown:
        with open(args.markdown, "w", encoding="utf-8") as file:
            file.write(text)
    if args.update_readme:
        update_readme(text)
    bad = [line.row.name for line in lines if not line.is_good(args.strict)]
    skipped = [line.row.name for line in lines if line.skipped]
    print(f"\n{text}")
    if skipped:
        print(f"*** NOT TESTED: {', '.join(skipped)} ***", file=sys.stderr)
    print(f"reliability: {len(lines) - len(bad) - len([s for s in skipped if s not in bad])} hold, {len(bad)} fail, {len(skipped)} skipped")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

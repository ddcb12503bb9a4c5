#!/usr/bin/env bash
# Measures on this machine alone, bounded in time: `make bench`. Prints ratios beside a floor, because machines are noisy.
#   report: a build of made-up calls, beside reading the same bytes (wc -l) and parsing them in Python (json)
#   beacons: wrk with 64 keep-alive connections for some seconds, synced and written, beside a raw fdatasync loop
set -euo pipefail
bin=$(realpath "$1")
cd "$(dirname "$0")"
here=$PWD
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

seconds() { # best of three
  local best=
  for _ in 1 2 3; do
    local begin end took
    begin=$(date +%s.%N); "$@" >/dev/null; end=$(date +%s.%N)
    took=$(awk -v a="$begin" -v b="$end" 'BEGIN { print b - a }')
    best=$(awk -v a="${best:-$took}" -v b="$took" 'BEGIN { print (b < a) ? b : a }')
  done
  echo "$best"
}

echo "== report: full build (best of 3)"
"$bin" sample-log --calls 150 --days 30 > "$work/sample.log"
bytes=$(stat -c %s "$work/sample.log")
row() { awk -v n="$1" -v t="$2" -v b="$bytes" 'BEGIN { printf "%-44s %8.3f s %9.1f MB/s\n", n, t, b / t / 1e6 }'; }
row "read the bytes (wc -l)" "$(seconds wc -l "$work/sample.log")"
row "call-metrics build-report --full" "$(seconds "$bin" build-report --full --log "$work/sample.log" --out "$work/report")"
row "call-metrics build-report, nothing changed" "$(seconds "$bin" build-report --log "$work/sample.log" --out "$work/report")"
if command -v python3 >/dev/null; then
  row "python3, json.loads of every line" "$(seconds python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' "$work/sample.log")"
fi
printf 'log %d bytes, site %s\n' "$bytes" "$(du -sh "$work/report" | cut -f1)"

echo "== beacons: 64 keep-alive connections, 5 s"
if ! command -v wrk >/dev/null; then
  echo "NOT MEASURED: wrk is missing (on Debian: apt-get install wrk)"
  exit 0
fi
python3 - "$work/probe" <<'PY'
import os, sys, time
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
times = []
end = time.time() + 2
while time.time() < end:
    os.write(fd, b"x" * 1024)
    begin = time.perf_counter()
    os.fdatasync(fd)
    times.append(time.perf_counter() - begin)
times.sort()
print(f"raw fdatasync of 1 KiB: {len(times) / 2:.0f}/s, p99 {times[int(len(times) * .99)] * 1e3:.1f} ms")
PY
for durability in synced written; do
  "$bin" serve --listen 127.0.0.1:0 --log "$work/$durability.log" --public "$work/public" --durability "$durability" > "$work/ready" 2>/dev/null &
  server=$!
  until [ -s "$work/ready" ]; do sleep 0.05; done
  url=$(sed 's/^listening on //' "$work/ready")
  wrk -t1 -c64 -d5s --latency -s "$here/beacon.lua" "$url/beacon" > "$work/wrk"
  kill "$server"; wait "$server" || true; server=
  awk -v d="$durability" '/Requests\/sec/ { r = $2 } /99%/ { p = $2 } /Non-2xx/ { bad = $NF } END { printf "%-8s %10s beacons/s, p99 %s, refused %d\n", d, r, p, bad }' "$work/wrk"
  printf '         %d lines in the log\n' "$(wc -l < "$work/$durability.log")"
  : > "$work/ready"
done

#!/usr/bin/env bash
# Measures on this machine alone, bounded in time: `make bench`. Prints ratios beside a floor, because machines are noisy.
#   report: a build of made-up calls, beside reading the same bytes (wc -l) and parsing them in Python (json)
#   beacons: wrk against the collector, a bare tiny_http server, Flask under gunicorn and nginx (beacons.py)
set -euo pipefail
# benches/run.sh BINARY NAIVE TARGET
bin=$(realpath "$1")
naive=$(realpath "$2")
target=$(realpath "$3")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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

echo "== beacons: 895 bytes, 64 keep-alive connections, medians of rounds in turn"
python3 beacons.py "$bin" "$naive" --target "$target"

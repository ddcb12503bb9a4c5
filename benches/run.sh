#!/usr/bin/env bash
# Measures on this machine alone, bounded in time: `make bench`. Prints ratios beside a floor, because machines are noisy.
#   report: builds of made-up calls, beside reading and writing the bytes alone, DuckDB and pandas (report.py); more of them
#     with REPORT_ARGS="--calls 4900"
#   beacons: wrk against the collector, a bare tiny_http server, Flask under gunicorn and nginx (beacons.py)
set -euo pipefail
# benches/run.sh BINARY NAIVE TARGET
bin=$(realpath "$1")
naive=$(realpath "$2")
target=$(realpath "$3")
cd "$(dirname "$0")"

echo "== report: made-up calls, one reading a beacon"
# shellcheck disable=SC2086
python3 report.py "$bin" --target "$target" ${REPORT_ARGS:-}

echo "== beacons: 895 bytes, 64 keep-alive connections, medians of rounds in turn"
python3 beacons.py "$bin" "$naive" --target "$target"

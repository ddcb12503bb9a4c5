#!/usr/bin/env bash
# Types, unit tests and the tests in a real browser. Installs what they need; where that cannot be had it says so loudly and
# goes on, except in CI.
set -euo pipefail
cd "$(dirname "$0")"
top=$(cd ../.. && pwd)

if ! command -v npm >/dev/null; then
  echo "NOT TESTED: call page, beacons and dashboard in a browser: npm is missing (Node 20 or newer)" >&2
  [ "${CI:-}" != true ]
  exit
fi
./setup.sh
export CALL_METRICS_BIN="${CALL_METRICS_BIN:-${CARGO_TARGET_DIR:-$top/target}/debug/call-metrics}"
npm run --silent types
npm run --silent unit
npm run --silent e2e

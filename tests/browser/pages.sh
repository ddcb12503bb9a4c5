#!/usr/bin/env bash
# axe, the W3C's checker and Lighthouse over every kind of page. Installs what they need; where that cannot be had it says so
# loudly and goes on, except in CI.
set -euo pipefail
cd "$(dirname "$0")"
top=$(cd ../.. && pwd)

if ! command -v npm >/dev/null; then
  echo "NOT CHECKED: the pages: npm is missing (Node 20 or newer)" >&2
  [ "${CI:-}" != true ]
  exit
fi
./setup.sh java
export CALL_METRICS_BIN="${CALL_METRICS_BIN:-${CARGO_TARGET_DIR:-$top/target}/debug/call-metrics}"
npm run --silent pages

#!/usr/bin/env bash
# Compares the report's numbers with those of numpy and pandas, which it installs into target/. Without Python it says so
# loudly and goes on, except in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
  echo "NOT TESTED: the report's numbers against numpy and pandas: $1" >&2
  [ "${CI:-}" = true ] && exit 1
  exit 0
}

command -v python3 >/dev/null || skip "python3 is missing"
venv=target/numbers
wanted=$(cat tests/numbers/requirements.txt)
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" || skip "python3 has no venv (on Debian: apt-get install python3-venv)"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/numbers/requirements.txt || skip "pip could not install numpy and pandas"
  echo "$wanted" > "$venv/installed"
fi
for seed in 1 2 3; do
  "$venv/bin/python" tests/numbers/check.py "${CARGO_TARGET_DIR:-target}/debug/call-metrics" --seed "$seed"
done

#!/usr/bin/env bash
# Fuzzes each target for SECONDS (60), from fuzz/corpus; new inputs go to fuzz/found, crashes to fuzz/artifacts.
#   fuzz/run.sh [SECONDS] [TARGET…]
# Installs nothing. What is worth keeping: `cargo +nightly fuzz cmin TARGET fuzz/found/TARGET`, then copy what is small
# into fuzz/corpus/TARGET, where `cargo test` replays it.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(gate_head gate_chunked beacon_check beacon_scanner log_reader)

skip() {
  printf 'fuzz: SKIPPED, nothing was fuzzed: %s\n' "$1" >&2
  # A run that was asked for by CI must not pass for one that was done.
  [ "${CI:-}" != true ] || exit 1
  exit 0
}
[[ $seconds =~ ^[0-9]+$ ]] || { echo 'fuzz: usage: fuzz/run.sh [SECONDS] [TARGET…]' >&2; exit 2; }
cargo +nightly --version >/dev/null 2>&1 || skip 'no nightly toolchain (rustup toolchain install nightly)'
cargo +nightly fuzz --version >/dev/null 2>&1 || skip 'no cargo-fuzz (cargo install cargo-fuzz --locked)'

# The readers' target makes files: in memory where that is to be had.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
for target in "${targets[@]}"; do
  case $target in
    gate_*) dictionary=http max_bytes=20000 ;;
    beacon_check | beacon_scanner) dictionary=beacon max_bytes=70000 ;;
    *) dictionary=beacon max_bytes=4096 ;;
  esac
  mkdir -p "fuzz/found/$target"
  echo "fuzz: $target for $seconds s"
  cargo +nightly fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len="$max_bytes" -timeout=10 -rss_limit_mb=2048 \
    -dict="fuzz/dictionaries/$dictionary.dict" -print_final_stats=1 -verbosity=0
done

#!/bin/sh
# Gets what the browser tests need: the packages of package.json, and a Chromium (Debian's own, by apt, when none is there).
# With `java`, that too. Run by `make test`. Quick when everything is there.
set -eu
cd -- "$(dirname -- "$0")"

if ! command -v npm >/dev/null 2>&1; then
  echo 'browser tests: error: no `npm` here' >&2
  echo 'browser tests: hint: Debian: apt-get install nodejs npm (Node 20 or later)' >&2
  exit 1
fi

# npm leaves this file behind when it is through.
if [ -z "$(find node_modules/.package-lock.json -newer package-lock.json 2>/dev/null)" ]; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi

# Debian's own `$1`, where it can be had.
debian() {
  command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || return 1
  echo "browser tests: installing $1 by apt-get" >&2
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >&2
}

# The W3C's checker of pages runs on Java.
if [ "${1:-}" = java ] && ! command -v java >/dev/null 2>&1; then
  debian default-jre-headless || echo '*** browser tests: no Java here: the W3C checker will be skipped (with CI=true: fail).' >&2
fi

# The same places as e2e/world/chromium.mjs.
for path in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
  if [ -n "$path" ] && [ -x "$path" ]; then exit 0; fi
done

if ! debian chromium; then
  echo '*** browser tests: no Chromium here, so they will be skipped (with CI=true: fail).' >&2
  echo '*** Install it (Debian: sudo apt-get install chromium), or set CHROMIUM to its path.' >&2
fi

#!/bin/sh
# Gets what the rows need: strace and libfaketime (Debian's own, by apt, as root). Quick when they are there.
# Where they cannot be had, the rows that need them say so and are skipped (with CI=true: fail).
set -eu

want=
command -v strace >/dev/null 2>&1 || want="$want strace"
[ "${1:-}" != all ] || [ -n "$(find /usr/lib -name 'libfaketimeMT.so.1' 2>/dev/null)" ] || want="$want libfaketime"
if [ -z "$want" ]; then exit 0; fi

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "reliability: installing$want by apt-get" >&2
  apt-get update -qq >&2
  # shellcheck disable=SC2086  # a list
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $want >&2
else
  echo "*** reliability: missing here:$want. The rows that need it will be skipped (with CI=true: fail)." >&2
  echo "*** Install it (Debian: sudo apt-get install$want)." >&2
fi

#!/bin/sh
# Fetches daily-js, the one library that the call page loads, so that the build can put it inside the binary.
# Result: target/vendor/daily-js.bundle.js and target/vendor/daily-js.LICENSES.txt, where build.rs looks.
# Run by `make vendor`. Does nothing when both are there and newer than what they are made from.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
vendor=$(dirname -- "$here")/target/vendor
bundle=$vendor/daily-js.bundle.js
licenses=$vendor/daily-js.LICENSES.txt
# Of dist/daily.js in @daily-co/daily-js 0.92.2. It changes together with the version in package.json, and with the
# SRI hash in src/site/assets.rs.
expected=4199d9996bafaa500d97362eb109c2a300ffbead41ce5c4df7132517f7ad5636

sha256() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# `find -newer` says nothing when both are newer than every source; `[ -nt ]` is not in every sh.
up_to_date() {
  [ -f "$bundle" ] && [ -f "$licenses" ] && [ "$(sha256 "$bundle")" = "$expected" ] &&
    [ -z "$(find "$here/package.json" "$here/package-lock.json" "$here/vendor.sh" -newer "$licenses")" ]
}

if up_to_date; then exit 0; fi

if ! command -v npm >/dev/null 2>&1; then
  cat >&2 <<'WORDS'
********************************************************************************
vendor: there is no npm here, so daily-js is not put inside the binary.
vendor: The call page will load it from the public CDN (unpkg.com) instead,
vendor: with the version pinned and its hash checked. To have it inside: install
vendor: npm (Debian: apt-get install npm), then run `make vendor` and build again.
********************************************************************************
WORDS
  exit 0
fi

mkdir -p "$vendor"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$vendor/"
cd "$vendor"
# Nothing of these packages runs here, so a Node older than daily-js asks for will do: its warning is not for us.
if ! npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
  echo 'vendor: error: `npm ci` failed: daily-js could not be fetched' >&2
  echo 'vendor: hint: check the network and the npm registry, then run `make vendor` again' >&2
  exit 1
fi

found=$(sha256 node_modules/@daily-co/daily-js/dist/daily.js)
if [ "$found" != "$expected" ]; then
  echo "vendor: error: dist/daily.js of @daily-co/daily-js is not the file that was expected: sha256 $found, not $expected" >&2
  echo 'vendor: hint: after a change of its version, put the new hash into site-templates/vendor.sh and src/site/assets.rs' >&2
  exit 1
fi

# Each licence under the name and version of its package. The distributed file has no banner of its own.
for package in @daily-co/daily-js bowser @sentry/browser events dequal @babel/runtime; do
  version=$(sed -n 's/^  "version": "\(.*\)",\{0,1\}$/\1/p' "node_modules/$package/package.json")
  text=
  for name in LICENSE license LICENSE.md LICENSE.txt; do
    if [ -f "node_modules/$package/$name" ]; then text=node_modules/$package/$name; break; fi
  done
  if [ -z "$version" ] || [ -z "$text" ]; then
    echo "vendor: error: no licence or no version in the npm package \`$package\`" >&2
    exit 1
  fi
  printf '==== %s %s ====\n\n' "$package" "$version"
  cat "$text"
  printf '\n\n'
done >"$licenses.new"

# Whole files only: a build may be reading.
cp node_modules/@daily-co/daily-js/dist/daily.js "$bundle.new"
mv "$bundle.new" "$bundle"
mv "$licenses.new" "$licenses"
echo "vendor: daily-js is in target/vendor; the next build puts it inside the binary" >&2

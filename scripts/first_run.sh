#!/bin/sh
# first_run.sh BIN: what a newcomer does first, with the `citebot` in the folder BIN, in an empty folder, with a clean
# environment and, where the machine allows it, without a network.
set -eu
bin=$(cd "$1" && pwd)
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"

offline=
if command -v unshare >/dev/null && unshare --net true 2>/dev/null; then offline="unshare --net"; fi
echo "first run in an empty folder, ${offline:+no network, }$("$bin/python" --version)"

newcomer() {
    echo "\$ $*" >&2
    $offline env -i HOME="$home" PATH="$bin:/usr/bin:/bin" LANG=C.UTF-8 TERM=dumb "$@"
}

newcomer citebot --help >help.txt
grep -q 'citebot demo' help.txt
newcomer citebot plugins list
newcomer citebot doctor
started=$(date +%s)
newcomer citebot demo --once --json >answer.json
echo "cited answer after $(($(date +%s) - started)) s"
"$bin/python" - <<'END'
import json

answer = json.load(open("answer.json", encoding="utf-8"))
assert answer["answered"] is True, answer
assert answer["citations"], "the answer cites nothing"
assert "[1]" in answer["text"], answer["text"]
print(answer["text"])
END

#!/bin/sh
# Writes the pinned, hashed requirements from pyproject.toml. Needs uv; pass --upgrade to move to newer versions.
# The files name no package host: pip takes every package from wherever this machine is set up to take them.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-$(command -v uv || echo .venv/bin/uv)}

export_to() {
    target=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-strip-extras --output-file "$target" pyproject.toml requirements/build.in "$@"
    if grep -nE '://|--(extra-)?index|--find-links' "$target"; then
        echo "$target names a package host" >&2
        exit 1
    fi
    echo "$target: $(grep -c '==' "$target") packages"
}

export_to requirements/core.txt "$@"
export_to requirements/runtime.txt --extra embedded --extra web --extra sources "$@"
export_to requirements/image.txt --extra all "$@"
export_to requirements/dev.txt --extra dev "$@"
export_to requirements/testing.txt --extra embedded --extra web --extra sources --extra testing "$@"

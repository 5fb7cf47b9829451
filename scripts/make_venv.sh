#!/bin/sh
# make_venv.sh SET: makes .venv with the pinned packages of requirements/SET.txt and Citebot itself, or brings it up to
# date. Needs Python 3.11 to 3.13 and pip. Does nothing when everything is there already.
set -eu
set_name=$1
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}

# Settings that would send packages elsewhere than into .venv, or refuse an install without hashes of our own folder.
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_REQUIREMENT PIP_REQUIRE_HASHES PIP_NO_DEPS \
    PIP_NO_BUILD_ISOLATION PIP_EDITABLE PIP_PYTHON PIP_REQUIRE_VIRTUALENV PYTHONPATH PYTHONHOME 2>/dev/null || true
export PIP_DISABLE_PIP_VERSION_CHECK=1

fits() { "$1" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "Citebot needs Python 3.11, 3.12 or 3.13, and none was found. Install one, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
}

make_venv() {
    python=$(find_python)
    rm -rf "$venv"
    "$python" -m venv "$venv" >/dev/null 2>&1 && return
    # Some systems ship Python without ensurepip; the pip that is there can fill an empty environment.
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv" >/dev/null 2>&1 &&
        "$python" -m pip --python "$venv/bin/python" install --quiet pip && return
    rm -rf "$venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv python3-pip >&2
        "$python" -m venv "$venv" && return
    fi
    echo "$python can make no virtual environment: install its venv module (Debian: apt-get install python3-venv)" >&2
    exit 1
}

fits "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 || make_venv

# The development set holds everything of the others.
stamp() { echo "$venv/.installed-$1-$(cat pyproject.toml "requirements/$1.txt" | cksum | tr ' ' -)"; }
for wanted in "$set_name" dev; do
    if [ -e "$(stamp "$wanted")" ]; then exit 0; fi
done

echo "Installing the packages of requirements/$set_name.txt into $venv" >&2
"$venv/bin/python" -m pip install --quiet --require-hashes -r "requirements/$set_name.txt"
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
rm -f "$venv"/.installed-*
touch "$(stamp "$set_name")"

#!/bin/sh
# Installs Chromium and its driver for the browser tests, on Debian and its relatives.
set -eu

if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    echo "chromium: already installed ($(chromium --version 2>/dev/null || echo 'version unknown'))"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "chromium: no apt-get here; install Chromium and chromedriver yourself, both on the PATH" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "chromium: needs root to install packages; run: sudo $0" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core
echo "chromium: installed ($(chromium --version))"

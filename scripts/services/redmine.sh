#!/usr/bin/env bash
# A Redmine to copy: its one-file database, with the REST API on and a key for the administrator.
#
#   redmine.sh prepare [FOLDER] [PID]   make it (install first if we are root on Debian) and print the folder;
#                                       with PID it is deleted when that process ends
#   redmine.sh serve FOLDER PORT        serve the database of a folder on 127.0.0.1 until killed
#   redmine.sh remove [FOLDER]          delete the folder
set -euo pipefail

action=${1:-}
folder=${2:-/tmp/citebot-redmine-$(id -u)}
watched=${3:-}
code=/usr/share/redmine
made=/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default

# Debian 12's security update of ruby3.1 ships a bundler without the patch that accepts gems from packages.
if grep -q '^12' /etc/debian_version 2>/dev/null; then export BUNDLER_VERSION=2.3.15; fi
export LC_ALL=C.UTF-8

say() { echo "redmine.sh: $*" >&2; }

installed() { command -v rackup >/dev/null && [ -f "$code/config.ru" ] && [ -r "$made" ] && command -v sqlite3 >/dev/null; }

install_programs() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "Redmine is not installed, or not readable. As root on Debian: apt-get install redmine redmine-sqlite ruby-webrick sqlite3"
        exit 3
    fi
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
    fi
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
        redmine redmine-sqlite ruby-webrick sqlite3 >&2
}

prepare() {
    installed || install_programs
    installed || { say "Redmine was installed, but its code or its database is missing"; exit 1; }
    if [ ! -f "$folder/ready" ]; then
        rm -rf "$folder"
        mkdir -p -m 700 "$folder"
        cp "$made" "$folder/redmine.sqlite"
        sqlite3 "$folder/redmine.sqlite" "
            INSERT INTO settings(name,value,updated_on) VALUES('rest_api_enabled','1',datetime('now'));
            INSERT INTO settings(name,value,updated_on) VALUES('text_formatting','textile',datetime('now'));
            UPDATE users SET must_change_passwd=0 WHERE id=1;
            INSERT INTO tokens(user_id,action,value,created_on,updated_on)
            VALUES(1,'api','0123456789abcdef0123456789abcdef01234567',datetime('now'),datetime('now'));"
        touch "$folder/ready"
    fi
    if [ -n "$watched" ]; then
        setsid "$0" remove-after "$folder" "$watched" >/dev/null 2>&1 </dev/null &
    fi
    echo "$folder"
}

case $action in
    prepare) prepare ;;
    serve)
        here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
        cd "$code"
        DATABASE_URL="sqlite3:$folder/redmine.sqlite" REDMINE_INSTANCE=default RUBYLIB="$here" RUBYOPT=-rredmine_server \
            exec rackup -E production -s webrick -o 127.0.0.1 -p "$3" -q
        ;;
    remove) rm -rf "$folder" ;;
    remove-after)
        while kill -0 "$watched" 2>/dev/null; do sleep 1; done
        rm -rf "$folder"
        ;;
    *)
        say "use: redmine.sh prepare|serve|remove [FOLDER] [PID or PORT]"
        exit 2
        ;;
esac

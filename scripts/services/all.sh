#!/bin/sh
# Starts (or installs) every server and program the tests use, by the scripts beside this one, and prints what the tests
# must know as NAME=value lines. What cannot be had is named on stderr; with CI=true that is a failure.
#
#   all.sh [PID]    servers stop by themselves when the process PID ends
set -u
here=$(cd "$(dirname "$0")" && pwd)
watched=${1:-}
failed=0

left_out() {
    echo "$1" >&2
    failed=1
}

if ! command -v git >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends git; } >&2
    fi
    command -v git >/dev/null || left_out "no git: install it"
fi

if [ -n "${CITEBOT_TEST_POSTGRES_URL:-}" ]; then
    echo "CITEBOT_TEST_POSTGRES_URL=$CITEBOT_TEST_POSTGRES_URL"
elif url=$("$here/postgres.sh" start "/tmp/citebot-postgres-$$" $watched); then
    echo "CITEBOT_TEST_POSTGRES_URL=$url"
else
    left_out "no PostgreSQL: install it, or set CITEBOT_TEST_POSTGRES_URL"
fi

if [ -x "$here/chromium.sh" ]; then
    "$here/chromium.sh" >&2 || left_out "no Chromium: install chromium and its driver"
fi

if folder=$("$here/mediawiki.sh" prepare "/tmp/citebot-mediawiki-$$" $watched); then
    echo "CITEBOT_TEST_MEDIAWIKI=$folder"
else
    left_out "no MediaWiki: see scripts/services/mediawiki.sh"
fi

if folder=$("$here/redmine.sh" prepare "/tmp/citebot-redmine-$$" $watched); then
    echo "CITEBOT_TEST_REDMINE=$folder"
else
    left_out "no Redmine: see scripts/services/redmine.sh"
fi

if url=$("$here/local_slack.sh" start "/tmp/citebot-local-slack-$$" $watched); then
    echo "CITEBOT_TEST_LOCAL_SLACK=$url"
else
    left_out "no local-slack: see scripts/services/local_slack.sh"
fi

if program=$("$here/aimock.sh"); then
    echo "CITEBOT_TEST_AIMOCK=$program"
else
    left_out "no aimock: see scripts/services/aimock.sh"
fi

if url=$("$here/elasticsearch.sh" start "/tmp/citebot-elasticsearch-$$" $watched); then
    echo "CITEBOT_TEST_ELASTICSEARCH_URL=$url"
else
    left_out "no Elasticsearch: see scripts/services/elasticsearch.sh"
fi

"$here/../fetch_bge_small.sh" >/dev/null || left_out "no bge-small: see scripts/fetch_bge_small.sh"

if [ "${CI:-}" = true ]; then exit $failed; fi

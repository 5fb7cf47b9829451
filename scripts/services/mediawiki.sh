#!/usr/bin/env bash
# A MediaWiki to copy: its settings and its one-file databases in a folder, which tests copy and serve with `php -S`.
#
#   mediawiki.sh prepare [FOLDER] [PID]   make it (install first if we are root on Debian) and print the folder;
#                                         with PID it is deleted when that process ends
#   mediawiki.sh remove [FOLDER]          delete the folder
set -euo pipefail

action=${1:-}
folder=${2:-/tmp/citebot-mediawiki-$(id -u)}
watched=${3:-}
code=/usr/share/mediawiki

say() { echo "mediawiki.sh: $*" >&2; }

# The list whole: a grep that leaves early would break the pipe, and with it the answer.
installed() { command -v php >/dev/null && [ -f "$code/api.php" ] && [[ "$(php -m)" == *pdo_sqlite* ]]; }

install_programs() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "MediaWiki is not installed. On Debian: apt-get install mediawiki php-cli php-sqlite3 php-intl php-mbstring"
        exit 3
    fi
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
    apt-get update -qq >&2
    # php-cgi and lighttpd stand in for the web server that would be recommended; a service is never started.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
    fi
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
        mediawiki php-cgi lighttpd php-cli php-sqlite3 php-intl php-mbstring python3-pygments >&2
}

prepare() {
    installed || install_programs
    installed || { say "MediaWiki was installed, but $code or PHP's SQLite is missing"; exit 1; }
    if [ ! -f "$folder/ready" ]; then
        rm -rf "$folder"
        mkdir -p -m 700 "$folder"
        php "$code/maintenance/install.php" --dbtype sqlite --dbpath "$folder" --dbname wiki --confpath "$folder" \
            --server http://127.0.0.1 --scriptpath "" --pass 'Adm1n-pass-word!' "Team Wiki" Admin \
            >"$folder/install.log" 2>&1 || { cat "$folder/install.log" >&2; exit 1; }
        cat >>"$folder/LocalSettings.php" <<'PHP'
# The folder is copied and served at any port. Jobs run only when a test runs them.
$wgSQLiteDataDir = __DIR__;
foreach ( [ 'wgObjectCaches', 'wgJobTypeConf', 'wgLocalisationCacheConf' ] as $conf ) {
    array_walk_recursive( $$conf, static function ( &$value, $key ) {
        if ( $key === 'dbDirectory' || $key === 'storeDirectory' ) { $value = __DIR__; }
    } );
}
$wgServer = getenv( 'CITEBOT_WIKI_URL' ) ?: 'http://127.0.0.1';
$wgJobRunRate = 0;
$wgCacheDirectory = __DIR__;
wfLoadExtension( 'SyntaxHighlight_GeSHi' );
$wgPygmentizePath = '/usr/bin/pygmentize';
if ( is_file( __DIR__ . '/extra.php' ) ) { require __DIR__ . '/extra.php'; }
PHP
        MW_CONFIG_FILE="$folder/LocalSettings.php" php "$code/maintenance/createBotPassword.php" --appid bot \
            --grants basic,highvolume,editpage,createeditmovepage,delete Admin 0123456789abcdefghijklmnopqrstuv \
            >>"$folder/install.log" 2>&1 || { cat "$folder/install.log" >&2; exit 1; }
        echo "Main Page" | MW_CONFIG_FILE="$folder/LocalSettings.php" php "$code/maintenance/deleteBatch.php" \
            >>"$folder/install.log" 2>&1
        touch "$folder/ready"
    fi
    if [ -n "$watched" ]; then
        setsid "$0" remove-after "$folder" "$watched" >/dev/null 2>&1 </dev/null &
    fi
    echo "$folder"
}

case $action in
    prepare) prepare ;;
    remove) rm -rf "$folder" ;;
    remove-after)
        while kill -0 "$watched" 2>/dev/null; do sleep 1; done
        rm -rf "$folder"
        ;;
    *)
        say "use: mediawiki.sh prepare|remove [FOLDER] [PID]"
        exit 2
        ;;
esac

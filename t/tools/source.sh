#!/bin/bash
#
# Prints the directory of complete nginx sources (nginx-dev has headers only):
# $NGX_SRC if that is complete, else those of the distribution's nginx, fetched
# once into $BUILD/source from the mirror that apt uses, through a throw-away
# apt root.

set -euo pipefail

cd "$(dirname "$0")/../.."

out=$(realpath -m "${BUILD:-build}")/source

if [ -n "${NGX_SRC:-}" ] && [ -f "$NGX_SRC/src/core/nginx.c" ]; then
    realpath "$NGX_SRC"
    exit 0
fi

found() {
    ls -d "$out"/nginx-*/src/core/nginx.c 2>/dev/null | head -n 1 \
        | sed 's,/src/core/nginx.c,,'
}

if [ -z "$(found)" ]; then
    . /etc/os-release

    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
             'Created-By: Packages' 'Component: main' 'Label: Debian' \
             | sed -n 1p)

    if [ -z "$mirror" ]; then
        echo "source: apt knows no mirror of Debian, set NGX_SRC" >&2
        exit 1
    fi

    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    chmod 755 "$root"
    mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$out"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
         "$mirror $VERSION_CODENAME main" > "$root/sources.list"

    options=(-q -o Dir::Etc::SourceList="$root/sources.list"
             -o Dir::Etc::SourceParts=-
             -o Dir::State::Lists="$root/lists"
             -o Dir::Cache="$root/cache"
             -o Acquire::Retries=3
             -o APT::Get::List-Cleanup=0)

    if ! { apt-get "${options[@]}" update \
           && cd "$out" && apt-get "${options[@]}" source nginx; } \
        > "$root/log" 2>&1
    then
        tail -n 10 "$root/log" >&2
        echo "source: could not fetch nginx, set NGX_SRC" >&2
        exit 1
    fi
fi

found

#!/bin/bash
#
# Installs what a make target needs, and nothing that is there already:
#
#     deps.sh build|run|simulate|test|lint|asan|fuzz|bench|interop|fresh|all
#
# The one place of the project that installs.  Packages come from whatever
# mirror apt uses; Test::Nginx, which Debian 12 lacks, is taken from the same
# mirror's "sid" through a throw-away apt root.  Services that packages bring
# are not started.

set -euo pipefail

cd "$(dirname "$0")/../.."

level=${1:-all}

die() {
    echo "deps: $*" >&2
    exit 1
}


# level -> packages

build="gcc libc6-dev make libhiredis-dev libjansson-dev libssl-dev
       libcurl4-openssl-dev"

if [ -n "${NGX_SRC:-}" ]; then
    build="$build libpcre2-dev zlib1g-dev"
else
    build="$build nginx nginx-dev"
fi

run="$build redis-server openssl curl strongswan-pki
     libstrongswan-standard-plugins libstrongswan-extra-plugins"
simulate="$run python3-minimal python3-cryptography"
test="$simulate perl gnutls-bin python3-asn1crypto
      Test::Nginx"
lint="$build cppcheck universal-ctags"
source="dpkg-dev libpcre2-dev zlib1g-dev"
asan="$test $source"
fuzz="$build $source clang"
bench="$run $(cat t/bench/packages.txt)"
interop="$test dbus $(cat t/interop/packages.txt)
         Node::npm"
fresh="debootstrap git"
all="$lint $asan $fuzz $bench $interop"

case "$level" in
    build|run|simulate|test|lint|asan|fuzz|bench|interop|fresh|all) ;;
    *) die "unknown level \"$level\"" ;;
esac

wanted=$(printf '%s\n' ${!level} | sort -u)


test_nginx_present() {
    perl -MTest::Nginx::Socket -e 1 2>/dev/null
}

# whoever packaged them

node_present() {
    command -v node > /dev/null && command -v npm > /dev/null
}

missing() {
    local present package

    present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted \
              2>/dev/null || true)

    for package in $wanted; do
        if [ "$package" = Test::Nginx ]; then
            test_nginx_present || echo "$package"

        elif [ "$package" = Node::npm ]; then
            node_present || echo "$package"

        elif ! grep -qx "installed $package" <<< "$present"; then
            echo "$package"
        fi
    done
}


if ! command -v apt-get > /dev/null; then
    echo "deps: not a Debian system, these are expected under their names" \
         "here:" $wanted
    exit 0
fi

need=$(missing)

if [ -z "$need" ]; then
    [ "$level" != all ] || echo "deps: everything is there"
    exit 0
fi

echo "deps: installing" $need

if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null \
        || die "must be root to install; run \"make deps\" as root"
    exec sudo NGX_SRC="${NGX_SRC:-}" "$0" "$level"
fi


tmp=$(mktemp -d)
policy=

cleanup() {
    rm -rf "$tmp"
    [ -z "$policy" ] || rm -f "$policy"
}

trap cleanup EXIT

export DEBIAN_FRONTEND=noninteractive

apt() {
    apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" \
        >> "$tmp/log" 2>&1 || { tail -n 20 "$tmp/log" >&2; return 1; }
}

install_packages() {
    apt install --no-install-recommends "$@" \
        || die "apt could not install $*"
}

# The server packages would start a system-wide nginx and Redis.

if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
fi

install_test_nginx() {
    local mirror root options

    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
             'Created-By: Packages' 'Component: main' 'Label: Debian' \
             | sed -n 1p)
    root=$tmp/sid
    options=(-o Dir::Etc::SourceList="$root/sources.list"
             -o Dir::Etc::SourceParts=-
             -o Dir::State::Lists="$root/lists"
             -o Dir::Cache="$root/cache"
             -o APT::Get::List-Cleanup=0)

    mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
    chmod 755 "$tmp"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
         "$mirror sid main" > "$root/sources.list"

    # Signatures are checked in any case.  A mirror that is a snapshot has a
    # "sid" past its date: that is said, and taken, for this one package.

    if [ -n "$mirror" ] && ! apt "${options[@]}" update 2> "$tmp/why"; then
        echo "deps: $(grep '^E:' "$tmp/why" | head -n 1)"
        echo "deps: taking Test::Nginx from there all the same"
        options+=(-o Acquire::Check-Valid-Until=false)
        apt "${options[@]}" update || mirror=
    fi

    [ -n "$mirror" ] \
        && (cd "$root" && apt "${options[@]}" download libtest-nginx-perl) \
        && apt install --no-install-recommends "$root"/*.deb \
        && return 0

    echo "deps: no Test::Nginx from the mirror's sid, trying CPAN"
    install_packages cpanminus make gcc libc6-dev libtest-base-perl \
        libtest-longstring-perl libwww-perl liblist-moreutils-perl \
        libtext-diff-perl libipc-run-perl libhttp-message-perl
    cpanm --quiet --notest Test::Nginx || die "could not get Test::Nginx"
}

apt update || die "apt-get update failed"

packages=$(grep -v '::' <<< "$need" || true)

[ -z "$packages" ] || install_packages $packages

if grep -qx Node::npm <<< "$need"; then
    install_packages nodejs npm
fi

if grep -qx Test::Nginx <<< "$need"; then
    install_test_nginx
fi

[ -z "$(missing)" ] || die "still missing:" $(missing)

echo "deps: installed" $need

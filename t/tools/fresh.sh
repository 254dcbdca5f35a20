#!/bin/bash
#
# Proves the two commands on a machine where nothing is installed: bootstraps
# Debian 12 with git, make and ca-certificates into $BUILD/fresh, clones the
# repository there, and runs "make run" (ending after its steps) and "make
# test" inside.  COMMANDS="..." runs others instead; WORKTREE=1 takes the files
# as they lie here instead of the last commit.  Needs root.
#
# All happens in a mount and process namespace of its own, so that nothing
# stays mounted or running, however this script ends.

set -euo pipefail

cd "$(dirname "$0")/../.."

top=$PWD
BUILD=$(realpath -m "${BUILD:-build}")
fresh=$BUILD/fresh
root=$fresh/root
suite=${SUITE:-bookworm}
commands=${COMMANDS:-"ONCE=1 make run && make test"}

die() {
    echo "fresh: FAILED: $*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || die "must be root to bootstrap a system"

t/tools/deps.sh fresh

mirror=$(apt-get indextargets --format '$(REPO_URI)' \
         'Created-By: Packages' 'Component: main' 'Label: Debian' | sed -n 1p)

[ -n "$mirror" ] || die "apt knows no mirror of Debian"

mkdir -p "$fresh"
rm -rf --one-file-system "$root"

if [ ! -f "$fresh/$suite.tar" ]; then
    timeout 900 debootstrap --variant=minbase \
        --include=git,make,ca-certificates "$suite" "$root" "$mirror" \
        > "$fresh/debootstrap.log" 2>&1 \
        || die "debootstrap, see $fresh/debootstrap.log"

    tar -C "$root" --one-file-system -cf "$fresh/$suite.tar.new" .
    mv "$fresh/$suite.tar.new" "$fresh/$suite.tar"

else
    mkdir "$root"
    tar -C "$root" -xf "$fresh/$suite.tar"
fi

cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/apt/apt.conf.d/*proxy* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true

if [ "${WORKTREE:-}" = 1 ]; then
    mkdir -p "$root/root/clone"
    git ls-files -z -co --exclude-standard \
        | tar --null --files-from=- --ignore-failed-read -cf - \
        | tar -C "$root/root/clone" -xf -
else
    git clone -q --no-local "$top" "$root/root/clone"
fi

cat > "$root/root/go" <<END
#!/bin/bash
set -e
export HOME=/root LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /root/clone
$commands
END
chmod 755 "$root/root/go"

started=$SECONDS

timeout --kill-after=30 "${LIMIT:-3000}" \
    unshare --mount --propagation private --pid --fork --kill-child \
    /bin/sh -c 'mount -t proc proc "$1/proc" \
                && mount -t sysfs sysfs "$1/sys" \
                && mkdir -p "$1/dev/shm" \
                && mount -t tmpfs tmpfs "$1/dev/shm" \
                && exec env -i PATH="$PATH" TERM=dumb chroot "$1" /root/go' \
    sh "$root" || die "on a fresh $suite: $commands"

echo "fresh: passed on a fresh $suite in $((SECONDS - started)) s: $commands"

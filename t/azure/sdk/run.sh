#!/bin/bash
#
# Microsoft's Key Vault and identity clients for Node against the simulator:
# TAP, and an exit status.  They are installed below $BUILD by npm, with the
# versions and checksums of package-lock.json.

set -euo pipefail

cd "$(dirname "$0")/../../.."

build=$(realpath -m "${BUILD:-build}")
sdk=$build/azure-sdk
files=(t/azure/sdk/package.json t/azure/sdk/package-lock.json)

for program in node npm; do
    if ! command -v $program > /dev/null; then
        echo "Bail out! there is no $program, \"make deps\" installs it"
        exit 1
    fi
done

mkdir -p "$sdk"

if ! cat "${files[@]}" | cmp -s - "$sdk/installed"; then
    cp "${files[@]}" "$sdk"

    (cd "$sdk" && npm ci --ignore-scripts --no-audit --no-fund) \
        > "$sdk/npm.log" 2>&1 || {
        echo "Bail out! npm ci failed, see $sdk/npm.log"
        exit 1
    }

    cat "${files[@]}" > "$sdk/installed"
fi

cp t/azure/sdk/*.js "$sdk"

dir=$(mktemp -d "$sdk/run.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# the simulator ends with its standard input

coproc AZURE {
    exec /usr/bin/python3 -B t/azure/simulator.py --dir "$dir" 2> "$sdk/log"
}

read -r -t 30 ready <&"${AZURE[0]}" || {
    echo "Bail out! the simulator did not start, see $sdk/log"
    exit 1
}

export NODE_EXTRA_CA_CERTS=$dir/ca.pem

cd "$sdk"
node check.js "$ready"

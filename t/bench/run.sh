#!/bin/bash
#
# How fast it is, against what this machine can do in the same run: SCEP
# (scep.sh), OCSP (ocsp.sh), a key in a vault (keyvault.sh), Intune (intune.sh).
#
#     [ROUNDS=3] [TIME=4] t/bench/run.sh
#
# Writes $BUILD/bench/latest.txt; the last line of each part sums it up.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/nginx.sh

mkdir -p "$BUILD/bench"
: > "$BUILD/bench/latest.txt"

for part in scep ocsp keyvault intune; do
    ROUNDS=${ROUNDS:-3} TIME=${TIME:-4} t/bench/$part.sh
    cat "$BUILD/bench/$part.txt" >> "$BUILD/bench/latest.txt"
done

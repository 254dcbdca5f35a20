#!/bin/bash
#
# again.sh LOG: four suites at a time on two processors may fail for want of
# time alone.  Runs those that failed in a log of "make test" once more, one
# after the other, in the same mode; fails if one does, or if over three had
# failed.  What they had failed of stays in the log, and is shown first.

set -uo pipefail

cd "$(dirname "$0")/../.."

log=$1

failed=$(awk '/^== keys in a vault, RSA/ { key = "vault" }
              /^== keys in a vault, EC/  { key = "vault-ec" }
              /^== all suites/           { key = "" }
              /^t\/.*\(Wstat/            { print $1 "," key }' "$log")

grep -A 6 "Failed test '" "$log" | head -n 200

n=$(wc -w <<< "$failed")

if [ "$n" = 0 ] || [ "$n" -gt 3 ]; then
    echo "again: FAILED: $n suites had failed"
    exit 1
fi

rc=0

for suite in $failed; do
    echo "== again, alone: ${suite%,*} ${suite#*,}"
    PKI_KEY=${suite#*,} JOBS=1 T=${suite%,*} t/tools/test.sh < /dev/null \
        || rc=1
done

[ $rc = 0 ] || { echo "again: FAILED"; exit 1; }
echo "again: what had failed beside others passed alone: $failed"

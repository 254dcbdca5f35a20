#!/bin/bash
#
# Copies the module to where nginx looks for "modules/".

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/nginx.sh

args=$("$NGINX" -V 2>&1)
prefix=$(sed -n 's/.*--prefix=\([^ ]*\).*/\1/p' <<< "$args")
dir=$(sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p' <<< "$args")
dir=${DESTDIR:-}${dir:-${prefix:-/usr/local/nginx}/modules}

install -d "$dir"
install -m 644 "$BUILD/ngx_http_pki_module.so" "$dir/"

echo "install: $dir/ngx_http_pki_module.so is in place; add" \
     "\"load_module modules/ngx_http_pki_module.so;\" to nginx.conf"

#!/bin/bash
#
# Builds $BUILD/ngx_http_pki_module.so: for the installed nginx out of the
# headers of nginx-dev, or for the sources in $NGX_SRC.  Without $PKI_NGINX the
# nginx of $NGX_SRC is built, too, and used by whatever runs nginx.
#
# CC is the compiler; CC_OPT and LD_OPT replace its options, CFLAGS and LDFLAGS
# are added to them.  The last line says what happened.

set -euo pipefail

cd "$(dirname "$0")/../.."

top=$PWD
out=$(realpath -m "${BUILD:-build}")
so=$out/ngx_http_pki_module.so
src=${NGX_SRC:-/usr/share/nginx/src}

die() {
    echo "build: $*" >&2
    exit 1
}

[ -f "$src/src/core/nginx.h" ] \
    || die "no nginx sources in $src: install nginx-dev or set NGX_SRC"

src=$(realpath "$src")
version=$(sed -n 's/^#define NGINX_VERSION *"\(.*\)"/\1/p' \
          "$src/src/core/nginx.h")

target=modules
flags=(--with-compat --with-debug --with-threads --with-http_ssl_module
       --with-http_v2_module --with-http_realip_module
       --with-http_auth_request_module --with-http_stub_status_module)

if [ -f "$src/conf_flags" ]; then
    . "$src/conf_flags"
    flags=("${NGX_CONF_FLAGS[@]}")

elif [ -z "${PKI_NGINX:-}" ]; then
    target="binary modules"
fi

if [ -n "${PKI_NGINX:-}" ]; then
    running=$("$PKI_NGINX" -v 2>&1 | sed -n 's,.*nginx/\([0-9.]*\).*,\1,p')

    [ "$running" = "$version" ] \
        || die "$PKI_NGINX is ${running:-no nginx}, the sources in $src are" \
               "$version: set NGX_SRC to those of ${running:-yours}"
fi

cc_opt=${CC_OPT:--g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2}
ld_opt=${LD_OPT:--Wl,-z,relro -Wl,-z,now -fPIC}

configure=(./configure)
[ -f "$src/configure" ] || configure=(auto/configure)

configure+=("${flags[@]}" --builddir="$out/obj" --with-cc="${CC:-gcc}"
            --with-cc-opt="$(echo $cc_opt ${CFLAGS:-})"
            --with-ld-opt="$(echo $ld_opt ${LDFLAGS:-})"
            --add-dynamic-module="$top")

mkdir -p "$out/obj"


# configure again only if its command, its script or the list of files changed

{
    printf '%s\n' "$src" "$version" "${configure[@]}"
    cat config
    ls shared/*.[ch] ngx_scep_module/*.[ch] ngx_ocsp_responder_module/*.[ch] \
        2>/dev/null || true
} > "$out/obj/inputs.new"

if [ ! -f "$out/obj/Makefile" ] \
    || ! cmp -s "$out/obj/inputs.new" "$out/obj/inputs"
then
    mv "$out/obj/inputs.new" "$out/inputs.new"
    rm -rf "$out/obj"
    mkdir "$out/obj"

    if ! (cd "$src" && "${configure[@]}") > "$out/configure.log" 2>&1; then
        sed -n '/error:/,$p' "$out/configure.log" | sed '/^$/d' >&2
        die "configure failed, see $out/configure.log"
    fi

    mv "$out/inputs.new" "$out/obj/inputs"
fi

# shellcheck disable=SC2086
if ! (cd "$src" && make -s -j"$(nproc)" -f "$out/obj/Makefile" $target) \
    > "$out/make.log" 2>&1
then
    tail -n 40 "$out/make.log" >&2
    die "the compiler was not satisfied, see $out/make.log"
fi

cp -p "$out/obj/ngx_http_pki_module.so" "$so.new"
mv "$so.new" "$so"

echo "build: ${so#"$top"/} is ready for nginx $version"

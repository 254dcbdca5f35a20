# To be sourced at the top of the project: sets BUILD to an absolute path and
# NGINX to the binary that the module in there was built for.
#
# The Makefile's NGINX arrives as PKI_NGINX: a variable named NGINX would be
# taken for a list of inherited sockets by nginx itself, so this one is not
# exported either.

PKI_NGINX=${PKI_NGINX:-${NGINX:-}}
unset NGINX

BUILD=$(realpath -m "${BUILD:-build}")
NGINX=$PKI_NGINX

if [ -z "$NGINX" ]; then
    if [ -x "$BUILD/obj/nginx" ]; then
        NGINX=$BUILD/obj/nginx
    else
        NGINX=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx || true)
    fi
fi

if [ -z "$NGINX" ]; then
    echo "no nginx found: install one, or set NGINX=/path/to/nginx" >&2
    exit 1
fi

NGINX=$(realpath "$NGINX")
export BUILD

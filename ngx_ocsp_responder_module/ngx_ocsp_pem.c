
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_pem.h"


#define NGX_OCSP_PEM_LINE  48    /* octets, which are 64 characters */


size_t
ngx_ocsp_pem_size(ngx_str_t *label, size_t len)
{
    size_t  lines;

    lines = (len + NGX_OCSP_PEM_LINE - 1) / NGX_OCSP_PEM_LINE;

    return sizeof("-----BEGIN -----\n-----END -----\n") - 1 + 2 * label->len
           + ngx_base64_encoded_length(len) + lines;
}


u_char *
ngx_ocsp_pem_write(u_char *p, ngx_str_t *label, ngx_str_t *der)
{
    size_t     rest;
    ngx_str_t  src, dst;

    p = ngx_sprintf(p, "-----BEGIN %V-----\n", label);

    src.data = der->data;

    for (rest = der->len; rest > 0; rest -= src.len) {
        src.len = ngx_min(rest, NGX_OCSP_PEM_LINE);
        dst.data = p;

        ngx_encode_base64(&dst, &src);

        src.data += src.len;
        p += dst.len;
        *p++ = LF;
    }

    return ngx_sprintf(p, "-----END %V-----\n", label);
}

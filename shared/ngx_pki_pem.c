
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_pem.h"


size_t
ngx_pki_pem_size(ngx_str_t *label, size_t len)
{
    size_t  lines;

    lines = (len + NGX_PKI_PEM_LINE - 1) / NGX_PKI_PEM_LINE;

    return sizeof("-----BEGIN -----\n-----END -----\n") - 1 + 2 * label->len
           + ngx_base64_encoded_length(len) + lines;
}


u_char *
ngx_pki_pem_write(u_char *p, ngx_str_t *label, ngx_str_t *der)
{
    p = ngx_pki_pem_begin(p, label);
    p = ngx_pki_pem_lines(p, der->data, der->len);

    return ngx_pki_pem_end(p, label);
}


u_char *
ngx_pki_pem_begin(u_char *p, ngx_str_t *label)
{
    return ngx_sprintf(p, "-----BEGIN %V-----\n", label);
}


u_char *
ngx_pki_pem_lines(u_char *p, u_char *data, size_t len)
{
    ngx_str_t  src, dst;

    for (src.data = data; len > 0; len -= src.len) {
        src.len = ngx_min(len, NGX_PKI_PEM_LINE);
        dst.data = p;

        ngx_encode_base64(&dst, &src);

        src.data += src.len;
        p += dst.len;
        *p++ = LF;
    }

    return p;
}


u_char *
ngx_pki_pem_end(u_char *p, ngx_str_t *label)
{
    return ngx_sprintf(p, "-----END %V-----\n", label);
}

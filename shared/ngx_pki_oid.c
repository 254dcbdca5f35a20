
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_oid.h"


#define NGX_PKI_OID_ARC_MAX  0xffffffff


static ngx_int_t ngx_pki_oid_read_arc(u_char **pos, u_char *last,
    uint64_t *arc);
static ngx_int_t ngx_pki_oid_parse_arc(u_char **pos, u_char *last,
    uint64_t *arc);
static u_char *ngx_pki_oid_write_arc(u_char *p, uint64_t arc);


ngx_int_t
ngx_pki_oid_text(ngx_pool_t *pool, ngx_str_t *oid, ngx_str_t *text)
{
    u_char    *p, *last, *out, *end;
    uint64_t   arc, first;

    if (oid->len == 0 || oid->len > NGX_PKI_OID_LEN) {
        return NGX_DECLINED;
    }

    out = ngx_pnalloc(pool, NGX_PKI_OID_TEXT_LEN);
    if (out == NULL) {
        return NGX_ERROR;
    }

    text->data = out;
    end = out + NGX_PKI_OID_TEXT_LEN;

    p = oid->data;
    last = p + oid->len;

    /* the first two arcs share a number (X.690, 8.19.4) */

    if (ngx_pki_oid_read_arc(&p, last, &arc) != NGX_OK) {
        return NGX_DECLINED;
    }

    first = ngx_min(arc / 40, 2);

    out = ngx_slprintf(out, end, "%uL.%uL", first, arc - 40 * first);

    while (p < last) {
        if (ngx_pki_oid_read_arc(&p, last, &arc) != NGX_OK) {
            return NGX_DECLINED;
        }

        out = ngx_slprintf(out, end, ".%uL", arc);
    }

    /* a full buffer may have lost digits */

    if (out == end) {
        return NGX_DECLINED;
    }

    text->len = out - text->data;

    return NGX_OK;
}


ngx_int_t
ngx_pki_oid_parse(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *oid)
{
    u_char    *p, *last, *out;
    uint64_t   first, arc;

    /* an arc of n digits takes at most n octets, its dot none */

    if (text->len == 0 || text->len > NGX_PKI_OID_LEN) {
        return NGX_DECLINED;
    }

    out = ngx_pnalloc(pool, text->len);
    if (out == NULL) {
        return NGX_ERROR;
    }

    oid->data = out;

    p = text->data;
    last = p + text->len;

    if (ngx_pki_oid_parse_arc(&p, last, &first) != NGX_OK
        || ngx_pki_oid_parse_arc(&p, last, &arc) != NGX_OK
        || first > 2
        || (first < 2 && arc > 39))
    {
        return NGX_DECLINED;
    }

    out = ngx_pki_oid_write_arc(out, 40 * first + arc);

    while (p < last) {
        if (ngx_pki_oid_parse_arc(&p, last, &arc) != NGX_OK) {
            return NGX_DECLINED;
        }

        out = ngx_pki_oid_write_arc(out, arc);
    }

    if (text->data[text->len - 1] == '.') {
        return NGX_DECLINED;
    }

    oid->len = out - oid->data;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_oid_read_arc(u_char **pos, u_char *last, uint64_t *arc)
{
    u_char  *p;

    p = *pos;
    *arc = 0;

    /* a leading 0x80 would be a padding zero */

    if (p == last || *p == 0x80) {
        return NGX_DECLINED;
    }

    do {
        *arc = (*arc << 7) | (*p & 0x7f);

        if (*arc > NGX_PKI_OID_ARC_MAX) {
            return NGX_DECLINED;
        }

        if (!(*p++ & 0x80)) {
            *pos = p;
            return NGX_OK;
        }

    } while (p < last);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_pki_oid_parse_arc(u_char **pos, u_char *last, uint64_t *arc)
{
    u_char  *p;

    p = *pos;
    *arc = 0;

    while (p < last && *p >= '0' && *p <= '9') {
        *arc = *arc * 10 + (*p++ - '0');

        if (*arc > NGX_PKI_OID_ARC_MAX) {
            return NGX_DECLINED;
        }
    }

    /* no digits, or a leading zero */

    if (p == *pos || (**pos == '0' && p - *pos > 1)) {
        return NGX_DECLINED;
    }

    if (p < last && *p++ != '.') {
        return NGX_DECLINED;
    }

    *pos = p;

    return NGX_OK;
}


static u_char *
ngx_pki_oid_write_arc(u_char *p, uint64_t arc)
{
    ngx_uint_t  shift;

    for (shift = 35; shift > 0 && (arc >> shift) == 0; shift -= 7) {
        /* void */
    }

    for ( /* void */ ; shift > 0; shift -= 7) {
        *p++ = (u_char) (0x80 | ((arc >> shift) & 0x7f));
    }

    *p++ = (u_char) (arc & 0x7f);

    return p;
}

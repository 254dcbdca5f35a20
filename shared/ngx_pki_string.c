
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_string.h"
#include "ngx_pki_der.h"
#include "ngx_pki_json.h"


static ngx_int_t ngx_pki_string_convert(ngx_pool_t *pool, size_t width,
    ngx_str_t *content, ngx_str_t *text);
static u_char *ngx_pki_string_put(u_char *p, uint32_t c);


ngx_int_t
ngx_pki_string_utf8(ngx_pool_t *pool, ngx_uint_t tag, ngx_str_t *content,
    ngx_str_t *text)
{
    size_t     i;
    ngx_int_t  rc;

    rc = NGX_OK;

    switch (tag) {

    case NGX_PKI_DER_UTF8_STRING:
        *text = *content;
        break;

    case NGX_PKI_DER_PRINTABLE_STRING:
    case NGX_PKI_DER_IA5_STRING:
    case NGX_PKI_NUMERIC_STRING:
    case NGX_PKI_VISIBLE_STRING:

        for (i = 0; i < content->len; i++) {
            if (content->data[i] & 0x80) {
                return NGX_DECLINED;
            }
        }

        *text = *content;
        break;

    case NGX_PKI_DER_T61_STRING:

        /* everybody who still sends it means ISO 8859-1 */

        rc = ngx_pki_string_convert(pool, 1, content, text);
        break;

    case NGX_PKI_DER_BMP_STRING:
        rc = ngx_pki_string_convert(pool, 2, content, text);
        break;

    case NGX_PKI_UNIVERSAL_STRING:
        rc = ngx_pki_string_convert(pool, 4, content, text);
        break;

    default:
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_pki_string_length(text) == NGX_ERROR ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_pki_string_length(ngx_str_t *text)
{
    u_char     *p, *last;
    uint32_t    c;
    ngx_int_t   n;

    /* an empty string may have no data at all */

    if (text->len == 0) {
        return 0;
    }

    p = text->data;
    last = p + text->len;

    for (n = 0; p < last; n++) {

        if (*p < 0x80) {
            c = *p++;

        } else if (ngx_pki_json_utf8(p, last) == 0) {

            /* nginx's own decoder takes any octet from 0x80 on for one that
             * continues a character */

            return NGX_ERROR;

        } else {
            c = ngx_utf8_decode(&p, last - p);
        }

        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            return NGX_ERROR;
        }

        if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
            return NGX_ERROR;
        }
    }

    return n;
}


/* "width" octets a character, the most significant one first */

static ngx_int_t
ngx_pki_string_convert(ngx_pool_t *pool, size_t width, ngx_str_t *content,
    ngx_str_t *text)
{
    size_t     i, n;
    u_char    *p;
    uint32_t   c;

    if (content->len % width != 0) {
        return NGX_DECLINED;
    }

    /* one octet becomes two at most, two become three, four become four */

    p = ngx_pnalloc(pool, 2 * content->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < content->len; i += width) {

        for (c = 0, n = 0; n < width; n++) {
            c = (c << 8) | content->data[i + n];
        }

        if (c > 0x10ffff) {
            return NGX_DECLINED;
        }

        p = ngx_pki_string_put(p, c);
    }

    text->len = p - text->data;

    return NGX_OK;
}


static u_char *
ngx_pki_string_put(u_char *p, uint32_t c)
{
    if (c < 0x80) {
        *p++ = (u_char) c;
        return p;
    }

    if (c < 0x800) {
        *p++ = (u_char) (0xc0 | (c >> 6));

    } else {
        if (c < 0x10000) {
            *p++ = (u_char) (0xe0 | (c >> 12));

        } else {
            *p++ = (u_char) (0xf0 | (c >> 18));
            *p++ = (u_char) (0x80 | ((c >> 12) & 0x3f));
        }

        *p++ = (u_char) (0x80 | ((c >> 6) & 0x3f));
    }

    *p++ = (u_char) (0x80 | (c & 0x3f));

    return p;
}


/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_base64.h"


static ngx_int_t ngx_pki_base64_unescape(ngx_str_t *text);
static ngx_int_t ngx_pki_base64_hex(u_char ch);
static void ngx_pki_base64_blanks(ngx_str_t *text);
static ngx_uint_t ngx_pki_base64_is_wrapped(ngx_str_t *text);
static ngx_int_t ngx_pki_base64_trim_padding(ngx_str_t *text);
static ngx_int_t ngx_pki_base64_value(u_char ch);


ngx_int_t
ngx_pki_base64_uri_decode(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *out)
{
    u_char      *p;
    size_t       i;
    uint32_t     bits;
    ngx_int_t    value;
    ngx_str_t    text;
    ngx_uint_t   n;

    /* decoding is done in place, every step makes it shorter */

    text.len = in->len;
    text.data = ngx_pnalloc(pool, in->len + 1);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text.data, in->data, in->len);

    if (ngx_pki_base64_unescape(&text) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_pki_base64_blanks(&text);

    if (ngx_pki_base64_trim_padding(&text) != NGX_OK) {
        return NGX_DECLINED;
    }

    out->data = text.data;
    p = text.data;
    bits = 0;
    n = 0;

    for (i = 0; i < text.len; i++) {
        value = ngx_pki_base64_value(text.data[i]);

        if (value == NGX_ERROR) {
            return NGX_DECLINED;
        }

        bits = (bits << 6) | (uint32_t) value;
        n += 6;

        if (n >= 8) {
            n -= 8;
            *p++ = (u_char) (bits >> n);
        }
    }

    out->len = p - out->data;

    return NGX_OK;
}


/* Once, and once more if an escape was escaped ("%252B", by a proxy). */

static ngx_int_t
ngx_pki_base64_unescape(ngx_str_t *text)
{
    u_char     *src, *dst, *last;
    ngx_int_t   high, low;
    ngx_uint_t  pass;

    for (pass = 0; pass < 2; pass++) {

        src = text->data;
        dst = text->data;
        last = text->data + text->len;

        while (src < last) {

            if (*src != '%') {
                *dst++ = *src++;
                continue;
            }

            if (last - src < 3) {
                return NGX_ERROR;
            }

            high = ngx_pki_base64_hex(src[1]);
            low = ngx_pki_base64_hex(src[2]);

            if (high == NGX_ERROR || low == NGX_ERROR) {
                return NGX_ERROR;
            }

            *dst++ = (u_char) ((high << 4) | low);
            src += 3;
        }

        text->len = dst - text->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_base64_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return NGX_ERROR;
}


/* Drops line breaks; a blank is one of them, or it was a "+". */

static void
ngx_pki_base64_blanks(ngx_str_t *text)
{
    u_char      *src, *dst, *last;
    ngx_uint_t   wrapped;

    wrapped = ngx_pki_base64_is_wrapped(text);

    dst = text->data;
    last = text->data + text->len;

    for (src = text->data; src < last; src++) {

        switch (*src) {

        case CR:
        case LF:
        case '\t':
            break;

        case ' ':
            if (!wrapped) {
                *dst++ = '+';
            }

            break;

        default:
            *dst++ = *src;
            break;
        }
    }

    text->len = dst - text->data;
}


/*
 * Whether blanks are line breaks: if only one of the two readings gives whole
 * groups of four, that one; else if they stand at the ends of equal lines.
 */

static ngx_uint_t
ngx_pki_base64_is_wrapped(ngx_str_t *text)
{
    size_t      i, n, blanks, column, line;
    ngx_uint_t  regular;

    n = 0;
    blanks = 0;
    column = 0;
    line = 0;
    regular = 1;

    for (i = 0; i < text->len; i++) {

        switch (text->data[i]) {

        case CR:
        case LF:
        case '\t':
            continue;

        case ' ':
            blanks++;

            if (line == 0) {
                line = column;
            }

            if (column != line || line % 4 != 0) {
                regular = 0;
            }

            column = 0;
            break;

        default:
            n++;
            column++;
            break;
        }
    }

    if ((n % 4 == 0) != ((n + blanks) % 4 == 0)) {
        return (n % 4 == 0);
    }

    return regular && line != 0 && column <= line;
}


/* Padding may be missing, but must fit if it is there. */

static ngx_int_t
ngx_pki_base64_trim_padding(ngx_str_t *text)
{
    size_t  padding;

    padding = 0;

    while (padding < 2 && padding < text->len
           && text->data[text->len - 1 - padding] == '=')
    {
        padding++;
    }

    if (padding != 0 && text->len % 4 != 0) {
        return NGX_ERROR;
    }

    text->len -= padding;

    return (text->len == 0 || text->len % 4 == 1) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_pki_base64_value(u_char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    switch (ch) {

    case '+':
    case '-':
        return 62;

    case '/':
    case '_':
        return 63;

    default:
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_pki_base64_trim(ngx_str_t *base64)
{
    u_char  *last;
    size_t   padding;

    last = base64->data + base64->len;

    for (padding = 0; padding < 2 && padding < base64->len; padding++) {

        if (last[-1] != '=') {
            break;
        }

        last--;
    }

    if (padding != 0 && base64->len % 4 != 0) {
        return NGX_DECLINED;
    }

    base64->len -= padding;

    return (ngx_strlchr(base64->data, last, '=') == NULL) ? NGX_OK
                                                          : NGX_DECLINED;
}

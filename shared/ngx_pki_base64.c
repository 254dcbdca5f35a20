
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_base64.h"



#define NGX_PKI_BASE64_BAD   0x1000000


static void ngx_pki_base64_unescape_once(ngx_str_t *in, ngx_str_t *out);
static u_char *ngx_pki_base64_groups(u_char *p, u_char **src, u_char *last);
static u_char *ngx_pki_base64_rest(u_char *p, u_char *src, u_char *last);
static void ngx_pki_base64_init(void);
static ngx_int_t ngx_pki_base64_uri_repair(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out);
static ngx_int_t ngx_pki_base64_unescape(ngx_str_t *text);
static ngx_int_t ngx_pki_base64_hex(u_char ch);
static void ngx_pki_base64_blanks(ngx_str_t *text);
static ngx_uint_t ngx_pki_base64_is_wrapped(ngx_str_t *text);
static ngx_int_t ngx_pki_base64_trim_padding(ngx_str_t *text);


/* both alphabets; 64: none of them */

static u_char  ngx_pki_base64_values[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 62, 64, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64
};


/* the same, at each place of a group of four; made at the first use */

static uint32_t  ngx_pki_base64_places[4][256];


ngx_int_t
ngx_pki_base64_uri_decode(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *out)
{
    u_char     *p, *src, *last;
    ngx_str_t   text;

    if (ngx_pki_base64_places[0]['/'] == 0) {
        ngx_pki_base64_init();
    }

    /* in place; a group of three octets is written with one more */

    text.data = ngx_pnalloc(pool, in->len + 4);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_pki_base64_unescape_once(in, &text);

    p = text.data;
    src = text.data;
    last = text.data + text.len;

    p = ngx_pki_base64_groups(p, &src, last);

    p = ngx_pki_base64_rest(p, src, last);

    if (p == NULL || text.len == 0) {
        return ngx_pki_base64_uri_repair(pool, in, out);
    }

    out->data = text.data;
    out->len = p - text.data;

    return NGX_OK;
}


/* what is not an escape stays as it is, and is found to be no base64 */

static void
ngx_pki_base64_unescape_once(ngx_str_t *in, ngx_str_t *out)
{
    u_char     *dst, *src, *last, *escape;
    ngx_int_t   high, low;

    dst = out->data;
    src = in->data;
    last = in->data + in->len;

    for ( ;; ) {
        escape = memchr(src, '%', last - src);

        if (escape == NULL) {
            break;
        }

        dst = ngx_cpymem(dst, src, escape - src);
        src = escape + 1;

        if (last - src < 2) {
            *dst++ = '%';
            continue;
        }

        high = ngx_pki_base64_hex(src[0]);
        low = ngx_pki_base64_hex(src[1]);

        if (high == NGX_ERROR || low == NGX_ERROR) {
            *dst++ = '%';
            continue;
        }

        *dst++ = (u_char) ((high << 4) | low);
        src += 2;
    }

    dst = ngx_cpymem(dst, src, last - src);

    out->len = dst - out->data;
}


/* four characters at a time, as long as there are such */

static u_char *
ngx_pki_base64_groups(u_char *p, u_char **src, u_char *last)
{
    u_char    *s;
    uint32_t   bits;

    for (s = *src; last - s >= 4; s += 4) {
        bits = ngx_pki_base64_places[0][s[0]]
               | ngx_pki_base64_places[1][s[1]]
               | ngx_pki_base64_places[2][s[2]]
               | ngx_pki_base64_places[3][s[3]];

        if (bits >= NGX_PKI_BASE64_BAD) {
            break;
        }

        bits = htonl(bits << 8);
        ngx_memcpy(p, &bits, 4);

        p += 3;
    }

    *src = s;

    return p;
}


/* less than a group, with padding or without; NULL: something else */

static u_char *
ngx_pki_base64_rest(u_char *p, u_char *src, u_char *last)
{
    u_char      *end;
    uint32_t     bits;
    ngx_uint_t   i, n;

    if (src == last) {
        return p;
    }

    for (end = last; end > src && end[-1] == '='; end--) { /* void */ }

    n = end - src;

    if (n < 2 || n > 3 || (end != last && last - src != 4)) {
        return NULL;
    }

    bits = 0;

    for (i = 0; i < n; i++) {
        bits |= ngx_pki_base64_places[i][src[i]];
    }

    if (bits >= NGX_PKI_BASE64_BAD) {
        return NULL;
    }

    *p++ = (u_char) (bits >> 16);

    if (n == 3) {
        *p++ = (u_char) (bits >> 8);
    }

    return p;
}


static void
ngx_pki_base64_init(void)
{
    u_char      value;
    ngx_uint_t  ch, n;

    for (ch = 0; ch < 256; ch++) {
        value = ngx_pki_base64_values[ch];

        for (n = 0; n < 4; n++) {
            ngx_pki_base64_places[n][ch] = (value > 63)
                                       ? NGX_PKI_BASE64_BAD
                                       : (uint32_t) value << (18 - 6 * n);
        }
    }
}


/* blanks, line breaks, escapes of escapes, and what is not base64 */

static ngx_int_t
ngx_pki_base64_uri_repair(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *out)
{
    u_char      *p;
    size_t       i;
    uint32_t     bits;
    u_char       value;
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
        value = ngx_pki_base64_values[text.data[i]];

        if (value > 63) {
            return NGX_DECLINED;
        }

        bits = (bits << 6) | value;
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

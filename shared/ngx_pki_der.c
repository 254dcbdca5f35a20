
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_der.h"


#define NGX_PKI_DER_TIME_LEN  (sizeof("20260101000000Z") - 1)


static ngx_int_t ngx_pki_der_length(ngx_pki_der_t *der, u_char **pos,
    size_t *len);
static u_char *ngx_pki_der_reserve(ngx_pki_der_writer_t *w, size_t len);
static u_char *ngx_pki_der_put_length(u_char *p, size_t len);
static ngx_uint_t ngx_pki_der_length_size(size_t len);
static u_char *ngx_pki_der_digits(u_char *p, ngx_uint_t n);


ngx_int_t
ngx_pki_der_any(ngx_pki_der_t *der, ngx_uint_t *tag, ngx_str_t *content,
    ngx_str_t *whole)
{
    size_t   len;
    u_char  *p;

    if (der->last - der->pos < 2 || (*der->pos & 0x1f) == 0x1f) {
        return NGX_ERROR;
    }

    p = der->pos + 1;

    if (ngx_pki_der_length(der, &p, &len) != NGX_OK) {
        return NGX_ERROR;
    }

    *tag = *der->pos;

    content->data = p;
    content->len = len;

    if (whole != NULL) {
        whole->data = der->pos;
        whole->len = p + len - der->pos;
    }

    der->pos = p + len;

    return NGX_OK;
}


ngx_int_t
ngx_pki_der_get(ngx_pki_der_t *der, ngx_uint_t tag, ngx_str_t *content)
{
    ngx_uint_t  found;

    if (ngx_pki_der_peek(der) != tag) {
        return NGX_ERROR;
    }

    return ngx_pki_der_any(der, &found, content, NULL);
}


ngx_int_t
ngx_pki_der_get_whole(ngx_pki_der_t *der, ngx_uint_t tag, ngx_str_t *whole)
{
    ngx_str_t   content;
    ngx_uint_t  found;

    if (ngx_pki_der_peek(der) != tag) {
        return NGX_ERROR;
    }

    return ngx_pki_der_any(der, &found, &content, whole);
}


ngx_int_t
ngx_pki_der_enter(ngx_pki_der_t *der, ngx_uint_t tag, ngx_pki_der_t *inner)
{
    ngx_str_t  content;

    if (ngx_pki_der_get(der, tag, &content) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_der_init(inner, &content);

    return NGX_OK;
}


ngx_int_t
ngx_pki_der_skip_optional(ngx_pki_der_t *der, ngx_uint_t tag)
{
    ngx_str_t  content;

    if (ngx_pki_der_peek(der) != tag) {
        return NGX_OK;
    }

    return ngx_pki_der_get(der, tag, &content);
}


ngx_int_t
ngx_pki_der_get_uint(ngx_pki_der_t *der, ngx_uint_t *value)
{
    size_t         i;
    ngx_str_t      content;
    ngx_pki_der_t  start;

    start = *der;

    if (ngx_pki_der_get(der, NGX_PKI_DER_INTEGER, &content) != NGX_OK) {
        return NGX_ERROR;
    }

    if (content.len == 0 || content.len > 4 || (content.data[0] & 0x80)
        || (content.len > 1 && content.data[0] == 0
            && !(content.data[1] & 0x80)))
    {
        *der = start;
        return NGX_ERROR;
    }

    *value = 0;

    for (i = 0; i < content.len; i++) {
        *value = (*value << 8) | content.data[i];
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_der_get_boolean(ngx_pki_der_t *der, ngx_uint_t *value)
{
    ngx_str_t      content;
    ngx_pki_der_t  start;

    start = *der;

    if (ngx_pki_der_get(der, NGX_PKI_DER_BOOLEAN, &content) != NGX_OK) {
        return NGX_ERROR;
    }

    if (content.len != 1
        || (content.data[0] != 0x00 && content.data[0] != 0xff))
    {
        *der = start;
        return NGX_ERROR;
    }

    *value = (content.data[0] == 0xff);

    return NGX_OK;
}


ngx_int_t
ngx_pki_der_get_bits(ngx_pki_der_t *der, ngx_str_t *bits)
{
    ngx_pki_der_t  start;

    start = *der;

    if (ngx_pki_der_get(der, NGX_PKI_DER_BIT_STRING, bits) != NGX_OK) {
        return NGX_ERROR;
    }

    if (bits->len == 0 || bits->data[0] != 0) {
        *der = start;
        return NGX_ERROR;
    }

    bits->data++;
    bits->len--;

    return NGX_OK;
}


ngx_int_t
ngx_pki_der_get_algorithm(ngx_pki_der_t *der, ngx_str_t *oid,
    ngx_str_t *params)
{
    ngx_str_t      content;
    ngx_uint_t     tag;
    ngx_pki_der_t  start, inner;

    start = *der;

    if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &inner) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pki_der_get(&inner, NGX_PKI_DER_OID, oid) != NGX_OK) {
        goto failed;
    }

    ngx_str_null(params);

    if (!ngx_pki_der_end(&inner)
        && ngx_pki_der_any(&inner, &tag, &content, params) != NGX_OK)
    {
        goto failed;
    }

    if (ngx_pki_der_end(&inner)) {
        return NGX_OK;
    }

failed:

    *der = start;

    return NGX_ERROR;
}


ngx_int_t
ngx_pki_der_writer_init(ngx_pki_der_writer_t *w, ngx_pool_t *pool, size_t size)
{
    w->pool = pool;
    w->failed = 0;

    w->start = ngx_pnalloc(pool, size);
    if (w->start == NULL) {
        w->failed = 1;
        w->pos = NULL;
        w->end = NULL;
        return NGX_ERROR;
    }

    w->pos = w->start;
    w->end = w->start + size;

    return NGX_OK;
}


size_t
ngx_pki_der_begin(ngx_pki_der_writer_t *w, ngx_uint_t tag)
{
    u_char  *p;

    p = ngx_pki_der_reserve(w, 2);

    if (p == NULL) {
        return 0;
    }

    p[0] = (u_char) tag;
    p[1] = 0;

    return p + 2 - w->start;
}


void
ngx_pki_der_close(ngx_pki_der_writer_t *w, size_t mark)
{
    size_t      len;
    u_char     *p;
    ngx_uint_t  n;

    if (w->failed) {
        return;
    }

    len = w->pos - w->start - mark;
    n = ngx_pki_der_length_size(len);

    if (n > 1) {
        if (ngx_pki_der_reserve(w, n - 1) == NULL) {
            return;
        }

        p = w->start + mark;
        ngx_memmove(p + n - 1, p, len);
    }

    (void) ngx_pki_der_put_length(w->start + mark - 1, len);
}


void
ngx_pki_der_raw(ngx_pki_der_writer_t *w, ngx_str_t *raw)
{
    ngx_pki_der_bytes(w, raw->data, raw->len);
}


void
ngx_pki_der_bytes(ngx_pki_der_writer_t *w, const void *data, size_t len)
{
    u_char  *p;

    p = ngx_pki_der_reserve(w, len);

    if (p != NULL && len != 0) {
        ngx_memcpy(p, data, len);
    }
}


void
ngx_pki_der_put(ngx_pki_der_writer_t *w, ngx_uint_t tag, ngx_str_t *content)
{
    u_char  *p;

    p = ngx_pki_der_reserve(w, 1 + ngx_pki_der_length_size(content->len)
                               + content->len);
    if (p == NULL) {
        return;
    }

    *p++ = (u_char) tag;
    p = ngx_pki_der_put_length(p, content->len);

    if (content->len != 0) {
        ngx_memcpy(p, content->data, content->len);
    }
}


void
ngx_pki_der_put_uint(ngx_pki_der_writer_t *w, ngx_uint_t value)
{
    u_char      buf[sizeof(ngx_uint_t)];
    ngx_int_t   i;
    ngx_str_t   magnitude;

    for (i = sizeof(buf) - 1; i >= 0; i--) {
        buf[i] = (u_char) value;
        value >>= 8;
    }

    magnitude.len = sizeof(buf);
    magnitude.data = buf;

    ngx_pki_der_put_unsigned(w, &magnitude);
}


void
ngx_pki_der_put_boolean(ngx_pki_der_writer_t *w, ngx_uint_t value)
{
    u_char     octet;
    ngx_str_t  content;

    octet = value ? 0xff : 0x00;

    content.len = 1;
    content.data = &octet;

    ngx_pki_der_put(w, NGX_PKI_DER_BOOLEAN, &content);
}


void
ngx_pki_der_put_null(ngx_pki_der_writer_t *w)
{
    ngx_pki_der_bytes(w, "\x05\x00", 2);
}


void
ngx_pki_der_put_unsigned(ngx_pki_der_writer_t *w, ngx_str_t *magnitude)
{
    u_char     *p;
    ngx_str_t   m;
    ngx_uint_t  pad;

    m = *magnitude;

    while (m.len > 0 && m.data[0] == 0) {
        m.data++;
        m.len--;
    }

    /* zero is one zero octet; a set high bit would make it negative */

    pad = (m.len == 0 || (m.data[0] & 0x80)) ? 1 : 0;

    p = ngx_pki_der_reserve(w, 1 + ngx_pki_der_length_size(m.len + pad)
                               + pad + m.len);
    if (p == NULL) {
        return;
    }

    *p++ = NGX_PKI_DER_INTEGER;
    p = ngx_pki_der_put_length(p, m.len + pad);

    if (pad) {
        *p++ = 0;
    }

    if (m.len != 0) {
        ngx_memcpy(p, m.data, m.len);
    }
}


void
ngx_pki_der_put_bits(ngx_pki_der_writer_t *w, ngx_str_t *bits)
{
    u_char  *p;

    p = ngx_pki_der_reserve(w, 1 + ngx_pki_der_length_size(bits->len + 1)
                               + 1 + bits->len);
    if (p == NULL) {
        return;
    }

    *p++ = NGX_PKI_DER_BIT_STRING;
    p = ngx_pki_der_put_length(p, bits->len + 1);
    *p++ = 0;

    if (bits->len != 0) {
        ngx_memcpy(p, bits->data, bits->len);
    }
}


void
ngx_pki_der_put_time(ngx_pki_der_writer_t *w, time_t t)
{
    u_char     buf[NGX_PKI_DER_TIME_LEN];
    ngx_str_t  content;

    (void) ngx_pki_der_time(buf, t);

    /* UTCTime has two digits of the year and stands for 1950 .. 2049 */

    if (ngx_memcmp(buf, "2050", 4) < 0) {
        content.len = NGX_PKI_DER_TIME_LEN - 2;
        content.data = buf + 2;
        ngx_pki_der_put(w, NGX_PKI_DER_UTC_TIME, &content);
        return;
    }

    content.len = NGX_PKI_DER_TIME_LEN;
    content.data = buf;

    ngx_pki_der_put(w, NGX_PKI_DER_GENERALIZED_TIME, &content);
}


void
ngx_pki_der_put_generalized_time(ngx_pki_der_writer_t *w, time_t t)
{
    u_char     buf[NGX_PKI_DER_TIME_LEN];
    ngx_str_t  content;

    (void) ngx_pki_der_time(buf, t);

    content.len = NGX_PKI_DER_TIME_LEN;
    content.data = buf;

    ngx_pki_der_put(w, NGX_PKI_DER_GENERALIZED_TIME, &content);
}


ngx_int_t
ngx_pki_der_finish(ngx_pki_der_writer_t *w, ngx_str_t *out)
{
    if (w->failed) {
        return NGX_ERROR;
    }

    out->data = w->start;
    out->len = w->pos - w->start;

    return NGX_OK;
}


u_char *
ngx_pki_der_prepend(u_char *p, ngx_uint_t tag, size_t len)
{
    if (len > 0xffff) {
        p -= 1 + ngx_pki_der_length_size(len);
        (void) ngx_pki_der_put_length(p + 1, len);
        *p = (u_char) tag;

        return p;
    }

    *--p = (u_char) len;

    if (len > 0xff) {
        *--p = (u_char) (len >> 8);
        *--p = 0x82;

    } else if (len > 0x7f) {
        *--p = 0x81;
    }

    *--p = (u_char) tag;

    return p;
}


u_char *
ngx_pki_der_time(u_char *p, time_t t)
{
    ngx_tm_t  tm;

    ngx_gmtime(t, &tm);

    p = ngx_pki_der_digits(p, tm.ngx_tm_year / 100);
    p = ngx_pki_der_digits(p, tm.ngx_tm_year % 100);
    p = ngx_pki_der_digits(p, tm.ngx_tm_mon);
    p = ngx_pki_der_digits(p, tm.ngx_tm_mday);
    p = ngx_pki_der_digits(p, tm.ngx_tm_hour);
    p = ngx_pki_der_digits(p, tm.ngx_tm_min);
    p = ngx_pki_der_digits(p, tm.ngx_tm_sec);

    *p++ = 'Z';

    return p;
}


static u_char *
ngx_pki_der_digits(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) ('0' + n / 10 % 10);
    *p++ = (u_char) ('0' + n % 10);

    return p;
}


static ngx_int_t
ngx_pki_der_length(ngx_pki_der_t *der, u_char **pos, size_t *len)
{
    size_t      n;
    u_char     *p;
    ngx_uint_t  octets;

    p = *pos;
    n = *p++;

    if (n & 0x80) {
        octets = n & 0x7f;

        if (octets == 0 || octets > 4 || (size_t) (der->last - p) < octets) {
            return NGX_ERROR;
        }

        for (n = 0; octets != 0; octets--) {
            n = (n << 8) | *p++;
        }

        /* the shortest form is the only one */

        if (1 + ngx_pki_der_length_size(n) != (size_t) (p - der->pos)) {
            return NGX_ERROR;
        }
    }

    if ((size_t) (der->last - p) < n) {
        return NGX_ERROR;
    }

    *pos = p;
    *len = n;

    return NGX_OK;
}


static u_char *
ngx_pki_der_reserve(ngx_pki_der_writer_t *w, size_t len)
{
    size_t   size, used;
    u_char  *p;

    if (w->failed) {
        return NULL;
    }

    used = w->pos - w->start;

    if ((size_t) (w->end - w->pos) < len) {
        size = 2 * (w->end - w->start) + len;

        p = ngx_pnalloc(w->pool, size);
        if (p == NULL) {
            w->failed = 1;
            return NULL;
        }

        ngx_memcpy(p, w->start, used);
        ngx_pfree(w->pool, w->start);

        w->start = p;
        w->end = p + size;
        w->pos = p + used;
    }

    p = w->pos;
    w->pos += len;

    return p;
}


static u_char *
ngx_pki_der_put_length(u_char *p, size_t len)
{
    ngx_uint_t  n;

    n = ngx_pki_der_length_size(len);

    if (n == 1) {
        *p++ = (u_char) len;
        return p;
    }

    *p++ = (u_char) (0x80 | (n - 1));

    while (--n != 0) {
        *p++ = (u_char) (len >> (8 * (n - 1)));
    }

    return p;
}


static ngx_uint_t
ngx_pki_der_length_size(size_t len)
{
    ngx_uint_t  n;

    if (len < 0x80) {
        return 1;
    }

    for (n = 1; len != 0; n++) {
        len >>= 8;
    }

    return n;
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * Header lines of answers.
 */


#include "ngx_pki_https_header.h"


#define NGX_PKI_HTTPS_MAX_CHALLENGE    4096
#define NGX_PKI_HTTPS_MAX_REQUEST_ID   128

/* a day: who says more is not believed */
#define NGX_PKI_HTTPS_MAX_RETRY_AFTER  86400


static ngx_uint_t ngx_pki_https_header_split(ngx_str_t *line, ngx_str_t *name,
    ngx_str_t *value);
static ngx_uint_t ngx_pki_https_header_is(ngx_str_t *name, const char *text);
static ngx_int_t ngx_pki_https_header_keep(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *value, size_t max);
static void ngx_pki_https_header_retry(ngx_str_t *value,
    ngx_pki_https_header_t *header);
static void ngx_pki_https_header_retry_exact(ngx_str_t *value,
    ngx_pki_https_header_t *header);
static ngx_int_t ngx_pki_https_header_number(ngx_str_t *value);


ngx_int_t
ngx_pki_https_header_line(ngx_pool_t *pool, ngx_str_t *line,
    ngx_pki_https_header_t *header)
{
    ngx_str_t  name, value;

    if (line->len >= 5 && ngx_strncmp(line->data, "HTTP/", 5) == 0) {
        ngx_memzero(header, sizeof(ngx_pki_https_header_t));
        header->retry_after = -1;
        return NGX_OK;
    }

    if (line->len == 0 || line->data[0] == CR || line->data[0] == LF) {
        header->ended = 1;
        return NGX_OK;
    }

    if (header->ended || !ngx_pki_https_header_split(line, &name, &value)) {
        return NGX_OK;
    }

    if (ngx_pki_https_header_is(&name, "www-authenticate")) {
        return ngx_pki_https_header_keep(pool, &header->challenge, &value,
                                         NGX_PKI_HTTPS_MAX_CHALLENGE);
    }

    if (ngx_pki_https_header_is(&name, "x-ms-request-id")) {
        return ngx_pki_https_header_keep(pool, &header->request_id, &value,
                                         NGX_PKI_HTTPS_MAX_REQUEST_ID);
    }

    if (ngx_pki_https_header_is(&name, "retry-after")) {
        ngx_pki_https_header_retry(&value, header);

    } else if (ngx_pki_https_header_is(&name, "retry-after-ms")
               || ngx_pki_https_header_is(&name, "x-ms-retry-after-ms"))
    {
        ngx_pki_https_header_retry_exact(&value, header);
    }

    return NGX_OK;
}


/* RFC 9112, 5: name ":" blanks value blanks */

static ngx_uint_t
ngx_pki_https_header_split(ngx_str_t *line, ngx_str_t *name, ngx_str_t *value)
{
    u_char  *p, *last;

    last = line->data + line->len;

    p = ngx_strlchr(line->data, last, ':');
    if (p == NULL) {
        return 0;
    }

    name->data = line->data;
    name->len = p - line->data;

    p++;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == LF || last[-1] == CR || last[-1] == ' '
                        || last[-1] == '\t'))
    {
        last--;
    }

    value->data = p;
    value->len = last - p;

    for ( /* void */ ; p < last; p++) {
        if ((*p < 0x20 && *p != '\t') || *p == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_pki_https_header_is(ngx_str_t *name, const char *text)
{
    return name->len == ngx_strlen(text)
           && ngx_strncasecmp(name->data, (u_char *) text, name->len) == 0;
}


static ngx_int_t
ngx_pki_https_header_keep(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *value,
    size_t max)
{
    u_char  *p;

    if (dst->len != 0 || value->len == 0 || value->len > max) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, value->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, value->data, value->len);
    p[value->len] = '\0';

    dst->len = value->len;
    dst->data = p;

    return NGX_OK;
}


/* RFC 9110, 10.2.3: seconds, or a date */

static void
ngx_pki_https_header_retry(ngx_str_t *value, ngx_pki_https_header_t *header)
{
    time_t     date;
    ngx_int_t  n;

    if (header->exact) {
        return;
    }

    n = ngx_pki_https_header_number(value);

    if (n == NGX_ERROR) {
        date = ngx_parse_http_time(value->data, value->len);

        if (date == (time_t) NGX_ERROR) {
            return;
        }

        n = ngx_max(date - ngx_time(), 0);
    }

    header->retry_after = 1000 * ngx_min(n, NGX_PKI_HTTPS_MAX_RETRY_AFTER);
}


static void
ngx_pki_https_header_retry_exact(ngx_str_t *value,
    ngx_pki_https_header_t *header)
{
    ngx_int_t  n;

    n = ngx_pki_https_header_number(value);

    if (n != NGX_ERROR) {
        header->exact = 1;
        header->retry_after = ngx_min(n, 1000 * NGX_PKI_HTTPS_MAX_RETRY_AFTER);
    }
}


/* a number that is too large is the largest one */

static ngx_int_t
ngx_pki_https_header_number(ngx_str_t *value)
{
    size_t     i;
    ngx_int_t  n;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '9') {
            return NGX_ERROR;
        }
    }

    n = ngx_atoi(value->data, value->len);

    return (n == NGX_ERROR && value->len != 0) ? NGX_MAX_INT_T_VALUE : n;
}

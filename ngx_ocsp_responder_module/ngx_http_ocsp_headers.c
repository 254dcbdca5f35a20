
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_ocsp_headers.h"


#define NGX_HTTP_OCSP_DATE_LEN     (sizeof("Mon, 28 Sep 1970 06:00:00 GMT") - 1)
#define NGX_HTTP_OCSP_MAX_AGE      "max-age="
#define NGX_HTTP_OCSP_PUBLIC       ", public, no-transform, must-revalidate"

/* dates that are kept printed */

#define NGX_HTTP_OCSP_DATES        512


typedef struct {
    time_t                     time;
    u_char                     text[NGX_HTTP_OCSP_DATE_LEN];
} ngx_http_ocsp_date_t;


static ngx_table_elt_t *ngx_http_ocsp_headers_push(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_ocsp_headers_cache_control(ngx_http_request_t *r,
    ngx_str_t *value);
static u_char *ngx_http_ocsp_headers_number(u_char *p, time_t n);
static u_char *ngx_http_ocsp_headers_date(u_char *p, time_t t);
static void ngx_http_ocsp_headers_print_date(u_char *p, time_t t);
static u_char *ngx_http_ocsp_headers_digits(u_char *p, ngx_uint_t n);


static ngx_str_t  ngx_http_ocsp_cache_control = ngx_string("Cache-Control");
static ngx_str_t  ngx_http_ocsp_expires = ngx_string("Expires");
static ngx_str_t  ngx_http_ocsp_last_modified = ngx_string("Last-Modified");
static ngx_str_t  ngx_http_ocsp_etag = ngx_string("ETag");


ngx_int_t
ngx_http_ocsp_headers_cache(ngx_http_request_t *r, time_t max_age,
    time_t expires, time_t modified, ngx_str_t *etag)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 2 * NGX_HTTP_OCSP_DATE_LEN
                             + sizeof(NGX_HTTP_OCSP_MAX_AGE)
                             + sizeof(NGX_HTTP_OCSP_PUBLIC) + etag->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    p = ngx_cpymem(p, NGX_HTTP_OCSP_MAX_AGE,
                   sizeof(NGX_HTTP_OCSP_MAX_AGE) - 1);
    p = ngx_http_ocsp_headers_number(p, max_age);
    p = ngx_cpymem(p, NGX_HTTP_OCSP_PUBLIC, sizeof(NGX_HTTP_OCSP_PUBLIC) - 1);
    value.len = p - value.data;

    if (ngx_http_ocsp_headers_cache_control(r, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    value.data = p;
    p = ngx_http_ocsp_headers_date(p, expires);
    value.len = p - value.data;

    r->headers_out.expires = ngx_http_ocsp_headers_push(r,
                                                        &ngx_http_ocsp_expires,
                                                        &value);

    /* nginx prints it, too, but takes three times as long */

    value.data = p;
    p = ngx_http_ocsp_headers_date(p, modified);
    value.len = p - value.data;

    r->headers_out.last_modified_time = modified;
    r->headers_out.last_modified = ngx_http_ocsp_headers_push(r,
                                           &ngx_http_ocsp_last_modified,
                                           &value);

    value.data = p;
    value.len = etag->len;
    ngx_memcpy(p, etag->data, etag->len);

    r->headers_out.etag = ngx_http_ocsp_headers_push(r, &ngx_http_ocsp_etag,
                                                     &value);

    return (r->headers_out.expires == NULL
            || r->headers_out.last_modified == NULL
            || r->headers_out.etag == NULL)
           ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_ocsp_headers_no_store(ngx_http_request_t *r)
{
    ngx_str_t  value;

    r->disable_not_modified = 1;

    ngx_str_set(&value, "no-store, max-age=0");

    return ngx_http_ocsp_headers_cache_control(r, &value);
}


void
ngx_http_ocsp_headers_identity(ngx_http_request_t *r)
{
#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif
}


ngx_int_t
ngx_http_ocsp_headers_not_allowed(ngx_http_request_t *r, ngx_str_t *allow)
{
    if (ngx_http_pki_add_header(r, "Allow", allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_table_elt_t *
ngx_http_ocsp_headers_push(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

#if (NGX_PKI_HEADER_LISTS)
    h->next = NULL;
#endif

    h->hash = 1;
    h->key = *name;
    h->value = *value;

    return h;
}


/* known to the core, so that "expires" and "add_header" see it */

static ngx_int_t
ngx_http_ocsp_headers_cache_control(ngx_http_request_t *r, ngx_str_t *value)
{
    ngx_table_elt_t   *h;
#if !(NGX_PKI_HEADER_LISTS)
    ngx_table_elt_t  **cc;
#endif

    h = ngx_http_ocsp_headers_push(r, &ngx_http_ocsp_cache_control,
                                   value);
    if (h == NULL) {
        return NGX_ERROR;
    }

#if (NGX_PKI_HEADER_LISTS)

    r->headers_out.cache_control = h;

#else

    if (r->headers_out.cache_control.elts == NULL
        && ngx_array_init(&r->headers_out.cache_control, r->pool, 1,
                          sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    cc = ngx_array_push(&r->headers_out.cache_control);
    if (cc == NULL) {
        return NGX_ERROR;
    }

    *cc = h;

#endif

    return NGX_OK;
}


static u_char *
ngx_http_ocsp_headers_number(u_char *p, time_t n)
{
    u_char  digits[NGX_TIME_T_LEN], *d;

    d = digits + NGX_TIME_T_LEN;

    do {
        *--d = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n != 0);

    return ngx_cpymem(p, d, digits + NGX_TIME_T_LEN - d);
}


/* RFC 9110, 5.6.7: IMF-fixdate; most answers have those of another one */

static u_char *
ngx_http_ocsp_headers_date(u_char *p, time_t t)
{
    ngx_http_ocsp_date_t  *date;

    static ngx_http_ocsp_date_t  dates[NGX_HTTP_OCSP_DATES];

    date = &dates[t % NGX_HTTP_OCSP_DATES];

    if (date->time != t || date->text[0] == '\0') {
        ngx_http_ocsp_headers_print_date(date->text, t);
        date->time = t;
    }

    return ngx_cpymem(p, date->text, NGX_HTTP_OCSP_DATE_LEN);
}


static void
ngx_http_ocsp_headers_print_date(u_char *p, time_t t)
{
    ngx_tm_t  tm;

    static const char  week[] = "Sun, Mon, Tue, Wed, Thu, Fri, Sat, ";
    static const char  months[] = " Jan  Feb  Mar  Apr  May  Jun "
                                  " Jul  Aug  Sep  Oct  Nov  Dec ";

    ngx_gmtime(t, &tm);

    p = ngx_cpymem(p, week + 5 * tm.ngx_tm_wday, 5);
    p = ngx_http_ocsp_headers_digits(p, tm.ngx_tm_mday);
    p = ngx_cpymem(p, months + 5 * (tm.ngx_tm_mon - 1), 5);
    p = ngx_http_ocsp_headers_digits(p, tm.ngx_tm_year / 100);
    p = ngx_http_ocsp_headers_digits(p, tm.ngx_tm_year % 100);
    *p++ = ' ';
    p = ngx_http_ocsp_headers_digits(p, tm.ngx_tm_hour);
    *p++ = ':';
    p = ngx_http_ocsp_headers_digits(p, tm.ngx_tm_min);
    *p++ = ':';
    p = ngx_http_ocsp_headers_digits(p, tm.ngx_tm_sec);
    ngx_memcpy(p, " GMT", 4);
}


static u_char *
ngx_http_ocsp_headers_digits(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) ('0' + n / 10);
    *p++ = (u_char) ('0' + n % 10);

    return p;
}

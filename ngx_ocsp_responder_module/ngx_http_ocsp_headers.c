
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_ocsp_headers.h"


#define NGX_HTTP_OCSP_ETAG_OCTETS  16


static ngx_table_elt_t *ngx_http_ocsp_headers_push(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_ocsp_headers_cache_control(ngx_http_request_t *r,
    ngx_str_t *value);
static ngx_int_t ngx_http_ocsp_headers_expires(ngx_http_request_t *r,
    time_t expires);


ngx_int_t
ngx_http_ocsp_headers_cache(ngx_http_request_t *r, time_t max_age,
    time_t expires, time_t modified, ngx_str_t *etag)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN
                             + sizeof("max-age=, public, no-transform, "
                                      "must-revalidate"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "max-age=%T, public, no-transform, "
                            "must-revalidate", max_age)
                - p;

    if (ngx_http_ocsp_headers_cache_control(r, &value) != NGX_OK
        || ngx_http_ocsp_headers_expires(r, expires) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_out.last_modified_time = modified;

    if (etag != NULL) {
        r->headers_out.etag = ngx_http_ocsp_headers_push(r, "ETag", etag);

        if (r->headers_out.etag == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
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


ngx_int_t
ngx_http_ocsp_headers_etag(ngx_pool_t *pool, ngx_str_t *prefix,
    ngx_str_t *body, ngx_str_t *etag)
{
    u_char  *p, digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(body->data, body->len, digest, NULL, EVP_sha256(), NULL)
        != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, 2 + prefix->len + 2 * NGX_HTTP_OCSP_ETAG_OCTETS);
    if (p == NULL) {
        return NGX_ERROR;
    }

    etag->data = p;

    *p++ = '"';
    p = ngx_cpymem(p, prefix->data, prefix->len);
    p = ngx_hex_dump(p, digest, NGX_HTTP_OCSP_ETAG_OCTETS);
    *p++ = '"';

    etag->len = p - etag->data;

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_http_ocsp_headers_push(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (ngx_http_pki_add_header(r, name, value) != NGX_OK) {
        return NULL;
    }

    part = r->headers_out.headers.last;
    h = part->elts;

    return &h[part->nelts - 1];
}


/* known to the core, so that "expires" and "add_header" see it */

static ngx_int_t
ngx_http_ocsp_headers_cache_control(ngx_http_request_t *r, ngx_str_t *value)
{
    ngx_table_elt_t   *h;
#if !(NGX_PKI_HEADER_LISTS)
    ngx_table_elt_t  **cc;
#endif

    h = ngx_http_ocsp_headers_push(r, "Cache-Control", value);
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


static ngx_int_t
ngx_http_ocsp_headers_expires(ngx_http_request_t *r, time_t expires)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool,
                             sizeof("Mon, 28 Sep 1970 06:00:00 GMT"));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_http_time(value.data, expires) - value.data;

    r->headers_out.expires = ngx_http_ocsp_headers_push(r, "Expires", &value);

    return (r->headers_out.expires == NULL) ? NGX_ERROR : NGX_OK;
}

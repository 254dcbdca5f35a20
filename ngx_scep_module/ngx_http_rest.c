
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_rest.h"


#define NGX_HTTP_REST_PEM_LINE   64
#define NGX_HTTP_REST_PEM_FRAME  (sizeof("-----BEGIN -----\n") - 1           \
                                  + sizeof("-----END -----\n") - 1)


static ngx_int_t ngx_http_rest_pem_of(ngx_pool_t *pool, ngx_str_t *what,
    ngx_str_t *der, ngx_str_t *pem);
static size_t ngx_http_rest_pem_size(ngx_str_t *what, ngx_str_t *der);
static u_char *ngx_http_rest_pem_put(u_char *out, ngx_str_t *what,
    ngx_str_t *der);


ngx_str_t  ngx_http_rest_type_json = ngx_string("application/json");
ngx_str_t  ngx_http_rest_type_pem = ngx_string("application/x-pem-file");
ngx_str_t  ngx_http_rest_type_der = ngx_string("application/pkix-cert");

static ngx_str_t  ngx_http_rest_certificate = ngx_string("CERTIFICATE");
static ngx_str_t  ngx_http_rest_request = ngx_string("CERTIFICATE REQUEST");

static ngx_str_t  ngx_http_rest_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_rest_nosniff = ngx_string("nosniff");


ngx_int_t
ngx_http_rest_init(ngx_http_request_t *r)
{
    if (ngx_http_pki_add_header(r, "Cache-Control", &ngx_http_rest_no_store)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_pki_add_header(r, "X-Content-Type-Options",
                                   &ngx_http_rest_nosniff);
}


ngx_str_t *
ngx_http_rest_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (header[i].key.len == len
                && ngx_strncmp(header[i].lowcase_key, name, len) == 0)
            {
                return &header[i].value;
            }
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_rest_cross_site(ngx_http_request_t *r)
{
    ngx_str_t  *site;

    site = ngx_http_rest_header(r, "sec-fetch-site");

    return site != NULL && ngx_pki_str_eq(site, "cross-site");
}


ngx_int_t
ngx_http_rest_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *type,
    ngx_str_t *body)
{
    ngx_int_t  rc;

    /* nothing to do if the body has been read */

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_pki_send(r, status, type, body);
}


ngx_int_t
ngx_http_rest_json(ngx_http_request_t *r, ngx_uint_t status, json_t *value)
{
    ngx_str_t  body;

    if (ngx_pki_json_dump(r->pool, value, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_send(r, status, &ngx_http_rest_type_json, &body);
}


ngx_int_t
ngx_http_rest_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *message)
{
    u_char     *p;
    json_t     *value;
    ngx_str_t   seconds;

    value = ngx_pki_json_own(r->pool,
                             json_pack("{s:{s:s,s:s}}", "error",
                                       "code", code, "message", message));
    if (value == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {

        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        seconds.data = p;
        seconds.len = ngx_sprintf(p, "%d", NGX_HTTP_REST_RETRY_AFTER) - p;

        if (ngx_http_pki_add_header(r, "Retry-After", &seconds) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_rest_json(r, status, value);
}


ngx_int_t
ngx_http_rest_method(ngx_http_request_t *r, const char *allow)
{
    ngx_str_t  value;

    value.data = (u_char *) allow;
    value.len = ngx_strlen(allow);

    if (ngx_http_pki_add_header(r, "Allow", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_error(r, NGX_HTTP_NOT_ALLOWED, "method_not_allowed",
                               "this method is not allowed here");
}


ngx_int_t
ngx_http_rest_pem(ngx_pool_t *pool, ngx_str_t *der, ngx_str_t *pem)
{
    return ngx_http_rest_pem_of(pool, &ngx_http_rest_certificate, der, pem);
}


ngx_int_t
ngx_http_rest_pem_csr(ngx_pool_t *pool, ngx_str_t *der, ngx_str_t *pem)
{
    return ngx_http_rest_pem_of(pool, &ngx_http_rest_request, der, pem);
}


static ngx_int_t
ngx_http_rest_pem_of(ngx_pool_t *pool, ngx_str_t *what, ngx_str_t *der,
    ngx_str_t *pem)
{
    pem->data = ngx_pnalloc(pool, ngx_http_rest_pem_size(what, der));
    if (pem->data == NULL) {
        return NGX_ERROR;
    }

    pem->len = ngx_http_rest_pem_put(pem->data, what, der) - pem->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_rest_chain(ngx_pool_t *pool, ngx_str_t *der,
    ngx_pki_authority_t *authority, ngx_str_t *pem)
{
    size_t       size;
    u_char      *p;
    ngx_str_t   *chain, *what;
    ngx_uint_t   i;

    what = &ngx_http_rest_certificate;
    chain = authority->chain.elts;

    size = ngx_http_rest_pem_size(what, &authority->der);

    if (der != NULL) {
        size += ngx_http_rest_pem_size(what, der);
    }

    for (i = 0; i < authority->chain.nelts; i++) {
        size += ngx_http_rest_pem_size(what, &chain[i]);
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pem->data = p;

    if (der != NULL) {
        p = ngx_http_rest_pem_put(p, what, der);
    }

    p = ngx_http_rest_pem_put(p, what, &authority->der);

    for (i = 0; i < authority->chain.nelts; i++) {
        p = ngx_http_rest_pem_put(p, what, &chain[i]);
    }

    pem->len = p - pem->data;

    return NGX_OK;
}


static size_t
ngx_http_rest_pem_size(ngx_str_t *what, ngx_str_t *der)
{
    size_t  len;

    len = ngx_base64_encoded_length(der->len);

    return NGX_HTTP_REST_PEM_FRAME + 2 * what->len
           + len + len / NGX_HTTP_REST_PEM_LINE + 1;
}


static u_char *
ngx_http_rest_pem_put(u_char *out, ngx_str_t *what, ngx_str_t *der)
{
    ngx_str_t  in, line, text;

    out = ngx_sprintf(out, "-----BEGIN %V-----\n", what);

    /* a line at a time: its octets are a multiple of three */

    for (in = *der; in.len != 0; /* void */) {

        line.data = in.data;
        line.len = ngx_min(in.len, NGX_HTTP_REST_PEM_LINE / 4 * 3);

        in.data += line.len;
        in.len -= line.len;

        text.data = out;
        ngx_encode_base64(&text, &line);

        out += text.len;
        *out++ = LF;
    }

    return ngx_sprintf(out, "-----END %V-----\n", what);
}

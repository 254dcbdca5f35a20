
/*
 * Copyright (C) the ngx_pki authors
 *
 * The certificate of an authority, where issued certificates say that it is
 * (RFC 5280, 4.2.2.1).
 */


#include "ngx_http_ocsp_responder_module.h"
#include "ngx_http_ocsp_headers.h"
#include "ngx_pki_pem.h"
#include "ngx_pki_der.h"


#define NGX_HTTP_PKI_CERTIFICATE_MAX_AGE  86400
#define NGX_HTTP_PKI_CERTIFICATE_RETRY    1

/* RFC 5652, 4 and 5.1: data, signedData */

#define NGX_HTTP_PKI_OID_DATA         "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define NGX_HTTP_PKI_OID_SIGNED_DATA  "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"


static ngx_int_t ngx_http_pki_certificate_body(ngx_http_request_t *r,
    ngx_http_ocsp_loc_conf_t *olcf, ngx_str_t *body);
static ngx_int_t ngx_http_pki_certificate_pem(ngx_pool_t *pool,
    ngx_str_t **ders, ngx_uint_t n, ngx_str_t *body);
static ngx_int_t ngx_http_pki_certificate_p7c(ngx_pool_t *pool,
    ngx_str_t **ders, ngx_uint_t n, ngx_str_t *body);


/* by format */

static ngx_str_t  ngx_http_pki_certificate_types[] = {
    ngx_string("application/pkix-cert"),
    ngx_string("application/x-pem-file"),
    ngx_string("application/pkcs7-mime")
};


ngx_int_t
ngx_http_pki_certificate_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  text, etag, *type;
    ngx_http_pki_ctx_t        *ctx;
    ngx_pki_authority_t       *a;
    ngx_http_ocsp_loc_conf_t  *olcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&text, "GET, HEAD");
        return ngx_http_ocsp_headers_not_allowed(r, &text);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);
    a = olcf->certificate;

    if (a->certificate == NULL) {
        ngx_str_set(&text, "the authority has no certificate yet\n");
        return ngx_http_pki_unavailable(r, NGX_HTTP_PKI_CERTIFICATE_RETRY,
                                        &text);
    }

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx == NULL
        || ngx_http_pki_certificate_body(r, olcf, &text) != NGX_OK
        || ngx_http_pki_etag(r->pool, &text, &etag) != NGX_OK
        || ngx_http_ocsp_headers_cache(r, NGX_HTTP_PKI_CERTIFICATE_MAX_AGE,
                                       ngx_time()
                                       + NGX_HTTP_PKI_CERTIFICATE_MAX_AGE,
                                       a->not_before, &etag)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->authority = a->name;

    ngx_http_ocsp_headers_identity(r);

    type = &ngx_http_pki_certificate_types[olcf->certificate_format];

    return ngx_http_pki_send(r, NGX_HTTP_OK, type, &text);
}


static ngx_int_t
ngx_http_pki_certificate_body(ngx_http_request_t *r,
    ngx_http_ocsp_loc_conf_t *olcf, ngx_str_t *body)
{
    ngx_str_t            **ders, *chain;
    ngx_uint_t             i, n;
    ngx_pki_authority_t   *a;

    a = olcf->certificate;

    if (olcf->certificate_format == NGX_HTTP_PKI_CERTIFICATE_DER) {
        *body = a->der;
        return NGX_OK;
    }

    n = olcf->certificate_chain ? a->chain.nelts : 0;

    ders = ngx_palloc(r->pool, (n + 1) * sizeof(ngx_str_t *));
    if (ders == NULL) {
        return NGX_ERROR;
    }

    ders[0] = &a->der;
    chain = a->chain.elts;

    for (i = 0; i < n; i++) {
        ders[i + 1] = &chain[i];
    }

    if (olcf->certificate_format == NGX_HTTP_PKI_CERTIFICATE_PEM) {
        return ngx_http_pki_certificate_pem(r->pool, ders, n + 1, body);
    }

    return ngx_http_pki_certificate_p7c(r->pool, ders, n + 1, body);
}


static ngx_int_t
ngx_http_pki_certificate_pem(ngx_pool_t *pool, ngx_str_t **ders, ngx_uint_t n,
    ngx_str_t *body)
{
    size_t      size;
    u_char     *p;
    ngx_str_t   label;
    ngx_uint_t  i;

    ngx_str_set(&label, "CERTIFICATE");

    size = 0;

    for (i = 0; i < n; i++) {
        size += ngx_pki_pem_size(&label, ders[i]->len);
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for (i = 0; i < n; i++) {
        p = ngx_pki_pem_write(p, &label, ders[i]);
    }

    body->len = p - body->data;

    return NGX_OK;
}


/* SignedData that signs nothing: a bag of certificates (RFC 5652, 5.1) */

static ngx_int_t
ngx_http_pki_certificate_p7c(ngx_pool_t *pool, ngx_str_t **ders, ngx_uint_t n,
    ngx_str_t *body)
{
    size_t                info, content, data, encap, certs;
    ngx_str_t             oid;
    ngx_uint_t            i;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, 128 + n * (ders[0]->len + 16))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    info = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_str_set(&oid, NGX_HTTP_PKI_OID_SIGNED_DATA);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &oid);

    content = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    data = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 1);
    ngx_pki_der_close(&w, ngx_pki_der_begin(&w, NGX_PKI_DER_SET));

    encap = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_str_set(&oid, NGX_HTTP_PKI_OID_DATA);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &oid);
    ngx_pki_der_close(&w, encap);

    certs = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));

    for (i = 0; i < n; i++) {
        ngx_pki_der_raw(&w, ders[i]);
    }

    ngx_pki_der_close(&w, certs);

    ngx_pki_der_close(&w, ngx_pki_der_begin(&w, NGX_PKI_DER_SET));

    ngx_pki_der_close(&w, data);
    ngx_pki_der_close(&w, content);
    ngx_pki_der_close(&w, info);

    return ngx_pki_der_finish(&w, body);
}

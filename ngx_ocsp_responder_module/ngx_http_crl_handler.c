
/*
 * Copyright (C) the ngx_pki authors
 *
 * The current CRL, as it lies in the worker's memory.
 */


#include "ngx_http_ocsp_responder_module.h"
#include "ngx_http_ocsp_headers.h"
#include "ngx_ocsp_pem.h"


#define NGX_HTTP_CRL_TIMEOUT      5000
#define NGX_HTTP_CRL_RETRY_AFTER  1


/* a request that waits for the CRL to be loaded, in its operation's pool */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_crl_waiter_t           waiter;
} ngx_http_crl_wait_t;


static ngx_int_t ngx_http_crl_wait(ngx_http_request_t *r,
    ngx_crl_cache_t *cache);
static void ngx_http_crl_expire(ngx_pki_op_t *op);
static void ngx_http_crl_waiter_handler(ngx_crl_waiter_t *waiter);
static ngx_int_t ngx_http_crl_send(ngx_http_request_t *r);
static void ngx_http_crl_cleanup(void *data);
static ngx_int_t ngx_http_crl_body(ngx_crl_copy_t *copy, ngx_uint_t pem,
    ngx_str_t *body);
static ngx_int_t ngx_http_crl_headers(ngx_http_request_t *r,
    ngx_crl_copy_t *copy, ngx_http_ocsp_loc_conf_t *olcf);
static ngx_int_t ngx_http_crl_etag(ngx_http_request_t *r,
    ngx_crl_copy_t *copy, ngx_uint_t pem, ngx_str_t *etag);
static ngx_int_t ngx_http_crl_output(ngx_http_request_t *r, ngx_str_t *body);


ngx_int_t
ngx_http_crl_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  allow;
    ngx_http_ocsp_loc_conf_t  *olcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&allow, "GET, HEAD");
        return ngx_http_ocsp_headers_not_allowed(r, &allow);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    if (!ngx_crl_cache_is_current(&olcf->crl->cache)) {
        return ngx_http_crl_wait(r, &olcf->crl->cache);
    }

    return ngx_http_crl_send(r);
}


static ngx_int_t
ngx_http_crl_wait(ngx_http_request_t *r, ngx_crl_cache_t *cache)
{
    ngx_pki_op_t         *op;
    ngx_http_crl_wait_t  *wait;

    op = ngx_http_pki_op_create(r, NGX_HTTP_CRL_TIMEOUT, ngx_http_crl_expire);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait = ngx_pcalloc(op->pool, sizeof(ngx_http_crl_wait_t));

    if (wait != NULL) {
        wait->op = op;
        wait->waiter.handler = ngx_http_crl_waiter_handler;
        wait->waiter.data = wait;
    }

    if (wait == NULL || ngx_crl_cache_wait(cache, &wait->waiter) != NGX_OK) {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
    }

    return NGX_DONE;
}


static void
ngx_http_crl_expire(ngx_pki_op_t *op)
{
    ngx_http_pki_op_finalize(op,
                             ngx_http_crl_send(ngx_http_pki_op_request(op)));
}


static void
ngx_http_crl_waiter_handler(ngx_crl_waiter_t *waiter)
{
    ngx_pki_op_t         *op;
    ngx_http_request_t   *r;
    ngx_http_crl_wait_t  *wait;

    wait = waiter->data;
    op = wait->op;

    r = ngx_http_pki_op_request(op);

    if (r != NULL) {
        ngx_http_pki_op_finalize(op, ngx_http_crl_send(r));
    }

    ngx_pki_op_destroy(op);
}


static ngx_int_t
ngx_http_crl_send(ngx_http_request_t *r)
{
    ngx_str_t                  body;
    ngx_crl_copy_t            *copy;
    ngx_pool_cleanup_t        *cln;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    copy = ngx_crl_cache_get(&olcf->crl->cache);

    if (copy == NULL) {
        ngx_str_set(&body, "the CRL is not available yet\n");

        return ngx_http_pki_unavailable(r, NGX_HTTP_CRL_RETRY_AFTER, &body);
    }

    /* the reference goes with the request, whose output points into the copy */

    cln->handler = ngx_http_crl_cleanup;
    cln->data = copy;

    if (ngx_http_crl_body(copy, olcf->crl_pem, &body) != NGX_OK
        || ngx_http_crl_headers(r, copy, olcf) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_crl_output(r, &body);
}


static void
ngx_http_crl_cleanup(void *data)
{
    ngx_crl_cache_release(data);
}


static ngx_int_t
ngx_http_crl_body(ngx_crl_copy_t *copy, ngx_uint_t pem, ngx_str_t *body)
{
    u_char     *p;
    ngx_str_t   label;

    if (!pem) {
        *body = copy->der;
        return NGX_OK;
    }

    if (copy->pem.len == 0) {
        ngx_str_set(&label, "X509 CRL");

        p = ngx_pnalloc(copy->pool, ngx_ocsp_pem_size(&label, copy->der.len));
        if (p == NULL) {
            return NGX_ERROR;
        }

        copy->pem.data = p;
        copy->pem.len = ngx_ocsp_pem_write(p, &label, &copy->der) - p;
    }

    *body = copy->pem;

    return NGX_OK;
}


/* may be kept until the next one is there, built for its own sake */

static ngx_int_t
ngx_http_crl_headers(ngx_http_request_t *r, ngx_crl_copy_t *copy,
    ngx_http_ocsp_loc_conf_t *olcf)
{
    time_t               now, expires;
    u_char               buf[NGX_INT64_LEN];
    ngx_str_t            number, etag;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx == NULL
        || ngx_http_crl_etag(r, copy, olcf->crl_pem, &etag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    number.len = ngx_sprintf(buf, "%uL", copy->number) - buf;
    number.data = buf;

    ngx_http_pki_set(r, &ctx->crl_number, &number);
    ngx_http_pki_set(r, &ctx->authority, &olcf->crl->cache.authority->name);

    now = ngx_time();
    expires = ngx_max(copy->next_update - olcf->crl_spec.overlap, now);

    ngx_http_ocsp_headers_identity(r);

    return ngx_http_ocsp_headers_cache(r, expires - now, expires,
                                       copy->this_update, &etag);
}


static ngx_int_t
ngx_http_crl_etag(ngx_http_request_t *r, ngx_crl_copy_t *copy, ngx_uint_t pem,
    ngx_str_t *etag)
{
    u_char     buf[NGX_INT64_LEN + sizeof("-")];
    ngx_str_t  prefix;

    if (copy->etag.len == 0) {
        prefix.len = ngx_sprintf(buf, "%xL-", copy->number) - buf;
        prefix.data = buf;

        if (ngx_http_ocsp_headers_etag(copy->pool, &prefix, &copy->der,
                                       &copy->etag)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (!pem) {
        *etag = copy->etag;
        return NGX_OK;
    }

    /* the same CRL, but other octets: "pem-" behind the first quote */

    etag->len = copy->etag.len + sizeof("pem-") - 1;
    etag->data = ngx_pnalloc(r->pool, etag->len);
    if (etag->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(etag->data, "\"pem-%*s", copy->etag.len - 1,
                       copy->etag.data + 1);

    return NGX_OK;
}


static ngx_int_t
ngx_http_crl_output(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_buf_t                 *b;
    ngx_int_t                  rc;
    ngx_chain_t                out;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (olcf->crl_pem) {
        ngx_str_set(&r->headers_out.content_type, "application/x-pem-file");

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/pkix-crl");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = body->len;

    r->allow_ranges = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}

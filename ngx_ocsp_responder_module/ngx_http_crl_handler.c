
/*
 * Copyright (C) the ngx_pki authors
 *
 * The current CRLs, as they lie in the worker's memory.
 */


#include "ngx_http_ocsp_responder_module.h"
#include "ngx_http_ocsp_headers.h"


#define NGX_HTTP_CRL_TIMEOUT      5000
#define NGX_HTTP_CRL_RETRY_AFTER  1


/* a request that waits for the CRL to be loaded, in its operation's pool */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_pki_crl_cache_t       *cache;
    ngx_pki_crl_waiter_t       waiter;
    ngx_http_cleanup_t        *cln;          /* of the request */
} ngx_http_crl_wait_t;


static ngx_int_t ngx_http_crl_list(ngx_http_request_t *r,
    ngx_http_ocsp_loc_conf_t *olcf, ngx_uint_t *list);
static ngx_int_t ngx_http_crl_look(ngx_http_crl_t *crl, ngx_uint_t list);
static ngx_int_t ngx_http_crl_wait(ngx_http_request_t *r,
    ngx_pki_crl_want_t *want);
static ngx_http_crl_wait_t *ngx_http_crl_wait_create(ngx_http_request_t *r,
    ngx_pki_op_t *op, ngx_pki_crl_want_t *want);
static void ngx_http_crl_wait_cleanup(void *data);
static void ngx_http_crl_expire(ngx_pki_op_t *op);
static void ngx_http_crl_waiter_handler(ngx_pki_crl_waiter_t *waiter);
static void ngx_http_crl_wait_end(ngx_http_crl_wait_t *wait);
static ngx_int_t ngx_http_crl_send(ngx_http_request_t *r,
    ngx_pki_crl_want_t *want);
static void ngx_http_crl_cleanup(void *data);
static ngx_int_t ngx_http_crl_unavailable(ngx_http_request_t *r);
static ngx_int_t ngx_http_crl_headers(ngx_http_request_t *r, ngx_uint_t list,
    ngx_pki_crl_copy_t *copy);
static ngx_int_t ngx_http_crl_etag(ngx_http_request_t *r,
    ngx_pki_crl_copy_t *copy, ngx_uint_t pem, ngx_str_t *etag);
static ngx_int_t ngx_http_crl_output(ngx_http_request_t *r, ngx_str_t *body);
static ngx_uint_t ngx_http_crl_has_ranges(ngx_http_request_t *r);


ngx_int_t
ngx_http_crl_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  allow;
    ngx_pki_crl_want_t         want;
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

    ngx_memzero(&want, sizeof(ngx_pki_crl_want_t));

    want.pem = olcf->crl_pem;

    rc = ngx_http_crl_list(r, olcf, &want.list);

    if (rc == NGX_DECLINED) {
        return ngx_http_crl_unavailable(r);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_pki_crl_cache_is_current(olcf->crl->cache, &want)) {
        return ngx_http_crl_wait(r, &want);
    }

    return ngx_http_crl_send(r, &want);
}


/* NGX_DECLINED: it is not known yet whether there is such a CRL */

static ngx_int_t
ngx_http_crl_list(ngx_http_request_t *r, ngx_http_ocsp_loc_conf_t *olcf,
    ngx_uint_t *list)
{
    ngx_int_t   rc;
    ngx_str_t   value;
    ngx_uint_t  shard;

    *list = olcf->crl_list;
    rc = NGX_OK;

    if (olcf->crl_shard != NULL) {

        if (ngx_http_complex_value(r, olcf->crl_shard, &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_pki_crl_parse_shard(&value, &shard);

        if (rc == NGX_OK) {
            *list = NGX_PKI_CRL_SHARD + shard;
        }
    }

    if (rc == NGX_OK) {
        rc = ngx_http_crl_look(olcf->crl, *list);
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "there is no such shard of the CRL");
        return NGX_HTTP_NOT_FOUND;
    }

    return rc;
}


/*
 * NGX_ERROR: there is no such CRL.  Nobody asks Redis for those: whoever likes
 * may ask for them here.
 */

static ngx_int_t
ngx_http_crl_look(ngx_http_crl_t *crl, ngx_uint_t list)
{
    ngx_uint_t        shards;
    ngx_pki_store_t  *store;

    if (list < NGX_PKI_CRL_SHARD) {
        return NGX_OK;
    }

    store = &crl->builder.authority->store;

    if (store->slot == NULL || store->crl == NULL) {
        return NGX_DECLINED;
    }

    shards = ngx_max(crl->builder.spec.shards, store->crl->shards);

    if (store->crl->number[list] != 0
        || (shards > 1 && list < NGX_PKI_CRL_SHARD + shards))
    {
        return NGX_OK;
    }

    return (store->slot->state != NGX_PKI_ZONE_WAITING) ? NGX_ERROR
                                                        : NGX_DECLINED;
}


static ngx_int_t
ngx_http_crl_wait(ngx_http_request_t *r, ngx_pki_crl_want_t *want)
{
    ngx_int_t             rc;
    ngx_pki_op_t         *op;
    ngx_http_crl_wait_t  *wait;

    op = ngx_http_pki_op_create(r, NGX_HTTP_CRL_TIMEOUT, ngx_http_crl_expire);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait = ngx_http_crl_wait_create(r, op, want);

    rc = (wait != NULL) ? ngx_pki_crl_cache_wait(wait->cache, &wait->waiter)
                        : NGX_ERROR;

    if (rc == NGX_OK) {
        wait->cln->handler = ngx_http_crl_wait_cleanup;
        return NGX_DONE;
    }

    /* too many wait already: perhaps there is an older one */

    rc = (rc == NGX_BUSY) ? ngx_http_crl_send(r, want)
                          : NGX_HTTP_INTERNAL_SERVER_ERROR;

    ngx_http_pki_op_finalize(op, rc);
    ngx_pki_op_destroy(op);

    return NGX_DONE;
}


static ngx_http_crl_wait_t *
ngx_http_crl_wait_create(ngx_http_request_t *r, ngx_pki_op_t *op,
    ngx_pki_crl_want_t *want)
{
    ngx_http_crl_wait_t       *wait;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    wait = ngx_pcalloc(op->pool, sizeof(ngx_http_crl_wait_t));
    if (wait == NULL) {
        return NULL;
    }

    wait->cln = ngx_http_cleanup_add(r, 0);
    if (wait->cln == NULL) {
        return NULL;
    }

    wait->cln->data = wait;

    wait->op = op;
    wait->cache = olcf->crl->cache;
    wait->waiter.want = *want;
    wait->waiter.handler = ngx_http_crl_waiter_handler;
    wait->waiter.data = wait;

    op->data = wait;

    return wait;
}


/* the client is gone, or has been answered: the operation ends soon */

static void
ngx_http_crl_wait_cleanup(void *data)
{
    ngx_http_crl_wait_t *wait = data;

    ngx_pki_crl_cache_leave(wait->cache, &wait->waiter);
}


static void
ngx_http_crl_expire(ngx_pki_op_t *op)
{
    ngx_http_crl_wait_t  *wait;

    wait = op->data;

    ngx_http_crl_wait_end(wait);
    ngx_http_crl_wait_cleanup(wait);
}


static void
ngx_http_crl_waiter_handler(ngx_pki_crl_waiter_t *waiter)
{
    ngx_http_crl_wait_t  *wait;

    wait = waiter->data;

    ngx_http_crl_wait_end(wait);
    ngx_pki_op_destroy(wait->op);
}


/* with what there is now */

static void
ngx_http_crl_wait_end(ngx_http_crl_wait_t *wait)
{
    ngx_http_request_t  *r;

    r = ngx_http_pki_op_request(wait->op);

    if (r != NULL) {
        wait->cln->handler = NULL;

        ngx_http_pki_op_finalize(wait->op,
                                 ngx_http_crl_send(r, &wait->waiter.want));
    }
}


static ngx_int_t
ngx_http_crl_send(ngx_http_request_t *r, ngx_pki_crl_want_t *want)
{
    ngx_str_t                 *body;
    ngx_pki_crl_copy_t        *copy;
    ngx_pool_cleanup_t        *cln;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    copy = ngx_pki_crl_cache_get(olcf->crl->cache, want);

    if (copy == NULL) {
        return ngx_http_crl_unavailable(r);
    }

    /* the reference goes with the request, whose output points into the copy */

    cln->handler = ngx_http_crl_cleanup;
    cln->data = copy;

    body = want->pem ? &copy->pem : &copy->der;

    if (body->len == 0) {
        return ngx_http_crl_unavailable(r);
    }

    if (ngx_http_crl_headers(r, want->list, copy) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_crl_output(r, body);
}


static void
ngx_http_crl_cleanup(void *data)
{
    ngx_pki_crl_copy_release(data);
}


static ngx_int_t
ngx_http_crl_unavailable(ngx_http_request_t *r)
{
    ngx_str_t  text;

    ngx_str_set(&text, "the CRL is not available yet\n");

    return ngx_http_pki_unavailable(r, NGX_HTTP_CRL_RETRY_AFTER, &text);
}


/* may be kept until the next one is there, built for its own sake */

static ngx_int_t
ngx_http_crl_headers(ngx_http_request_t *r, ngx_uint_t list,
    ngx_pki_crl_copy_t *copy)
{
    time_t                     now, expires;
    u_char                     buf[NGX_INT64_LEN];
    ngx_str_t                  number, etag;
    ngx_crl_builder_t         *builder;
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);
    builder = &olcf->crl->builder;

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx == NULL
        || ngx_http_crl_etag(r, copy, olcf->crl_pem, &etag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    number.len = ngx_sprintf(buf, "%uL", copy->number) - buf;
    number.data = buf;

    ngx_http_pki_set(r, &ctx->crl_number, &number);
    ngx_http_pki_set(r, &ctx->authority, &builder->authority->name);

    now = ngx_time();
    expires = ngx_crl_builder_due(&builder->spec, list, copy->this_update,
                                  copy->next_update);
    expires = ngx_max(expires, now);

    ngx_http_ocsp_headers_identity(r);

    /* another one may be of the same second: only the tag tells (RFC 9110,
     * 8.8.2.2) */

    r->headers_in.if_modified_since = NULL;

    return ngx_http_ocsp_headers_cache(r, expires - now, expires,
                                       copy->this_update, &etag);
}


static ngx_int_t
ngx_http_crl_etag(ngx_http_request_t *r, ngx_pki_crl_copy_t *copy,
    ngx_uint_t pem, ngx_str_t *etag)
{
    *etag = copy->etag;

    if (!pem) {
        return NGX_OK;
    }

    /* the same CRL, but other octets: "pem-" behind the first quote */

    etag->len += sizeof("pem-") - 1;
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

    r->allow_ranges = ngx_http_crl_has_ranges(r);

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


/* nor does a date in If-Range (RFC 9110, 13.1.5) */

static ngx_uint_t
ngx_http_crl_has_ranges(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    if (r->headers_in.if_range == NULL) {
        return 1;
    }

    value = &r->headers_in.if_range->value;

    return value->len >= 2 && value->data[value->len - 1] == '"';
}

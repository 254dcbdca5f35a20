
/*
 * Copyright (C) the ngx_pki authors
 *
 * GetCRL (RFC 8894, 4.6): the CRL that a certificate would be on.  It is
 * public, so nobody is asked for a challenge; what it costs is bounded.
 */


#include "ngx_http_scep_operation.h"
#include "ngx_pki_record.h"


/*
 * All others wait while it is enveloped: at these sizes three milliseconds.
 * Larger ones can be loaded by their URL.
 */

#define NGX_HTTP_SCEP_CRL_MAX      524288
#define NGX_HTTP_SCEP_CRL_MAX_DES  65536

/*
 * In work and on their way to all clients of a worker, who may read as slowly
 * as they like: each takes its size in the request, and until it is signed as
 * content, ciphertext, envelope and message in the operation.
 */

#define NGX_HTTP_SCEP_CRL_SENDING  16777216
#define NGX_HTTP_SCEP_CRL_WORK     4


/* in the pool of the request or of the operation */

typedef struct {
    ngx_http_scep_main_conf_t  *smcf;
    size_t                      size;
} ngx_http_scep_crl_sending_t;


static ngx_int_t ngx_http_scep_crl_check(ngx_http_scep_operation_t *so);
static ngx_uint_t ngx_http_scep_crl_list(ngx_pki_authority_t *a,
    ngx_pki_serial_t *serial);
static void ngx_http_scep_crl_load(ngx_http_scep_operation_t *so);
static void ngx_http_scep_crl_wait_cleanup(void *data);
static void ngx_http_scep_crl_expire(ngx_pki_op_t *op);
static void ngx_http_scep_crl_waiter_handler(ngx_pki_crl_waiter_t *waiter);
static void ngx_http_scep_crl_answer(ngx_http_scep_operation_t *so);
static void ngx_http_scep_crl_send(void *data);
static ngx_uint_t ngx_http_scep_crl_level(void);
static size_t ngx_http_scep_crl_max(ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_crl_content(ngx_http_scep_operation_t *so,
    ngx_http_request_t *r, ngx_pki_crl_copy_t *copy, ngx_str_t *content);
static ngx_int_t ngx_http_scep_crl_charge(ngx_http_scep_operation_t *so,
    ngx_pool_t *pool, size_t size);
static void ngx_http_scep_crl_charge_cleanup(void *data);


/*
 * Nothing within the envelope proves it whole, as a request's own signature
 * does: somebody who changes bits of a captured envelope and signs it anew as
 * a GetCRL must not learn from the answer what came out.  So one that does not
 * open, rubbish in it and another authority's certificate look the same.
 */

void
ngx_http_scep_crl(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        rc = ngx_http_scep_crl_check(so);
    }

    switch (rc) {

    case NGX_OK:
        ngx_http_scep_crl_load(so);
        break;

    case NGX_DECLINED:
        so->message.fail_info = NGX_SCEP_BAD_CERT_ID;
        ngx_http_scep_reply_refuse(so);
        break;

    default: /* NGX_ERROR */
        ngx_http_scep_reply_error(so);
        break;
    }
}


static ngx_int_t
ngx_http_scep_crl_check(ngx_http_scep_operation_t *so)
{
    u_char     *p;
    ngx_str_t   issuer;

    if (ngx_scep_cms_subject(&so->plaintext, &issuer, &so->serial) != NGX_OK)
    {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the envelope names no certificate");
    }

    so->issuer = ngx_http_scep_lookup_issuer(so, &issuer);

    if (so->issuer == NULL) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the certificate is of another "
                                       "authority");
    }

    p = ngx_pnalloc(so->op->pool, 2 * NGX_PKI_SERIAL_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    so->op->serial.data = p;
    so->op->serial.len = ngx_pki_serial_print(p, &so->serial);

    so->waiter.want.list = ngx_http_scep_crl_list(so->issuer, &so->serial);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_scep_crl_list(ngx_pki_authority_t *a, ngx_pki_serial_t *serial)
{
    ngx_int_t   shard;
    ngx_uint_t  shards;

    shard = ngx_pki_crl_shard(serial);
    shards = (a->store.crl != NULL) ? a->store.crl->shards : 0;

    if (shard < 0 || shards < 2 || (ngx_uint_t) shard >= shards) {
        return NGX_PKI_CRL_FULL;
    }

    return NGX_PKI_CRL_SHARD + shard;
}


static void
ngx_http_scep_crl_load(ngx_http_scep_operation_t *so)
{
    ngx_http_request_t    *r;
    ngx_pki_crl_cache_t   *crls;
    ngx_pki_crl_waiter_t  *waiter;

    ngx_pki_op_action(so->op, "loading a CRL for a scep request");

    r = ngx_http_pki_op_request(so->op);

    if (r == NULL) {
        ngx_pki_op_destroy(so->op);
        return;
    }

    crls = so->issuer->crls;

    waiter = &so->waiter;
    waiter->want.max = ngx_http_scep_crl_max(so);
    waiter->handler = ngx_http_scep_crl_waiter_handler;
    waiter->data = so;

    if (ngx_pki_crl_cache_is_current(crls, &waiter->want)) {
        ngx_http_scep_crl_answer(so);
        return;
    }

    so->cln = ngx_http_cleanup_add(r, 0);

    if (so->cln == NULL) {
        ngx_http_scep_reply_error(so);
        return;
    }

    switch (ngx_pki_crl_cache_wait(crls, waiter)) {

    case NGX_OK:
        so->cln->handler = ngx_http_scep_crl_wait_cleanup;
        so->cln->data = so;

        so->expire = so->op->expire;
        so->op->expire = ngx_http_scep_crl_expire;
        break;

    case NGX_BUSY:
        ngx_http_scep_reply_unavailable(so);
        break;

    default: /* NGX_ERROR */
        ngx_http_scep_reply_error(so);
        break;
    }
}


/* the client is gone, or has been answered: the operation ends soon */

static void
ngx_http_scep_crl_wait_cleanup(void *data)
{
    ngx_http_scep_operation_t *so = data;

    ngx_pki_crl_cache_leave(so->issuer->crls, &so->waiter);
}


static void
ngx_http_scep_crl_expire(ngx_pki_op_t *op)
{
    ngx_http_scep_operation_t  *so;

    so = op->data;
    so->cln->handler = NULL;

    so->expire(op);

    ngx_http_scep_crl_wait_cleanup(so);
}


static void
ngx_http_scep_crl_waiter_handler(ngx_pki_crl_waiter_t *waiter)
{
    ngx_http_request_t         *r;
    ngx_http_scep_operation_t  *so;

    so = waiter->data;
    r = ngx_http_pki_op_request(so->op);

    if (r == NULL) {
        ngx_pki_op_destroy(so->op);
        return;
    }

    so->cln->handler = NULL;
    so->op->expire = so->expire;

    ngx_http_scep_crl_answer(so);
}


static void
ngx_http_scep_crl_answer(ngx_http_scep_operation_t *so)
{
    size_t                size;
    ngx_pki_crl_copy_t   *copy;
    ngx_pki_crl_want_t   *want;
    ngx_pki_crl_cache_t  *crls;

    crls = so->issuer->crls;
    want = &so->waiter.want;

    size = ngx_pki_crl_cache_size(crls, want->list);

    if (size > want->max) {
        ngx_log_error(ngx_http_scep_crl_level(), so->op->log, 0,
                      "a CRL of %uz octets is too large for GetCRL, its URL "
                      "serves it", size);

        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;
    }

    copy = ngx_pki_crl_cache_get(crls, want);

    if (copy == NULL) {
        ngx_log_error(ngx_http_scep_crl_level(), so->op->log, 0,
                      "there is no current CRL to give");

        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;
    }

    /* one CRL leads to many answers */

    so->crl = copy;

    ngx_pki_turn_wait(&so->turn, ngx_http_scep_crl_send, so);
}


/* ends the reference to the copy */

static void
ngx_http_scep_crl_send(void *data)
{
    ngx_http_scep_operation_t *so = data;

    size_t               size;
    ngx_int_t            rc;
    ngx_str_t            content;
    ngx_http_request_t  *r;
    ngx_pki_crl_copy_t  *copy;

    copy = so->crl;
    r = ngx_http_pki_op_request(so->op);

    if (r == NULL) {
        ngx_pki_crl_copy_release(copy);
        ngx_pki_op_destroy(so->op);
        return;
    }

    size = copy->der.len * (1 + NGX_HTTP_SCEP_CRL_WORK);

    if (so->smcf->sending + size > NGX_HTTP_SCEP_CRL_SENDING) {
        ngx_pki_crl_copy_release(copy);

        ngx_log_error(ngx_http_scep_crl_level(), so->op->log, 0,
                      "CRLs of %uz octets are on their way to slow clients",
                      so->smcf->sending);

        ngx_http_scep_reply_unavailable(so);
        return;
    }

    rc = ngx_http_scep_crl_content(so, r, copy, &content);

    ngx_pki_crl_copy_release(copy);

    if (rc != NGX_OK) {
        ngx_http_scep_reply_error(so);
        return;
    }

    ngx_http_scep_reply_content(so, &content);
}


/* clients decide how often something happens: a warning a second is enough */

static ngx_uint_t
ngx_http_scep_crl_level(void)
{
    static time_t  told_at;

    if (told_at == ngx_time()) {
        return NGX_LOG_INFO;
    }

    told_at = ngx_time();

    return NGX_LOG_WARN;
}


static size_t
ngx_http_scep_crl_max(ngx_http_scep_operation_t *so)
{
    switch (ngx_http_scep_reply_cipher(so)) {

    case NGX_SCEP_DES_EDE3_CBC:
    case NGX_SCEP_DES_CBC:
        return NGX_HTTP_SCEP_CRL_MAX_DES;

    default:
        return NGX_HTTP_SCEP_CRL_MAX;
    }
}


static ngx_int_t
ngx_http_scep_crl_content(ngx_http_scep_operation_t *so, ngx_http_request_t *r,
    ngx_pki_crl_copy_t *copy, ngx_str_t *content)
{
    size_t               size;
    u_char               buf[NGX_INT64_LEN];
    ngx_str_t            number;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);
    size = copy->der.len;

    if (ctx == NULL
        || ngx_http_scep_crl_charge(so, r->pool, size) != NGX_OK
        || ngx_http_scep_crl_charge(so, so->op->pool,
                                    size * NGX_HTTP_SCEP_CRL_WORK)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    number.data = buf;
    number.len = ngx_sprintf(buf, "%uL", copy->number) - buf;

    ngx_http_pki_set(r, &ctx->crl_number, &number);

    return ngx_scep_cms_crl_only(so->op->pool, &copy->der, content);
}


/* as long as there is the pool */

static ngx_int_t
ngx_http_scep_crl_charge(ngx_http_scep_operation_t *so, ngx_pool_t *pool,
    size_t size)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_scep_crl_sending_t  *sending;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_scep_crl_sending_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    sending = cln->data;
    sending->smcf = so->smcf;
    sending->size = size;

    so->smcf->sending += size;
    cln->handler = ngx_http_scep_crl_charge_cleanup;

    return NGX_OK;
}


static void
ngx_http_scep_crl_charge_cleanup(void *data)
{
    ngx_http_scep_crl_sending_t *sending = data;

    sending->smcf->sending -= sending->size;
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * What Intune is told: of a certificate before its client gets it, and of a
 * request that it had vouched for in vain.
 */


#include "ngx_http_scep_intune.h"
#include "ngx_pki_notify.h"


/* HRESULT: CERTSRV_E_ADMIN_DENIED_REQUEST, and E_UNEXPECTED */

#define NGX_HTTP_SCEP_INTUNE_DENIED      0x80094014
#define NGX_HTTP_SCEP_INTUNE_UNEXPECTED  0x8000ffff


static void ngx_http_scep_intune_retry(ngx_http_scep_intune_ctx_t *ctx);
static void ngx_http_scep_intune_retry_handler(ngx_pki_intune_call_t *call);
static void ngx_http_scep_intune_tell(ngx_http_scep_intune_ctx_t *ctx);
static void ngx_http_scep_intune_tell_handler(ngx_pki_intune_call_t *call);
static void ngx_http_scep_intune_release(ngx_http_scep_intune_ctx_t *ctx);
static void ngx_http_scep_intune_release_handler(ngx_pki_store_job_t *job);
static void ngx_http_scep_intune_look(ngx_http_scep_intune_ctx_t *ctx);
static void ngx_http_scep_intune_look_handler(ngx_pki_store_job_t *job);
static void ngx_http_scep_intune_settle(ngx_http_scep_intune_ctx_t *ctx,
    ngx_pki_record_t *record);
static void ngx_http_scep_intune_revoke(ngx_http_scep_intune_ctx_t *ctx);
static void ngx_http_scep_intune_revoke_handler(ngx_pki_store_job_t *job);
static void ngx_http_scep_intune_reject(ngx_http_scep_intune_ctx_t *ctx,
    const char *state);
static void ngx_http_scep_intune_store(ngx_http_scep_intune_ctx_t *ctx,
    ngx_pki_store_pt handler);
static void ngx_http_scep_intune_withdraw(ngx_http_scep_intune_ctx_t *ctx);
static ngx_pki_intune_call_t *ngx_http_scep_intune_failure(
    ngx_http_scep_operation_t *so);
static void ngx_http_scep_intune_failure_handler(ngx_pki_intune_call_t *call);


void
ngx_http_scep_intune_issued(ngx_http_scep_operation_t *so, void *conf)
{
    ngx_str_t                    none;
    ngx_http_scep_intune_ctx_t  *ctx;

    ctx = ngx_http_scep_intune_create(so, conf);

    if (ctx == NULL) {
        ngx_str_null(&none);
        ngx_http_scep_withdraw(so, NGX_HTTP_SCEP_VOUCH_UNAVAILABLE, &none);
        return;
    }

    /* whether it was asked about this very message */

    if (so->issue.withheld.len != 0) {
        ngx_http_scep_intune_tell(ctx);

    } else {
        ngx_http_scep_intune_retry(ctx);
    }
}


/*
 * A retry, of a certificate that was issued but not given out: its request may
 * be another one by its challenge or its signature, and Intune wants to be told
 * of none that it has not seen.
 */

static void
ngx_http_scep_intune_retry(ngx_http_scep_intune_ctx_t *ctx)
{
    ngx_pki_op_action(ctx->so->op, "asking intune about a retry");

    ctx->call.kind = NGX_PKI_INTUNE_VALIDATE;
    ctx->call.handler = ngx_http_scep_intune_retry_handler;

    ngx_pki_intune_send(&ctx->call);
}


static void
ngx_http_scep_intune_retry_handler(ngx_pki_intune_call_t *call)
{
    ngx_uint_t                   level;
    ngx_http_scep_operation_t   *so;
    ngx_http_scep_intune_ctx_t  *ctx;

    ctx = call->data;
    so = ctx->so;

    if (call->result != NGX_PKI_INTUNE_OK) {
        level = (call->result == NGX_PKI_INTUNE_REFUSED) ? NGX_LOG_INFO
                                                         : NGX_LOG_ERR;

        ngx_log_error(level, so->op->log, 0,
                      "intune does not vouch for a retry: %V", &call->error);

        ngx_http_scep_intune_withdraw(ctx);
        return;
    }

    ctx = ngx_http_scep_intune_create(so, ctx->conf);

    if (ctx == NULL) {
        ngx_http_scep_withdraw(so, NGX_HTTP_SCEP_VOUCH_UNAVAILABLE,
                               &call->code);
        return;
    }

    ngx_http_scep_intune_tell(ctx);
}


static void
ngx_http_scep_intune_tell(ngx_http_scep_intune_ctx_t *ctx)
{
    ngx_http_scep_operation_t  *so;

    so = ctx->so;

    ngx_pki_op_action(so->op, "telling intune of a certificate");

    if (ngx_pki_notify_success(&ctx->call, so->authority, &so->issue.record)
        != NGX_OK)
    {
        ctx->call.result = NGX_PKI_INTUNE_UNAVAILABLE;
        ngx_http_scep_intune_withdraw(ctx);
        return;
    }

    ctx->call.handler = ngx_http_scep_intune_tell_handler;

    ngx_pki_intune_send(&ctx->call);
}


static void
ngx_http_scep_intune_tell_handler(ngx_pki_intune_call_t *call)
{
    ngx_http_scep_intune_ctx_t  *ctx;

    ctx = call->data;

    if (call->result == NGX_PKI_INTUNE_OK) {
        ngx_http_scep_intune_release(ctx);
        return;
    }

    /* whoever issued it takes it back: others may have told of it by now */

    if (ctx->so->issue.result == NGX_PKI_ISSUE_OK) {
        ngx_http_scep_intune_revoke(ctx);

    } else {
        ngx_http_scep_intune_look(ctx);
    }
}


/* Redis says so to all nodes: a retry gets it from now on */

static void
ngx_http_scep_intune_release(ngx_http_scep_intune_ctx_t *ctx)
{
    ngx_http_scep_intune_store(ctx, ngx_http_scep_intune_release_handler);

    ngx_pki_store_deliver(&ctx->store);
}


static void
ngx_http_scep_intune_release_handler(ngx_pki_store_job_t *job)
{
    ngx_http_scep_operation_t   *so;
    ngx_http_scep_intune_ctx_t  *ctx;

    ctx = job->data;
    so = ctx->so;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_str_null(&so->issue.record.withheld);
        ngx_http_scep_deliver(so);
        return;

    case NGX_PKI_STORE_CONFLICT:
        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "the certificate was revoked before it was given out");
        break;

    default: /* logged, if Redis does not work */
        ctx->call.result = NGX_PKI_INTUNE_UNAVAILABLE;
        break;
    }

    ngx_http_scep_intune_withdraw(ctx);
}


/* The same request may have been sent twice at once. */

static void
ngx_http_scep_intune_look(ngx_http_scep_intune_ctx_t *ctx)
{
    ngx_http_scep_intune_store(ctx, ngx_http_scep_intune_look_handler);

    ngx_pki_store_get(&ctx->store);
}


static void
ngx_http_scep_intune_look_handler(ngx_pki_store_job_t *job)
{
    ngx_http_scep_intune_ctx_t  *ctx;

    ctx = job->data;

    if (job->result != NGX_PKI_STORE_OK) {
        ngx_http_scep_intune_reject(ctx, "stays withheld");
        return;
    }

    ngx_http_scep_intune_settle(ctx, &job->record);
}


/* as the record is now; given out: the other one has told Intune */

static void
ngx_http_scep_intune_settle(ngx_http_scep_intune_ctx_t *ctx,
    ngx_pki_record_t *record)
{
    if (record->status != NGX_PKI_STATUS_GOOD) {
        ngx_http_scep_intune_reject(ctx, "is revoked already");
        return;
    }

    if (record->withheld.len != 0) {
        ngx_http_scep_intune_reject(ctx, "stays withheld");
        return;
    }

    ngx_http_scep_deliver(ctx->so);
}


/* The transaction is free again: the device may try with another order. */

static void
ngx_http_scep_intune_revoke(ngx_http_scep_intune_ctx_t *ctx)
{
    ngx_http_scep_intune_store(ctx, ngx_http_scep_intune_revoke_handler);

    ctx->store.withheld = 1;
    ctx->store.transaction_key = ctx->so->issue.store.transaction_key;

    ngx_pki_notify_revoke(&ctx->store, &ctx->so->issue.record.serial);
}


static void
ngx_http_scep_intune_revoke_handler(ngx_pki_store_job_t *job)
{
    ngx_http_scep_intune_ctx_t  *ctx;

    ctx = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_http_scep_intune_reject(ctx, "is revoked");
        return;

    case NGX_PKI_STORE_CONFLICT:
        ngx_http_scep_intune_settle(ctx, &job->record);
        return;

    default: /* logged, if Redis does not work */
        ngx_http_scep_intune_reject(ctx,
                                    "cannot be revoked and stays withheld");
        return;
    }
}


static void
ngx_http_scep_intune_reject(ngx_http_scep_intune_ctx_t *ctx, const char *state)
{
    ngx_log_error(NGX_LOG_ERR, ctx->so->op->log, 0,
                  "intune does not take the certificate, which %s: %V", state,
                  &ctx->call.error);

    ngx_http_scep_intune_withdraw(ctx);
}


static void
ngx_http_scep_intune_store(ngx_http_scep_intune_ctx_t *ctx,
    ngx_pki_store_pt handler)
{
    ngx_pki_store_job_t        *job;
    ngx_http_scep_operation_t  *so;

    so = ctx->so;
    job = &ctx->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = so->op;
    job->store = &so->authority->store;
    job->record.serial = so->issue.record.serial;
    job->handler = handler;
    job->data = ctx;
}


static void
ngx_http_scep_intune_withdraw(ngx_http_scep_intune_ctx_t *ctx)
{
    ngx_http_scep_withdraw(ctx->so,
                           ctx->call.result == NGX_PKI_INTUNE_UNAVAILABLE
                           ? NGX_HTTP_SCEP_VOUCH_UNAVAILABLE
                           : NGX_HTTP_SCEP_VOUCH_REFUSED,
                           &ctx->call.code);
}


/* The client is answered meanwhile, and gets no other answer by this. */

void
ngx_http_scep_intune_failed(ngx_http_scep_operation_t *so, void *conf)
{
    ngx_http_scep_intune_conf_t *icf = conf;

    ngx_pki_intune_call_t  *call;

    call = ngx_http_scep_intune_failure(so);

    if (call == NULL) {
        return;
    }

    call->intune = icf->intune;
    call->handler = ngx_http_scep_intune_failure_handler;

    ngx_pki_intune_send(call);
}


/* in an operation of its own */

static ngx_pki_intune_call_t *
ngx_http_scep_intune_failure(ngx_http_scep_operation_t *so)
{
    ngx_pki_op_t           *op;
    ngx_pki_intune_call_t  *call;

    op = ngx_pki_op_create(so->op->log);
    if (op == NULL) {
        return NULL;
    }

    ngx_pki_op_action(op, "telling intune of a failure");

    op->authority = so->op->authority;

    call = ngx_pcalloc(op->pool, sizeof(ngx_pki_intune_call_t));

    if (call == NULL
        || ngx_pki_op_copy(op, &op->client, &so->op->client) != NGX_OK
        || ngx_pki_op_copy(op, &op->transaction, &so->message.transaction)
           != NGX_OK
        || ngx_pki_op_copy(op, &call->csr, &so->csr.der) != NGX_OK
        || ngx_pki_op_copy(op, &call->description, &so->issue.error)
           != NGX_OK)
    {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    call->op = op;
    call->kind = NGX_PKI_INTUNE_FAILURE;
    call->transaction = op->transaction;
    call->hresult = (so->issue.result == NGX_PKI_ISSUE_REFUSED)
                    ? NGX_HTTP_SCEP_INTUNE_DENIED
                    : NGX_HTTP_SCEP_INTUNE_UNEXPECTED;

    return call;
}


static void
ngx_http_scep_intune_failure_handler(ngx_pki_intune_call_t *call)
{
    if (call->result != NGX_PKI_INTUNE_OK) {
        ngx_log_error(NGX_LOG_WARN, call->op->log, 0,
                      "intune is not told of the failure: %V", &call->error);
    }

    OPENSSL_cleanse(call->csr.data, call->csr.len);
    ngx_pki_op_destroy(call->op);
}

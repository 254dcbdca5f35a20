
/*
 * Copyright (C) the ngx_pki authors
 *
 * One notice: the record, the call, and what follows from the answer.
 */


#include "ngx_pki_outbox_job.h"
#include "ngx_pki_notify.h"


#define NGX_PKI_OUTBOX_MAX_AGE  (7 * 24 * 60 * 60)
#define NGX_PKI_OUTBOX_BUDGET   15000


static ngx_pki_outbox_item_t *ngx_pki_outbox_item(ngx_pki_outbox_pass_t *pass,
    ngx_pki_outbox_peer_t *peer, ngx_pki_notice_t *notice);
static void ngx_pki_outbox_store(ngx_pki_outbox_item_t *item,
    ngx_pki_store_pt handler);
static void ngx_pki_outbox_record_handler(ngx_pki_store_job_t *job);
static void ngx_pki_outbox_try_handler(ngx_pki_store_job_t *job);
static void ngx_pki_outbox_call(ngx_pki_outbox_item_t *item);
static void ngx_pki_outbox_call_handler(ngx_pki_intune_call_t *call);
static void ngx_pki_outbox_refused(ngx_pki_outbox_item_t *item);
static void ngx_pki_outbox_revoke(ngx_pki_outbox_item_t *item);
static void ngx_pki_outbox_revoke_handler(ngx_pki_store_job_t *job);
static void ngx_pki_outbox_unanswered(ngx_pki_outbox_item_t *item);
static ngx_msec_t ngx_pki_outbox_wait(ngx_pki_outbox_item_t *item);
static void ngx_pki_outbox_give_up(ngx_pki_outbox_item_t *item);
static void ngx_pki_outbox_remove(ngx_pki_outbox_item_t *item);
static void ngx_pki_outbox_remove_handler(ngx_pki_store_job_t *job);
static ngx_pki_outbox_wait_t *ngx_pki_outbox_later(
    ngx_pki_outbox_item_t *item);
static void ngx_pki_outbox_item_done(ngx_pki_outbox_item_t *item,
    ngx_int_t rc);


ngx_int_t
ngx_pki_outbox_send(ngx_pki_outbox_pass_t *pass, ngx_pki_outbox_peer_t *peer,
    ngx_pki_notice_t *notice)
{
    ngx_pki_outbox_item_t  *item;
    ngx_pki_outbox_wait_t  *w;

    item = ngx_pki_outbox_item(pass, peer, notice);

    if (item == NULL) {
        return NGX_ERROR;
    }

    if (notice->kind.len == 0) {
        ngx_log_error(NGX_LOG_ERR, item->op->log, 0,
                      "malformed notice \"%V\" is dropped", &notice->id);

        ngx_pki_outbox_remove(item);
        return NGX_OK;
    }

    w = ngx_pki_outbox_wait_find(pass->outbox, &notice->id);

    if (w != NULL && w->refused) {
        ngx_pki_outbox_revoke(item);
        return NGX_OK;
    }

    ngx_pki_outbox_store(item, ngx_pki_outbox_record_handler);
    ngx_pki_store_get(&item->store);

    return NGX_OK;
}


static ngx_pki_outbox_item_t *
ngx_pki_outbox_item(ngx_pki_outbox_pass_t *pass, ngx_pki_outbox_peer_t *peer,
    ngx_pki_notice_t *notice)
{
    ngx_pki_op_t           *op;
    ngx_pki_outbox_item_t  *item;

    op = ngx_pki_op_create(pass->outbox->timer.log);
    if (op == NULL) {
        return NULL;
    }

    item = ngx_pcalloc(op->pool, sizeof(ngx_pki_outbox_item_t));

    if (item == NULL) {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    ngx_pki_op_action(op, "telling intune of a certificate");

    op->authority = pass->outbox->authority->name;
    op->transaction = notice->transaction;
    op->serial = notice->serial;

    item->pass = pass;
    item->peer = peer;
    item->notice = notice;
    item->op = op;

    return item;
}


ngx_pki_outbox_peer_t *
ngx_pki_outbox_peer(ngx_pki_outbox_t *outbox, ngx_pki_notice_t *notice)
{
    ngx_str_t              *name;
    ngx_uint_t              ours;
    ngx_pki_outbox_peer_t  *peer;

    ours = ngx_pki_str_eq(&notice->kind, "intune");

    for (peer = outbox->peers; peer->intune != NULL; peer++) {

        name = ngx_pki_intune_name(peer->intune);

        if (ours
            && name->len == notice->to.len
            && ngx_memcmp(name->data, notice->to.data, name->len) == 0)
        {
            break;
        }
    }

    return peer;
}


ngx_uint_t
ngx_pki_outbox_is_old(ngx_pki_notice_t *notice)
{
    return ngx_time() - notice->created > NGX_PKI_OUTBOX_MAX_AGE;
}


static void
ngx_pki_outbox_store(ngx_pki_outbox_item_t *item, ngx_pki_store_pt handler)
{
    ngx_pki_store_job_t  *job;

    job = &item->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = item->op;
    job->store = &item->pass->outbox->authority->store;
    job->record.serial = item->notice->serial;
    job->handler = handler;
    job->data = item;
}


static void
ngx_pki_outbox_record_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_outbox_item_t  *item;

    item = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        item->record = job->record;

        if (item->peer->intune == NULL) {
            ngx_str_set(&item->call.error,
                        "no location uses its identity here");
            ngx_pki_outbox_unanswered(item);
            return;
        }

        /* what is not on its way yet, Intune cannot have taken */

        ngx_pki_outbox_store(item, ngx_pki_outbox_try_handler);
        item->store.notice.id = item->notice->id;

        ngx_pki_store_outbox_try(&item->store);
        return;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_log_error(NGX_LOG_WARN, item->op->log, 0,
                      "there is no record of a certificate that %V \"%V\" "
                      "should be told of", &item->notice->kind,
                      &item->notice->to);

        ngx_pki_outbox_remove(item);
        return;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        ngx_str_set(&item->call.error, "its record cannot be read");

        if (ngx_pki_outbox_later(item) != NULL
            && ngx_pki_outbox_is_old(item->notice))
        {
            ngx_pki_outbox_give_up(item);
            return;
        }

        ngx_pki_outbox_item_done(item, NGX_AGAIN);
        return;
    }
}


static void
ngx_pki_outbox_try_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_outbox_item_t  *item;

    item = job->data;

    if (job->result == NGX_PKI_STORE_UNAVAILABLE) {
        (void) ngx_pki_outbox_later(item);
        ngx_pki_outbox_item_done(item, NGX_AGAIN);
        return;
    }

    item->tried = (job->result == NGX_PKI_STORE_CONFLICT);

    ngx_pki_outbox_call(item);
}


static void
ngx_pki_outbox_call(ngx_pki_outbox_item_t *item)
{
    ngx_pki_intune_call_t  *call;

    call = &item->call;

    call->intune = item->peer->intune;
    call->op = item->op;
    call->budget = NGX_PKI_OUTBOX_BUDGET;
    call->transaction = item->notice->transaction;
    call->csr = item->notice->csr;
    call->handler = ngx_pki_outbox_call_handler;
    call->data = item;

    if (ngx_pki_notify_success(call, item->pass->outbox->authority,
                               &item->record)
        != NGX_OK)
    {
        ngx_pki_outbox_item_done(item, NGX_AGAIN);
        return;
    }

    ngx_pki_intune_send(call);
}


static void
ngx_pki_outbox_call_handler(ngx_pki_intune_call_t *call)
{
    ngx_pki_outbox_item_t  *item;

    item = call->data;

    switch (call->result) {

    case NGX_PKI_INTUNE_OK:
        item->answered = 1;
        ngx_pki_outbox_remove(item);
        return;

    case NGX_PKI_INTUNE_REFUSED:
        item->answered = 1;
        ngx_pki_outbox_refused(item);
        return;

    default: /* NGX_PKI_INTUNE_UNAVAILABLE */
        ngx_pki_outbox_unanswered(item);
        return;
    }
}


/*
 * Intune may have taken it when there was no answer, and refuse it now as a
 * duplicate: the device uses the certificate, and somebody must look.
 */

static void
ngx_pki_outbox_refused(ngx_pki_outbox_item_t *item)
{
    if (item->tried || item->call.unanswered) {
        ngx_log_error(NGX_LOG_ERR, item->op->log, 0,
                      "intune \"%V\" does not take the certificate, but may "
                      "have when it did not answer, so it is not revoked: %V",
                      &item->notice->to, &item->call.error);

        ngx_pki_outbox_remove(item);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, item->op->log, 0,
                  "intune \"%V\" does not take the certificate, which is to "
                  "be revoked: %V", &item->notice->to, &item->call.error);

    ngx_pki_outbox_revoke(item);
}


static void
ngx_pki_outbox_revoke(ngx_pki_outbox_item_t *item)
{
    ngx_pki_outbox_store(item, ngx_pki_outbox_revoke_handler);

    ngx_pki_notify_revoke(&item->store, &item->notice->serial);
}


/* It was refused, and is to be asked of nobody again. */

static void
ngx_pki_outbox_revoke_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_outbox_item_t  *item;

    item = job->data;

    if (job->result == NGX_PKI_STORE_UNAVAILABLE) {
        ngx_pki_outbox_delay(item->pass->outbox, item->peer,
                             &item->notice->id)->refused = 1;
        ngx_pki_outbox_item_done(item, NGX_AGAIN);
        return;
    }

    if (job->result == NGX_PKI_STORE_OK) {
        ngx_log_error(NGX_LOG_NOTICE, item->op->log, 0,
                      "the certificate is revoked, as intune does not take "
                      "it");
    }

    ngx_pki_outbox_remove(item);
}


static void
ngx_pki_outbox_unanswered(ngx_pki_outbox_item_t *item)
{
    ngx_msec_t  delay;

    if (ngx_pki_outbox_is_old(item->notice)) {
        ngx_pki_outbox_give_up(item);
        return;
    }

    delay = ngx_pki_outbox_wait(item);

    ngx_log_error(NGX_LOG_WARN, item->op->log, 0,
                  "%V \"%V\" is not told of the certificate yet, again in "
                  "%M ms: %V", &item->notice->kind, &item->notice->to, delay,
                  &item->call.error);

    ngx_pki_outbox_item_done(item, (item->peer->intune == NULL)
                                   ? NGX_AGAIN : NGX_DECLINED);
}


/* of those that nobody here can tell one is looked at for all */

static ngx_msec_t
ngx_pki_outbox_wait(ngx_pki_outbox_item_t *item)
{
    if (item->peer->intune == NULL) {
        ngx_pki_outbox_back_off(item->peer, NGX_PKI_OUTBOX_MAX_DELAY);
        return NGX_PKI_OUTBOX_MAX_DELAY;
    }

    return ngx_pki_outbox_delay(item->pass->outbox, item->peer,
                                &item->notice->id)->delay;
}


static void
ngx_pki_outbox_give_up(ngx_pki_outbox_item_t *item)
{
    ngx_log_error(NGX_LOG_ERR, item->op->log, 0,
                  "%V \"%V\" is not told of the certificate, after a "
                  "week nobody tries any more: %V", &item->notice->kind,
                  &item->notice->to, &item->call.error);

    ngx_pki_outbox_remove(item);
}


static void
ngx_pki_outbox_remove(ngx_pki_outbox_item_t *item)
{
    ngx_pki_outbox_store(item, ngx_pki_outbox_remove_handler);

    item->store.notice.id = item->notice->id;

    ngx_pki_store_outbox_done(&item->store);
}


/* If Redis does not work it is sent again, which does no harm. */

static void
ngx_pki_outbox_remove_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_outbox_item_t  *item;

    item = job->data;

    if (job->result == NGX_PKI_STORE_UNAVAILABLE) {
        (void) ngx_pki_outbox_later(item);
        ngx_pki_outbox_item_done(item, NGX_AGAIN);
        return;
    }

    ngx_pki_outbox_forget(item->pass->outbox, &item->notice->id);

    ngx_pki_outbox_item_done(item, item->answered ? NGX_OK : NGX_DONE);
}


/* NULL: Redis is away, which is nothing that this notice should wait for */

static ngx_pki_outbox_wait_t *
ngx_pki_outbox_later(ngx_pki_outbox_item_t *item)
{
    ngx_str_t          error;
    ngx_pki_outbox_t  *outbox;

    outbox = item->pass->outbox;

    if (!ngx_pki_redis_is_up(outbox->authority->store.redis, &error)) {
        return NULL;
    }

    return ngx_pki_outbox_delay(outbox, item->peer, &item->notice->id);
}


static void
ngx_pki_outbox_item_done(ngx_pki_outbox_item_t *item, ngx_int_t rc)
{
    ngx_pki_outbox_pass_t  *pass;
    ngx_pki_outbox_peer_t  *peer;

    pass = item->pass;
    peer = item->peer;

    ngx_pki_op_destroy(item->op);

    ngx_pki_outbox_sent(pass, peer, rc);
}

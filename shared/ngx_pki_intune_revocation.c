
/*
 * Copyright (C) the ngx_pki authors
 *
 * A pass: what is wanted is downloaded, carried out one after the other, and
 * the results are uploaded.  What was not told comes again, so a pass may end
 * anywhere: what is revoked already is a success.  A quitting worker begins
 * nothing more, and gives the lock back.
 *
 *     timer --> lock --> download --> look, revoke, ... --> upload --> unlock
 */


#include "ngx_pki_intune_revocation_job.h"
#include "ngx_pki_intune_json.h"
#include "ngx_pki_notify.h"


/* milliseconds */

#define NGX_PKI_INTUNE_TICK         1000
#define NGX_PKI_INTUNE_LOOK         30000
#define NGX_PKI_INTUNE_BACKOFF      5000     /* doubled after a failure */
#define NGX_PKI_INTUNE_MAX_BACKOFF  600000
#define NGX_PKI_INTUNE_BUSY         5000     /* another node is at it */
#define NGX_PKI_INTUNE_LOCK         60000
#define NGX_PKI_INTUNE_WORK         25000    /* of that: begins others */
#define NGX_PKI_INTUNE_WAIT         10000    /* for Intune, with all tries */


static void ngx_pki_intune_revocation_handler(ngx_event_t *ev);
static ngx_uint_t ngx_pki_intune_revocation_is_on(ngx_pki_intune_poll_t *poll);
static void ngx_pki_intune_revocation_begin(ngx_pki_intune_poll_t *poll,
    ngx_log_t *log);
static ngx_pki_intune_pass_t *ngx_pki_intune_revocation_create(
    ngx_pki_intune_poll_t *poll, ngx_log_t *log);
static void ngx_pki_intune_revocation_lock_handler(ngx_pki_store_job_t *job);
static void ngx_pki_intune_revocation_call(ngx_pki_intune_pass_t *pass,
    ngx_pki_intune_call_e kind, ngx_pki_intune_pt handler);
static void ngx_pki_intune_revocation_download_handler(
    ngx_pki_intune_call_t *call);
static ngx_uint_t ngx_pki_intune_revocation_is_ours(
    ngx_pki_intune_pass_t *pass, ngx_str_t *issuer);
static void ngx_pki_intune_revocation_upload(ngx_pki_intune_pass_t *pass);
static void ngx_pki_intune_revocation_upload_handler(
    ngx_pki_intune_call_t *call);
static void ngx_pki_intune_revocation_fail(ngx_pki_intune_pass_t *pass,
    ngx_str_t *error);
static void ngx_pki_intune_revocation_good(ngx_pki_intune_pass_t *pass);
static void ngx_pki_intune_revocation_unlock_handler(
    ngx_pki_store_job_t *job);
static void ngx_pki_intune_revocation_end(ngx_pki_intune_pass_t *pass);


ngx_int_t
ngx_pki_intune_revocation_add(ngx_conf_t *cf, ngx_pki_intune_t *intune,
    ngx_pki_authority_t *a)
{
    ngx_pki_intune_poll_t  *poll;

    intune = ngx_pki_intune_one(intune);

    for ( /* void */ ; a != NULL; a = a->previous) {

        for (poll = a->intune_polls; poll != NULL; poll = poll->next) {
            if (poll->intune == intune) {
                break;
            }
        }

        if (poll != NULL) {
            continue;
        }

        poll = ngx_pcalloc(cf->pool, sizeof(ngx_pki_intune_poll_t));
        if (poll == NULL) {
            return NGX_ERROR;
        }

        poll->authority = a;
        poll->intune = intune;

        poll->next = a->intune_polls;
        a->intune_polls = poll;
    }

    return NGX_OK;
}


void
ngx_pki_intune_revocation_start(ngx_pki_authority_t *a, ngx_log_t *log)
{
    ngx_pki_intune_poll_t  *poll;

    for (poll = a->intune_polls; poll != NULL; poll = poll->next) {

        poll->max = NGX_PKI_INTUNE_MAX_REVOCATIONS;
        poll->look_at = ngx_current_msec;

        poll->timer.handler = ngx_pki_intune_revocation_handler;
        poll->timer.data = poll;
        poll->timer.log = log;
        poll->timer.cancelable = 1;

        ngx_add_timer(&poll->timer, NGX_PKI_INTUNE_TICK);
    }
}


void
ngx_pki_intune_revocation_stop(ngx_pki_authority_t *a)
{
    ngx_pki_intune_poll_t  *poll;

    for (poll = a->intune_polls; poll != NULL; poll = poll->next) {
        if (poll->timer.timer_set) {
            ngx_del_timer(&poll->timer);
        }
    }
}


static void
ngx_pki_intune_revocation_handler(ngx_event_t *ev)
{
    ngx_pki_intune_poll_t  *poll;

    if (ngx_exiting) {
        return;
    }

    poll = ev->data;

    ngx_add_timer(ev, NGX_PKI_INTUNE_TICK);

    if (!poll->busy
        && (ngx_msec_int_t) (ngx_current_msec - poll->look_at) >= 0
        && ngx_pki_intune_revocation_is_on(poll))
    {
        ngx_pki_intune_revocation_begin(poll, ev->log);
    }
}


static ngx_uint_t
ngx_pki_intune_revocation_is_on(ngx_pki_intune_poll_t *poll)
{
    ngx_str_t             error;
    ngx_pki_authority_t  *a;

    a = poll->authority;

    return ngx_pki_zone_leads(a->store.zone)
           && ngx_pki_redis_is_up(a->store.redis, &error)
           && a->issuer.len != 0
           && ngx_pki_authority_trouble(a) == NULL;
}


static void
ngx_pki_intune_revocation_begin(ngx_pki_intune_poll_t *poll, ngx_log_t *log)
{
    ngx_pki_intune_pass_t  *pass;

    poll->look_at = ngx_current_msec + NGX_PKI_INTUNE_LOOK;

    pass = ngx_pki_intune_revocation_create(poll, log);
    if (pass == NULL) {
        return;
    }

    poll->busy = 1;

    ngx_pki_intune_revocation_job(pass, poll->authority,
                                  ngx_pki_intune_revocation_lock_handler);

    ngx_str_set(&pass->store.lock, "intune");
    pass->store.lock_time = NGX_PKI_INTUNE_LOCK;

    ngx_pki_store_lock(&pass->store);
}


static ngx_pki_intune_pass_t *
ngx_pki_intune_revocation_create(ngx_pki_intune_poll_t *poll, ngx_log_t *log)
{
    ngx_pki_op_t           *op;
    ngx_pki_intune_pass_t  *pass;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return NULL;
    }

    op->authority = poll->authority->name;

    pass = ngx_pcalloc(op->pool, sizeof(ngx_pki_intune_pass_t));

    if (pass == NULL
        || ngx_pki_notify_issuer(op->pool, poll->authority, &pass->issuer)
           != NGX_OK)
    {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    pass->op = op;
    pass->poll = poll;
    pass->started = ngx_current_msec;
    pass->pause = NGX_PKI_INTUNE_LOOK;

    return pass;
}


void
ngx_pki_intune_revocation_job(ngx_pki_intune_pass_t *pass,
    ngx_pki_authority_t *a, ngx_pki_store_pt handler)
{
    ngx_pki_store_job_t  *job;

    job = &pass->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = pass->op;
    job->store = &a->store;
    job->handler = handler;
    job->data = pass;
}


static void
ngx_pki_intune_revocation_lock_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_intune_pass_t  *pass;

    pass = job->data;

    if (job->result != NGX_PKI_STORE_OK) {
        pass->pause = NGX_PKI_INTUNE_BUSY;
        ngx_pki_intune_revocation_end(pass);
        return;
    }

    pass->token = job->token;

    pass->call.issuer = pass->issuer;
    pass->call.max = pass->poll->max;

    ngx_pki_intune_revocation_call(pass, NGX_PKI_INTUNE_DOWNLOAD,
                                ngx_pki_intune_revocation_download_handler);
}


static void
ngx_pki_intune_revocation_call(ngx_pki_intune_pass_t *pass,
    ngx_pki_intune_call_e kind, ngx_pki_intune_pt handler)
{
    ngx_pki_intune_call_t  *call;

    call = &pass->call;

    call->intune = pass->poll->intune;
    call->op = pass->op;
    call->kind = kind;
    call->budget = NGX_PKI_INTUNE_WAIT;
    call->handler = handler;
    call->data = pass;

    ngx_pki_op_action(pass->op, "revoking what intune wants revoked");

    ngx_pki_intune_send(call);
}


static void
ngx_pki_intune_revocation_download_handler(ngx_pki_intune_call_t *call)
{
    ngx_pki_intune_pass_t  *pass;

    pass = call->data;

    if (call->result != NGX_PKI_INTUNE_OK) {
        ngx_pki_intune_revocation_fail(pass, &call->error);
        return;
    }

    pass->wanted = call->revocations;

    if (pass->wanted->nelts == 0 || ngx_exiting) {
        ngx_pki_intune_revocation_good(pass);
        ngx_pki_intune_revocation_unlock(pass);
        return;
    }

    pass->results = ngx_array_create(pass->op->pool, pass->wanted->nelts,
                                     sizeof(ngx_pki_intune_revocation_t));
    if (pass->results == NULL) {
        ngx_pki_intune_revocation_unlock(pass);
        return;
    }

    ngx_pki_intune_revocation_next(pass);
}


void
ngx_pki_intune_revocation_next(ngx_pki_intune_pass_t *pass)
{
    ngx_str_t                    *serial;
    ngx_pki_intune_revocation_t  *wanted;

    while (pass->next < pass->wanted->nelts && !ngx_exiting
           && ngx_current_msec - pass->started < NGX_PKI_INTUNE_WORK)
    {
        wanted = ngx_pki_intune_revocation_wanted(pass);
        serial = &wanted->serial;

        if (!ngx_pki_intune_revocation_is_ours(pass, &wanted->issuer)) {
            pass->next++;
            continue;
        }

        pass->serial.data = pass->buf;
        pass->serial.len = ngx_pki_intune_json_serial(serial, pass->buf);

        if (pass->serial.len == 0) {
            ngx_pki_intune_revocation_result(pass, "ParameterDataInvalidError",
                                             "this is no serial number");
            continue;
        }

        ngx_pki_intune_revocation_one(pass);
        return;
    }

    ngx_pki_intune_revocation_upload(pass);
}


ngx_pki_intune_revocation_t *
ngx_pki_intune_revocation_wanted(ngx_pki_intune_pass_t *pass)
{
    ngx_pki_intune_revocation_t  *wanted;

    wanted = pass->wanted->elts;

    return &wanted[pass->next];
}


/* who says of another one's certificate that it is not there loses it */

static ngx_uint_t
ngx_pki_intune_revocation_is_ours(ngx_pki_intune_pass_t *pass,
    ngx_str_t *issuer)
{
    if (issuer->len == 0
        || (issuer->len == pass->issuer.len
            && ngx_memcmp(issuer->data, pass->issuer.data, issuer->len) == 0))
    {
        return 1;
    }

    if (!pass->told) {
        pass->told = 1;

        ngx_log_error(NGX_LOG_WARN, pass->op->log, 0,
                      "intune \"%V\" wants certificates revoked of another "
                      "issuer than \"%V\", they are left to it",
                      ngx_pki_intune_name(pass->poll->intune), &pass->issuer);
    }

    return 0;
}


static void
ngx_pki_intune_revocation_upload(ngx_pki_intune_pass_t *pass)
{
    if (pass->results->nelts == 0) {
        ngx_pki_intune_revocation_good(pass);
        ngx_pki_intune_revocation_unlock(pass);
        return;
    }

    pass->call.revocations = pass->results;

    ngx_pki_intune_revocation_call(pass, NGX_PKI_INTUNE_UPLOAD,
                                   ngx_pki_intune_revocation_upload_handler);
}


/* there may be more where so many came from */

static void
ngx_pki_intune_revocation_upload_handler(ngx_pki_intune_call_t *call)
{
    ngx_pki_intune_pass_t  *pass;

    pass = call->data;

    if (call->result != NGX_PKI_INTUNE_OK) {
        ngx_pki_intune_revocation_fail(pass, &call->error);
        return;
    }

    if (pass->wanted->nelts == call->max
        || pass->next < pass->wanted->nelts)
    {
        pass->pause = NGX_PKI_INTUNE_TICK;
    }

    ngx_pki_intune_revocation_good(pass);
    ngx_pki_intune_revocation_unlock(pass);
}


/*
 * It is tried again and again: one line an outage.  An answer that is too long
 * may be shorter when less is asked for.
 */

static void
ngx_pki_intune_revocation_fail(ngx_pki_intune_pass_t *pass, ngx_str_t *error)
{
    ngx_uint_t              level, n;
    ngx_pki_intune_poll_t  *poll;

    poll = pass->poll;

    level = (poll->failures == 0) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, pass->op->log, 0,
                  "intune \"%V\" cannot be asked for revocations: %V",
                  ngx_pki_intune_name(poll->intune), error);

    n = ngx_min(poll->failures, 7);
    poll->failures++;

    poll->max = ngx_max(poll->max / 2, 1);
    pass->pause = ngx_min(NGX_PKI_INTUNE_BACKOFF << n,
                          NGX_PKI_INTUNE_MAX_BACKOFF);

    ngx_pki_intune_revocation_unlock(pass);
}


static void
ngx_pki_intune_revocation_good(ngx_pki_intune_pass_t *pass)
{
    ngx_pki_intune_poll_t  *poll;

    poll = pass->poll;

    if (poll->failures != 0) {
        ngx_log_error(NGX_LOG_NOTICE, pass->op->log, 0,
                      "intune \"%V\" is asked for revocations again",
                      ngx_pki_intune_name(poll->intune));
    }

    poll->failures = 0;
    poll->max = NGX_PKI_INTUNE_MAX_REVOCATIONS;
}


void
ngx_pki_intune_revocation_unlock(ngx_pki_intune_pass_t *pass)
{
    ngx_pki_intune_revocation_job(pass, pass->poll->authority,
                                  ngx_pki_intune_revocation_unlock_handler);

    ngx_str_set(&pass->store.lock, "intune");
    pass->store.token = pass->token;

    ngx_pki_store_unlock(&pass->store);
}


static void
ngx_pki_intune_revocation_unlock_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_intune_revocation_end(job->data);
}


/* nodes that begin together do not go on together */

static void
ngx_pki_intune_revocation_end(ngx_pki_intune_pass_t *pass)
{
    ngx_pki_intune_poll_t  *poll;

    poll = pass->poll;
    poll->busy = 0;

    poll->look_at = ngx_current_msec + pass->pause
                    - ngx_random() % (pass->pause / 10);

    ngx_pki_op_destroy(pass->op);
}

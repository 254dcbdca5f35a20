
/*
 * Copyright (C) the ngx_pki authors
 *
 * When to look, at what, and how many at a time.
 */


#include "ngx_pki_outbox_job.h"


#define NGX_PKI_OUTBOX_TICK      1000        /* milliseconds */
#define NGX_PKI_OUTBOX_LANES     16          /* on their way to one at a time */
#define NGX_PKI_OUTBOX_BUSY      5000        /* another node is at it */
#define NGX_PKI_OUTBOX_IDLE      3000        /* all that is there waits */
#define NGX_PKI_OUTBOX_LOCK      60000
#define NGX_PKI_OUTBOX_START     20000       /* of that: begins others */


static void ngx_pki_outbox_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_pki_outbox_is_on(ngx_pki_outbox_t *outbox);
static void ngx_pki_outbox_begin(ngx_pki_outbox_t *outbox, ngx_log_t *log);
static void ngx_pki_outbox_look(ngx_pki_outbox_pass_t *pass);
static void ngx_pki_outbox_look_handler(ngx_pki_store_job_t *job);
static void ngx_pki_outbox_turn(ngx_pki_outbox_t *outbox, ngx_str_t *cursor);
static ngx_uint_t ngx_pki_outbox_has_due(ngx_pki_outbox_pass_t *pass);
static void ngx_pki_outbox_lock(ngx_pki_outbox_pass_t *pass);
static void ngx_pki_outbox_lock_handler(ngx_pki_store_job_t *job);
static void ngx_pki_outbox_next(ngx_pki_outbox_pass_t *pass);
static ngx_uint_t ngx_pki_outbox_may_start(ngx_pki_outbox_pass_t *pass,
    ngx_pki_outbox_peer_t *peer);
static void ngx_pki_outbox_unlock(ngx_pki_outbox_pass_t *pass);
static void ngx_pki_outbox_unlock_handler(ngx_pki_store_job_t *job);
static void ngx_pki_outbox_end(ngx_pki_outbox_pass_t *pass);


ngx_int_t
ngx_pki_outbox_start(ngx_pki_authority_t *a, ngx_array_t *intunes,
    ngx_log_t *log)
{
    ngx_uint_t          i;
    ngx_pki_intune_t  **intune;
    ngx_pki_outbox_t   *outbox;

    outbox = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_pki_outbox_t));
    if (outbox == NULL) {
        return NGX_ERROR;
    }

    outbox->peers = ngx_pcalloc(ngx_cycle->pool,
                                (intunes->nelts + 1)
                                * sizeof(ngx_pki_outbox_peer_t));
    if (outbox->peers == NULL) {
        return NGX_ERROR;
    }

    intune = intunes->elts;

    for (i = 0; i < intunes->nelts; i++) {
        outbox->peers[i].intune = intune[i];
    }

    outbox->authority = a;
    outbox->look_at = ngx_current_msec;

    outbox->timer.handler = ngx_pki_outbox_timer_handler;
    outbox->timer.data = outbox;
    outbox->timer.log = log;
    outbox->timer.cancelable = 1;

    ngx_add_timer(&outbox->timer, NGX_PKI_OUTBOX_TICK);

    a->outbox = outbox;

    return NGX_OK;
}


void
ngx_pki_outbox_stop(ngx_pki_authority_t *a)
{
    if (a->outbox != NULL && a->outbox->timer.timer_set) {
        ngx_del_timer(&a->outbox->timer);
    }
}


static void
ngx_pki_outbox_timer_handler(ngx_event_t *ev)
{
    ngx_pki_outbox_t  *outbox;

    outbox = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(ev, NGX_PKI_OUTBOX_TICK);

    if (!outbox->busy
        && (ngx_msec_int_t) (ngx_current_msec - outbox->look_at) >= 0
        && ngx_pki_outbox_is_on(outbox))
    {
        ngx_pki_outbox_begin(outbox, ev->log);
    }
}


static ngx_uint_t
ngx_pki_outbox_is_on(ngx_pki_outbox_t *outbox)
{
    ngx_str_t             error;
    ngx_pki_authority_t  *a;

    a = outbox->authority;

    return ngx_pki_zone_leads(a->store.zone)
           && ngx_pki_redis_is_up(a->store.redis, &error)
           && ngx_pki_authority_trouble(a) == NULL;
}


static void
ngx_pki_outbox_begin(ngx_pki_outbox_t *outbox, ngx_log_t *log)
{
    ngx_pki_op_t           *op;
    ngx_pki_outbox_pass_t  *pass;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return;
    }

    pass = ngx_pcalloc(op->pool, sizeof(ngx_pki_outbox_pass_t));

    if (pass == NULL) {
        ngx_pki_op_destroy(op);
        return;
    }

    op->authority = outbox->authority->name;

    pass->op = op;
    pass->outbox = outbox;
    pass->pause = NGX_PKI_OUTBOX_TICK;

    outbox->busy = 1;

    ngx_pki_outbox_look(pass);
}


/* Most of the time there is nothing: a look needs no lock. */

static void
ngx_pki_outbox_look(ngx_pki_outbox_pass_t *pass)
{
    ngx_pki_store_job_t  *job;

    job = &pass->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = pass->op;
    job->store = &pass->outbox->authority->store;
    job->limit = NGX_PKI_OUTBOX_PAGE;
    job->cursor.data = pass->outbox->cursor;
    job->cursor.len = pass->outbox->cursor_len;
    job->handler = ngx_pki_outbox_look_handler;
    job->data = pass;

    ngx_pki_store_outbox(job);
}


static void
ngx_pki_outbox_look_handler(ngx_pki_store_job_t *job)
{
    ngx_uint_t              due;
    ngx_pki_outbox_pass_t  *pass;

    pass = job->data;

    if (job->result != NGX_PKI_STORE_OK) {
        ngx_pki_outbox_unlock(pass);
        return;
    }

    pass->notices = job->notices;

    due = ngx_pki_outbox_has_due(pass);

    if (due && !pass->locked) {
        ngx_pki_outbox_lock(pass);
        return;
    }

    ngx_pki_outbox_turn(pass->outbox, &job->cursor);

    if (due) {
        ngx_pki_outbox_next(pass);
        return;
    }

    /* the end of all pages, none of which is due */

    if (pass->notices->nelts != 0 && job->cursor.len == 0) {
        pass->pause = NGX_PKI_OUTBOX_IDLE;
    }

    ngx_pki_outbox_unlock(pass);
}


/* The next look is at what follows: these may wait for long. */

static void
ngx_pki_outbox_turn(ngx_pki_outbox_t *outbox, ngx_str_t *cursor)
{
    outbox->cursor_len = 0;

    if (cursor->len != 0 && cursor->len <= NGX_PKI_OUTBOX_ID_LEN) {
        ngx_memcpy(outbox->cursor, cursor->data, cursor->len);
        outbox->cursor_len = cursor->len;
    }
}


static ngx_uint_t
ngx_pki_outbox_has_due(ngx_pki_outbox_pass_t *pass)
{
    ngx_uint_t         i;
    ngx_pki_notice_t  *notice;

    notice = pass->notices->elts;

    for (i = 0; i < pass->notices->nelts; i++) {
        if (ngx_pki_outbox_is_due(pass->outbox, &notice[i])) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_pki_outbox_lock(ngx_pki_outbox_pass_t *pass)
{
    ngx_pki_store_job_t  *job;

    job = &pass->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = pass->op;
    job->store = &pass->outbox->authority->store;
    job->lock_time = NGX_PKI_OUTBOX_LOCK;
    job->handler = ngx_pki_outbox_lock_handler;
    job->data = pass;

    ngx_str_set(&job->lock, "outbox");

    ngx_pki_store_lock(job);
}


static void
ngx_pki_outbox_lock_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_outbox_pass_t  *pass;

    pass = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        break;

    case NGX_PKI_STORE_CONFLICT:
        pass->pause = NGX_PKI_OUTBOX_BUSY;
        ngx_pki_outbox_end(pass);
        return;

    default:
        ngx_pki_outbox_end(pass);
        return;
    }

    /* who had the lock before may have sent some of them */

    pass->locked = 1;
    pass->locked_at = ngx_current_msec;
    pass->token = job->token;

    ngx_pki_outbox_look(pass);
}


static void
ngx_pki_outbox_next(ngx_pki_outbox_pass_t *pass)
{
    ngx_uint_t              i;
    ngx_pki_notice_t       *notice;
    ngx_pki_outbox_peer_t  *peer;

    notice = pass->notices->elts;

    for (i = 0; i < pass->notices->nelts; i++) {

        peer = ngx_pki_outbox_peer(pass->outbox, &notice[i]);

        if (pass->begun[i]
            || !ngx_pki_outbox_may_start(pass, peer)
            || !ngx_pki_outbox_is_due(pass->outbox, &notice[i]))
        {
            continue;
        }

        pass->begun[i] = 1;

        if (ngx_pki_outbox_send(pass, peer, &notice[i]) == NGX_OK) {
            peer->sending++;
            pass->sending++;
        }
    }

    if (pass->sending == 0) {
        ngx_pki_outbox_unlock(pass);
    }
}


/* As long as there is no answer, one at a time is enough to find out. */

static ngx_uint_t
ngx_pki_outbox_may_start(ngx_pki_outbox_pass_t *pass,
    ngx_pki_outbox_peer_t *peer)
{
    if (ngx_exiting
        || ngx_current_msec - pass->locked_at > NGX_PKI_OUTBOX_START)
    {
        return 0;
    }

    return peer->sending < ((peer->intune != NULL && peer->failures == 0)
                            ? NGX_PKI_OUTBOX_LANES : 1);
}


void
ngx_pki_outbox_sent(ngx_pki_outbox_pass_t *pass, ngx_pki_outbox_peer_t *peer,
    ngx_int_t rc)
{
    peer->sending--;
    pass->sending--;

    switch (rc) {

    case NGX_OK:
        ngx_pki_outbox_hurry(pass->outbox, peer);

        /* fall through */

    case NGX_DONE:
        pass->pause = 1;
        break;

    case NGX_DECLINED:
        ngx_pki_outbox_failed(peer);
        break;

    default: /* NGX_AGAIN */
        break;
    }

    ngx_pki_outbox_next(pass);
}


static void
ngx_pki_outbox_unlock(ngx_pki_outbox_pass_t *pass)
{
    ngx_pki_store_job_t  *job;

    if (!pass->locked) {
        ngx_pki_outbox_end(pass);
        return;
    }

    job = &pass->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = pass->op;
    job->store = &pass->outbox->authority->store;
    job->token = pass->token;
    job->handler = ngx_pki_outbox_unlock_handler;
    job->data = pass;

    ngx_str_set(&job->lock, "outbox");

    ngx_pki_store_unlock(job);
}


static void
ngx_pki_outbox_unlock_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_outbox_end(job->data);
}


/* At once, if something was sent: there are more, or have come meanwhile. */

static void
ngx_pki_outbox_end(ngx_pki_outbox_pass_t *pass)
{
    ngx_msec_t         pause;
    ngx_pki_outbox_t  *outbox;

    outbox = pass->outbox;
    pause = pass->pause;

    outbox->busy = 0;
    outbox->look_at = ngx_current_msec + pause;

    ngx_pki_op_destroy(pass->op);

    if (pause < NGX_PKI_OUTBOX_TICK && !ngx_exiting) {
        ngx_add_timer(&outbox->timer, pause);
    }
}

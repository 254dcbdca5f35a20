
/*
 * Copyright (C) the ngx_pki authors
 *
 * All that is revoked or held is told, not only what is newer than the last
 * change that Redis has: it may count anew already, from where it was.  Redis
 * refuses what it knows, so it does no harm that several nodes do this.
 *
 * After a start the zone knows only what Redis itself has said.
 */


#include "ngx_pki_follower_restore.h"


/* told at a time */

#define NGX_PKI_RESTORE_SLICE  32

/* milliseconds, all of these */

#define NGX_PKI_RESTORE_PAUSE  1
#define NGX_PKI_RESTORE_RETRY  500

/* time for the other nodes: they know what this one may never have heard of */

#define NGX_PKI_RESTORE_GRACE  3000


static void ngx_pki_follower_restore_timer_handler(ngx_event_t *ev);
static void ngx_pki_follower_restore_begin(
    ngx_pki_follower_restore_t *restore);
static void ngx_pki_follower_restore_slice(
    ngx_pki_follower_restore_t *restore);
static ngx_int_t ngx_pki_follower_restore_send(
    ngx_pki_follower_restore_t *restore, ngx_pki_zone_revoked_t *revoked,
    ngx_uint_t n);
static void ngx_pki_follower_restore_handler(ngx_pki_store_job_t *job);
static void ngx_pki_follower_restore_failed(
    ngx_pki_follower_restore_t *restore);
static void ngx_pki_follower_restore_end(ngx_pki_follower_restore_t *restore);
static void ngx_pki_follower_restore_report(
    ngx_pki_follower_restore_t *restore);


void
ngx_pki_follower_restore_init(ngx_pki_follower_restore_t *restore,
    ngx_pki_store_t *store, ngx_log_t *log)
{
    restore->store = store;
    restore->log = log;

    restore->timer.handler = ngx_pki_follower_restore_timer_handler;
    restore->timer.data = restore;
    restore->timer.log = log;
    restore->timer.cancelable = 1;
}


void
ngx_pki_follower_restore(ngx_pki_follower_restore_t *restore)
{
    if (restore->running || !restore->store->slot->restoring) {
        return;
    }

    restore->running = 1;

    ngx_pki_follower_restore_begin(restore);

    ngx_add_timer(&restore->timer, NGX_PKI_RESTORE_PAUSE);
}


void
ngx_pki_follower_restore_stop(ngx_pki_follower_restore_t *restore)
{
    if (restore->timer.timer_set) {
        ngx_del_timer(&restore->timer);
    }
}


/* whoever gets the lease begins anew */

static void
ngx_pki_follower_restore_timer_handler(ngx_event_t *ev)
{
    ngx_pki_store_t             *store;
    ngx_pki_follower_restore_t  *restore;

    restore = ev->data;
    store = restore->store;

    if (ngx_exiting || !ngx_pki_zone_leads(store->zone)) {
        restore->running = 0;
        return;
    }

    if (restore->epoch != store->slot->epoch) {
        ngx_pki_follower_restore_begin(restore);
    }

    ngx_pki_follower_restore_slice(restore);
}


static void
ngx_pki_follower_restore_begin(ngx_pki_follower_restore_t *restore)
{
    restore->epoch = restore->store->slot->epoch;
    restore->begun = ngx_current_msec;
    restore->place = 0;
    restore->restored = 0;
    restore->gone = 0;
    restore->failed = 0;
    restore->reported = 0;
}


static void
ngx_pki_follower_restore_slice(ngx_pki_follower_restore_t *restore)
{
    ngx_int_t                rc;
    ngx_uint_t               n;
    ngx_pki_store_t         *store;
    ngx_pki_zone_revoked_t   revoked[NGX_PKI_RESTORE_SLICE];

    store = restore->store;

    if (restore->epoch == NGX_PKI_ZONE_FIRST_EPOCH) {
        ngx_pki_follower_restore_end(restore);
        return;
    }

    n = NGX_PKI_RESTORE_SLICE;
    restore->next = restore->place;

    rc = ngx_pki_zone_revoked(store->zone, store->slot, &restore->next,
                              revoked, &n);

    if (n != 0) {

        if (ngx_pki_follower_restore_send(restore, revoked, n) != NGX_OK) {
            ngx_pki_follower_restore_failed(restore);
        }

        return;
    }

    restore->place = restore->next;

    if (rc == NGX_AGAIN) {
        ngx_add_timer(&restore->timer, NGX_PKI_RESTORE_PAUSE);
        return;
    }

    ngx_pki_follower_restore_end(restore);
}


static ngx_int_t
ngx_pki_follower_restore_send(ngx_pki_follower_restore_t *restore,
    ngx_pki_zone_revoked_t *revoked, ngx_uint_t n)
{
    ngx_uint_t            i, again;
    ngx_pki_op_t         *op;
    ngx_pki_store_job_t  *jobs;

    op = ngx_pki_op_create(restore->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->authority.data = restore->store->slot->name;
    op->authority.len = restore->store->slot->name_len;

    /* it is tried again and again: one message, and that not for each job */

    op->log->log_level = NGX_LOG_CRIT;

    jobs = ngx_pcalloc(op->pool, n * sizeof(ngx_pki_store_job_t));

    if (jobs == NULL) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    /* what fails may do so for ever: other nodes do not wait for it */

    again = restore->failed;

    restore->op = op;
    restore->waiting = n;
    restore->missing = 0;
    restore->failed = 0;

    for (i = 0; i < n; i++) {
        jobs[i].op = op;
        jobs[i].store = restore->store;
        jobs[i].serial = revoked[i].serial;
        jobs[i].status = revoked[i].status;
        jobs[i].restoring = !again;
        jobs[i].handler = ngx_pki_follower_restore_handler;
        jobs[i].data = restore;

        ngx_pki_store_restore(&jobs[i]);
    }

    return NGX_OK;
}


static void
ngx_pki_follower_restore_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_follower_restore_t  *restore;

    restore = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        restore->restored++;
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        restore->missing++;
        break;

    case NGX_PKI_STORE_UNAVAILABLE:
        restore->failed = 1;
        break;

    default:
        break;
    }

    if (--restore->waiting != 0) {
        return;
    }

    ngx_pki_op_destroy(restore->op);

    if (restore->failed) {
        ngx_pki_follower_restore_failed(restore);
        return;
    }

    restore->gone += restore->missing;
    restore->place = restore->next;

    ngx_add_timer(&restore->timer, NGX_PKI_RESTORE_PAUSE);
}


/* the same slice again */

static void
ngx_pki_follower_restore_failed(ngx_pki_follower_restore_t *restore)
{
    ngx_str_t  name;

    if (!restore->reported) {
        restore->reported = 1;

        name.data = restore->store->slot->name;
        name.len = restore->store->slot->name_len;

        ngx_log_error(NGX_LOG_ERR, restore->log, 0,
                      "cannot restore revocations of authority \"%V\", "
                      "trying again, no CRL is built until then", &name);
    }

    ngx_add_timer(&restore->timer, NGX_PKI_RESTORE_RETRY);
}


static void
ngx_pki_follower_restore_end(ngx_pki_follower_restore_t *restore)
{
    ngx_msec_t  elapsed;

    elapsed = ngx_current_msec - restore->begun;

    if (elapsed < NGX_PKI_RESTORE_GRACE) {
        ngx_add_timer(&restore->timer, NGX_PKI_RESTORE_GRACE - elapsed);
        return;
    }

    restore->running = 0;

    ngx_pki_zone_restored(restore->store->zone, restore->store->slot,
                          restore->epoch);

    ngx_pki_follower_restore_report(restore);
}


static void
ngx_pki_follower_restore_report(ngx_pki_follower_restore_t *restore)
{
    ngx_str_t  name;

    name.data = restore->store->slot->name;
    name.len = restore->store->slot->name_len;

    if (restore->restored != 0) {
        ngx_log_error(NGX_LOG_WARN, restore->log, 0,
                      "authority \"%V\": %ui revocations that redis had lost "
                      "are restored", &name, restore->restored);
    }

    if (restore->gone != 0) {
        ngx_log_error(NGX_LOG_ERR, restore->log, 0,
                      "authority \"%V\": redis has no record of %ui revoked "
                      "certificates, they stay revoked", &name,
                      restore->gone);
    }
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * What is marked was there before the log had a gap, and Redis lacks it.  The
 * follower has told Redis what the zone knows, which may not have room for all;
 * this is told here, before a CRL is built.
 */


#include "ngx_crl_set_job.h"


static void ngx_crl_set_restore_walk(ngx_crl_set_job_t *job);
static void ngx_crl_set_restore_send(ngx_crl_set_job_t *job);
static void ngx_crl_set_restore_handler(ngx_pki_store_job_t *store);
static void ngx_crl_set_restore_judge(ngx_pki_store_job_t *store);
static void ngx_crl_set_restore_get_handler(ngx_pki_store_job_t *store);
static void ngx_crl_set_restore_settle(ngx_pki_store_job_t *store,
    ngx_uint_t keep);
static void ngx_crl_set_restore_answered(ngx_pki_store_job_t *store);
static void ngx_crl_set_restore_end(ngx_crl_set_job_t *job);


void
ngx_crl_set_restore(ngx_crl_set_job_t *job)
{
    job->set->state = NGX_CRL_SET_RESTORING;
    job->restored = 0;
    job->gone = 0;
    job->missed = 0;
    job->failed = 0;

    ngx_crl_set_walk_begin(job);
    ngx_crl_set_restore_walk(job);
}


static void
ngx_crl_set_restore_walk(ngx_crl_set_job_t *job)
{
    ngx_int_t  rc;

    rc = ngx_crl_set_walk(job, 1);

    if (job->n != 0) {
        ngx_crl_set_restore_send(job);
        return;
    }

    if (rc != NGX_DONE) {
        ngx_crl_set_next(job, ngx_crl_set_restore_walk, NGX_CRL_SET_PAUSE);
        return;
    }

    if (job->missed) {
        job->missed = 0;

        ngx_crl_set_walk_begin(job);
        ngx_crl_set_next(job, ngx_crl_set_restore_walk, NGX_CRL_SET_PAUSE);
        return;
    }

    ngx_crl_set_restore_end(job);
}


static void
ngx_crl_set_restore_send(ngx_crl_set_job_t *job)
{
    ngx_uint_t            i;
    ngx_crl_set_task_t   *task;
    ngx_pki_crl_entry_t  *entry;
    ngx_pki_store_job_t  *store;

    task = ngx_crl_set_task(job, job->n, ngx_crl_set_restore_handler);

    if (task == NULL) {
        ngx_crl_set_retry(job, ngx_crl_set_restore_send,
                          "restore revocations");
        return;
    }

    for (i = 0; i < task->n; i++) {
        store = &task->stores[i];
        entry = &job->found[i];

        store->serial = entry->serial;
        store->status.status = (entry->reason == NGX_PKI_REASON_HOLD)
                               ? NGX_PKI_STATUS_HOLD : NGX_PKI_STATUS_REVOKED;
        store->status.reason = entry->reason;
        store->status.revoked_at = entry->revoked_at;
        store->status.not_after = entry->not_after;
        store->status.version = entry->seq;

        /* what fails may do so for ever: other nodes do not wait for it */
        store->restoring = !job->failed;

        ngx_pki_store_restore(store);
    }
}


static void
ngx_crl_set_restore_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_set_task_t  *task;

    task = store->data;

    if (task->job == NULL) {
        (void) ngx_crl_set_task_answered(store);
        return;
    }

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        task->job->restored++;
        ngx_crl_set_restore_settle(store, 1);
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        task->job->gone++;
        ngx_crl_set_restore_settle(store, 1);
        break;

    case NGX_PKI_STORE_CONFLICT:
        ngx_crl_set_restore_judge(store);
        return;

    default:
        break;
    }

    ngx_crl_set_restore_answered(store);
}


/*
 * Redis has a record that says so already, or that a hold was released.  What
 * it says so of, but has not on its list, was taken off that by another node if
 * it has expired.
 */

static void
ngx_crl_set_restore_judge(ngx_pki_store_job_t *store)
{
    time_t  not_after;

    not_after = store->status.not_after;

    if (not_after != 0 && not_after < ngx_time()) {
        ngx_crl_set_restore_settle(store, 0);
        ngx_crl_set_restore_answered(store);
        return;
    }

    if (store->status.status == NGX_PKI_STATUS_REVOKED) {
        ngx_crl_set_restore_settle(store, 1);
        ngx_crl_set_restore_answered(store);
        return;
    }

    store->handler = ngx_crl_set_restore_get_handler;

    ngx_pki_store_get(store);
}


static void
ngx_crl_set_restore_get_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_set_task_t  *task;

    task = store->data;

    if (task->job != NULL && store->result != NGX_PKI_STORE_UNAVAILABLE) {
        ngx_crl_set_restore_settle(store,
                                   store->result == NGX_PKI_STORE_OK
                                   && store->record.status
                                      != NGX_PKI_STATUS_GOOD);
    }

    ngx_crl_set_restore_answered(store);
}


/* unless the log has brought another one meanwhile */

static void
ngx_crl_set_restore_settle(ngx_pki_store_job_t *store, ngx_uint_t keep)
{
    ngx_crl_set_t        *set;
    ngx_crl_list_t       *list;
    ngx_crl_set_task_t   *task;
    ngx_pki_crl_entry_t   entry;

    task = store->data;
    set = task->job->set;
    list = set->crl[ngx_crl_set_home(set, &store->serial)]->entries;

    if (ngx_crl_list_find(list, &store->serial, &entry) != NGX_OK
        || entry.seq != store->status.version)
    {
        return;
    }

    if (!keep) {
        (void) ngx_crl_list_remove(list, &entry.serial, entry.seq);
        return;
    }

    /* it takes the place of itself, without the mark */

    (void) ngx_crl_list_put(list, &entry);
}


static void
ngx_crl_set_restore_answered(ngx_pki_store_job_t *store)
{
    ngx_uint_t           failed;
    ngx_crl_set_job_t   *job;
    ngx_crl_set_task_t  *task;

    task = ngx_crl_set_task_answered(store);

    if (task == NULL) {
        return;
    }

    job = task->job;
    failed = task->failed;

    job->failed = failed;

    if (!failed && job->quitting) {
        ngx_crl_set_progress(job);
    }

    ngx_crl_set_task_free(job);

    if (failed) {
        job->missed = 1;
        ngx_crl_set_retry(job, ngx_crl_set_restore_walk,
                          "restore revocations");
        return;
    }

    ngx_crl_set_next(job, ngx_crl_set_restore_walk, NGX_CRL_SET_PAUSE);
}


static void
ngx_crl_set_restore_end(ngx_crl_set_job_t *job)
{
    ngx_crl_set_t  *set;

    set = job->set;

    if (job->restored != 0) {
        ngx_log_error(NGX_LOG_WARN, set->log, 0,
                      "authority \"%V\": %ui revocations that redis had lost "
                      "and the zone did not know are restored",
                      &set->authority->name, job->restored);
    }

    if (job->gone != 0) {
        ngx_log_error(NGX_LOG_ERR, set->log, 0,
                      "authority \"%V\": redis has no record of %ui revoked "
                      "certificates that the zone did not know, they stay "
                      "revoked", &set->authority->name, job->gone);
    }

    if (job->quitting) {
        ngx_crl_set_discard(set);
        return;
    }

    ngx_crl_set_ready(job);
}

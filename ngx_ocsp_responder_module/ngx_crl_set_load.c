
/*
 * Copyright (C) the ngx_pki authors
 *
 * Reading: first what CRLs Redis has, then what is revoked, then what has been
 * released, a page at a time.
 */


#include "ngx_crl_set_job.h"


/* CRLs asked for at a time; entries taken at a stretch */

#define NGX_CRL_SET_METAS  8
#define NGX_CRL_SET_SLICE  256


static void ngx_crl_set_load_metas(ngx_crl_set_job_t *job);
static void ngx_crl_set_metas_handler(ngx_pki_store_job_t *store);
static void ngx_crl_set_scan(ngx_crl_set_job_t *job);
static void ngx_crl_set_scan_handler(ngx_pki_store_job_t *store);
static ngx_uint_t ngx_crl_set_scan_is_lost(ngx_crl_set_job_t *job);
static void ngx_crl_set_scan_take(ngx_crl_set_job_t *job);
static void ngx_crl_set_scan_next(ngx_crl_set_job_t *job);
static void ngx_crl_set_loaded(ngx_crl_set_job_t *job);


void
ngx_crl_set_load(ngx_crl_set_job_t *job)
{
    job->list = 0;

    ngx_crl_set_load_metas(job);
}


static void
ngx_crl_set_load_metas(ngx_crl_set_job_t *job)
{
    ngx_uint_t           i, n;
    ngx_crl_set_task_t  *task;

    n = ngx_min(ngx_crl_set_lists(job->set) - job->list, NGX_CRL_SET_METAS);

    task = ngx_crl_set_task(job, n, ngx_crl_set_metas_handler);

    if (task == NULL) {
        ngx_crl_set_retry(job, ngx_crl_set_load, "read its CRLs");
        return;
    }

    for (i = 0; i < n; i++) {
        task->stores[i].list = job->list + i;

        ngx_pki_store_crl_meta(&task->stores[i]);
    }
}


static void
ngx_crl_set_metas_handler(ngx_pki_store_job_t *store)
{
    ngx_uint_t           i;
    ngx_crl_set_job_t   *job;
    ngx_crl_set_task_t  *task;

    task = ngx_crl_set_task_answered(store);

    if (task == NULL) {
        return;
    }

    job = task->job;

    if (task->failed) {
        ngx_crl_set_task_free(job);
        ngx_crl_set_retry(job, ngx_crl_set_load, "read its CRLs");
        return;
    }

    for (i = 0; i < task->n; i++) {

        if (task->stores[i].result == NGX_PKI_STORE_OK) {
            ngx_crl_set_published(job->set, job->list + i,
                                  &task->stores[i].meta);
        }
    }

    job->list += task->n;

    ngx_crl_set_task_free(job);

    if (job->list < ngx_crl_set_lists(job->set)) {
        ngx_crl_set_load_metas(job);
        return;
    }

    job->released = 0;
    job->cursor.len = 0;

    ngx_crl_set_scan(job);
}


static void
ngx_crl_set_scan(ngx_crl_set_job_t *job)
{
    ngx_pki_redis_t     *redis;
    ngx_crl_set_task_t  *task;

    redis = job->set->authority->store.redis;

    if (job->cursor.len == 0) {
        job->connected = ngx_pki_redis_connected(redis);
    }

    task = ngx_crl_set_task(job, 1, ngx_crl_set_scan_handler);

    if (task == NULL) {
        ngx_crl_set_retry(job, ngx_crl_set_load, "read what is revoked");
        return;
    }

    task->stores->cursor = job->cursor;
    task->stores->released = job->released;

    ngx_pki_store_crl_scan(task->stores);
}


static void
ngx_crl_set_scan_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_set_job_t   *job;
    ngx_crl_set_task_t  *task;

    task = ngx_crl_set_task_answered(store);

    if (task == NULL) {
        return;
    }

    job = task->job;

    if (task->failed || store->cursor.len > sizeof(job->cursor_text)) {
        ngx_crl_set_task_free(job);
        ngx_crl_set_retry(job, ngx_crl_set_load, "read what is revoked");
        return;
    }

    if (ngx_crl_set_scan_is_lost(job)) {
        ngx_crl_set_task_free(job);
        ngx_crl_set_next(job, ngx_crl_set_load, NGX_CRL_SET_RETRY);
        return;
    }

    ngx_crl_set_next(job, ngx_crl_set_scan_take, NGX_CRL_SET_PAUSE);
}


/*
 * A cursor means nothing to another server, nor to the same one after it was
 * started anew: what has been scanned by now could lack something.
 */

static ngx_uint_t
ngx_crl_set_scan_is_lost(ngx_crl_set_job_t *job)
{
    ngx_pki_redis_t  *redis;

    redis = job->set->authority->store.redis;

    return job->cursor.len != 0
           && job->connected != ngx_pki_redis_connected(redis);
}


static void
ngx_crl_set_scan_take(ngx_crl_set_job_t *job)
{
    ngx_uint_t            last;
    ngx_array_t          *entries;
    ngx_crl_set_task_t   *task;
    ngx_pki_crl_entry_t  *e;

    task = job->task;
    entries = task->stores->entries;
    e = entries->elts;

    last = ngx_min(entries->nelts, task->next + NGX_CRL_SET_SLICE);

    while (task->next < last) {

        if (ngx_crl_set_take(job, &e[task->next++]) != NGX_OK) {
            ngx_crl_set_task_free(job);
            ngx_crl_set_retry(job, ngx_crl_set_load, "keep what is revoked");
            return;
        }
    }

    if (last < entries->nelts) {
        ngx_crl_set_next(job, ngx_crl_set_scan_take, NGX_CRL_SET_PAUSE);
        return;
    }

    ngx_crl_set_scan_next(job);
}


static void
ngx_crl_set_scan_next(ngx_crl_set_job_t *job)
{
    ngx_str_t  *cursor;

    cursor = &job->task->stores->cursor;

    job->cursor.data = job->cursor_text;
    job->cursor.len = cursor->len;

    ngx_memcpy(job->cursor_text, cursor->data, cursor->len);

    ngx_crl_set_task_free(job);

    if (job->cursor.len == 0) {

        if (job->released) {
            ngx_crl_set_loaded(job);
            return;
        }

        job->released = 1;
    }

    ngx_crl_set_scan(job);
}


/*
 * If Redis has lost the last CRL, or something may have been missed, all of
 * them are made anew: no older one may stay, nor one that has less.  Deltas
 * refer to the new ones only.
 */

static void
ngx_crl_set_loaded(ngx_crl_set_job_t *job)
{
    ngx_uint_t           i, n;
    ngx_crl_set_t       *set;
    ngx_crl_state_t     *state;
    ngx_pki_crl_zone_t  *zone;

    set = job->set;
    zone = set->authority->store.crl;
    n = ngx_crl_set_lists(set);

    for (i = 0; i < n; i++) {
        state = set->crl[i];

        if (job->again || state->meta.number < zone->number[i]) {
            ngx_crl_set_touch(state, ngx_max(job->applied,
                                             state->meta.seq + 1));
            set->rebase = 1;
        }
    }

    if (job->again) {
        ngx_crl_set_restore(job);
        return;
    }

    ngx_crl_set_ready(job);
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * What no CRL has any more leaves Redis, then memory: certificates that have
 * expired, and what was released before the CRL that deltas refer to.
 */


#include "ngx_crl_set_job.h"


static void ngx_crl_set_prune_walk(ngx_crl_set_job_t *job);
static ngx_int_t ngx_crl_set_prune_send(ngx_crl_set_job_t *job);
static void ngx_crl_set_prune_handler(ngx_pki_store_job_t *store);
static void ngx_crl_set_prune_take(ngx_crl_set_job_t *job);
static void ngx_crl_set_prune_end(ngx_crl_set_job_t *job);


void
ngx_crl_set_prune(ngx_crl_set_t *set)
{
    ngx_crl_set_job_t  *job;

    job = set->loader;

    if (job != NULL) {
        job->prune = 1;
    }
}


void
ngx_crl_set_prune_begin(ngx_crl_set_job_t *job)
{
    job->prune = 0;
    job->pruned = 0;

    ngx_crl_set_walk_begin(job);
    ngx_crl_set_next(job, ngx_crl_set_prune_walk, NGX_CRL_SET_PAUSE);
}


static void
ngx_crl_set_prune_walk(ngx_crl_set_job_t *job)
{
    ngx_int_t  rc;

    rc = ngx_crl_set_walk(job, 0);

    if (job->n != 0) {

        if (ngx_crl_set_prune_send(job) != NGX_OK) {
            ngx_crl_set_prune_end(job);
        }

        return;
    }

    if (rc == NGX_DONE) {
        ngx_crl_set_prune_end(job);
        return;
    }

    ngx_crl_set_next(job, ngx_crl_set_prune_walk, NGX_CRL_SET_PAUSE);
}


static ngx_int_t
ngx_crl_set_prune_send(ngx_crl_set_job_t *job)
{
    ngx_array_t          *entries;
    ngx_crl_set_task_t   *task;
    ngx_pki_store_job_t  *store;

    task = ngx_crl_set_task(job, 1, ngx_crl_set_prune_handler);
    if (task == NULL) {
        return NGX_ERROR;
    }

    entries = ngx_array_create(task->op->pool, job->n,
                               sizeof(ngx_pki_crl_entry_t));
    if (entries == NULL) {
        ngx_crl_set_task_free(job);
        return NGX_ERROR;
    }

    entries->nelts = job->n;

    ngx_memcpy(entries->elts, job->found,
               job->n * sizeof(ngx_pki_crl_entry_t));

    store = task->stores;
    store->entries = entries;
    store->released = (job->from == NGX_PKI_CRL_DELTA);

    ngx_pki_store_crl_prune(store);

    return NGX_OK;
}


/* as a step, for the lists may be frozen now */

static void
ngx_crl_set_prune_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_set_task_t  *task;

    task = ngx_crl_set_task_answered(store);

    if (task != NULL) {
        ngx_crl_set_next(task->job, ngx_crl_set_prune_take,
                         NGX_CRL_SET_PAUSE);
    }
}


static void
ngx_crl_set_prune_take(ngx_crl_set_job_t *job)
{
    ngx_uint_t       i, failed;
    ngx_crl_list_t  *list;

    /* by the clock of Redis some have not expired */

    failed = job->task->failed
             || job->task->stores->result == NGX_PKI_STORE_CONFLICT;

    ngx_crl_set_task_free(job);

    if (failed) {
        ngx_crl_set_prune_end(job);
        return;
    }

    list = job->set->crl[job->from]->entries;

    for (i = 0; i < job->n; i++) {
        (void) ngx_crl_list_remove(list, &job->found[i].serial,
                                   job->found[i].seq);
    }

    job->pruned += job->n;

    ngx_crl_set_next(job, ngx_crl_set_prune_walk, NGX_CRL_SET_PAUSE);
}


static void
ngx_crl_set_prune_end(ngx_crl_set_job_t *job)
{
    ngx_crl_set_t  *set;

    set = job->set;

    job->pruned_at = ngx_current_msec;

    if (job->pruned != 0) {
        ngx_log_error(NGX_LOG_INFO, set->log, 0,
                      "authority \"%V\": %ui entries that no CRL has any more "
                      "are gone", &set->authority->name, job->pruned);
    }
}


/* deltas do not tell of what was released before their base */

void
ngx_crl_set_leaves(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_crl_filter_t *filter)
{
    ngx_pki_crl_meta_t  *full;

    ngx_crl_set_filter(set, list, filter);

    if (list != NGX_PKI_CRL_DELTA) {
        return;
    }

    full = &set->crl[NGX_PKI_CRL_FULL]->meta;

    if (!ngx_crl_set_full(set)) {
        filter->after = UINT64_MAX;

    } else {
        filter->after = full->base_seq;
    }
}


/*
 * Until then what was released tells that its shard's CRL has one too many.  Of
 * what is revoked nothing leaves that may be on the CRL of a shard that is not
 * known here yet.
 */

ngx_uint_t
ngx_crl_set_may_leave(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_pki_crl_entry_t *entry)
{
    ngx_uint_t        home;
    ngx_crl_state_t  *state;

    home = ngx_crl_set_home(set, &entry->serial);

    if (list != NGX_PKI_CRL_DELTA) {
        return home != NGX_PKI_CRL_FULL
               || ngx_pki_crl_shard(&entry->serial) == NGX_DECLINED;
    }

    state = set->crl[home];

    return home == NGX_PKI_CRL_FULL || state->meta.seq >= entry->seq;
}

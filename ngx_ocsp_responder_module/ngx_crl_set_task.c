
/*
 * Copyright (C) the ngx_pki authors
 *
 * How the set works in the background: steps, tasks for Redis, and walks.
 */


#include "ngx_crl_set_job.h"


/* of a walk at a stretch: lists, and entries of each */

#define NGX_CRL_SET_LISTS  16
#define NGX_CRL_SET_STEPS  1024


static void ngx_crl_set_walk_list(ngx_crl_set_job_t *job, ngx_uint_t marked);
static ngx_int_t ngx_crl_set_found(void *data, ngx_pki_crl_entry_t *entry);
static ngx_int_t ngx_crl_set_found_leaving(void *data,
    ngx_pki_crl_entry_t *entry);


void
ngx_crl_set_next(ngx_crl_set_job_t *job, ngx_crl_set_pt step,
    ngx_msec_t delay)
{
    job->step = step;

    ngx_add_timer(&job->timer, delay);
}


void
ngx_crl_set_retry(ngx_crl_set_job_t *job, ngx_crl_set_pt step,
    const char *what)
{
    ngx_crl_set_t  *set;

    set = job->set;

    if (!job->reported) {
        job->reported = 1;

        ngx_log_error(NGX_LOG_ERR, set->log, 0,
                      "authority \"%V\": cannot %s, trying again, no CRL is "
                      "built until then", &set->authority->name, what);
    }

    ngx_crl_set_next(job, step, NGX_CRL_SET_RETRY);
}


/* a task that Redis has answered already ends here, others by the answer */

void
ngx_crl_set_cancel(ngx_crl_set_job_t *job)
{
    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    job->step = NULL;

    if (job->task == NULL) {
        return;
    }

    if (job->task->waiting == 0) {
        ngx_crl_set_task_free(job);
        return;
    }

    job->task->job = NULL;
    job->task = NULL;
}


/*
 * What fails is tried again and again: the store says why the first time, and
 * ngx_crl_set_retry() what that means.
 */

ngx_crl_set_task_t *
ngx_crl_set_task(ngx_crl_set_job_t *job, ngx_uint_t n,
    ngx_pki_store_pt handler)
{
    ngx_uint_t           i;
    ngx_pki_op_t        *op;
    ngx_crl_set_t       *set;
    ngx_crl_set_task_t  *task;

    set = job->set;

    op = ngx_pki_op_create(set->log);
    if (op == NULL) {
        return NULL;
    }

    op->authority = set->authority->name;

    if (job->reported) {
        op->log->log_level = NGX_LOG_CRIT;
    }

    task = ngx_pcalloc(op->pool, sizeof(ngx_crl_set_task_t));
    if (task == NULL) {
        goto failed;
    }

    task->stores = ngx_pcalloc(op->pool, n * sizeof(ngx_pki_store_job_t));
    if (task->stores == NULL) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        task->stores[i].op = op;
        task->stores[i].store = &set->authority->store;
        task->stores[i].handler = handler;
        task->stores[i].data = task;
    }

    task->op = op;
    task->job = job;
    task->n = n;
    task->waiting = n;

    job->task = task;

    return task;

failed:

    ngx_pki_op_destroy(op);

    return NULL;
}


ngx_crl_set_task_t *
ngx_crl_set_task_answered(ngx_pki_store_job_t *store)
{
    ngx_crl_set_task_t  *task;

    task = store->data;

    if (store->result == NGX_PKI_STORE_UNAVAILABLE) {
        task->failed = 1;
    }

    if (--task->waiting != 0) {
        return NULL;
    }

    if (task->job == NULL) {
        ngx_pki_op_destroy(task->op);
        return NULL;
    }

    return task;
}


void
ngx_crl_set_task_free(ngx_crl_set_job_t *job)
{
    ngx_pki_op_destroy(job->task->op);

    job->task = NULL;
}


void
ngx_crl_set_walk_begin(ngx_crl_set_job_t *job)
{
    job->list = 0;

    ngx_memzero(&job->place, sizeof(ngx_crl_place_t));
}


ngx_int_t
ngx_crl_set_walk(ngx_crl_set_job_t *job, ngx_uint_t marked)
{
    ngx_uint_t        i, n;
    ngx_crl_state_t  *state;

    n = ngx_crl_set_lists(job->set);

    job->n = 0;

    for (i = 0; i < NGX_CRL_SET_LISTS && job->n == 0 && job->list < n; i++) {
        state = job->set->crl[job->list];

        /* there was no memory for it; what was released is not restored */

        if (state == NULL || (marked && job->list == NGX_PKI_CRL_DELTA)) {
            job->list++;
            continue;
        }

        ngx_crl_set_walk_list(job, marked);

        if (ngx_crl_list_is_end(state->entries, &job->place)) {
            job->list++;
            ngx_memzero(&job->place, sizeof(ngx_crl_place_t));
        }
    }

    return (job->list == n) ? NGX_DONE : NGX_OK;
}


static void
ngx_crl_set_walk_list(ngx_crl_set_job_t *job, ngx_uint_t marked)
{
    ngx_crl_list_t    *list;
    ngx_crl_filter_t   filter;

    list = job->set->crl[job->list]->entries;

    job->from = job->list;

    if (marked) {
        (void) ngx_crl_list_walk(list, &job->place, NGX_CRL_SET_STEPS, 1, NULL,
                                 ngx_crl_set_found, job);
        return;
    }

    ngx_crl_set_leaves(job->set, job->list, &filter);

    (void) ngx_crl_list_walk(list, &job->place, NGX_CRL_SET_STEPS, 0, &filter,
                             ngx_crl_set_found_leaving, job);
}


static ngx_int_t
ngx_crl_set_found(void *data, ngx_pki_crl_entry_t *entry)
{
    ngx_crl_set_job_t  *job;

    job = data;

    job->found[job->n++] = *entry;

    return (job->n == NGX_CRL_SET_BATCH) ? NGX_DONE : NGX_OK;
}


static ngx_int_t
ngx_crl_set_found_leaving(void *data, ngx_pki_crl_entry_t *entry)
{
    ngx_crl_set_job_t  *job;

    job = data;

    if (!ngx_crl_set_may_leave(job->set, job->from, entry)) {
        return NGX_OK;
    }

    return ngx_crl_set_found(job, entry);
}

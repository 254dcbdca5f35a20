
/*
 * Copyright (C) the ngx_pki authors
 *
 * A registration authority is made: once for the cluster, under a lock.  What
 * is put in Redis everybody opens the same way, its maker, too.
 */


#include "ngx_pki_ra_job.h"


#define NGX_PKI_RA_KEY_BITS  2048
#define NGX_PKI_RA_DEADLINE  30000


static void ngx_pki_ra_lock_handler(ngx_pki_store_job_t *store);
static void ngx_pki_ra_look_again_handler(ngx_pki_store_job_t *store);
static ngx_uint_t ngx_pki_ra_same(ngx_str_t *one, ngx_str_t *two);
static void ngx_pki_ra_make_wrapped(ngx_pki_ra_job_t *job, ngx_int_t rc);
static void ngx_pki_ra_generate(ngx_pki_ra_job_t *job);
static void ngx_pki_ra_certify(ngx_pki_ra_job_t *job);
static void ngx_pki_ra_certify_handler(ngx_pki_issue_t *issue);
static ngx_int_t ngx_pki_ra_pack(ngx_pki_ra_job_t *job);
static ngx_int_t ngx_pki_ra_seal(ngx_pki_ra_job_t *job);
static void ngx_pki_ra_put_handler(ngx_pki_store_job_t *store);
static void ngx_pki_ra_made(ngx_pki_ra_job_t *job, ngx_int_t rc);
static void ngx_pki_ra_unlock_handler(ngx_pki_store_job_t *store);
static void ngx_pki_ra_end(ngx_pki_ra_job_t *job);

#if (NGX_THREADS)
static ngx_int_t ngx_pki_ra_thread_post(ngx_pki_ra_job_t *job);
static void ngx_pki_ra_thread_handler(void *data, ngx_log_t *log);
static void ngx_pki_ra_thread_event_handler(ngx_event_t *ev);
#endif


static ngx_str_t  ngx_pki_ra_source = ngx_string("ra");


void
ngx_pki_ra_make(ngx_pki_ra_job_t *job)
{
    ngx_pki_store_job_t  *store;

    if (ngx_exiting) {
        ngx_pki_ra_done(job, NGX_OK);
        return;
    }

    /* a worker that quits finishes what it began */
    ngx_pki_op_deadline(job->op, NGX_PKI_RA_DEADLINE, NULL);

    store = &job->store;

    ngx_str_set(&store->lock, "ra");
    store->handler = ngx_pki_ra_lock_handler;

    ngx_pki_store_lock(store);
}


static void
ngx_pki_ra_lock_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_ra_job_t  *job;

    job = store->data;

    if (store->result != NGX_PKI_STORE_OK) {

        /* another one is at it, or Redis is away */

        ngx_pki_ra_done(job, (store->result == NGX_PKI_STORE_CONFLICT)
                             ? NGX_AGAIN : NGX_ERROR);
        return;
    }

    store->handler = ngx_pki_ra_look_again_handler;

    ngx_pki_store_ra_load(store);
}


static void
ngx_pki_ra_look_again_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_ra_job_t  *job;

    job = store->data;

    if (store->result != NGX_PKI_STORE_OK) {
        ngx_pki_ra_made(job, NGX_ERROR);
        return;
    }

    if (!ngx_pki_ra_same(&store->ra, &job->found[NGX_PKI_RA_CURRENT].octets)) {
        ngx_pki_ra_made(job, NGX_AGAIN);
        return;
    }

    job->wrapped = ngx_pki_ra_make_wrapped;

    if (job->authority->ra_mode == NGX_PKI_RA_VAULT) {
        ngx_pki_ra_vault_key(job);

    } else {
        ngx_pki_ra_wrap(job, NULL);
    }
}


static ngx_uint_t
ngx_pki_ra_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && (one->len == 0
               || ngx_memcmp(one->data, two->data, one->len) == 0);
}


static void
ngx_pki_ra_make_wrapped(ngx_pki_ra_job_t *job, ngx_int_t rc)
{
    if (rc != NGX_OK) {
        ngx_pki_ra_made(job, NGX_ERROR);
        return;
    }

    ngx_pki_op_action(job->op, "making the registration authority");

    if (job->authority->ra_mode == NGX_PKI_RA_VAULT) {
        ngx_pki_ra_certify(job);

    } else {
        ngx_pki_ra_generate(job);
    }
}


/*
 * Finding the primes takes 100 ms and more: if nginx is built without threads
 * the worker stands still for it, once a year.
 */

static void
ngx_pki_ra_generate(ngx_pki_ra_job_t *job)
{
#if (NGX_THREADS)

    if (job->authority->key->thread_pool != NULL) {

        if (ngx_pki_ra_thread_post(job) != NGX_OK) {
            ngx_pki_ra_made(job, NGX_ERROR);
        }

        return;
    }

#endif

    job->pkey = EVP_RSA_gen(NGX_PKI_RA_KEY_BITS);

    ngx_pki_ra_certify(job);
}


static void
ngx_pki_ra_certify(ngx_pki_ra_job_t *job)
{
    time_t                now;
    ngx_str_t             spki;
    ngx_pki_issue_t      *issue;
    ngx_pki_authority_t  *a;

    a = job->authority;
    issue = &job->issue;

    if (job->pkey == NULL) {
        ERR_clear_error();
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0, "no key could be made");
        ngx_pki_ra_made(job, NGX_ERROR);
        return;
    }

    now = ngx_time();
    job->next.made_at = now;

    if (ngx_pki_ra_template(job->op->pool, a, now, &job->template) != NGX_OK
        || ngx_pki_key_spki(job->op->pool, job->pkey, &spki) != NGX_OK)
    {
        ngx_pki_ra_made(job, NGX_ERROR);
        return;
    }

    issue->op = job->op;
    issue->authority = a;
    issue->source = ngx_pki_ra_source;
    issue->handler = ngx_pki_ra_certify_handler;
    issue->data = job;

    ngx_pki_issue_internal(issue, &spki, &job->template);
}


static void
ngx_pki_ra_certify_handler(ngx_pki_issue_t *issue)
{
    ngx_pki_ra_job_t     *job;
    ngx_pki_store_job_t  *store;

    job = issue->data;
    store = &job->store;

    if (issue->result != NGX_PKI_ISSUE_OK) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "the registration authority has no certificate: %V",
                      &issue->error);
        ngx_pki_ra_made(job, NGX_ERROR);
        return;
    }

    if (ngx_pki_ra_pack(job) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "the registration authority's key cannot be sealed");
        ngx_pki_ra_made(job, NGX_ERROR);
        return;
    }

    store->ra = job->found[NGX_PKI_RA_CURRENT].octets;
    store->ra_keep = job->keep;
    store->handler = ngx_pki_ra_put_handler;

    ngx_pki_store_ra_put(store);
}


static ngx_int_t
ngx_pki_ra_pack(ngx_pki_ra_job_t *job)
{
    job->next.certificate = job->issue.record.der;

    if (job->authority->ra_mode == NGX_PKI_RA_VAULT) {
        job->next.key_url = job->key_url;

    } else if (ngx_pki_ra_seal(job) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_ra_entry_encode(job->op->pool, &job->next,
                                   &job->store.ra_next);
}


static ngx_int_t
ngx_pki_ra_seal(ngx_pki_ra_job_t *job)
{
    ngx_str_t    name, bound;
    ngx_pool_t  *pool;

    pool = job->op->pool;

    if (ngx_pki_ra_bind(pool, job->authority, &job->next.certificate, &bound)
        != NGX_OK
        || ngx_pki_ra_wrap_name(job, &name) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_seal(pool, job->wrap, &name, &bound, job->pkey,
                        &job->next.sealed);
}


static void
ngx_pki_ra_put_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_ra_job_t  *job;

    job = store->data;

    if (store->result != NGX_PKI_STORE_OK) {

        /* the lock was lost: whoever has it now makes another one */

        ngx_pki_ra_made(job, (store->result == NGX_PKI_STORE_CONFLICT)
                             ? NGX_AGAIN : NGX_ERROR);
        return;
    }

    ngx_pki_op_action(job->op, NULL);

    ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                  "the registration authority has a new certificate");

    ngx_pki_ra_made(job, NGX_DONE);
}


/* NGX_DONE: it is there, the next look opens it */

static void
ngx_pki_ra_made(ngx_pki_ra_job_t *job, ngx_int_t rc)
{
    ngx_pki_store_job_t  *store;

    job->rc = rc;
    store = &job->store;

    store->handler = ngx_pki_ra_unlock_handler;

    ngx_pki_store_unlock(store);
}


static void
ngx_pki_ra_unlock_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_ra_end(store->data);
}


static void
ngx_pki_ra_end(ngx_pki_ra_job_t *job)
{
    if (job->rc == NGX_ERROR && !job->told) {
        ngx_pki_ra_waits(job->ra, job->op->log, NGX_LOG_ERR,
                         "no registration authority could be made, it is "
                         "tried again");
    }

    ngx_pki_ra_done(job, job->rc);
}


#if (NGX_THREADS)

static ngx_int_t
ngx_pki_ra_thread_post(ngx_pki_ra_job_t *job)
{
    ngx_thread_task_t  *task;

    task = ngx_thread_task_alloc(job->op->pool, 0);
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = job;
    task->handler = ngx_pki_ra_thread_handler;
    task->event.handler = ngx_pki_ra_thread_event_handler;
    task->event.data = job;

    return ngx_thread_task_post(job->authority->key->thread_pool, task);
}


static void
ngx_pki_ra_thread_handler(void *data, ngx_log_t *log)
{
    ngx_pki_ra_job_t *job = data;

    job->pkey = EVP_RSA_gen(NGX_PKI_RA_KEY_BITS);

    ERR_clear_error();
}


static void
ngx_pki_ra_thread_event_handler(ngx_event_t *ev)
{
    ngx_pki_ra_certify(ev->data);
}

#endif


/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_signer.h"
#include "ngx_pki_issue.h"


#define NGX_OCSP_SIGNER_TICK      1000   /* msec */
#define NGX_OCSP_SIGNER_WAIT      100    /* msec, as long as there is none */
#define NGX_OCSP_SIGNER_LEASE     60     /* seconds to make a delegate in */
#define NGX_OCSP_SIGNER_RETRY     5      /* seconds after a failure */
#define NGX_OCSP_SIGNER_DEADLINE  30000


/* a delegate being made, in the pool of its operation */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_ocsp_signer_t         *signer;
    EVP_PKEY                  *pkey;
    time_t                     now;
    ngx_pki_template_t         template;
    ngx_pki_issue_t            issue;
} ngx_ocsp_signer_job_t;


static void ngx_ocsp_signer_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_ocsp_signer_is_due(ngx_ocsp_signer_t *signer);
static ngx_uint_t ngx_ocsp_signer_lease(ngx_ocsp_signer_t *signer);
static void ngx_ocsp_signer_unlease(ngx_ocsp_signer_t *signer,
    time_t pause);
static void ngx_ocsp_signer_load(ngx_ocsp_signer_t *signer);
static void ngx_ocsp_signer_make(ngx_ocsp_signer_t *signer, ngx_log_t *log);
static void ngx_ocsp_signer_generate(ngx_ocsp_signer_job_t *job);
static void ngx_ocsp_signer_certify(ngx_ocsp_signer_job_t *job);
static void ngx_ocsp_signer_issue_handler(ngx_pki_issue_t *issue);
static ngx_int_t ngx_ocsp_signer_publish(ngx_ocsp_signer_job_t *job);
static void ngx_ocsp_signer_done(ngx_ocsp_signer_job_t *job, ngx_int_t rc);
static void ngx_ocsp_signer_cleanup(void *data);

#if (NGX_THREADS)
static ngx_int_t ngx_ocsp_signer_thread_post(ngx_ocsp_signer_job_t *job);
static void ngx_ocsp_signer_thread_handler(void *data, ngx_log_t *log);
static void ngx_ocsp_signer_thread_event_handler(ngx_event_t *ev);
#endif


void
ngx_ocsp_signer_start(ngx_ocsp_signer_t *signer, ngx_log_t *log)
{
    signer->timer.handler = ngx_ocsp_signer_timer_handler;
    signer->timer.data = signer;
    signer->timer.log = log;
    signer->timer.cancelable = 1;

    ngx_add_timer(&signer->timer, 1);
}


void
ngx_ocsp_signer_stop(ngx_ocsp_signer_t *signer)
{
    if (signer->timer.timer_set) {
        ngx_del_timer(&signer->timer);
    }

    if (signer->delegate != NULL) {
        ngx_ocsp_delegate_release(signer->delegate);
        signer->delegate = NULL;
    }
}


ngx_ocsp_delegate_t *
ngx_ocsp_signer_get(ngx_ocsp_signer_t *signer, time_t now)
{
    ngx_ocsp_signer_load(signer);

    if (signer->delegate == NULL
        || !ngx_ocsp_delegate_usable(signer->delegate, now))
    {
        return NULL;
    }

    ngx_ocsp_delegate_retain(signer->delegate);

    return signer->delegate;
}


static void
ngx_ocsp_signer_timer_handler(ngx_event_t *ev)
{
    ngx_ocsp_signer_t  *signer;

    signer = ev->data;

    if (ngx_exiting) {
        return;
    }

    /* what comes from Redis is not there at once */

    if (signer->authority->store.slot != NULL
        && ngx_pki_authority_has_key(signer->authority))
    {
        ngx_ocsp_signer_load(signer);

        if (ngx_ocsp_signer_is_due(signer) && ngx_ocsp_signer_lease(signer)) {
            ngx_ocsp_signer_make(signer, ev->log);
        }
    }

    ngx_add_timer(ev, (signer->delegate != NULL) ? NGX_OCSP_SIGNER_TICK
                                                 : NGX_OCSP_SIGNER_WAIT);
}


static ngx_uint_t
ngx_ocsp_signer_is_due(ngx_ocsp_signer_t *signer)
{
    time_t                now;
    ngx_ocsp_delegate_t  *d;

    now = ngx_time();
    d = signer->delegate;

    return d == NULL || now >= d->renew_at || now < d->not_before;
}


/*
 * One worker at a time makes a delegate; the lease is the time when it ends,
 * so that nobody has to give back that of a worker that died.
 */

static ngx_uint_t
ngx_ocsp_signer_lease(ngx_ocsp_signer_t *signer)
{
    time_t                now;
    ngx_atomic_uint_t     old;
    ngx_pki_zone_slot_t  *slot;

    now = ngx_time();
    slot = signer->authority->store.slot;
    old = slot->responder_lease;

    if (old > (ngx_atomic_uint_t) now
        && old <= (ngx_atomic_uint_t) now + NGX_OCSP_SIGNER_LEASE)
    {
        return 0;
    }

    if (!ngx_atomic_cmp_set(&slot->responder_lease, old,
                            (ngx_atomic_uint_t) now + NGX_OCSP_SIGNER_LEASE))
    {
        return 0;
    }

    /* whoever had it before may have just published a delegate */

    ngx_ocsp_signer_load(signer);

    if (ngx_ocsp_signer_is_due(signer)) {
        return 1;
    }

    ngx_ocsp_signer_unlease(signer, 0);

    return 0;
}


static void
ngx_ocsp_signer_unlease(ngx_ocsp_signer_t *signer, time_t pause)
{
    signer->authority->store.slot->responder_lease = ngx_time() + pause;
}


static void
ngx_ocsp_signer_load(ngx_ocsp_signer_t *signer)
{
    ngx_str_t             blob;
    ngx_pool_t           *pool;
    ngx_pki_store_t      *store;
    ngx_atomic_uint_t     generation;
    ngx_ocsp_delegate_t  *d;

    store = &signer->authority->store;

    if (store->slot == NULL
        || signer->authority->certificate == NULL
        || store->slot->responder_generation == signer->generation)
    {
        return;
    }

    generation = store->slot->responder_generation;

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, signer->timer.log);
    if (pool == NULL) {
        return;
    }

    if (ngx_pki_zone_responder_get(store->zone, store->slot, pool, &blob)
        == NGX_OK)
    {
        d = ngx_ocsp_delegate_unpack(signer->authority, &signer->spec, &blob,
                                     signer->timer.log);

        OPENSSL_cleanse(blob.data, blob.len);

        if (d != NULL) {
            if (signer->delegate != NULL) {
                ngx_ocsp_delegate_release(signer->delegate);
            }

            signer->delegate = d;
        }
    }

    ngx_destroy_pool(pool);

    signer->generation = generation;
}


static void
ngx_ocsp_signer_make(ngx_ocsp_signer_t *signer, ngx_log_t *log)
{
    ngx_pki_op_t           *op;
    ngx_pool_cleanup_t     *cln;
    ngx_ocsp_signer_job_t  *job;

    op = ngx_pki_op_create(log);

    if (op == NULL) {
        ngx_ocsp_signer_unlease(signer, NGX_OCSP_SIGNER_RETRY);
        return;
    }

    op->authority = signer->authority->name;
    ngx_pki_op_action(op, "making the OCSP responder's certificate");

    cln = ngx_pool_cleanup_add(op->pool, sizeof(ngx_ocsp_signer_job_t));

    if (cln == NULL) {
        ngx_pki_op_destroy(op);
        ngx_ocsp_signer_unlease(signer, NGX_OCSP_SIGNER_RETRY);
        return;
    }

    job = cln->data;
    ngx_memzero(job, sizeof(ngx_ocsp_signer_job_t));
    cln->handler = ngx_ocsp_signer_cleanup;

    job->op = op;
    job->signer = signer;
    job->now = ngx_time();

    /* a worker that quits finishes what it began */
    ngx_pki_op_deadline(op, NGX_OCSP_SIGNER_DEADLINE, NULL);

    ngx_ocsp_signer_generate(job);
}


static void
ngx_ocsp_signer_generate(ngx_ocsp_signer_job_t *job)
{
#if (NGX_THREADS)

    /* the primes of an RSA key take a while to be found */

    if (job->signer->spec.key.type == NGX_PKI_KEY_RSA) {

        if (ngx_ocsp_signer_thread_post(job) != NGX_OK) {
            ngx_ocsp_signer_done(job, NGX_ERROR);
        }

        return;
    }

#endif

    job->pkey = ngx_ocsp_delegate_generate(&job->signer->spec.key);

    ngx_ocsp_signer_certify(job);
}


static void
ngx_ocsp_signer_certify(ngx_ocsp_signer_job_t *job)
{
    ngx_str_t            spki;
    ngx_pki_authority_t  *a;

    a = job->signer->authority;

    if (job->pkey == NULL) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0, "no key could be made");
        ngx_ocsp_signer_done(job, NGX_ERROR);
        return;
    }

    if (ngx_ocsp_delegate_template(job->op->pool, a, &job->signer->spec,
                                   job->now, &job->template)
        != NGX_OK
        || ngx_pki_key_spki(job->op->pool, job->pkey, &spki) != NGX_OK)
    {
        ngx_ocsp_signer_done(job, NGX_ERROR);
        return;
    }

    job->issue.op = job->op;
    job->issue.authority = a;
    job->issue.handler = ngx_ocsp_signer_issue_handler;
    job->issue.data = job;

    ngx_pki_issue_internal(&job->issue, &spki, &job->template);
}


static void
ngx_ocsp_signer_issue_handler(ngx_pki_issue_t *issue)
{
    ngx_int_t               rc;
    ngx_ocsp_signer_job_t  *job;

    job = issue->data;
    rc = NGX_ERROR;

    if (issue->result == NGX_PKI_ISSUE_OK) {
        rc = ngx_ocsp_signer_publish(job);
    }

    ngx_ocsp_signer_done(job, rc);
}


static ngx_int_t
ngx_ocsp_signer_publish(ngx_ocsp_signer_job_t *job)
{
    ngx_int_t           rc;
    ngx_str_t           blob;
    ngx_pki_store_t    *store;
    ngx_ocsp_signer_t  *signer;

    signer = job->signer;
    store = &signer->authority->store;

    rc = ngx_ocsp_delegate_pack(job->op->pool, signer->authority,
                                &signer->spec, &job->template, job->now,
                                job->pkey, &job->issue.record.der, &blob);
    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_pki_zone_responder_set(store->zone, store->slot, &blob);

    OPENSSL_cleanse(blob.data, blob.len);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "no room in the zone for the OCSP responder's key");
        return NGX_ERROR;
    }

    ngx_ocsp_signer_load(signer);

    return NGX_OK;
}


static void
ngx_ocsp_signer_done(ngx_ocsp_signer_job_t *job, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        ngx_pki_op_action(job->op, NULL);

        ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                      "OCSP responder has a new certificate");

    } else {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "OCSP responder has no new certificate, the next try "
                      "is in %d seconds", NGX_OCSP_SIGNER_RETRY);
    }

    ngx_ocsp_signer_unlease(job->signer,
                            (rc == NGX_OK) ? 0 : NGX_OCSP_SIGNER_RETRY);

    ngx_pki_op_destroy(job->op);
}


static void
ngx_ocsp_signer_cleanup(void *data)
{
    ngx_ocsp_signer_job_t  *job = data;

    EVP_PKEY_free(job->pkey);
}


#if (NGX_THREADS)

static ngx_int_t
ngx_ocsp_signer_thread_post(ngx_ocsp_signer_job_t *job)
{
    ngx_thread_task_t  *task;

    task = ngx_thread_task_alloc(job->op->pool, 0);
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = job;
    task->handler = ngx_ocsp_signer_thread_handler;
    task->event.handler = ngx_ocsp_signer_thread_event_handler;
    task->event.data = job;

    return ngx_thread_task_post(job->signer->authority->key->thread_pool,
                                task);
}


static void
ngx_ocsp_signer_thread_handler(void *data, ngx_log_t *log)
{
    ngx_ocsp_signer_job_t  *job = data;

    job->pkey = ngx_ocsp_delegate_generate(&job->signer->spec.key);
}


static void
ngx_ocsp_signer_thread_event_handler(ngx_event_t *ev)
{
    ngx_ocsp_signer_job_t  *job;

    job = ev->data;

    ngx_ocsp_signer_certify(job);
}

#endif

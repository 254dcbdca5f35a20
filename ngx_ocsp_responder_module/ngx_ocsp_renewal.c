
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_renewal.h"
#include "ngx_pki_issue.h"

#include <signal.h>


/* seconds */

#define NGX_OCSP_RENEWAL_LEASE      60     /* at most, to make a delegate in */
#define NGX_OCSP_RENEWAL_LEASE_MIN  5
#define NGX_OCSP_RENEWAL_RETRY      5      /* at most, after a failure */

#define NGX_OCSP_RENEWAL_DEADLINE   30000  /* msec */


/* a delegate being made, in the pool of its operation */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_ocsp_renewal_t        *renewal;
    EVP_PKEY                  *pkey;
    time_t                     now;
    ngx_pki_template_t         template;
    ngx_pki_issue_t            issue;
} ngx_ocsp_renewal_job_t;


static u_char *ngx_ocsp_renewal_print(u_char *p, ngx_pki_key_spec_t *key);
static ngx_uint_t ngx_ocsp_renewal_is_due(ngx_ocsp_renewal_t *renewal);
static ngx_uint_t ngx_ocsp_renewal_lease(ngx_ocsp_renewal_t *renewal);
static ngx_uint_t ngx_ocsp_renewal_take(ngx_ocsp_renewal_t *renewal);
static void ngx_ocsp_renewal_give(ngx_ocsp_renewal_t *renewal, time_t pause);
static time_t ngx_ocsp_renewal_pause(ngx_ocsp_renewal_t *renewal);
static void ngx_ocsp_renewal_make(ngx_ocsp_renewal_t *renewal);
static void ngx_ocsp_renewal_generate(ngx_ocsp_renewal_job_t *job);
static void ngx_ocsp_renewal_certify(ngx_ocsp_renewal_job_t *job);
static void ngx_ocsp_renewal_issue_handler(ngx_pki_issue_t *issue);
static ngx_int_t ngx_ocsp_renewal_publish(ngx_ocsp_renewal_job_t *job);
static void ngx_ocsp_renewal_done(ngx_ocsp_renewal_job_t *job, ngx_int_t rc);
static void ngx_ocsp_renewal_cleanup(void *data);

#if (NGX_THREADS)
static ngx_int_t ngx_ocsp_renewal_thread_post(ngx_ocsp_renewal_job_t *job);
static void ngx_ocsp_renewal_thread_handler(void *data, ngx_log_t *log);
static void ngx_ocsp_renewal_thread_event_handler(ngx_event_t *ev);
#endif


ngx_int_t
ngx_ocsp_renewal_start(ngx_ocsp_renewal_t *renewal, ngx_log_t *log)
{
    u_char               *p;
    u_char                text[sizeof("ocsp delegate  rsa:") + NGX_INT_T_LEN
                               + NGX_PKI_ZONE_NAME_LEN];
    ngx_str_t             name;
    ngx_pki_authority_t  *a;

    a = renewal->authority;

    p = ngx_sprintf(text, "ocsp delegate %V ", &a->name);

    name.data = text;
    name.len = ngx_ocsp_renewal_print(p, &renewal->spec.key) - text;

    renewal->log = log;
    renewal->cell = ngx_pki_zone_cell(a->store.zone, &name,
                                      sizeof(ngx_pki_zone_responder_t));

    if (renewal->cell == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "authority \"%V\": no room in \"pki_zone\" for its "
                      "OCSP responder", &a->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static u_char *
ngx_ocsp_renewal_print(u_char *p, ngx_pki_key_spec_t *key)
{
    return ngx_sprintf(p, "%s%ui",
                       (key->type == NGX_PKI_KEY_RSA) ? "rsa:" : "ec:P-",
                       key->bits);
}


void
ngx_ocsp_renewal_stop(ngx_ocsp_renewal_t *renewal)
{
    if (renewal->responder != NULL) {
        ngx_ocsp_responder_release(renewal->responder);
        renewal->responder = NULL;
    }

    if (renewal->former != NULL) {
        ngx_ocsp_responder_release(renewal->former);
        renewal->former = NULL;
    }
}


void
ngx_ocsp_renewal_tick(ngx_ocsp_renewal_t *renewal)
{
    if (renewal->former != NULL) {
        ngx_ocsp_responder_release(renewal->former);
        renewal->former = NULL;
    }

    /* what comes from Redis is not there at once */

    if (!ngx_pki_authority_has_key(renewal->authority)) {
        return;
    }

    ngx_ocsp_renewal_look(renewal);

    if (ngx_ocsp_renewal_is_due(renewal) && ngx_ocsp_renewal_lease(renewal)) {
        ngx_ocsp_renewal_make(renewal);
    }
}


void
ngx_ocsp_renewal_load(ngx_ocsp_renewal_t *renewal)
{
    ngx_int_t              rc;
    ngx_str_t              blob;
    ngx_pool_t            *pool;
    ngx_atomic_uint_t      generation;
    ngx_ocsp_responder_t  *responder;

    if (renewal->authority->certificate == NULL) {
        return;
    }

    generation = renewal->cell->generation;

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, renewal->log);
    if (pool == NULL) {
        return;
    }

    rc = ngx_pki_zone_responder_get(renewal->authority->store.zone,
                                    renewal->cell, pool, &blob);
    if (rc == NGX_ERROR) {
        ngx_destroy_pool(pool);
        return;
    }

    if (rc == NGX_OK) {
        responder = ngx_ocsp_delegate_unpack(renewal->authority,
                                             &renewal->spec, &blob,
                                             renewal->log);

        OPENSSL_cleanse(blob.data, blob.len);

        if (responder != NULL) {

            /* whoever asked for it in this turn of the loop may still sign */

            if (renewal->former != NULL) {
                ngx_ocsp_responder_release(renewal->former);
            }

            renewal->former = renewal->responder;
            renewal->responder = responder;
        }
    }

    ngx_destroy_pool(pool);

    renewal->generation = generation;
}


static ngx_uint_t
ngx_ocsp_renewal_is_due(ngx_ocsp_renewal_t *renewal)
{
    time_t                 now;
    ngx_pki_authority_t   *a;
    ngx_ocsp_responder_t  *r;

    now = ngx_time();
    a = renewal->authority;
    r = renewal->responder;

    if (renewal->busy
        || now < a->not_before || now >= a->not_after
        || ngx_pki_authority_is_unhealthy(a))
    {
        return 0;
    }

    if (r == NULL || !ngx_ocsp_responder_usable(r, now)) {
        return 1;
    }

    /* one that ends with the authority has no successor */

    return now >= r->renew_at && r->not_after < a->not_after;
}


/* one worker at a time makes a delegate */

static ngx_uint_t
ngx_ocsp_renewal_lease(ngx_ocsp_renewal_t *renewal)
{
    if (!ngx_ocsp_renewal_take(renewal)) {
        return 0;
    }

    /* whoever had it before may have just published a delegate */

    ngx_ocsp_renewal_look(renewal);

    if (ngx_ocsp_renewal_is_due(renewal)) {
        return 1;
    }

    ngx_ocsp_renewal_give(renewal, 0);

    return 0;
}


/* nobody has to give back the lease of a worker that died */

static ngx_uint_t
ngx_ocsp_renewal_take(ngx_ocsp_renewal_t *renewal)
{
    time_t                     lease;
    ngx_pid_t                  maker;
    ngx_uint_t                 dead, taken;
    ngx_pki_zone_t            *zone;
    ngx_pki_zone_responder_t  *cell;

    zone = renewal->authority->store.zone;
    cell = renewal->cell;

    /* asked outside the lock; whether it still is the maker is seen inside */

    maker = *(volatile ngx_pid_t *) &cell->maker;

    dead = (maker != 0 && maker != ngx_pid
            && kill(maker, 0) == -1 && ngx_errno == NGX_ESRCH);

    lease = ngx_min(renewal->spec.validity / 4, NGX_OCSP_RENEWAL_LEASE);
    lease = ngx_max(lease, NGX_OCSP_RENEWAL_LEASE_MIN);

    ngx_pki_zone_lock(zone);

    taken = ((dead && cell->maker == maker)
             || (ngx_msec_int_t) (cell->lease - ngx_current_msec) <= 0);

    if (taken) {
        cell->maker = ngx_pid;
        cell->lease = ngx_current_msec + lease * 1000;
    }

    ngx_pki_zone_unlock(zone);

    return taken;
}


/* and nobody shall take it for a while */

static void
ngx_ocsp_renewal_give(ngx_ocsp_renewal_t *renewal, time_t pause)
{
    ngx_pki_zone_t  *zone;

    zone = renewal->authority->store.zone;

    ngx_pki_zone_lock(zone);

    if (renewal->cell->maker == ngx_pid) {
        renewal->cell->maker = 0;
        renewal->cell->lease = ngx_current_msec + pause * 1000;
    }

    ngx_pki_zone_unlock(zone);
}


/* a short life leaves time for some tries, too */

static time_t
ngx_ocsp_renewal_pause(ngx_ocsp_renewal_t *renewal)
{
    time_t  pause;

    pause = ngx_min(renewal->spec.validity / 10, NGX_OCSP_RENEWAL_RETRY);

    return ngx_max(pause, 1);
}


static void
ngx_ocsp_renewal_make(ngx_ocsp_renewal_t *renewal)
{
    ngx_pki_op_t            *op;
    ngx_pool_cleanup_t      *cln;
    ngx_ocsp_renewal_job_t  *job;

    op = ngx_pki_op_create(renewal->log);

    if (op == NULL) {
        ngx_ocsp_renewal_give(renewal, ngx_ocsp_renewal_pause(renewal));
        return;
    }

    op->authority = renewal->authority->name;
    ngx_pki_op_action(op, "making the OCSP responder's certificate");

    cln = ngx_pool_cleanup_add(op->pool, sizeof(ngx_ocsp_renewal_job_t));

    if (cln == NULL) {
        ngx_pki_op_destroy(op);
        ngx_ocsp_renewal_give(renewal, ngx_ocsp_renewal_pause(renewal));
        return;
    }

    job = cln->data;
    ngx_memzero(job, sizeof(ngx_ocsp_renewal_job_t));
    cln->handler = ngx_ocsp_renewal_cleanup;

    job->op = op;
    job->renewal = renewal;
    job->now = ngx_time();

    renewal->busy = 1;

    /* a worker that quits finishes what it began */
    ngx_pki_op_deadline(op, NGX_OCSP_RENEWAL_DEADLINE, NULL);

    ngx_ocsp_renewal_generate(job);
}


static void
ngx_ocsp_renewal_generate(ngx_ocsp_renewal_job_t *job)
{
#if (NGX_THREADS)

    /* the primes of an RSA key take a while to be found */

    if (job->renewal->spec.key.type == NGX_PKI_KEY_RSA) {

        if (ngx_ocsp_renewal_thread_post(job) != NGX_OK) {
            ngx_ocsp_renewal_done(job, NGX_ERROR);
        }

        return;
    }

#endif

    job->pkey = ngx_ocsp_delegate_generate(&job->renewal->spec.key);

    ngx_ocsp_renewal_certify(job);
}


static void
ngx_ocsp_renewal_certify(ngx_ocsp_renewal_job_t *job)
{
    ngx_str_t            spki;
    ngx_pki_authority_t  *a;

    a = job->renewal->authority;

    if (job->pkey == NULL) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0, "no key could be made");
        ngx_ocsp_renewal_done(job, NGX_ERROR);
        return;
    }

    if (ngx_ocsp_delegate_template(job->op->pool, a, &job->renewal->spec,
                                   job->now, &job->template)
        != NGX_OK
        || ngx_pki_key_spki(job->op->pool, job->pkey, &spki) != NGX_OK)
    {
        ngx_ocsp_renewal_done(job, NGX_ERROR);
        return;
    }

    job->issue.op = job->op;
    job->issue.authority = a;
    job->issue.handler = ngx_ocsp_renewal_issue_handler;
    job->issue.data = job;

    ngx_pki_issue_internal(&job->issue, &spki, &job->template);
}


static void
ngx_ocsp_renewal_issue_handler(ngx_pki_issue_t *issue)
{
    ngx_int_t                rc;
    ngx_ocsp_renewal_job_t  *job;

    job = issue->data;
    rc = NGX_ERROR;

    if (issue->result == NGX_PKI_ISSUE_OK) {
        rc = ngx_ocsp_renewal_publish(job);
    }

    ngx_ocsp_renewal_done(job, rc);
}


static ngx_int_t
ngx_ocsp_renewal_publish(ngx_ocsp_renewal_job_t *job)
{
    ngx_int_t            rc;
    ngx_str_t            blob;
    ngx_ocsp_renewal_t  *renewal;

    renewal = job->renewal;

    rc = ngx_ocsp_delegate_pack(job->op->pool, renewal->authority,
                                &renewal->spec, &job->template, job->now,
                                job->pkey, &job->issue.record.der, &blob);
    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_pki_zone_responder_set(renewal->authority->store.zone,
                                    renewal->cell, &blob);

    OPENSSL_cleanse(blob.data, blob.len);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "no room in the zone for the OCSP responder's key");
        return NGX_ERROR;
    }

    ngx_ocsp_renewal_load(renewal);

    return NGX_OK;
}


static void
ngx_ocsp_renewal_done(ngx_ocsp_renewal_job_t *job, ngx_int_t rc)
{
    u_char               text[sizeof("rsa:") + NGX_INT_T_LEN];
    time_t               pause;
    ngx_str_t            kind;
    ngx_ocsp_renewal_t  *renewal;

    renewal = job->renewal;

    kind.data = text;
    kind.len = ngx_ocsp_renewal_print(text, &renewal->spec.key) - text;

    pause = (rc == NGX_OK) ? 0 : ngx_ocsp_renewal_pause(renewal);

    if (rc == NGX_OK) {
        ngx_pki_op_action(job->op, NULL);

        ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                      "OCSP responder has a new certificate, key %V", &kind);

    } else {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "OCSP responder has no new certificate, key %V, the "
                      "next try is in %T seconds", &kind, pause);
    }

    renewal->busy = 0;
    ngx_ocsp_renewal_give(renewal, pause);

    ngx_pki_op_destroy(job->op);
}


static void
ngx_ocsp_renewal_cleanup(void *data)
{
    ngx_ocsp_renewal_job_t  *job = data;

    EVP_PKEY_free(job->pkey);
}


#if (NGX_THREADS)

static ngx_int_t
ngx_ocsp_renewal_thread_post(ngx_ocsp_renewal_job_t *job)
{
    ngx_thread_task_t  *task;

    task = ngx_thread_task_alloc(job->op->pool, 0);
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = job;
    task->handler = ngx_ocsp_renewal_thread_handler;
    task->event.handler = ngx_ocsp_renewal_thread_event_handler;
    task->event.data = job;

    return ngx_thread_task_post(job->renewal->authority->key->thread_pool,
                                task);
}


static void
ngx_ocsp_renewal_thread_handler(void *data, ngx_log_t *log)
{
    ngx_ocsp_renewal_job_t  *job = data;

    job->pkey = ngx_ocsp_delegate_generate(&job->renewal->spec.key);
}


static void
ngx_ocsp_renewal_thread_event_handler(ngx_event_t *ev)
{
    ngx_ocsp_renewal_job_t  *job;

    job = ev->data;

    ngx_ocsp_renewal_certify(job);
}

#endif

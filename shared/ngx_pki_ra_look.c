
/*
 * Copyright (C) the ngx_pki authors
 *
 * Each worker looks at what Redis has: often until there is an RA, at once when
 * something was revoked, every half a minute otherwise.
 */


#include "ngx_pki_ra_job.h"


#define NGX_PKI_RA_TICK         1000
#define NGX_PKI_RA_WAIT         100      /* as long as there is none */

#define NGX_PKI_RA_LOOK         30000
#define NGX_PKI_RA_SOON         300      /* another one is making it */
#define NGX_PKI_RA_BACKOFF      1000     /* doubled after a failure */
#define NGX_PKI_RA_MAX_BACKOFF  30000


static ngx_uint_t ngx_pki_ra_is_due(ngx_pki_ra_t *ra);
static void ngx_pki_ra_look(ngx_pki_ra_t *ra, ngx_log_t *log);
static void ngx_pki_ra_load_handler(ngx_pki_store_job_t *store);
static void ngx_pki_ra_schedule(ngx_pki_ra_t *ra, ngx_msec_t delay);
static void ngx_pki_ra_job_cleanup(void *data);


void
ngx_pki_ra_timer_handler(ngx_event_t *ev)
{
    ngx_pki_ra_t  *ra;

    ra = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (ngx_pki_ra_is_due(ra)) {
        ngx_pki_ra_look(ra, ev->log);
    }

    ngx_add_timer(ev, (ra->current != NULL) ? NGX_PKI_RA_TICK
                                            : NGX_PKI_RA_WAIT);
}


static ngx_uint_t
ngx_pki_ra_is_due(ngx_pki_ra_t *ra)
{
    ngx_pki_authority_t  *a;

    a = ra->authority;

    if (ra->busy || ngx_pki_authority_trouble(a) != NULL) {
        return 0;
    }

    if ((ngx_msec_int_t) (ngx_current_msec - ra->look_at) >= 0) {
        return 1;
    }

    /* perhaps it was the RA's own certificate */

    return ra->current != NULL && ra->revocations != a->store.slot->revocations;
}


static void
ngx_pki_ra_look(ngx_pki_ra_t *ra, ngx_log_t *log)
{
    ngx_pki_op_t         *op;
    ngx_pki_ra_job_t     *job;
    ngx_pool_cleanup_t   *cln;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return;
    }

    op->authority = ra->authority->name;

    cln = ngx_pool_cleanup_add(op->pool, sizeof(ngx_pki_ra_job_t));

    if (cln == NULL) {
        ngx_pki_op_destroy(op);
        return;
    }

    job = cln->data;
    ngx_memzero(job, sizeof(ngx_pki_ra_job_t));
    cln->handler = ngx_pki_ra_job_cleanup;

    /* it is tried again and again: one message an outage of Redis */

    if (ra->backoff != 0) {
        op->log->log_level = NGX_LOG_CRIT;
    }

    job->op = op;
    job->ra = ra;
    job->authority = ra->authority;

    ra->busy = 1;
    ra->revocations = ra->authority->store.slot->revocations;

    job->store.op = op;
    job->store.store = &ra->authority->store;
    job->store.handler = ngx_pki_ra_load_handler;
    job->store.data = job;

    ngx_pki_store_ra_load(&job->store);
}


static void
ngx_pki_ra_load_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_ra_job_t  *job;

    job = store->data;

    if (store->result != NGX_PKI_STORE_OK) {
        ngx_pki_ra_done(job, NGX_ERROR);
        return;
    }

    job->op->log->log_level = job->ra->timer.log->log_level;

    job->found[NGX_PKI_RA_CURRENT].octets = store->ra;
    job->found[NGX_PKI_RA_PREVIOUS].octets = store->ra_previous;

    ngx_pki_ra_open(job);
}


void
ngx_pki_ra_done(ngx_pki_ra_job_t *job, ngx_int_t rc)
{
    ngx_pki_ra_t  *ra;

    ra = job->ra;
    ra->busy = 0;

    switch (rc) {

    case NGX_OK:
        ra->backoff = 0;
        ngx_pki_ra_schedule(ra, NGX_PKI_RA_LOOK);
        break;

    case NGX_DONE:
        ra->backoff = 0;
        ra->look_at = ngx_current_msec;
        break;

    case NGX_AGAIN:
        ra->backoff = 0;
        ngx_pki_ra_schedule(ra, NGX_PKI_RA_SOON);
        break;

    default: /* NGX_ERROR */
        ra->backoff = ngx_min(2 * ra->backoff, NGX_PKI_RA_MAX_BACKOFF);
        ra->backoff = ngx_max(ra->backoff, NGX_PKI_RA_BACKOFF);
        ngx_pki_ra_schedule(ra, ra->backoff);
        break;
    }

    ngx_pki_op_destroy(job->op);
}


static void
ngx_pki_ra_schedule(ngx_pki_ra_t *ra, ngx_msec_t delay)
{
    ra->look_at = ngx_current_msec + delay + ngx_random() % (delay / 5);
}


static void
ngx_pki_ra_job_cleanup(void *data)
{
    ngx_pki_ra_job_t *job = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_PKI_RA_ENTRIES; i++) {

        if (job->found[i].recipient != NULL) {
            ngx_pki_recipient_release(job->found[i].recipient);
        }
    }

    EVP_PKEY_free(job->pkey);
}

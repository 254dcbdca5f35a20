
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_crl_builder.h"
#include "ngx_crl.h"
#include "ngx_pki_issue.h"


#define NGX_CRL_BUILDER_DEADLINE  30000
#define NGX_CRL_BUILDER_BACKOFF   10     /* seconds, the longest */
#define NGX_CRL_BUILDER_PAUSE     60     /* seconds, if there is no overlap */
#define NGX_CRL_BUILDER_SKEW      5      /* seconds between nodes' clocks */


/* a CRL being built, in the pool of its operation */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_crl_builder_t         *builder;
    ngx_atomic_uint_t          revocations;
    uint64_t                   applied;
    ngx_crl_t                  crl;
    ngx_str_t                  tbs;
    ngx_pki_key_job_t          sign;
    ngx_pki_store_job_t        store;
    ngx_int_t                  rc;
} ngx_crl_builder_job_t;


static void ngx_crl_builder_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_crl_builder_is_due(ngx_crl_builder_t *builder);
static ngx_uint_t ngx_crl_builder_is_current(ngx_crl_builder_t *builder);
static ngx_uint_t ngx_crl_builder_is_valid(time_t this_update, time_t due);
static void ngx_crl_builder_build(ngx_crl_builder_t *builder, ngx_log_t *log);
static void ngx_crl_builder_lock(ngx_crl_builder_job_t *job);
static void ngx_crl_builder_forget_handler(ngx_pki_store_job_t *store);
static void ngx_crl_builder_lock_handler(ngx_pki_store_job_t *store);
static void ngx_crl_builder_load_handler(ngx_pki_store_job_t *store);
static ngx_uint_t ngx_crl_builder_is_done(ngx_crl_builder_job_t *job);
static void ngx_crl_builder_collect(ngx_crl_builder_job_t *job);
static void ngx_crl_builder_revoked_handler(ngx_pki_store_job_t *store);
static ngx_int_t ngx_crl_builder_encode(ngx_crl_builder_job_t *job);
static uint64_t ngx_crl_builder_number(ngx_crl_builder_job_t *job);
static void ngx_crl_builder_sign(ngx_crl_builder_job_t *job);
static void ngx_crl_builder_sign_handler(ngx_pki_key_job_t *sign);
static void ngx_crl_builder_publish_handler(ngx_pki_store_job_t *store);
static void ngx_crl_builder_unlock(ngx_crl_builder_job_t *job, ngx_int_t rc);
static void ngx_crl_builder_unlock_handler(ngx_pki_store_job_t *store);
static void ngx_crl_builder_remember(ngx_crl_builder_job_t *job);
static void ngx_crl_builder_done(ngx_crl_builder_job_t *job, ngx_int_t rc);
static void ngx_crl_builder_schedule(ngx_crl_builder_job_t *job);
static void ngx_crl_builder_failed(ngx_crl_builder_job_t *job);


void
ngx_crl_builder_start(ngx_crl_builder_t *builder, ngx_log_t *log)
{
    builder->timer.handler = ngx_crl_builder_timer_handler;
    builder->timer.data = builder;
    builder->timer.log = log;
    builder->timer.cancelable = 1;

    ngx_add_timer(&builder->timer, 1);
}


void
ngx_crl_builder_stop(ngx_crl_builder_t *builder)
{
    if (builder->timer.timer_set) {
        ngx_del_timer(&builder->timer);
    }
}


static void
ngx_crl_builder_timer_handler(ngx_event_t *ev)
{
    ngx_pki_store_t    *store;
    ngx_crl_builder_t  *builder;

    builder = ev->data;
    store = &builder->authority->store;

    if (ngx_exiting) {
        return;
    }

    if (store->slot == NULL || !ngx_pki_zone_leads(store->zone)) {
        /* whoever leads instead builds: what is known grows old */
        builder->due = 0;

    } else if (ngx_crl_builder_is_due(builder)) {
        ngx_crl_builder_build(builder, ev->log);
    }

    ngx_add_timer(ev, builder->spec.refresh);
}


static ngx_uint_t
ngx_crl_builder_is_due(ngx_crl_builder_t *builder)
{
    time_t                now;
    ngx_str_t             error;
    ngx_pki_authority_t  *a;

    a = builder->authority;
    now = ngx_time();

    if (builder->building || ngx_pki_authority_trouble(a) != NULL
        || a->store.slot->restoring
        || !ngx_pki_redis_is_up(a->store.redis, &error))
    {
        return 0;
    }

    if (ngx_crl_builder_is_current(builder)) {
        return 0;
    }

    /* in this order: what is counted has been applied */

    if (!builder->noticed) {
        builder->noticed = 1;
        builder->seen = a->store.slot->revocations;
        builder->applied = a->store.slot->applied;
    }

    /* a retry too far away was scheduled before the clock went back */

    return now >= builder->retry_at
           || builder->retry_at - now > NGX_CRL_BUILDER_BACKOFF;
}


static ngx_uint_t
ngx_crl_builder_is_current(ngx_crl_builder_t *builder)
{
    return ngx_crl_builder_is_valid(builder->this_update, builder->due)
           && builder->authority->store.slot->revocations
              == builder->revocations;
}


/* what was built while a clock was ahead is not valid yet once it is not */

static ngx_uint_t
ngx_crl_builder_is_valid(time_t this_update, time_t due)
{
    time_t  now;

    now = ngx_time();

    return now < due && this_update - now <= NGX_CRL_BUILDER_SKEW;
}


static void
ngx_crl_builder_build(ngx_crl_builder_t *builder, ngx_log_t *log)
{
    ngx_pki_op_t           *op;
    ngx_crl_builder_job_t  *job;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return;
    }

    op->authority = builder->authority->name;
    ngx_pki_op_action(op, "building the CRL");

    job = ngx_pcalloc(op->pool, sizeof(ngx_crl_builder_job_t));

    if (job == NULL) {
        ngx_pki_op_destroy(op);
        return;
    }

    job->op = op;
    job->builder = builder;

    job->store.op = op;
    job->store.store = &builder->authority->store;
    ngx_str_set(&job->store.lock, "crl");
    job->store.data = job;

    builder->building = 1;

    /* a worker that quits finishes what it began */
    ngx_pki_op_deadline(op, NGX_CRL_BUILDER_DEADLINE, NULL);

    if (builder->token_len != 0) {
        job->store.token.data = builder->token;
        job->store.token.len = builder->token_len;
        job->store.handler = ngx_crl_builder_forget_handler;

        ngx_pki_store_unlock(&job->store);
        return;
    }

    ngx_crl_builder_lock(job);
}


static void
ngx_crl_builder_forget_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_builder_job_t  *job;

    job = store->data;

    if (store->result == NGX_PKI_STORE_UNAVAILABLE) {
        ngx_crl_builder_done(job, NGX_ERROR);
        return;
    }

    job->builder->token_len = 0;

    ngx_crl_builder_lock(job);
}


static void
ngx_crl_builder_lock(ngx_crl_builder_job_t *job)
{
    job->store.handler = ngx_crl_builder_lock_handler;

    ngx_pki_store_lock(&job->store);
}


static void
ngx_crl_builder_lock_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_builder_job_t  *job;

    job = store->data;

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        store->handler = ngx_crl_builder_load_handler;
        ngx_pki_store_crl_load(store);
        return;

    case NGX_PKI_STORE_CONFLICT:
        /* another node is at it; whether it was enough is seen next time */
        ngx_crl_builder_done(job, NGX_AGAIN);
        return;

    default:
        ngx_crl_builder_remember(job);
        ngx_crl_builder_done(job, NGX_ERROR);
        return;
    }
}


static void
ngx_crl_builder_load_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_builder_job_t  *job;

    job = store->data;

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        job->crl.number = store->crl_number;
        job->crl.this_update = store->this_update;
        job->crl.next_update = store->next_update;

        if (ngx_crl_builder_is_done(job)) {
            ngx_crl_builder_unlock(job, NGX_OK);
            return;
        }

        break;

    case NGX_PKI_STORE_NOT_FOUND:
        break;

    default:
        ngx_crl_builder_unlock(job, NGX_ERROR);
        return;
    }

    ngx_crl_builder_collect(job);
}


/*
 * Another node may have built the CRL that was due here: it has everything
 * that was noticed here if it was made of as many changes.  If Redis lost the
 * last CRL and has an older one, that would be a step back.
 */

static ngx_uint_t
ngx_crl_builder_is_done(ngx_crl_builder_job_t *job)
{
    ngx_crl_t          *crl;
    ngx_crl_builder_t  *builder;

    crl = &job->crl;
    builder = job->builder;

    if (!ngx_crl_builder_is_valid(crl->this_update,
                                  crl->next_update - builder->spec.overlap)
        || crl->number < builder->authority->store.slot->crl_number)
    {
        return 0;
    }

    job->revocations = builder->seen;

    if (job->store.crl_seq >= builder->applied) {
        return 1;
    }

    return builder->due != 0 && builder->seen == builder->revocations;
}


static void
ngx_crl_builder_collect(ngx_crl_builder_job_t *job)
{
    ngx_pki_store_job_t  *store;
    ngx_pki_zone_slot_t  *slot;

    store = &job->store;

    /* read before Redis is asked: what comes later makes the next one due */

    slot = job->builder->authority->store.slot;

    job->revocations = slot->revocations;
    job->applied = slot->applied;
    job->crl.this_update = ngx_time();

    store->handler = ngx_crl_builder_revoked_handler;

    ngx_pki_store_crl_revoked(store);
}


static void
ngx_crl_builder_revoked_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_builder_job_t  *job;

    job = store->data;

    /* a Redis that has lost changes: the follower is about to notice it */

    if (store->result == NGX_PKI_STORE_OK && store->crl_seq < job->applied) {
        ngx_crl_builder_unlock(job, NGX_AGAIN);
        return;
    }

    if (store->result != NGX_PKI_STORE_OK
        || ngx_crl_builder_encode(job) != NGX_OK)
    {
        ngx_crl_builder_unlock(job, NGX_ERROR);
        return;
    }

    ngx_crl_builder_sign(job);
}


static ngx_int_t
ngx_crl_builder_encode(ngx_crl_builder_job_t *job)
{
    ngx_int_t             rc;
    ngx_crl_t            *crl;
    ngx_pki_authority_t  *a;

    crl = &job->crl;
    a = job->builder->authority;

    crl->algorithm = ngx_pki_key_algorithm(a->key->spec.type, a->md,
                                           a->pss);
    crl->issuer = &a->issuer;
    crl->aki = &a->aki;
    crl->number = ngx_crl_builder_number(job);
    crl->next_update = ngx_min(crl->this_update + job->builder->spec.validity,
                               a->not_after);
    crl->revoked = job->store.records;

    if (crl->algorithm == NULL) {
        ngx_log_error(NGX_LOG_ALERT, job->op->log, 0,
                      "key \"%V\" has no signature algorithm", &a->key->name);
        return NGX_ERROR;
    }

    rc = ngx_crl_encode(job->op->pool, crl, &job->tbs);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "redis has a revoked certificate without a serial "
                      "number");
    }

    return rc;
}


/*
 * Higher than any before, also than what Redis has forgotten; and if nobody
 * here knows it either, milliseconds most likely are.
 */

static uint64_t
ngx_crl_builder_number(ngx_crl_builder_job_t *job)
{
    uint64_t     last, msec;
    ngx_time_t  *tp;

    last = ngx_max(job->crl.number, job->store.crl_number);
    last = ngx_max(last, job->builder->authority->store.slot->crl_number);

    tp = ngx_timeofday();
    msec = (uint64_t) tp->sec * 1000 + tp->msec;

    return ngx_max(last + 1, msec);
}


static void
ngx_crl_builder_sign(ngx_crl_builder_job_t *job)
{
    u_char               *digest;
    unsigned int          len;
    ngx_pki_authority_t  *a;

    a = job->builder->authority;

    digest = ngx_pnalloc(job->op->pool, EVP_MAX_MD_SIZE);

    if (digest == NULL
        || EVP_Digest(job->tbs.data, job->tbs.len, digest, &len, a->md, NULL)
           != 1)
    {
        ERR_clear_error();
        ngx_crl_builder_unlock(job, NGX_ERROR);
        return;
    }

    job->sign.op = job->op;
    job->sign.key = a->key;
    job->sign.md = a->md;
    job->sign.pss = a->pss;
    job->sign.input.data = digest;
    job->sign.input.len = len;
    job->sign.handler = ngx_crl_builder_sign_handler;
    job->sign.data = job;

    ngx_pki_key_sign(&job->sign);
}


static void
ngx_crl_builder_sign_handler(ngx_pki_key_job_t *sign)
{
    ngx_pki_store_job_t    *store;
    ngx_crl_builder_job_t  *job;

    job = sign->data;
    store = &job->store;

    if (sign->rc != NGX_OK
        || ngx_pki_issue_seal(job->op->pool, &job->tbs, job->crl.algorithm,
                              &sign->output, &store->crl)
           != NGX_OK)
    {
        ngx_crl_builder_unlock(job, NGX_ERROR);
        return;
    }

    store->crl_number = job->crl.number;
    store->this_update = job->crl.this_update;
    store->next_update = job->crl.next_update;
    store->handler = ngx_crl_builder_publish_handler;

    ngx_pki_store_crl_publish(store);
}


static void
ngx_crl_builder_publish_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_builder_job_t  *job;

    job = store->data;

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        ngx_pki_op_action(job->op, NULL);

        ngx_log_error(NGX_LOG_INFO, job->op->log, 0,
                      "CRL number %uL published, %ui entries",
                      job->crl.number, store->records->nelts);

        ngx_crl_builder_unlock(job, NGX_OK);
        return;

    case NGX_PKI_STORE_CONFLICT:
        /* the lock was lost, another node has it now */
        ngx_crl_builder_unlock(job, NGX_AGAIN);
        return;

    default:
        ngx_crl_builder_unlock(job, NGX_ERROR);
        return;
    }
}


static void
ngx_crl_builder_unlock(ngx_crl_builder_job_t *job, ngx_int_t rc)
{
    job->rc = rc;
    job->store.handler = ngx_crl_builder_unlock_handler;

    ngx_pki_store_unlock(&job->store);
}


static void
ngx_crl_builder_unlock_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_builder_job_t  *job;

    job = store->data;

    if (store->result == NGX_PKI_STORE_UNAVAILABLE) {
        ngx_crl_builder_remember(job);
    }

    ngx_crl_builder_done(job, job->rc);
}


/*
 * Without an answer the lock may be held all the same, and nobody could build
 * before it ends by itself: it is given back when Redis answers again.
 */

static void
ngx_crl_builder_remember(ngx_crl_builder_job_t *job)
{
    ngx_str_t          *token;
    ngx_crl_builder_t  *builder;

    builder = job->builder;
    token = &job->store.token;

    if (token->len > NGX_CRL_BUILDER_TOKEN_LEN) {
        return;
    }

    ngx_memcpy(builder->token, token->data, token->len);
    builder->token_len = token->len;
}


static void
ngx_crl_builder_done(ngx_crl_builder_job_t *job, ngx_int_t rc)
{
    job->builder->building = 0;

    if (rc == NGX_OK) {
        ngx_crl_builder_schedule(job);

    } else if (rc == NGX_ERROR) {
        ngx_crl_builder_failed(job);
    }

    ngx_pki_op_destroy(job->op);
}


static void
ngx_crl_builder_schedule(ngx_crl_builder_job_t *job)
{
    ngx_crl_t          *crl;
    ngx_crl_builder_t  *builder;

    crl = &job->crl;
    builder = job->builder;

    builder->revocations = job->revocations;
    builder->noticed = 0;
    builder->this_update = crl->this_update;
    builder->retry_at = 0;
    builder->backoff = 0;

    builder->due = crl->next_update - builder->spec.overlap;

    /* shortly before the authority's end there is no room for the overlap */

    if (builder->due <= crl->this_update) {
        builder->due = crl->this_update + NGX_CRL_BUILDER_PAUSE;
    }
}


/* what failed is logged already, every time; this says what it means, once */

static void
ngx_crl_builder_failed(ngx_crl_builder_job_t *job)
{
    ngx_crl_builder_t  *builder;

    builder = job->builder;

    if (builder->backoff == 0) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "no new CRL could be built, trying again");
    }

    builder->backoff = ngx_min(2 * builder->backoff + 1,
                               NGX_CRL_BUILDER_BACKOFF);
    builder->retry_at = ngx_time() + builder->backoff;
}

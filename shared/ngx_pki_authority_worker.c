
/*
 * Copyright (C) the ngx_pki authors
 *
 * Authorities in a worker: they ask Redis for their certificate, or tell it
 * theirs.  The certificate that Redis has is that of the authority; a node
 * with another one must not issue.
 */


#include "ngx_pki_authority.h"
#include "ngx_pki_bootstrap.h"
#include "ngx_pki_ca.h"
#include "ngx_pki_file.h"


/* milliseconds */

#define NGX_PKI_AUTHORITY_RETRY   500      /* until Redis has answered */
#define NGX_PKI_AUTHORITY_AGAIN   30000    /* afterwards */
#define NGX_PKI_AUTHORITY_WAIT    50       /* is another worker ready? */
#define NGX_PKI_AUTHORITY_TICK    1000     /* has Redis lost changes? */


static void ngx_pki_authority_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_pki_authority_is_due(ngx_pki_authority_t *a);
static void ngx_pki_authority_later(ngx_pki_authority_t *a, ngx_msec_t delay);
static ngx_int_t ngx_pki_authority_register(ngx_pki_authority_t *a,
    ngx_log_t *log);
static ngx_int_t ngx_pki_authority_tell(ngx_pki_authority_t *a,
    ngx_pki_store_job_t *job);
static void ngx_pki_authority_register_handler(ngx_pki_store_job_t *job);
static void ngx_pki_authority_found(ngx_pki_authority_t *a,
    ngx_pki_store_job_t *job);
static ngx_int_t ngx_pki_authority_adopt(ngx_pki_authority_t *a,
    ngx_pki_store_job_t *job);
static void ngx_pki_authority_copy(ngx_pki_authority_t *a,
    ngx_pki_store_job_t *job);
static void ngx_pki_authority_not_found(ngx_pki_authority_t *a,
    ngx_pki_store_job_t *job);
static ngx_int_t ngx_pki_authority_settle(ngx_pki_authority_t *a,
    ngx_pki_store_job_t *job);


ngx_int_t
ngx_pki_authority_start(ngx_pki_authority_t *a, ngx_log_t *log)
{
    if (a->key->start != NULL && a->key->start(a->key, log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (a->vault != NULL && ngx_pki_bootstrap_start(a, log) != NGX_OK) {
        return NGX_ERROR;
    }

    a->timer.handler = ngx_pki_authority_timer_handler;
    a->timer.data = a;
    a->timer.log = log;
    a->timer.cancelable = 1;

    a->again_at = ngx_current_msec;

    ngx_add_timer(&a->timer, 1);

    return NGX_OK;
}


void
ngx_pki_authority_stop(ngx_pki_authority_t *a)
{
    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }
}


void
ngx_pki_authority_again(ngx_pki_authority_t *a)
{
    if (ngx_exiting) {
        return;
    }

    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }

    a->again_at = ngx_current_msec;

    ngx_add_timer(&a->timer, 1);
}


static void
ngx_pki_authority_timer_handler(ngx_event_t *ev)
{
    ngx_pki_authority_t  *a;

    a = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (a->settled && a->vault != NULL) {
        ngx_pki_key_vault_revive(a->key, a->md, a->pss, a->timer.log);
    }

    if (a->registration == NULL && ngx_pki_authority_is_due(a)) {

        ngx_pki_authority_later(a, NGX_PKI_AUTHORITY_RETRY);

        if (ngx_pki_authority_register(a, ev->log) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                          "authority \"%V\": cannot be registered", &a->name);
        }
    }

    ngx_add_timer(&a->timer, a->settled ? NGX_PKI_AUTHORITY_TICK
                                        : NGX_PKI_AUTHORITY_WAIT);
}


/* at its time, or as soon as another worker, or the log, tells something new */

static ngx_uint_t
ngx_pki_authority_is_due(ngx_pki_authority_t *a)
{
    ngx_uint_t            news;
    ngx_pki_zone_slot_t  *slot;

    slot = a->store.slot;

    news = (a->epoch != slot->epoch || a->state != slot->state);

    a->epoch = slot->epoch;
    a->state = slot->state;

    return news || (ngx_msec_int_t) (a->again_at - ngx_current_msec) <= 0;
}


static void
ngx_pki_authority_later(ngx_pki_authority_t *a, ngx_msec_t delay)
{
    a->again_at = ngx_current_msec + delay + ngx_random() % (delay / 5);
}


static ngx_int_t
ngx_pki_authority_register(ngx_pki_authority_t *a, ngx_log_t *log)
{
    ngx_pki_op_t         *op;
    ngx_pki_store_job_t  *job;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->authority = a->name;
    ngx_pki_op_action(op, "registering the authority");

    /* it is tried again and again: one message an outage */

    if (a->silent) {
        op->log->log_level = NGX_LOG_CRIT;
    }

    job = ngx_pcalloc(op->pool, sizeof(ngx_pki_store_job_t));

    if (job == NULL) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    job->op = op;
    job->store = &a->store;
    job->handler = ngx_pki_authority_register_handler;
    job->data = a;

    if (ngx_pki_authority_tell(a, job) != NGX_OK) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    a->registration = job;

    ngx_pki_store_register(job);

    return NGX_OK;
}


/*
 * Nothing is told before the key is known to be that of the certificate; of
 * shards what is known here, for Redis may have lost that.
 */

static ngx_int_t
ngx_pki_authority_tell(ngx_pki_authority_t *a, ngx_pki_store_job_t *job)
{
    if (a->vault != NULL && !ngx_pki_bootstrap_checked(a)) {
        return NGX_OK;
    }

    job->certificate = a->der;
    job->shards = ngx_max(a->crl_shards, a->store.crl->shards);

    return ngx_pki_bootstrap_key_id(a, job->op->pool, &job->key_id);
}


static void
ngx_pki_authority_register_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_authority_t  *a;

    a = job->data;

    a->registration = NULL;
    a->settled = 0;
    a->silent = (job->result == NGX_PKI_STORE_UNAVAILABLE);

    if (!a->silent) {
        job->op->log->log_level = a->timer.log->log_level;
    }

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_pki_authority_found(a, job);
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_pki_authority_not_found(a, job);
        break;

    default:

        /* a replica, or a user without the rights: the connection is well */

        if (job->command.refused) {
            ngx_pki_authority_waits(a, NULL, 0,
                                    "waiting for redis, which refuses: %V",
                                    &job->command.error);
        }
    }

    ngx_pki_op_destroy(job->op);
}


static void
ngx_pki_authority_found(ngx_pki_authority_t *a, ngx_pki_store_job_t *job)
{
    if (a->certificate == NULL && ngx_pki_authority_adopt(a, job) != NGX_OK) {
        return;
    }

    if (job->certificate.len != a->der.len
        || ngx_memcmp(job->certificate.data, a->der.data, a->der.len) != 0)
    {
        ngx_pki_authority_unhealthy(a, job->op->log, &job->certificate);
        return;
    }

    ngx_pki_crl_raise(&a->store.crl->shards, job->shards);

    if (a->vault != NULL && ngx_pki_authority_settle(a, job) != NGX_OK) {
        return;
    }

    ngx_pki_authority_ready(a, job->op->log);

    a->settled = 1;

    ngx_pki_authority_later(a, NGX_PKI_AUTHORITY_AGAIN);
}


static ngx_int_t
ngx_pki_authority_adopt(ngx_pki_authority_t *a, ngx_pki_store_job_t *job)
{
    X509                 *x509;
    const char           *error;
    const unsigned char  *p;

    p = job->certificate.data;
    x509 = d2i_X509(NULL, &p, job->certificate.len);

    if (x509 == NULL) {
        ERR_clear_error();
        error = "is malformed";

    } else {
        error = ngx_pki_authority_take(a, ngx_cycle->pool, x509);
    }

    if (error != NULL) {
        ngx_pki_authority_waits(a, job->op->log, NGX_LOG_ERR,
                                "the certificate of this authority in redis "
                                "%s", error);
        return NGX_ERROR;
    }

    error = a->scep ? ngx_pki_authority_scep_trouble(a) : NULL;

    if (error != NULL) {
        ngx_log_error(NGX_LOG_WARN, job->op->log, 0,
                      "the authority cannot serve scep: %s", error);
    }

    ngx_pki_authority_copy(a, job);

    return NGX_OK;
}


/* for people, and for the next start; Redis has the one that counts */

static void
ngx_pki_authority_copy(ngx_pki_authority_t *a, ngx_pki_store_job_t *job)
{
    ngx_int_t         rc;
    ngx_str_t         error;
    ngx_uint_t        level;
    ngx_pki_ca_job_t  ca;

    ngx_memzero(&ca, sizeof(ngx_pki_ca_job_t));

    ca.authority = a;
    ca.der = a->der;

    rc = ngx_pki_ca_write(&ca, job->op->pool, &error);

    if (rc == NGX_ERROR) {
        level = ngx_pki_zone_leads(a->store.zone) ? NGX_LOG_WARN : NGX_LOG_INFO;

        ngx_log_error(level, job->op->log, 0,
                      "no copy of the certificate could be written: %V",
                      &error);
    }
}


static void
ngx_pki_authority_not_found(ngx_pki_authority_t *a, ngx_pki_store_job_t *job)
{
    ngx_log_t  *log;

    /* the operation's goes with it */
    log = a->timer.log;

    if (a->vault == NULL) {
        ngx_pki_authority_waits(a, job->op->log, NGX_LOG_NOTICE,
                                "waiting for the certificate of the request "
                                "\"%V\": put it into \"%V\" and reload",
                                &a->csr_file, &a->certificate_file);

    } else if (a->certificate != NULL) {
        ngx_pki_bootstrap_check(a, log);

    } else if (a->create.type != 0 || a->csr_file.len != 0) {
        ngx_pki_bootstrap_make(a, log);

    } else {
        ngx_pki_authority_waits(a, job->op->log, NGX_LOG_ERR,
                                "there is no certificate \"%V\", nor one in "
                                "redis; \"create\" would make one",
                                &a->certificate_file);
    }
}


/*
 * The version of the vault's key.  The authority may serve as soon as it is
 * known; that the vault still has this key is asked for all the same.
 */

static ngx_int_t
ngx_pki_authority_settle(ngx_pki_authority_t *a, ngx_pki_store_job_t *job)
{
    if (ngx_pki_bootstrap_checked(a)) {
        return NGX_OK;
    }

    if (job->key_id.len != 0
        && ngx_pki_bootstrap_pin(a, job->op->pool, &job->key_id)
           == NGX_DECLINED)
    {
        ngx_pki_authority_waits(a, job->op->log, NGX_LOG_ERR,
                                "the key of this authority is \"%V\" in redis, "
                                "but \"%V\" here", &job->key_id,
                                &a->vault->text);
        return NGX_ERROR;
    }

    ngx_pki_bootstrap_check(a, a->timer.log);

    /* perhaps another worker has found that the key is another one */

    if (ngx_pki_authority_is_unhealthy(a)) {
        return NGX_ERROR;
    }

    return (a->vault->version.len != 0) ? NGX_OK : NGX_ERROR;
}

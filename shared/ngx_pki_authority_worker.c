
/*
 * Copyright (C) the ngx_pki authors
 *
 * Authorities in a worker: whether they may serve.  The certificate that
 * Redis has is that of the authority; a node with another one must not issue.
 */


#include "ngx_pki_authority.h"


#define NGX_PKI_AUTHORITY_RETRY   500      /* until Redis has answered */
#define NGX_PKI_AUTHORITY_AGAIN   30000    /* afterwards */


static void ngx_pki_authority_timer_handler(ngx_event_t *ev);
static void ngx_pki_authority_schedule(ngx_pki_authority_t *a,
    ngx_msec_t delay);
static ngx_int_t ngx_pki_authority_register(ngx_pki_authority_t *a,
    ngx_log_t *log);
static void ngx_pki_authority_register_handler(ngx_pki_store_job_t *job);
static void ngx_pki_authority_refused(ngx_pki_authority_t *a,
    ngx_str_t *error);
static void ngx_pki_authority_unhealthy(ngx_pki_authority_t *a,
    ngx_pki_op_t *op, ngx_str_t *registered);
static ngx_uint_t ngx_pki_authority_is(ngx_pki_authority_t *a,
    ngx_uint_t state);


static ngx_str_t  ngx_pki_authority_waiting =
    ngx_string("waiting for redis");
static ngx_str_t  ngx_pki_authority_expired =
    ngx_string("the certificate of the authority has expired");


ngx_int_t
ngx_pki_authority_start(ngx_pki_authority_t *a, ngx_log_t *log)
{
    if (a->key->start != NULL && a->key->start(a->key, log) != NGX_OK) {
        return NGX_ERROR;
    }

    a->timer.handler = ngx_pki_authority_timer_handler;
    a->timer.data = a;
    a->timer.log = log;
    a->timer.cancelable = 1;

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


ngx_str_t *
ngx_pki_authority_trouble(ngx_pki_authority_t *a)
{
    ngx_pki_zone_slot_t  *slot;

    slot = a->store.slot;

    if (slot == NULL) {
        return &ngx_pki_authority_waiting;
    }

    if (ngx_pki_authority_is(a, NGX_PKI_ZONE_UNHEALTHY)) {

        /* perhaps found by another worker */

        a->trouble.data = a->trouble_text;
        a->trouble.len = ngx_cpystrn(a->trouble_text, slot->text,
                                     sizeof(a->trouble_text))
                         - a->trouble_text;

        return &a->trouble;
    }

    if (!ngx_pki_authority_is(a, NGX_PKI_ZONE_READY)) {
        return a->refused ? &a->trouble : &ngx_pki_authority_waiting;
    }

    if (ngx_time() > a->not_after) {
        return &ngx_pki_authority_expired;
    }

    return NULL;
}


static void
ngx_pki_authority_timer_handler(ngx_event_t *ev)
{
    ngx_pki_authority_t  *a;

    a = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (a->registration == NULL
        && ngx_pki_authority_register(a, ev->log) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "authority \"%V\": cannot be registered", &a->name);
    }

    /* the answer may set another time */

    ngx_pki_authority_schedule(a, NGX_PKI_AUTHORITY_RETRY);
}


static void
ngx_pki_authority_schedule(ngx_pki_authority_t *a, ngx_msec_t delay)
{
    if (ngx_exiting) {
        return;
    }

    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }

    ngx_add_timer(&a->timer, delay + ngx_random() % (delay / 5));
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
    job->certificate = a->der;
    job->handler = ngx_pki_authority_register_handler;
    job->data = a;

    a->registration = job;

    ngx_pki_store_register(job);

    return NGX_OK;
}


static void
ngx_pki_authority_register_handler(ngx_pki_store_job_t *job)
{
    ngx_str_t             none;
    ngx_pki_authority_t  *a;

    a = job->data;

    a->registration = NULL;
    a->silent = (job->result != NGX_PKI_STORE_OK);

    if (job->result == NGX_PKI_STORE_OK) {

        job->op->log->log_level = a->timer.log->log_level;

        if (job->certificate.len == a->der.len
            && ngx_memcmp(job->certificate.data, a->der.data, a->der.len) == 0)
        {
            if (!ngx_pki_authority_is(a, NGX_PKI_ZONE_READY)) {
                ngx_str_null(&none);
                ngx_pki_zone_set_state(a->store.zone, a->store.slot,
                                       NGX_PKI_ZONE_READY, a->fingerprint,
                                       &none);

                ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                              "authority is ready");
            }

            ngx_pki_authority_schedule(a, NGX_PKI_AUTHORITY_AGAIN);

        } else {
            ngx_pki_authority_unhealthy(a, job->op, &job->certificate);
            ngx_pki_authority_schedule(a, NGX_PKI_AUTHORITY_RETRY);
        }

    } else if (job->command.refused) {
        ngx_pki_authority_refused(a, &job->command.error);
    }

    ngx_pki_op_destroy(job->op);
}


/* a replica, or a user without the rights: the connection itself is well */

static void
ngx_pki_authority_refused(ngx_pki_authority_t *a, ngx_str_t *error)
{
    u_char  *p;

    p = ngx_snprintf(a->trouble_text, sizeof(a->trouble_text),
                     "waiting for redis, which refuses: %V", error);

    a->trouble.data = a->trouble_text;
    a->trouble.len = p - a->trouble_text;
    a->refused = 1;
}


static void
ngx_pki_authority_unhealthy(ngx_pki_authority_t *a, ngx_pki_op_t *op,
    ngx_str_t *registered)
{
    u_char     *p, hex[2 * 32], digest[EVP_MAX_MD_SIZE];
    ngx_str_t   theirs;

    if (ngx_pki_authority_is(a, NGX_PKI_ZONE_UNHEALTHY)) {
        return;
    }

    if (EVP_Digest(registered->data, registered->len, digest, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        ERR_clear_error();
        return;
    }

    theirs.len = ngx_hex_dump(hex, digest, 32) - hex;
    theirs.data = hex;

    p = ngx_snprintf(a->trouble_text, sizeof(a->trouble_text),
                     "redis has another certificate of this authority "
                     "(SHA-256 %V): use its key and certificate here, or "
                     "another \"prefix\"", &theirs);

    a->trouble.data = a->trouble_text;
    a->trouble.len = p - a->trouble_text;

    ngx_log_error(NGX_LOG_ERR, op->log, 0, "%V", &a->trouble);

    ngx_pki_zone_set_state(a->store.zone, a->store.slot,
                           NGX_PKI_ZONE_UNHEALTHY, a->fingerprint,
                           &a->trouble);
}


/* the slot survives reloads: it speaks of this certificate, or of another */

static ngx_uint_t
ngx_pki_authority_is(ngx_pki_authority_t *a, ngx_uint_t state)
{
    ngx_pki_zone_slot_t  *slot;

    slot = a->store.slot;

    return slot->state == state
           && ngx_memcmp(slot->fingerprint, a->fingerprint, 32) == 0;
}

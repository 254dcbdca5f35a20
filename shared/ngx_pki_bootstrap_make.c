
/*
 * Copyright (C) the ngx_pki authors
 *
 * One worker of the whole cluster makes an authority: a key in the vault, and
 * its certificate, or the request for one.
 */


#include "ngx_pki_bootstrap_job.h"


/* a vault may need a moment until a key that it has just made can sign */

#define NGX_PKI_BOOTSTRAP_TRIALS       20
#define NGX_PKI_BOOTSTRAP_TRIAL_DELAY  500

/* other nodes tell an empty Redis their certificate within a second or two */

#define NGX_PKI_BOOTSTRAP_PATIENCE     3000


static void ngx_pki_bootstrap_lock_handler(ngx_pki_store_job_t *store);
static void ngx_pki_bootstrap_look(ngx_pki_bootstrap_job_t *job);
static void ngx_pki_bootstrap_look_handler(ngx_pki_store_job_t *store);
static void ngx_pki_bootstrap_get_handler(ngx_pki_vault_call_t *call);
static void ngx_pki_bootstrap_wait(ngx_pki_bootstrap_job_t *job,
    ngx_msec_t delay, ngx_event_handler_pt handler);
static void ngx_pki_bootstrap_again_handler(ngx_event_t *ev);
static void ngx_pki_bootstrap_create(ngx_pki_bootstrap_job_t *job);
static ngx_int_t ngx_pki_bootstrap_compare(ngx_pki_bootstrap_job_t *job);
static void ngx_pki_bootstrap_try(ngx_pki_bootstrap_job_t *job);
static void ngx_pki_bootstrap_try_handler(ngx_pki_vault_call_t *call);
static void ngx_pki_bootstrap_timer_handler(ngx_event_t *ev);
static void ngx_pki_bootstrap_certify(ngx_pki_bootstrap_job_t *job);
static void ngx_pki_bootstrap_certify_handler(ngx_pki_ca_job_t *ca);
static void ngx_pki_bootstrap_request(ngx_pki_bootstrap_job_t *job);
static void ngx_pki_bootstrap_register(ngx_pki_bootstrap_job_t *job);
static void ngx_pki_bootstrap_register_handler(ngx_pki_store_job_t *store);
static void ngx_pki_bootstrap_unlock(ngx_pki_bootstrap_job_t *job,
    ngx_int_t rc);
static void ngx_pki_bootstrap_unlock_handler(ngx_pki_store_job_t *store);


void
ngx_pki_bootstrap_make(ngx_pki_authority_t *a, ngx_log_t *log)
{
    ngx_pki_bootstrap_job_t  *job;

    if (a->bootstrap->requested) {
        return;
    }

    job = ngx_pki_bootstrap_begin(a, log, "making the authority");

    if (job != NULL) {
        job->store.handler = ngx_pki_bootstrap_lock_handler;

        ngx_pki_store_lock(&job->store);
    }
}


static void
ngx_pki_bootstrap_lock_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_bootstrap_job_t  *job;

    job = store->data;

    if (store->result != NGX_PKI_STORE_OK) {

        /* another one is at it: its certificate will be found */

        ngx_pki_bootstrap_done(job, NGX_BUSY);
        return;
    }

    ngx_pki_bootstrap_look(job);
}


static void
ngx_pki_bootstrap_look(ngx_pki_bootstrap_job_t *job)
{
    ngx_pki_store_job_t  *store;

    store = &job->store;

    ngx_str_null(&store->certificate);
    ngx_str_null(&store->key_id);

    store->handler = ngx_pki_bootstrap_look_handler;

    ngx_pki_store_register(store);
}


static void
ngx_pki_bootstrap_look_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_bootstrap_job_t  *job;

    job = store->data;

    if (store->result != NGX_PKI_STORE_NOT_FOUND) {
        ngx_pki_bootstrap_unlock(job, NGX_AGAIN);
        return;
    }

    if (job->found) {
        ngx_log_error(NGX_LOG_WARN, job->op->log, 0,
                      "the vault has the key \"%V\" already, and redis no "
                      "certificate of it: one is made",
                      &job->authority->vault->text);

        ngx_pki_bootstrap_try(job);
        return;
    }

    ngx_pki_op_action(job->op, "making the authority");

    job->call.operation = NGX_PKI_VAULT_GET;
    job->call.quiet = (job->authority->create.type != 0);
    job->call.handler = ngx_pki_bootstrap_get_handler;

    ngx_pki_vault_call(&job->call);
}


static void
ngx_pki_bootstrap_get_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_authority_t      *a;
    ngx_pki_bootstrap_job_t  *job;

    job = call->data;
    a = job->authority;

    /* a version that is not there must not make another one */

    if (call->result == NGX_PKI_VAULT_NOT_FOUND && a->create.type != 0
        && a->vault->version.len == 0
        && call->operation == NGX_PKI_VAULT_GET)
    {
        ngx_pki_bootstrap_create(job);
        return;
    }

    if (call->result != NGX_PKI_VAULT_OK) {
        ngx_pki_bootstrap_trouble(job);
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);
        return;
    }

    if (ngx_pki_bootstrap_compare(job) != NGX_OK
        || ngx_pki_bootstrap_pin_version(a, call->public_key, &call->version)
           != NGX_OK)
    {
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);
        return;
    }

    ngx_pki_bootstrap_suitable(a, call, job->op->log);

    if (call->operation == NGX_PKI_VAULT_CREATE) {
        ngx_pki_bootstrap_try(job);
        return;
    }

    /*
     * Perhaps Redis has forgotten a certificate that other nodes still have and
     * will tell it of.
     */

    job->found = 1;

    ngx_pki_bootstrap_wait(job, NGX_PKI_BOOTSTRAP_PATIENCE,
                           ngx_pki_bootstrap_again_handler);
}


static void
ngx_pki_bootstrap_wait(ngx_pki_bootstrap_job_t *job, ngx_msec_t delay,
    ngx_event_handler_pt handler)
{
    job->timer.handler = handler;
    job->timer.data = job;
    job->timer.log = job->op->log;

    ngx_add_timer(&job->timer, delay);
}


static void
ngx_pki_bootstrap_again_handler(ngx_event_t *ev)
{
    ngx_pki_bootstrap_job_t  *job;

    job = ev->data;

    ngx_pki_bootstrap_look(job);
}


static void
ngx_pki_bootstrap_create(ngx_pki_bootstrap_job_t *job)
{
    ngx_pki_vault_call_t  *call;

    call = &job->call;

    call->operation = NGX_PKI_VAULT_CREATE;
    call->quiet = 0;
    call->spec = job->authority->create;

    if (call->spec.type == NGX_PKI_KEY_RSA) {
        ngx_str_set(&call->key_ops, "[\"sign\",\"unwrapKey\"]");

    } else {
        ngx_str_set(&call->key_ops, "[\"sign\"]");
    }

    ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                  "making the key \"%V\" in the vault",
                  &job->authority->vault->text);

    ngx_pki_vault_call(call);
}


/* a key that is there already has to be what "create" says */

static ngx_int_t
ngx_pki_bootstrap_compare(ngx_pki_bootstrap_job_t *job)
{
    ngx_pki_key_spec_t    spec;
    ngx_pki_authority_t  *a;

    a = job->authority;

    if (ngx_pki_key_describe(job->call.public_key, &spec) == NGX_OK
        && (a->create.type == 0
            || (spec.type == a->create.type && spec.bits == a->create.bits)))
    {
        return NGX_OK;
    }

    ngx_pki_authority_waits(a, job->op->log, NGX_LOG_ERR,
                            "the vault has a key \"%V\" already, which is not "
                            "what \"create\" says", &a->vault->text);

    return NGX_ERROR;
}


/* a signature nobody needs: it tells whether the key works by now */

static void
ngx_pki_bootstrap_try(ngx_pki_bootstrap_job_t *job)
{
    const char            *error;
    ngx_pki_key_job_t     *trial;
    ngx_pki_authority_t   *a;
    ngx_pki_vault_call_t  *call;

    a = job->authority;
    call = &job->call;
    trial = &job->trial;

    error = ngx_pki_authority_digest(a, &a->key->spec);

    if (error != NULL) {
        ngx_pki_authority_waits(a, job->op->log, NGX_LOG_ERR,
                                "the key \"%V\" of the vault %s",
                                &a->vault->text, error);
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);
        return;
    }

    trial->op = job->op;
    trial->key = a->key;
    trial->md = a->md;
    trial->pss = a->pss;
    trial->data = job;

    if (ngx_pki_ca_digest(job->op->pool, a->md, &a->name, &trial->input)
        != NGX_OK)
    {
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);
        return;
    }

    call->operation = NGX_PKI_VAULT_SIGN;
    call->trial = 1;
    call->alg = *ngx_pki_key_vault_algorithm(&a->key->spec, a->md, a->pss);
    call->input = trial->input;
    call->check = ngx_pki_key_vault_check;
    call->handler = ngx_pki_bootstrap_try_handler;
    call->data = trial;

    job->trials++;

    ngx_pki_vault_call(call);
}


static void
ngx_pki_bootstrap_try_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_key_job_t        *trial;
    ngx_pki_bootstrap_job_t  *job;

    trial = call->data;
    job = trial->data;

    if (call->result == NGX_PKI_VAULT_OK) {
        ngx_pki_bootstrap_certify(job);
        return;
    }

    if (job->trials == NGX_PKI_BOOTSTRAP_TRIALS || ngx_exiting) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "the key \"%V\" of the vault does not sign: %V",
                      &job->authority->vault->text, &call->error);
        ngx_pki_bootstrap_trouble(job);
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);
        return;
    }

    ngx_pki_bootstrap_wait(job, NGX_PKI_BOOTSTRAP_TRIAL_DELAY,
                           ngx_pki_bootstrap_timer_handler);
}


static void
ngx_pki_bootstrap_timer_handler(ngx_event_t *ev)
{
    ngx_pki_bootstrap_try(ev->data);
}


static void
ngx_pki_bootstrap_certify(ngx_pki_bootstrap_job_t *job)
{
    ngx_pki_ca_job_t  *ca;

    ca = &job->ca;

    ca->op = job->op;
    ca->authority = job->authority;
    ca->request = (job->authority->csr_file.len != 0);
    ca->handler = ngx_pki_bootstrap_certify_handler;
    ca->data = job;

    ngx_pki_ca_make(ca);
}


static void
ngx_pki_bootstrap_certify_handler(ngx_pki_ca_job_t *ca)
{
    ngx_pki_bootstrap_job_t  *job;

    job = ca->data;

    if (ca->rc != NGX_OK) {
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);

    } else if (ca->request) {
        ngx_pki_bootstrap_request(job);

    } else {
        ngx_pki_bootstrap_register(job);
    }
}


/* Another node's request is as good: it is of the same key and name. */

static void
ngx_pki_bootstrap_request(ngx_pki_bootstrap_job_t *job)
{
    ngx_int_t             rc;
    ngx_str_t             error;
    ngx_pki_authority_t  *a;

    a = job->authority;

    rc = ngx_pki_ca_write(&job->ca, job->op->pool, &error);

    if (rc == NGX_ERROR) {
        ngx_pki_authority_waits(a, job->op->log, NGX_LOG_ERR,
                                "the certificate request cannot be written, "
                                "its directory must be the workers': %V",
                                &error);
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);
        return;
    }

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                      "made the certificate request \"%V\"", &a->csr_file);
    }

    ngx_pki_authority_waits(a, job->op->log, NGX_LOG_NOTICE,
                            "waiting for the certificate of the request "
                            "\"%V\": put it into \"%V\" and reload",
                            &a->csr_file, &a->certificate_file);

    job->bootstrap->requested = 1;

    ngx_pki_bootstrap_unlock(job, NGX_AGAIN);
}


static void
ngx_pki_bootstrap_register(ngx_pki_bootstrap_job_t *job)
{
    ngx_pki_store_job_t  *store;

    store = &job->store;

    store->certificate = job->ca.der;
    store->handler = ngx_pki_bootstrap_register_handler;

    if (ngx_pki_bootstrap_key_id(job->authority, job->op->pool, &store->key_id)
        != NGX_OK)
    {
        ngx_pki_bootstrap_unlock(job, NGX_ERROR);
        return;
    }

    ngx_pki_store_register(store);
}


static void
ngx_pki_bootstrap_register_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_bootstrap_job_t  *job;

    job = store->data;

    if (store->result == NGX_PKI_STORE_OK) {
        ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                      "made the certificate of the authority");
    }

    /* it is taken from Redis like anybody else's */

    ngx_pki_bootstrap_unlock(job, NGX_AGAIN);
}


static void
ngx_pki_bootstrap_unlock(ngx_pki_bootstrap_job_t *job, ngx_int_t rc)
{
    job->rc = rc;
    job->store.handler = ngx_pki_bootstrap_unlock_handler;

    ngx_pki_store_unlock(&job->store);
}


static void
ngx_pki_bootstrap_unlock_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_bootstrap_job_t  *job;

    job = store->data;

    ngx_pki_bootstrap_done(job, job->rc);
}

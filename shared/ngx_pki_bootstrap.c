
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_bootstrap_job.h"


#define NGX_PKI_BOOTSTRAP_BACKOFF      1000    /* doubled after a failure */
#define NGX_PKI_BOOTSTRAP_MAX_BACKOFF  30000


static ngx_int_t ngx_pki_bootstrap_recall(ngx_pki_authority_t *a);
static void ngx_pki_bootstrap_check_handler(ngx_pki_vault_call_t *call);
static ngx_uint_t ngx_pki_bootstrap_allows(ngx_str_t *operations,
    const char *operation);


ngx_int_t
ngx_pki_bootstrap_start(ngx_pki_authority_t *a, ngx_log_t *log)
{
    a->bootstrap = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_pki_bootstrap_t));

    if (a->bootstrap == NULL) {
        return NGX_ERROR;
    }

    a->bootstrap->authority = a;

    if (ngx_pki_vault_start(a->vault, a->https, a->store.zone, log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_bootstrap_recall(a);
}


/* behind a reload a certificate is issued at once, not after Redis's answer */

static ngx_int_t
ngx_pki_bootstrap_recall(ngx_pki_authority_t *a)
{
    ngx_str_t             version;
    ngx_pki_zone_slot_t  *slot;

    slot = a->store.slot;

    version.data = slot->key_version;
    version.len = ngx_strlen(version.data);

    if (version.len == 0
        || a->certificate == NULL
        || a->vault->version.len != 0
        || slot->state != NGX_PKI_ZONE_READY
        || ngx_memcmp(slot->fingerprint, a->fingerprint, 32) != 0)
    {
        return NGX_OK;
    }

    return ngx_pki_key_vault_pin(a->key, ngx_cycle->pool, a->key->public_key,
                                 &version);
}


ngx_int_t
ngx_pki_bootstrap_pin_version(ngx_pki_authority_t *a, EVP_PKEY *public_key,
    ngx_str_t *version)
{
    ngx_pki_zone_set_key_version(a->store.zone, a->store.slot, version);

    return ngx_pki_key_vault_pin(a->key, ngx_cycle->pool, public_key, version);
}


ngx_uint_t
ngx_pki_bootstrap_checked(ngx_pki_authority_t *a)
{
    return a->bootstrap->checked;
}


ngx_int_t
ngx_pki_bootstrap_pin(ngx_pki_authority_t *a, ngx_pool_t *pool,
    ngx_str_t *key_id)
{
    ngx_pki_vault_key_t  key;

    ngx_memzero(&key, sizeof(ngx_pki_vault_key_t));

    if (ngx_pki_vault_parse(pool, key_id, &key) != NULL
        || key.version.len == 0
        || key.name.len != a->vault->name.len
        || ngx_strncasecmp(key.name.data, a->vault->name.data, key.name.len)
           != 0
        || (a->vault->version.len != 0
            && (key.version.len != a->vault->version.len
                || ngx_strncasecmp(key.version.data, a->vault->version.data,
                                   key.version.len)
                   != 0)))
    {
        return NGX_DECLINED;
    }

    /* something new to ask the vault for */

    if (a->vault->version.len == 0) {
        a->bootstrap->backoff = 0;
    }

    return ngx_pki_bootstrap_pin_version(a, a->key->public_key, &key.version);
}


ngx_int_t
ngx_pki_bootstrap_key_id(ngx_pki_authority_t *a, ngx_pool_t *pool,
    ngx_str_t *key_id)
{
    u_char               *p;
    ngx_pki_vault_key_t  *vk;

    vk = a->vault;

    if (vk == NULL || vk->version.len == 0) {
        ngx_str_null(key_id);
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, vk->url.text.len + vk->name.len + vk->version.len
                          + sizeof("/keys//"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    key_id->data = p;
    key_id->len = ngx_sprintf(p, "%V/keys/%V/%V", &vk->url.text, &vk->name,
                              &vk->version)
                  - p;

    return NGX_OK;
}


ngx_pki_bootstrap_job_t *
ngx_pki_bootstrap_begin(ngx_pki_authority_t *a, ngx_log_t *log,
    const char *action)
{
    ngx_pki_op_t             *op;
    ngx_pki_bootstrap_t      *b;
    ngx_pki_bootstrap_job_t  *job;

    b = a->bootstrap;

    if (b->busy
        || (b->backoff != 0
            && (ngx_msec_int_t) (b->again_at - ngx_current_msec) > 0))
    {
        return NULL;
    }

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return NULL;
    }

    op->authority = a->name;
    ngx_pki_op_action(op, action);

    job = ngx_pcalloc(op->pool, sizeof(ngx_pki_bootstrap_job_t));

    if (job == NULL) {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    job->bootstrap = b;
    job->op = op;
    job->authority = a;

    job->store.op = op;
    job->store.store = &a->store;
    job->store.data = job;
    ngx_str_set(&job->store.lock, "ca");

    /* get, create, trials, sign */
    job->store.lock_time = 4 * a->vault->conf->budget;

    job->call.op = op;
    job->call.key = a->vault;
    job->call.data = job;

    b->busy = 1;

    return job;
}


void
ngx_pki_bootstrap_check(ngx_pki_authority_t *a, ngx_log_t *log)
{
    ngx_pki_bootstrap_job_t  *job;

    job = ngx_pki_bootstrap_begin(a, log, "looking at the key in the vault");

    if (job != NULL) {
        job->call.operation = NGX_PKI_VAULT_GET;
        job->call.handler = ngx_pki_bootstrap_check_handler;

        ngx_pki_vault_call(&job->call);
    }
}


static void
ngx_pki_bootstrap_check_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_authority_t      *a;
    ngx_pki_bootstrap_job_t  *job;

    job = call->data;
    a = job->authority;

    if (call->result != NGX_PKI_VAULT_OK) {
        ngx_pki_bootstrap_trouble(job);
        ngx_pki_bootstrap_done(job, NGX_ERROR);
        return;
    }

    if (EVP_PKEY_eq(call->public_key, a->key->public_key) != 1) {
        ERR_clear_error();

        ngx_pki_authority_waits(a, job->op->log, NGX_LOG_ERR,
                                "the key \"%V\" of the vault, version \"%V\", "
                                "is not that of the certificate",
                                &a->vault->text, &call->version);

        /* also if it serves already, by the version that Redis knew */

        ngx_pki_zone_set_state(a->store.zone, a->store.slot,
                               NGX_PKI_ZONE_UNHEALTHY, a->fingerprint,
                               &a->trouble);

        ngx_pki_bootstrap_done(job, NGX_ERROR);
        return;
    }

    if (ngx_pki_bootstrap_pin_version(a, call->public_key, &call->version)
        != NGX_OK)
    {
        ngx_pki_bootstrap_done(job, NGX_ERROR);
        return;
    }

    ngx_pki_bootstrap_suitable(a, call, job->op->log);

    job->bootstrap->checked = 1;

    ngx_pki_bootstrap_done(job, NGX_OK);
}


/* what an administrator wants to know before the first device comes */

void
ngx_pki_bootstrap_suitable(ngx_pki_authority_t *a, ngx_pki_vault_call_t *call,
    ngx_log_t *log)
{
    ngx_uint_t   unwraps;
    const char  *missing;

    unwraps = (a->key->spec.type == NGX_PKI_KEY_RSA
               && (a->ra_mode == NGX_PKI_RA_OFF
                   || a->ra_mode == NGX_PKI_RA_AUTO));

    if (!call->enabled) {
        missing = "is disabled";

    } else if (!ngx_pki_bootstrap_allows(&call->key_operations, "sign")) {
        missing = "does not permit the operation \"sign\": nothing can be "
                  "issued";

    } else if (unwraps
               && !ngx_pki_bootstrap_allows(&call->key_operations,
                                            "unwrapKey"))
    {
        missing = "does not permit the operation \"unwrapKey\", which SCEP "
                  "needs";

    } else if (call->not_before > ngx_time()
               || (call->expires != 0 && call->expires < ngx_time()))
    {
        missing = "is outside the time in which it may be used";

    } else {
        ngx_str_null(&a->warning);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, log, 0, "the key \"%V\" of the vault %s",
                  &a->vault->text, missing);

    a->warning.data = (u_char *) missing;
    a->warning.len = ngx_strlen(missing);
}


/* "sign,unwrapKey" */

static ngx_uint_t
ngx_pki_bootstrap_allows(ngx_str_t *operations, const char *operation)
{
    size_t   len;
    u_char  *p, *last, *comma;

    len = ngx_strlen(operation);
    last = operations->data + operations->len;

    for (p = operations->data; p < last; p = comma + 1) {

        comma = ngx_strlchr(p, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        if ((size_t) (comma - p) == len && ngx_memcmp(p, operation, len) == 0) {
            return 1;
        }
    }

    return 0;
}


void
ngx_pki_bootstrap_trouble(ngx_pki_bootstrap_job_t *job)
{
    ngx_pki_authority_waits(job->authority, NULL, 0, "key vault: %V",
                            &job->call.error);
}


void
ngx_pki_bootstrap_done(ngx_pki_bootstrap_job_t *job, ngx_int_t rc)
{
    ngx_pki_authority_t  *a;
    ngx_pki_bootstrap_t  *b;

    a = job->authority;
    b = job->bootstrap;

    b->busy = 0;

    if (rc == NGX_ERROR) {
        b->backoff = ngx_min(ngx_max(2 * b->backoff,
                                     NGX_PKI_BOOTSTRAP_BACKOFF),
                             NGX_PKI_BOOTSTRAP_MAX_BACKOFF);
        b->again_at = ngx_current_msec + b->backoff;

    } else {
        b->backoff = 0;
    }

    ngx_pki_op_destroy(job->op);

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        ngx_pki_authority_again(a);
    }
}

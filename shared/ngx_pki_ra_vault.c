
/*
 * Copyright (C) the ngx_pki authors
 *
 * Vault keys of registration authorities: the RA's own with "ra keyvault:",
 * and, with "ra auto" beside an EC key in a vault, which opens nothing, a
 * second one, RSA, that the RA's key is sealed by.
 */


#include "ngx_pki_ra_job.h"
#include "ngx_pki_bootstrap.h"


#define NGX_PKI_RA_VAULT_BITS  2048
#define NGX_PKI_RA_VAULT_END   "-ra"


static void ngx_pki_ra_wrap_handler(ngx_pki_vault_call_t *call);
static ngx_pki_vault_key_t *ngx_pki_ra_wrapper(ngx_pki_ra_job_t *job);
static ngx_int_t ngx_pki_ra_version(ngx_pki_ra_job_t *job, ngx_str_t *url);
static ngx_int_t ngx_pki_ra_key_url(ngx_pool_t *pool, ngx_pki_vault_key_t *vk,
    ngx_str_t *version, ngx_str_t *url);
static void ngx_pki_ra_vault_key_handler(ngx_pki_vault_call_t *call);
static const char *ngx_pki_ra_vault_suits(ngx_pki_vault_call_t *call);
static void ngx_pki_ra_get(ngx_pki_ra_job_t *job, ngx_uint_t quiet,
    ngx_pki_vault_pt handler);
static void ngx_pki_ra_create_key(ngx_pki_ra_job_t *job,
    ngx_pki_vault_pt handler);
static void ngx_pki_ra_hsm_handler(ngx_pki_vault_call_t *call);
static void ngx_pki_ra_create_call(ngx_pki_ra_job_t *job);


void
ngx_pki_ra_wrap(ngx_pki_ra_job_t *job, ngx_str_t *name)
{
    ngx_int_t             rc;
    ngx_pki_authority_t  *a;
    ngx_pki_vault_key_t  *wrapper;

    a = job->authority;

    if (a->vault == NULL || a->key->spec.type == NGX_PKI_KEY_RSA) {
        job->wrap = a->key;
        job->wrapped(job, NGX_OK);
        return;
    }

    wrapper = ngx_pki_ra_wrapper(job);

    if (wrapper == NULL) {
        job->wrapped(job, NGX_ERROR);
        return;
    }

    job->vault = *wrapper;

    if (name != NULL) {
        rc = ngx_pki_ra_version(job, name);

        if (rc != NGX_OK) {
            job->wrapped(job, rc);
            return;
        }
    }

    ngx_pki_ra_get(job, 1, ngx_pki_ra_wrap_handler);
}


static void
ngx_pki_ra_wrap_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_ra_job_t  *job;

    job = call->data;

    if (call->result == NGX_PKI_VAULT_NOT_FOUND
        && call->operation == NGX_PKI_VAULT_GET)
    {
        /* one that is named has gone */

        if (job->vault.version.len != 0) {
            job->wrapped(job, NGX_DECLINED);
            return;
        }

        ngx_pki_ra_create_key(job, ngx_pki_ra_wrap_handler);
        return;
    }

    if (call->result != NGX_PKI_VAULT_OK) {
        job->wrapped(job, NGX_ERROR);
        return;
    }

    job->wrap = ngx_pki_key_vault(job->op->pool, &job->vault);

    if (job->wrap == NULL
        || ngx_pki_key_vault_pin(job->wrap, job->op->pool, call->public_key,
                                 &call->version)
           != NGX_OK)
    {
        job->wrapped(job, NGX_ERROR);
        return;
    }

    job->wrapped(job, NGX_OK);
}


/* the key beside that of the authority; made once in a worker */

static ngx_pki_vault_key_t *
ngx_pki_ra_wrapper(ngx_pki_ra_job_t *job)
{
    u_char               *p;
    ngx_str_t             text;
    const char           *error;
    ngx_pki_authority_t  *a;
    ngx_pki_vault_key_t  *vk;

    a = job->authority;

    if (job->ra->wrapper != NULL) {
        return job->ra->wrapper;
    }

    vk = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_pki_vault_key_t));
    p = ngx_pnalloc(ngx_cycle->pool, a->vault->url.text.len
                                     + a->vault->name.len
                                     + sizeof("/keys/" NGX_PKI_RA_VAULT_END));
    if (vk == NULL || p == NULL) {
        return NULL;
    }

    text.data = p;
    text.len = ngx_sprintf(p, "%V/keys/%V" NGX_PKI_RA_VAULT_END "%Z",
                           &a->vault->url.text, &a->vault->name)
               - p - 1;

    error = ngx_pki_vault_parse(ngx_cycle->pool, &text, vk);

    if (error != NULL) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0, "key \"%V\": %s", &text,
                      error);
        return NULL;
    }

    vk->api_version = a->vault->api_version;
    vk->audience = a->vault->audience;
    vk->identity_name = a->vault->identity_name;
    vk->identity = a->vault->identity;
    vk->conf = a->vault->conf;

    if (ngx_pki_vault_start(vk, a->https, a->store.zone, job->ra->timer.log)
        != NGX_OK)
    {
        return NULL;
    }

    job->ra->wrapper = vk;

    return vk;
}


/* job->vault becomes the version that "url" names */

static ngx_int_t
ngx_pki_ra_version(ngx_pki_ra_job_t *job, ngx_str_t *url)
{
    ngx_pki_vault_key_t  key;

    ngx_memzero(&key, sizeof(ngx_pki_vault_key_t));

    if (ngx_pki_vault_parse(job->op->pool, url, &key) != NULL
        || key.version.len == 0
        || key.name.len != job->vault.name.len
        || ngx_strncasecmp(key.name.data, job->vault.name.data, key.name.len)
           != 0
        || key.url.text.len != job->vault.url.text.len
        || ngx_memcmp(key.url.text.data, job->vault.url.text.data,
                      key.url.text.len)
           != 0)
    {
        return NGX_DECLINED;
    }

    job->vault.version = key.version;

    return NGX_OK;
}


ngx_int_t
ngx_pki_ra_wrap_name(ngx_pki_ra_job_t *job, ngx_str_t *name)
{
    ngx_pki_authority_t  *a;

    a = job->authority;

    if (a->vault == NULL) {
        ngx_str_set(name, "file");
        return NGX_OK;
    }

    if (job->wrap == a->key) {
        return ngx_pki_bootstrap_key_id(a, job->op->pool, name);
    }

    return ngx_pki_ra_key_url(job->op->pool, &job->vault, &job->vault.version,
                              name);
}


static ngx_int_t
ngx_pki_ra_key_url(ngx_pool_t *pool, ngx_pki_vault_key_t *vk,
    ngx_str_t *version, ngx_str_t *url)
{
    u_char  *p;

    p = ngx_pnalloc(pool, vk->url.text.len + vk->name.len + version->len
                          + sizeof("/keys//"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;
    url->len = ngx_sprintf(p, "%V/keys/%V/%V", &vk->url.text, &vk->name,
                           version)
               - p;

    return NGX_OK;
}


void
ngx_pki_ra_vault_key(ngx_pki_ra_job_t *job)
{
    job->vault = *job->authority->ra_vault;

    ngx_pki_ra_get(job, job->vault.version.len == 0,
                   ngx_pki_ra_vault_key_handler);
}


static void
ngx_pki_ra_vault_key_handler(ngx_pki_vault_call_t *call)
{
    const char        *error;
    ngx_pki_ra_job_t  *job;

    job = call->data;

    if (call->result == NGX_PKI_VAULT_NOT_FOUND
        && call->operation == NGX_PKI_VAULT_GET
        && job->vault.version.len == 0)
    {
        ngx_pki_ra_create_key(job, ngx_pki_ra_vault_key_handler);
        return;
    }

    if (call->result != NGX_PKI_VAULT_OK) {
        job->wrapped(job, NGX_ERROR);
        return;
    }

    error = ngx_pki_ra_vault_suits(call);

    if (error != NULL) {
        job->told = 1;
        ngx_pki_ra_waits(job->ra, job->op->log, NGX_LOG_ERR,
                         "the key \"%V\" of \"ra\" %s", &job->vault.text,
                         error);
        job->wrapped(job, NGX_ERROR);
        return;
    }

    if (ngx_pki_ra_key_url(job->op->pool, &job->vault, &call->version,
                           &job->key_url)
        != NGX_OK
        || EVP_PKEY_up_ref(call->public_key) != 1)
    {
        job->wrapped(job, NGX_ERROR);
        return;
    }

    job->pkey = call->public_key;

    job->wrapped(job, NGX_OK);
}


static const char *
ngx_pki_ra_vault_suits(ngx_pki_vault_call_t *call)
{
    const char  *error;

    error = ngx_pki_ra_check_key(call->public_key);

    if (error != NULL || call->operation != NGX_PKI_VAULT_GET) {
        return error;
    }

    if (!call->enabled) {
        return "is disabled";
    }

    if (ngx_strnstr(call->key_operations.data, (char *) "sign",
                    call->key_operations.len)
        == NULL
        || ngx_strnstr(call->key_operations.data, (char *) "unwrapKey",
                       call->key_operations.len)
           == NULL)
    {
        return "does not permit the operations \"sign\" and \"unwrapKey\", "
               "both of which it needs";
    }

    return NULL;
}


ngx_int_t
ngx_pki_ra_vault_recipient(ngx_pki_ra_job_t *job, ngx_str_t *url,
    ngx_pki_recipient_t *recipient)
{
    ngx_int_t             rc;
    ngx_pki_key_t        *key;
    ngx_pki_vault_key_t  *vk;

    if (job->authority->ra_vault == NULL) {
        return NGX_DECLINED;
    }

    job->vault = *job->authority->ra_vault;

    rc = ngx_pki_ra_version(job, url);

    if (rc != NGX_OK) {
        return rc;
    }

    vk = ngx_palloc(recipient->pool, sizeof(ngx_pki_vault_key_t));
    if (vk == NULL) {
        return NGX_ERROR;
    }

    *vk = *job->authority->ra_vault;

    key = ngx_pki_key_vault(recipient->pool, vk);

    if (key == NULL
        || ngx_pki_key_vault_pin(key, recipient->pool,
                                 X509_get0_pubkey(recipient->certificate),
                                 &job->vault.version)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    recipient->key = key;

    return NGX_OK;
}


/* "quiet": that there is no such key is not the last word */

static void
ngx_pki_ra_get(ngx_pki_ra_job_t *job, ngx_uint_t quiet,
    ngx_pki_vault_pt handler)
{
    ngx_pki_vault_call_t  *call;

    ngx_pki_op_action(job->op, "looking at a key of the registration "
                      "authority");

    call = &job->call;
    ngx_memzero(call, sizeof(ngx_pki_vault_call_t));

    call->op = job->op;
    call->key = &job->vault;
    call->operation = NGX_PKI_VAULT_GET;
    call->quiet = quiet;
    call->handler = handler;
    call->data = job;

    ngx_pki_vault_call(call);
}


/* in an HSM if the authority's key is in one: not every vault has one */

static void
ngx_pki_ra_create_key(ngx_pki_ra_job_t *job, ngx_pki_vault_pt handler)
{
    ngx_pki_vault_call_t  *call;

    job->created = handler;

    if (job->authority->vault == NULL) {
        ngx_pki_ra_create_call(job);
        return;
    }

    call = &job->call;
    ngx_memzero(call, sizeof(ngx_pki_vault_call_t));

    call->op = job->op;
    call->key = job->authority->vault;
    call->operation = NGX_PKI_VAULT_GET;
    call->handler = ngx_pki_ra_hsm_handler;
    call->data = job;

    ngx_pki_vault_call(call);
}


static void
ngx_pki_ra_hsm_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_ra_job_t  *job;

    job = call->data;

    if (call->result != NGX_PKI_VAULT_OK) {
        job->wrapped(job, NGX_ERROR);
        return;
    }

    job->hsm = call->hsm;

    ngx_pki_ra_create_call(job);
}


static void
ngx_pki_ra_create_call(ngx_pki_ra_job_t *job)
{
    ngx_pki_vault_call_t  *call;

    ngx_pki_op_action(job->op, "making a key of the registration authority");

    call = &job->call;
    ngx_memzero(call, sizeof(ngx_pki_vault_call_t));

    call->op = job->op;
    call->key = &job->vault;
    call->operation = NGX_PKI_VAULT_CREATE;
    call->spec.type = NGX_PKI_KEY_RSA;
    call->spec.bits = NGX_PKI_RA_VAULT_BITS;
    call->spec.hsm = job->hsm;
    call->handler = job->created;
    call->data = job;

    if (job->authority->ra_mode == NGX_PKI_RA_VAULT) {
        ngx_str_set(&call->key_ops, "[\"sign\",\"unwrapKey\"]");

    } else {
        ngx_str_set(&call->key_ops, "[\"wrapKey\",\"unwrapKey\"]");
    }

    ngx_log_error(NGX_LOG_NOTICE, job->op->log, 0,
                  "making the key \"%V\" in the vault", &job->vault.text);

    ngx_pki_vault_call(call);
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * What Redis has is judged: is the certificate ours and still good, does its
 * key open?  Then it is used, or another one is made.
 */


#include "ngx_pki_ra_job.h"


/* all workers have looked by then (seconds) */

#define NGX_PKI_RA_OFFER  120

/*
 * What this node cannot use another one may have just made, by other settings:
 * they must not make one after the other for ever.
 */

#define NGX_PKI_RA_GRACE  600


static void ngx_pki_ra_open_entry(ngx_pki_ra_job_t *job);
static ngx_pki_recipient_t *ngx_pki_ra_held(ngx_pki_ra_t *ra, ngx_str_t *der);
static void ngx_pki_ra_status_handler(ngx_pki_store_job_t *store);
static void ngx_pki_ra_open_key(ngx_pki_ra_job_t *job);
static void ngx_pki_ra_open_trial(ngx_pki_ra_job_t *job);
static void ngx_pki_ra_trial_sign_handler(ngx_pki_key_job_t *trial);
static void ngx_pki_ra_trial_handler(ngx_pki_key_job_t *trial);
static void ngx_pki_ra_open_sealed(ngx_pki_ra_job_t *job);
static void ngx_pki_ra_open_wrapped(ngx_pki_ra_job_t *job, ngx_int_t rc);
static void ngx_pki_ra_open_handler(ngx_pki_seal_job_t *seal);
static ngx_int_t ngx_pki_ra_take_key(ngx_pki_ra_job_t *job,
    ngx_pki_recipient_t *recipient, EVP_PKEY *pkey);
static void ngx_pki_ra_judge(ngx_pki_ra_job_t *job,
    ngx_pki_ra_verdict_e verdict, const char *why);
static void ngx_pki_ra_install(ngx_pki_ra_job_t *job);
static ngx_uint_t ngx_pki_ra_is_old(ngx_pki_ra_job_t *job);


void
ngx_pki_ra_open(ngx_pki_ra_job_t *job)
{
    if (job->at == NGX_PKI_RA_ENTRIES) {
        ngx_pki_ra_settle(job);
        return;
    }

    if (job->found[job->at].octets.len == 0) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_NONE, NULL);
        return;
    }

    ngx_pki_ra_open_entry(job);
}


static void
ngx_pki_ra_open_entry(ngx_pki_ra_job_t *job)
{
    const char           *why;
    ngx_pki_ra_found_t   *found;
    ngx_pki_recipient_t  *recipient;

    found = &job->found[job->at];

    if (ngx_pki_ra_entry_decode(&found->octets, &found->entry) != NGX_OK) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_UNUSABLE, "is malformed");
        return;
    }

    recipient = ngx_pki_ra_held(job->ra, &found->entry.certificate);

    if (recipient != NULL) {
        ngx_pki_recipient_retain(recipient);

    } else {
        recipient = ngx_pki_recipient_create(&found->entry.certificate,
                                             job->ra->timer.log);
    }

    if (recipient == NULL
        || ngx_pki_ra_serial(&recipient->der, &job->store.serial) != NGX_OK)
    {
        ngx_pki_ra_judge(job, NGX_PKI_RA_UNUSABLE,
                         "has no certificate that could be read");
        return;
    }

    found->recipient = recipient;

    why = (recipient->not_after <= ngx_time())
          ? "has expired"
          : ngx_pki_ra_check(job->authority, recipient->certificate);

    if (why != NULL) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_UNUSABLE, why);
        return;
    }

    job->store.handler = ngx_pki_ra_status_handler;

    ngx_pki_store_status(&job->store);
}


static ngx_pki_recipient_t *
ngx_pki_ra_held(ngx_pki_ra_t *ra, ngx_str_t *der)
{
    ngx_uint_t            i;
    ngx_pki_recipient_t  *held[NGX_PKI_RA_ENTRIES];

    held[NGX_PKI_RA_CURRENT] = ra->current;
    held[NGX_PKI_RA_PREVIOUS] = ra->previous;

    for (i = 0; i < NGX_PKI_RA_ENTRIES; i++) {

        if (held[i] != NULL
            && held[i]->der.len == der->len
            && ngx_memcmp(held[i]->der.data, der->data, der->len) == 0)
        {
            return held[i];
        }
    }

    return NULL;
}


static void
ngx_pki_ra_status_handler(ngx_pki_store_job_t *store)
{
    ngx_pki_key_t     *key;
    ngx_pki_ra_job_t  *job;

    job = store->data;

    if (store->result == NGX_PKI_STORE_UNAVAILABLE) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_LATER,
                         "may be revoked, redis does not say");
        return;
    }

    if (store->result != NGX_PKI_STORE_OK) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_REVOKED, "has no record in redis");
        return;
    }

    if (store->status.status != NGX_PKI_STATUS_GOOD) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_REVOKED, "is revoked");
        return;
    }

    key = job->found[job->at].recipient->key;

    if (key == NULL) {
        ngx_pki_ra_open_key(job);

    } else if (key->trouble != NULL && key->trouble(key) != NULL) {
        ngx_pki_ra_open_trial(job);

    } else {
        ngx_pki_ra_judge(job, NGX_PKI_RA_USABLE, NULL);
    }
}


static void
ngx_pki_ra_open_key(ngx_pki_ra_job_t *job)
{
    ngx_int_t            rc;
    ngx_pki_ra_found_t  *found;

    found = &job->found[job->at];

    if (found->entry.key_url.len == 0) {
        ngx_pki_ra_open_sealed(job);
        return;
    }

    rc = ngx_pki_ra_vault_recipient(job, &found->entry.key_url,
                                    found->recipient);

    if (rc == NGX_OK) {
        ngx_pki_ra_open_trial(job);

    } else if (rc == NGX_DECLINED) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_UNUSABLE,
                         "has a key that is not the one configured here");

    } else {
        ngx_pki_ra_judge(job, NGX_PKI_RA_LATER,
                         "has a key that cannot be used now");
    }
}


/* a vault may refuse, or need a moment with a key that was just made */

static void
ngx_pki_ra_open_trial(ngx_pki_ra_job_t *job)
{
    ngx_pki_key_job_t  *trial;

    ngx_pki_op_action(job->op, "trying the registration authority's key");

    trial = &job->trial;
    ngx_memzero(trial, sizeof(ngx_pki_key_job_t));

    trial->op = job->op;
    trial->key = job->found[job->at].recipient->key;
    trial->md = EVP_sha256();
    trial->input.data = job->digest;
    trial->input.len = sizeof(job->digest);
    trial->handler = ngx_pki_ra_trial_sign_handler;
    trial->data = job;

    ngx_pki_key_sign(trial);
}


static void
ngx_pki_ra_trial_sign_handler(ngx_pki_key_job_t *trial)
{
    ngx_str_t          secret;
    ngx_pki_ra_job_t  *job;

    job = trial->data;

    secret.data = job->digest;
    secret.len = sizeof(job->digest);

    if (trial->rc != NGX_OK
        || ngx_pki_seal_wrap(job->op->pool, trial->key->public_key, &secret,
                             &trial->input)
           != NGX_OK)
    {
        trial->rc = NGX_ERROR;
        ngx_pki_ra_trial_handler(trial);
        return;
    }

    trial->handler = ngx_pki_ra_trial_handler;

    ngx_pki_key_decrypt(trial);
}


static void
ngx_pki_ra_trial_handler(ngx_pki_key_job_t *trial)
{
    ngx_pki_ra_job_t     *job;
    ngx_pki_recipient_t  *recipient;

    job = trial->data;

    if (trial->rc == NGX_OK) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_USABLE, NULL);
        return;
    }

    recipient = job->found[job->at].recipient;

    if (ngx_pki_ra_held(job->ra, &recipient->der) == NULL) {
        recipient->key = NULL;
    }

    ngx_pki_ra_judge(job, NGX_PKI_RA_LATER,
                     "has a key in a vault that does not work now");
}


static void
ngx_pki_ra_open_sealed(ngx_pki_ra_job_t *job)
{
    ngx_pki_ra_found_t  *found;

    found = &job->found[job->at];

    if (ngx_pki_seal_decode(&found->entry.sealed, &job->seal.seal) != NGX_OK) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_UNUSABLE, "is malformed");
        return;
    }

    ngx_pki_op_action(job->op, "opening the registration authority's key");

    job->wrapped = ngx_pki_ra_open_wrapped;

    ngx_pki_ra_wrap(job, &job->seal.seal.key_name);
}


static void
ngx_pki_ra_open_wrapped(ngx_pki_ra_job_t *job, ngx_int_t rc)
{
    ngx_pki_seal_job_t  *seal;

    if (rc == NGX_DECLINED) {
        ngx_pki_ra_judge(job, NGX_PKI_RA_UNUSABLE,
                         "is sealed by a key that is not here");
        return;
    }

    seal = &job->seal;

    if (rc != NGX_OK
        || ngx_pki_ra_bind(job->op->pool, job->authority,
                           &job->found[job->at].recipient->der, &seal->bound)
           != NGX_OK)
    {
        ngx_pki_ra_judge(job, NGX_PKI_RA_LATER, "cannot be opened now");
        return;
    }

    seal->op = job->op;
    seal->key = job->wrap;
    seal->handler = ngx_pki_ra_open_handler;
    seal->data = job;

    ngx_pki_seal_open(seal);
}


static void
ngx_pki_ra_open_handler(ngx_pki_seal_job_t *seal)
{
    ngx_int_t          rc;
    ngx_pki_ra_job_t  *job;

    job = seal->data;
    rc = seal->rc;

    if (rc == NGX_OK) {
        rc = ngx_pki_ra_take_key(job, job->found[job->at].recipient,
                                 seal->pkey);
    }

    switch (rc) {

    case NGX_OK:
        ngx_pki_ra_judge(job, NGX_PKI_RA_USABLE, NULL);
        return;

    case NGX_DECLINED:
        ngx_pki_ra_judge(job, NGX_PKI_RA_UNUSABLE,
                         "is not sealed by the key of this authority");
        return;

    default: /* NGX_ERROR */
        ngx_pki_ra_judge(job, NGX_PKI_RA_LATER, "cannot be opened now");
        return;
    }
}


/* NGX_DECLINED: it is not the key of the certificate */

static ngx_int_t
ngx_pki_ra_take_key(ngx_pki_ra_job_t *job, ngx_pki_recipient_t *recipient,
    EVP_PKEY *pkey)
{
    u_char               *p;
    ngx_str_t             name;
    ngx_pki_authority_t  *a;

    a = job->authority;

    if (EVP_PKEY_eq(X509_get0_pubkey(recipient->certificate), pkey) != 1) {
        ERR_clear_error();
        EVP_PKEY_free(pkey);
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(recipient->pool, sizeof("RA of ") - 1 + a->name.len);

    if (p == NULL) {
        EVP_PKEY_free(pkey);
        return NGX_ERROR;
    }

    name.data = p;
    name.len = ngx_sprintf(p, "RA of %V", &a->name) - p;

    recipient->key = ngx_pki_key_memory(recipient->pool, pkey, &name);

    if (recipient->key == NULL) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, job->op->log, 0,
                  "opened the registration authority's key");

    return NGX_OK;
}


static void
ngx_pki_ra_judge(ngx_pki_ra_job_t *job, ngx_pki_ra_verdict_e verdict,
    const char *why)
{
    ngx_pki_ra_found_t  *found;

    found = &job->found[job->at];

    found->verdict = verdict;
    found->why = why;

    /* what is in use stays so while Redis or a vault is away */

    if (found->recipient != NULL
        && (found->recipient->key == NULL
            || (verdict != NGX_PKI_RA_USABLE && verdict != NGX_PKI_RA_LATER)))
    {
        ngx_pki_recipient_release(found->recipient);
        found->recipient = NULL;
    }

    job->at++;

    ngx_pki_ra_open(job);
}


void
ngx_pki_ra_settle(ngx_pki_ra_job_t *job)
{
    ngx_pki_ra_t        *ra;
    ngx_pki_ra_found_t  *current;

    ra = job->ra;
    current = &job->found[NGX_PKI_RA_CURRENT];

    if (ra->stopped) {
        ngx_pki_ra_done(job, NGX_OK);
        return;
    }

    ngx_pki_ra_install(job);

    switch (current->verdict) {

    case NGX_PKI_RA_NONE:
        ngx_pki_ra_make(job);
        return;

    case NGX_PKI_RA_USABLE:
        ra->trouble.len = 0;

        if (!ngx_pki_ra_is_old(job)) {
            ngx_pki_ra_done(job, NGX_OK);
            return;
        }

        job->keep = 1;
        ngx_pki_ra_make(job);
        return;

    case NGX_PKI_RA_REVOKED:
        ngx_pki_ra_waits(ra, job->op->log, NGX_LOG_WARN,
                         "the registration authority's certificate %s, a new "
                         "one is made", current->why);
        ngx_pki_ra_make(job);
        return;

    case NGX_PKI_RA_UNUSABLE:
        ngx_pki_ra_waits(ra, job->op->log, NGX_LOG_WARN,
                         "the registration authority in redis %s",
                         current->why);

        if (ngx_time() - current->entry.made_at > NGX_PKI_RA_GRACE) {
            ngx_pki_ra_make(job);
            return;
        }

        ngx_pki_ra_done(job, NGX_ERROR);
        return;

    default: /* NGX_PKI_RA_LATER */
        ngx_pki_ra_waits(ra, job->op->log, NGX_LOG_ERR,
                         "the registration authority in redis %s",
                         current->why);
        ngx_pki_ra_done(job, NGX_ERROR);
        return;
    }
}


static void
ngx_pki_ra_install(ngx_pki_ra_job_t *job)
{
    ngx_pki_ra_t        *ra;
    ngx_pki_ra_found_t  *current, *previous;

    ra = job->ra;
    current = &job->found[NGX_PKI_RA_CURRENT];
    previous = &job->found[NGX_PKI_RA_PREVIOUS];

    if (ra->current != NULL) {
        ngx_pki_recipient_release(ra->current);
    }

    if (ra->previous != NULL) {
        ngx_pki_recipient_release(ra->previous);
    }

    ra->current = current->recipient;
    ra->previous = previous->recipient;
    ra->offer_at = current->entry.made_at + NGX_PKI_RA_OFFER;

    current->recipient = NULL;
    previous->recipient = NULL;
}


/* unless a new one would not last any longer: its end is the authority's */

static ngx_uint_t
ngx_pki_ra_is_old(ngx_pki_ra_job_t *job)
{
    time_t                life;
    ngx_uint_t            vault;
    ngx_pki_recipient_t  *current;
    ngx_pki_ra_entry_t   *entry;

    current = job->ra->current;
    entry = &job->found[NGX_PKI_RA_CURRENT].entry;

    /* "ra" may have become another one */

    vault = (job->authority->ra_mode == NGX_PKI_RA_VAULT);

    if (vault != (entry->key_url.len != 0)) {
        return ngx_time() - entry->made_at > NGX_PKI_RA_GRACE;
    }

    life = current->not_after - current->not_before;

    return ngx_time() >= current->not_before + life / 3 * 2
           && current->not_after < job->authority->not_after;
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * One certificate that Intune wants revoked.  Nothing is revoked but what it
 * has vouched for, and what renews that: its word is not the authority's.
 *
 *     look at the record --> revoke --> result --> next
 */


#include "ngx_pki_intune_revocation_job.h"
#include "ngx_pki_notify.h"


static ngx_pki_authority_t *ngx_pki_intune_revocation_first(
    ngx_pki_authority_t *a);
static void ngx_pki_intune_revocation_look(ngx_pki_intune_pass_t *pass);
static void ngx_pki_intune_revocation_look_handler(ngx_pki_store_job_t *job);
static void ngx_pki_intune_revocation_revoke(ngx_pki_intune_pass_t *pass);
static void ngx_pki_intune_revocation_revoke_handler(
    ngx_pki_store_job_t *job);
static void ngx_pki_intune_revocation_missing(ngx_pki_intune_pass_t *pass);
static void ngx_pki_intune_revocation_unavailable(ngx_pki_intune_pass_t *pass);
static void ngx_pki_intune_revocation_skip(ngx_pki_intune_pass_t *pass);


void
ngx_pki_intune_revocation_one(ngx_pki_intune_pass_t *pass)
{
    pass->op->serial = pass->serial;
    pass->foreign = 0;
    pass->authority = ngx_pki_intune_revocation_first(pass->poll->authority);

    ngx_pki_intune_revocation_look(pass);
}


/* at a roll-over several have one name */

static ngx_pki_authority_t *
ngx_pki_intune_revocation_first(ngx_pki_authority_t *a)
{
    while (a->previous != NULL) {
        a = a->previous;
    }

    return a;
}


static void
ngx_pki_intune_revocation_look(ngx_pki_intune_pass_t *pass)
{
    ngx_pki_intune_revocation_job(pass, pass->authority,
                                  ngx_pki_intune_revocation_look_handler);

    pass->store.record.serial = pass->serial;

    ngx_pki_store_get(&pass->store);
}


static void
ngx_pki_intune_revocation_look_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_intune_pass_t  *pass;

    pass = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:

        if (ngx_pki_str_eq(&job->record.vouched, NGX_PKI_NOTIFY_BY)) {
            ngx_pki_intune_revocation_revoke(pass);
            return;
        }

        pass->foreign = 1;

        /* fall through */

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_pki_intune_revocation_missing(pass);
        return;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        ngx_pki_intune_revocation_unavailable(pass);
        return;
    }
}


static void
ngx_pki_intune_revocation_revoke(ngx_pki_intune_pass_t *pass)
{
    ngx_pki_intune_revocation_job(pass, pass->authority,
                                  ngx_pki_intune_revocation_revoke_handler);

    ngx_pki_notify_revoke(&pass->store, &pass->serial);
}


static void
ngx_pki_intune_revocation_revoke_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_intune_pass_t  *pass;

    pass = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_log_error(NGX_LOG_NOTICE, pass->op->log, 0,
                      "certificate revoked because intune \"%V\" wants it",
                      ngx_pki_intune_name(pass->poll->intune));

        /* fall through */

    case NGX_PKI_STORE_CONFLICT:
        ngx_pki_intune_revocation_result(pass, "", "");
        ngx_pki_intune_revocation_next(pass);
        return;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_pki_intune_revocation_missing(pass);
        return;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        ngx_pki_intune_revocation_unavailable(pass);
        return;
    }
}


static void
ngx_pki_intune_revocation_missing(ngx_pki_intune_pass_t *pass)
{
    pass->authority = pass->authority->next;

    if (pass->authority != NULL) {
        ngx_pki_intune_revocation_look(pass);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, pass->op->log, 0,
                  "intune \"%V\" wants a certificate revoked that %s",
                  ngx_pki_intune_name(pass->poll->intune),
                  pass->foreign ? "it did not vouch for"
                                : "is not known here");

    ngx_pki_intune_revocation_result(pass, "CertificateNotFoundError",
                                     "no certificate with this serial number");

    ngx_pki_intune_revocation_next(pass);
}


/* That of one record must not keep all others from being revoked. */

static void
ngx_pki_intune_revocation_unavailable(ngx_pki_intune_pass_t *pass)
{
    ngx_str_t  error;

    if (!ngx_pki_redis_is_up(pass->authority->store.redis, &error)) {
        ngx_pki_intune_revocation_unlock(pass);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, pass->op->log, 0,
                  "a certificate that intune \"%V\" wants revoked cannot be "
                  "revoked now", ngx_pki_intune_name(pass->poll->intune));

    ngx_pki_intune_revocation_skip(pass);
    ngx_pki_intune_revocation_next(pass);
}


/*
 * An empty "error": done.  A request that names no issuer may be another
 * one's, who would lose it.
 */

void
ngx_pki_intune_revocation_result(ngx_pki_intune_pass_t *pass,
    const char *error, const char *message)
{
    ngx_pki_intune_revocation_t  *wanted, *result;

    wanted = ngx_pki_intune_revocation_wanted(pass);

    if (*error == '\0' || wanted->issuer.len != 0) {

        /* there is room for as many as are wanted */

        result = ngx_array_push(pass->results);
        *result = *wanted;

        result->error.data = (u_char *) error;
        result->error.len = ngx_strlen(error);

        result->message.data = (u_char *) message;
        result->message.len = ngx_strlen(message);
    }

    ngx_pki_intune_revocation_skip(pass);
}


/* without a result: it comes again */

static void
ngx_pki_intune_revocation_skip(ngx_pki_intune_pass_t *pass)
{
    ngx_str_null(&pass->op->serial);

    pass->next++;
}

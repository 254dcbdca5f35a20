
/*
 * Copyright (C) the ngx_pki authors
 *
 * Requests that wait for a decision (scep_approval manual), and CertPoll,
 * which asks what has become of one (RFC 8894, 4.4).  A request is found by
 * its transaction and by the key that signs: whoever guesses a transaction
 * cannot tell one that waits from one that there is not.
 */


#include "ngx_http_scep_operation.h"
#include "ngx_pki_csr_bare.h"
#include "ngx_pki_usage.h"


static ngx_int_t ngx_http_scep_pend_prepare(ngx_http_scep_operation_t *so,
    ngx_pki_template_t *t);
static void ngx_http_scep_pend_handler(ngx_pki_store_job_t *job);
static void ngx_http_scep_pend_known(ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_poll_check(ngx_http_scep_operation_t *so);
static ngx_uint_t ngx_http_scep_poll_is_issuer(ngx_pki_authority_t *a,
    ngx_str_t *name);
static void ngx_http_scep_poll_handler(ngx_pki_store_job_t *job);
static ngx_int_t ngx_http_scep_poll_found(ngx_http_scep_operation_t *so,
    ngx_pki_pending_t *pending);
static void ngx_http_scep_poll_state(ngx_http_scep_operation_t *so);
static void ngx_http_scep_poll_get(ngx_http_scep_operation_t *so);
static void ngx_http_scep_poll_get_handler(ngx_pki_store_job_t *job);
static void ngx_http_scep_poll_success(ngx_http_scep_operation_t *so,
    ngx_pki_record_t *record);
static ngx_pki_store_job_t *ngx_http_scep_poll_job(
    ngx_http_scep_operation_t *so, ngx_pki_store_pt handler);


/* What the profile refuses need not be shown to anybody. */

void
ngx_http_scep_pend(ngx_http_scep_operation_t *so)
{
    ngx_int_t             rc;
    ngx_pki_template_t    t;
    ngx_pki_authority_t  *a;

    a = so->authority;
    so->op->log->action = NULL;

    rc = ngx_pki_profile_apply(so->slcf->profile, so->op->pool, &so->csr,
                               ngx_time(), a->not_before, a->not_after, &t);

    if (rc == NGX_DECLINED) {
        (void) ngx_atomic_fetch_add(&a->store.slot->refused, 1);

        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "certificate refused: %V", &t.refusal);

        ngx_http_scep_reply_failure(so, t.fail_info);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_scep_pend_prepare(so, &t);
    }

    switch (rc) {

    case NGX_OK:
        ngx_pki_store_pend(&so->store);
        break;

    case NGX_DECLINED:
        ngx_http_scep_reply_refuse(so);
        break;

    default: /* NGX_ERROR */
        ngx_http_scep_reply_error(so);
        break;
    }
}


static ngx_int_t
ngx_http_scep_pend_prepare(ngx_http_scep_operation_t *so,
    ngx_pki_template_t *t)
{
    ngx_pki_pending_t    *pending;
    ngx_pki_store_job_t  *job;

    job = ngx_http_scep_poll_job(so, ngx_http_scep_pend_handler);

    if (job == NULL
        || ngx_pki_csr_bare(so->op->pool, &so->csr, &job->pending.csr)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    pending = &job->pending;

    if (pending->csr.len > NGX_PKI_PENDING_MAX_CSR) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_REQUEST,
                                       "the request is too large to be kept");
    }

    /* a retry is the same request: see ngx_pki_transaction.c */

    pending->key = so->issue.store.transaction_key;

    pending->subject = t->subject_text;
    pending->sans = t->sans_text;

    pending->key_type.data = ngx_pnalloc(so->op->pool, NGX_PKI_KEY_SPEC_LEN);

    if (pending->key_type.data == NULL
        || ngx_pki_usage_text(so->op->pool, &t->extensions, &pending->usages)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_pki_key_print_spec(&so->csr.key, &pending->key_type);

    pending->profile = *ngx_pki_profile_name(so->slcf->profile);
    pending->transaction = so->message.transaction;
    pending->requester = so->op->client;
    pending->received = ngx_time();
    pending->ttl = so->slcf->policy.ttl;
    pending->share = so->slcf->policy.per_client;
    pending->state = NGX_PKI_PENDING_WAITS;

    return NGX_OK;
}


static void
ngx_http_scep_pend_handler(ngx_pki_store_job_t *job)
{
    ngx_http_scep_operation_t  *so;

    so = job->data;
    so->op->log->action = NULL;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_log_error(NGX_LOG_NOTICE, so->op->log, 0,
                      "request waits for a decision, id: %V%V, "
                      "subject: \"%V\"",
                      &job->pending.id, &job->pending.key,
                      &job->pending.subject);

        ngx_http_scep_reply_pending(so);
        break;

    case NGX_PKI_STORE_EXISTS:
        ngx_http_scep_pend_known(so);
        break;

    case NGX_PKI_STORE_CONFLICT:
        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "another request of this transaction waits or is "
                      "decided");

        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        break;

    case NGX_PKI_STORE_FULL:
        ngx_log_error(NGX_LOG_WARN, so->op->log, 0,
                      "too many requests wait for a decision, another one is "
                      "sent away");

        /* a FAILURE would be final, and somebody may have been crowded out */

        ngx_http_scep_reply_unavailable(so);
        break;

    case NGX_PKI_STORE_SHARE:
        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "too many requests of this client wait for a decision, "
                      "\"per_client\" of \"scep_approval\" allows %i",
                      so->slcf->policy.per_client);

        ngx_http_scep_reply_unavailable(so);
        break;

    default: /* NGX_PKI_STORE_UNAVAILABLE: logged */
        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        break;
    }
}


/* the same request again, in place of a CertPoll */

static void
ngx_http_scep_pend_known(ngx_http_scep_operation_t *so)
{
    if (so->store.pending.state == NGX_PKI_PENDING_APPROVED) {
        ngx_http_scep_poll_get(so);
        return;
    }

    ngx_http_scep_poll_state(so);
}


/*
 * Nothing within the envelope proves it whole, see ngx_http_scep_crl(): one
 * that does not open, rubbish in it, other names than those of the request and
 * a transaction that is not there get the same answer, after the same work.
 */

void
ngx_http_scep_poll(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    ngx_pki_store_job_t  *job;

    if (rc == NGX_OK) {
        rc = ngx_http_scep_poll_check(so);
    }

    job = ngx_http_scep_poll_job(so, ngx_http_scep_poll_handler);

    if (rc == NGX_ERROR || job == NULL) {
        ngx_http_scep_reply_error(so);
        return;
    }

    ngx_pki_store_pending_get(job);
}


/* the subject that is asked about is kept in so->csr */

static ngx_int_t
ngx_http_scep_poll_check(ngx_http_scep_operation_t *so)
{
    ngx_str_t  issuer;

    if (ngx_scep_cms_names(&so->plaintext, &issuer, &so->csr.subject)
        != NGX_OK)
    {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the envelope names no request");
    }

    if (!ngx_scep_str_eq(&issuer, &so->authority->issuer)
        && !ngx_http_scep_poll_is_issuer(so->authority, &issuer))
    {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the request is one to another "
                                       "authority");
    }

    return NGX_OK;
}


/* certmonger takes the issuer of an authority that is no root for its name */

static ngx_uint_t
ngx_http_scep_poll_is_issuer(ngx_pki_authority_t *a, ngx_str_t *name)
{
    size_t         len;
    const u_char  *p;

    if (X509_NAME_get0_der(X509_get_issuer_name(a->certificate), &p, &len)
        != 1)
    {
        ERR_clear_error();
        return 0;
    }

    return name->len == len && ngx_memcmp(name->data, p, len) == 0;
}


static void
ngx_http_scep_poll_handler(ngx_pki_store_job_t *job)
{
    ngx_int_t                   rc;
    ngx_http_scep_operation_t  *so;

    so = job->data;
    so->op->log->action = NULL;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        rc = ngx_http_scep_poll_found(so, &job->pending);
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        rc = ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                     "there is no such request");
        break;

    default: /* NGX_PKI_STORE_UNAVAILABLE: logged */
        ngx_http_scep_reply_unavailable(so);
        return;
    }

    if (rc != NGX_OK) {
        so->message.fail_info = NGX_SCEP_BAD_CERT_ID;
        ngx_http_scep_reply_refuse(so);
        return;
    }

    ngx_http_scep_poll_state(so);
}


static ngx_int_t
ngx_http_scep_poll_found(ngx_http_scep_operation_t *so,
    ngx_pki_pending_t *pending)
{
    ngx_pki_csr_t  csr;

    if (so->message.error != NULL) {
        return NGX_DECLINED;
    }

    if (ngx_pki_csr_decode(so->op->pool, &pending->csr, &csr) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, so->op->log, 0,
                      "malformed request \"%V\" in redis", &pending->id);
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the request is lost");
    }

    if (!ngx_scep_str_eq(&so->csr.subject, &csr.subject)) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the request is for another subject");
    }

    return NGX_OK;
}


static void
ngx_http_scep_poll_state(ngx_http_scep_operation_t *so)
{
    switch (so->store.pending.state) {

    case NGX_PKI_PENDING_WAITS:
        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "request still waits for a decision, id: %V%V",
                      &so->store.pending.id, &so->store.pending.key);

        ngx_http_scep_reply_pending(so);
        break;

    case NGX_PKI_PENDING_REJECTED:
        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "request was rejected, id: %V%V",
                      &so->store.pending.id, &so->store.pending.key);

        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        break;

    default: /* NGX_PKI_PENDING_APPROVED */

        /* the challenge, which protects the answer, is in the request */

        if (so->message.signer.key.key.type != NGX_PKI_KEY_RSA) {
            ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                          "request was approved, but CertPoll of a signer "
                          "without an RSA key cannot be answered, it must "
                          "send the request again");

            ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_ALG);
            break;
        }

        ngx_http_scep_poll_get(so);
        break;
    }
}


static void
ngx_http_scep_poll_get(ngx_http_scep_operation_t *so)
{
    ngx_pki_store_job_t  *job;

    job = &so->store;

    job->record.serial = job->pending.serial;
    job->handler = ngx_http_scep_poll_get_handler;

    ngx_pki_store_get(job);
}


static void
ngx_http_scep_poll_get_handler(ngx_pki_store_job_t *job)
{
    ngx_http_scep_operation_t  *so;

    so = job->data;
    so->op->serial = job->pending.serial;

    switch (job->result) {

    case NGX_PKI_STORE_OK:

        if (job->record.status != NGX_PKI_STATUS_GOOD) {
            ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                          "the certificate of this transaction is revoked");

            ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
            return;
        }

        if (job->record.withheld.len != 0) {
            ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                          "the certificate of this transaction is withheld "
                          "until \"%V\" is told of it",
                          &job->record.withheld);

            ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
            return;
        }

        ngx_http_scep_poll_success(so, &job->record);
        return;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_log_error(NGX_LOG_ERR, so->op->log, 0,
                      "the certificate of an approved request is lost");

        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;

    default: /* NGX_PKI_STORE_UNAVAILABLE: logged */
        ngx_http_scep_reply_unavailable(so);
        return;
    }
}


static void
ngx_http_scep_poll_success(ngx_http_scep_operation_t *so,
    ngx_pki_record_t *record)
{
    ngx_http_request_t  *r;
    ngx_http_pki_ctx_t  *ctx;

    so->issue.record = *record;
    so->issue.result = NGX_PKI_ISSUE_EXISTING;

    r = ngx_http_pki_op_request(so->op);
    ctx = (r != NULL) ? ngx_http_pki_get_ctx(r) : NULL;

    if (ctx != NULL) {
        ngx_http_pki_set(r, &ctx->serial, &record->serial);
        ngx_http_pki_set(r, &ctx->subject, &record->subject);
        ngx_http_pki_set(r, &ctx->profile, &record->profile);
        ngx_http_pki_set_time(r, &ctx->store_time, so->store.elapsed);
    }

    ngx_http_scep_reply_success(so);
}


/* a fresh job about the request of this transaction and key */

static ngx_pki_store_job_t *
ngx_http_scep_poll_job(ngx_http_scep_operation_t *so,
    ngx_pki_store_pt handler)
{
    ngx_scep_message_t   *m;
    ngx_pki_store_job_t  *job;

    m = &so->message;
    job = &so->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    if (ngx_pki_pending_id(so->op->pool, &so->authority->name,
                           &m->transaction, &m->signer.key.public_key,
                           &job->pending.id)
        != NGX_OK)
    {
        return NULL;
    }

    job->op = so->op;
    job->store = &so->authority->store;
    job->handler = handler;
    job->data = so;

    return job;
}

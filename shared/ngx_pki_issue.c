
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_issue.h"
#include "ngx_pki_der.h"
#include "ngx_pki_renewal.h"
#include "ngx_pki_spki.h"
#include "ngx_pki_tbs.h"
#include "ngx_pki_transaction.h"


#define NGX_PKI_ISSUE_MAX_TRIES        2
#define NGX_PKI_ISSUE_TRANSACTION_TTL  (24 * 60 * 60)
#define NGX_PKI_ISSUE_BAD_REQUEST      2     /* RFC 8894, 3.2.1.4.4 */
#define NGX_PKI_ISSUE_BAD_CERT_ID      4


static void ngx_pki_issue_find_handler(ngx_pki_store_job_t *job);
static ngx_int_t ngx_pki_issue_prepare(ngx_pki_issue_t *issue);
static ngx_int_t ngx_pki_issue_is_named(ngx_pki_issue_t *issue);
static ngx_uint_t ngx_pki_issue_is_bound(ngx_pki_issue_t *issue);
static ngx_int_t ngx_pki_issue_bind(ngx_pki_issue_t *issue);
static void ngx_pki_issue_sign(ngx_pki_issue_t *issue);
static ngx_int_t ngx_pki_issue_record(ngx_pki_issue_t *issue,
    ngx_pki_tbs_t *tbs);
static void ngx_pki_issue_sign_tbs(ngx_pki_issue_t *issue,
    ngx_pki_key_pt handler);
static ngx_int_t ngx_pki_issue_signed(ngx_pki_issue_t *issue);
static void ngx_pki_issue_sign_handler(ngx_pki_key_job_t *job);
static void ngx_pki_issue_add_handler(ngx_pki_store_job_t *job);
static void ngx_pki_issue_internal_handler(ngx_pki_key_job_t *job);
static void ngx_pki_issue_existing(ngx_pki_issue_t *issue);
static void ngx_pki_issue_refuse(ngx_pki_issue_t *issue, ngx_str_t *error,
    ngx_uint_t fail_info);
static void ngx_pki_issue_fail(ngx_pki_issue_t *issue, const char *error);
static void ngx_pki_issue_done(ngx_pki_issue_t *issue,
    ngx_pki_issue_result_e result);


void
ngx_pki_issue_find(ngx_pki_issue_t *issue)
{
    if (ngx_pki_issue_prepare(issue) != NGX_OK) {
        ngx_pki_issue_done(issue, NGX_PKI_ISSUE_UNAVAILABLE);
        return;
    }

    if (issue->store.transaction_key.len == 0) {
        ngx_pki_issue_done(issue, NGX_PKI_ISSUE_OK);
        return;
    }

    issue->store.handler = ngx_pki_issue_find_handler;

    ngx_pki_store_find_transaction(&issue->store);
}


void
ngx_pki_issue_start(ngx_pki_issue_t *issue)
{
    ngx_int_t             rc;
    ngx_str_t             refusal;
    ngx_pki_authority_t  *a;

    a = issue->authority;
    issue->tries = 0;

    ngx_pki_op_action(issue->op, "applying a profile");

    /* nothing is signed that could not be recorded */

    if (ngx_pki_issue_prepare(issue) != NGX_OK
        || !ngx_pki_redis_is_up(a->store.redis, &issue->error))
    {
        ngx_pki_issue_done(issue, NGX_PKI_ISSUE_UNAVAILABLE);
        return;
    }

    if (ngx_pki_profile_check_key(issue->profile, issue->csr, &refusal)
        != NGX_OK)
    {
        ngx_pki_issue_refuse(issue, &refusal, NGX_PKI_ISSUE_BAD_REQUEST);
        return;
    }

    if (ngx_pki_issue_is_bound(issue)) {
        issue->csr->names_only = 1;
    }

    rc = ngx_pki_profile_apply(issue->profile, issue->op->pool, issue->csr,
                               ngx_time(), a->not_before, a->not_after,
                               &issue->template);

    if (rc == NGX_DECLINED) {
        ngx_pki_issue_refuse(issue, &issue->template.refusal,
                             issue->template.fail_info);
        return;
    }

    if (rc != NGX_OK) {
        ngx_pki_issue_fail(issue, "out of memory");
        return;
    }

    if (issue->renewed != NULL
        && ngx_pki_renewal_check(issue->renewed, issue->csr, &issue->template,
                                 &refusal)
           != NGX_OK)
    {
        ngx_pki_issue_refuse(issue, &refusal, NGX_PKI_ISSUE_BAD_REQUEST);
        return;
    }

    if (issue->renewed == NULL && ngx_pki_issue_bind(issue) != NGX_OK) {
        return;
    }

    if (issue->template.sid_dropped) {
        ngx_log_error(NGX_LOG_INFO, issue->op->log, 0,
                      "requested security identifier left out");
    }

    ngx_pki_issue_sign(issue);
}


void
ngx_pki_issue_internal(ngx_pki_issue_t *issue, ngx_str_t *spki,
    ngx_pki_template_t *t)
{
    ngx_uint_t      recorded;
    ngx_pki_tbs_t   tbs;
    ngx_pki_spki_t  key;

    recorded = (issue->source.len != 0);

    if (recorded && ngx_pki_issue_prepare(issue) != NGX_OK) {
        ngx_pki_issue_done(issue, NGX_PKI_ISSUE_UNAVAILABLE);
        return;
    }

    issue->template = *t;

    ngx_memzero(&tbs, sizeof(ngx_pki_tbs_t));

    if (ngx_pki_spki_decode(spki, &key) != NGX_OK) {
        ngx_pki_issue_fail(issue, "the public key is malformed");
        return;
    }

    tbs.template = &issue->template;
    tbs.spki = spki;
    tbs.public_key = &key.public_key;

    if (recorded) {
        tbs.aia = &issue->authority->aia;
        tbs.cdp = &issue->authority->cdp;

        /* there is no request to try another serial number with */
        issue->tries = NGX_PKI_ISSUE_MAX_TRIES;
    }

    if (ngx_pki_tbs_encode(issue->op->pool, issue->authority, &tbs,
                           &issue->tbs)
        != NGX_OK
        || ngx_pki_issue_record(issue, &tbs) != NGX_OK)
    {
        ngx_pki_issue_fail(issue, "the certificate cannot be encoded");
        return;
    }

    ngx_pki_issue_sign_tbs(issue, recorded ? ngx_pki_issue_sign_handler
                                           : ngx_pki_issue_internal_handler);
}


ngx_int_t
ngx_pki_issue_seal(ngx_pool_t *pool, ngx_str_t *tbs, ngx_str_t *algorithm,
    ngx_str_t *signature, ngx_str_t *out)
{
    size_t                mark;
    ngx_pki_der_writer_t  w;

    /* two headers of four octets at most, and "no unused bits" */

    if (ngx_pki_der_writer_init(&w, pool, tbs->len + algorithm->len
                                          + signature->len + 16)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_raw(&w, tbs);
    ngx_pki_der_raw(&w, algorithm);
    ngx_pki_der_put_bits(&w, signature);

    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, out);
}


static void
ngx_pki_issue_find_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_issue_t  *issue;

    issue = job->data;
    issue->store_time += job->elapsed;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_pki_issue_existing(issue);
        return;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_pki_issue_done(issue, NGX_PKI_ISSUE_OK);
        return;

    default:
        ngx_pki_issue_fail(issue, "the transaction cannot be looked up");
        return;
    }
}


/* whether the authority may serve; a fresh job for the store */

static ngx_int_t
ngx_pki_issue_prepare(ngx_pki_issue_t *issue)
{
    ngx_str_t            *trouble;
    ngx_pki_store_job_t  *job;

    ngx_str_null(&issue->error);

    trouble = ngx_pki_authority_trouble(issue->authority);

    if (trouble != NULL) {
        issue->error = *trouble;
        return NGX_ERROR;
    }

    job = &issue->store;

    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = issue->op;
    job->store = &issue->authority->store;
    job->data = issue;

    if (ngx_pki_issue_is_named(issue)
        && ngx_pki_transaction_key(issue, &job->transaction_key)
           != NGX_OK)
    {
        ngx_str_set(&issue->error, "the transaction cannot be hashed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Whether a retry can be told from a new request: SCEP names its transactions;
 * with REST a retry is the same request again.
 */

static ngx_int_t
ngx_pki_issue_is_named(ngx_pki_issue_t *issue)
{
    return issue->transaction.len != 0
           || ngx_pki_str_eq(&issue->source, "enroll")
           || ngx_pki_str_eq(&issue->source, "api");
}


static void
ngx_pki_issue_sign(ngx_pki_issue_t *issue)
{
    ngx_pki_tbs_t   tbs;
    ngx_pki_authority_t  *a;

    a = issue->authority;

    ngx_memzero(&tbs, sizeof(ngx_pki_tbs_t));

    tbs.template = &issue->template;
    tbs.spki = &issue->csr->spki;
    tbs.public_key = &issue->csr->public_key;
    tbs.aia = &a->aia;

    if (ngx_pki_profile_distribution_point(issue->profile)) {
        tbs.cdp = &a->cdp;
    }

    issue->tries++;

    if (ngx_pki_tbs_encode(issue->op->pool, issue->authority, &tbs,
                           &issue->tbs)
        != NGX_OK
        || ngx_pki_issue_record(issue, &tbs) != NGX_OK)
    {
        ngx_pki_issue_fail(issue, "the certificate cannot be encoded");
        return;
    }

    ngx_pki_issue_sign_tbs(issue, ngx_pki_issue_sign_handler);
}


/* whether its one-time challenge says whose the certificate must be */

static ngx_uint_t
ngx_pki_issue_is_bound(ngx_pki_issue_t *issue)
{
    ngx_pki_challenge_t  *binding;

    binding = issue->binding;

    return binding != NULL
           && (binding->subject.len != 0 || binding->sans.len != 0
               || binding->device.len != 0 || binding->user.len != 0);
}


/*
 * Whose it is, by its names; a challenge may say whose it must be.  Not NGX_OK:
 * that was the end.
 */

static ngx_int_t
ngx_pki_issue_bind(ngx_pki_issue_t *issue)
{
    ngx_str_t            refusal;
    ngx_pki_record_t    *record;
    ngx_pki_template_t  *t;

    t = &issue->template;
    record = &issue->record;

    if (ngx_pki_device_find(issue->op->pool, issue->device_rule, issue->csr,
                            t, &record->device, &record->user)
        != NGX_OK)
    {
        ngx_pki_issue_fail(issue, "out of memory");
        return NGX_ERROR;
    }

    if (!ngx_pki_issue_is_bound(issue)) {
        return NGX_OK;
    }

    ngx_str_set(&refusal, "the one-time challenge is for somebody, but not "
                          "for this security identifier");

    /* it is one of the SANs: another account than the other names */

    if ((t->sid_named && issue->binding->sans.len == 0)
        || ngx_pki_challenge_check(issue->binding, &t->subject_text,
                                   &t->sans_text, &record->device,
                                   &record->user, &refusal)
           != NGX_OK)
    {
        issue->challenged = 1;
        record->subject = t->subject_text;
        ngx_pki_issue_refuse(issue, &refusal, NGX_PKI_ISSUE_BAD_REQUEST);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* "device" and "user" are set already, or those of what is renewed */

static ngx_int_t
ngx_pki_issue_record(ngx_pki_issue_t *issue, ngx_pki_tbs_t *tbs)
{
    ngx_pki_record_t    *record;
    ngx_pki_template_t  *t;

    record = &issue->record;
    t = tbs->template;

    record->serial.data = ngx_pnalloc(issue->op->pool, 2 * NGX_PKI_SERIAL_LEN);
    if (record->serial.data == NULL) {
        return NGX_ERROR;
    }

    record->serial.len = ngx_pki_serial_print(record->serial.data,
                                              &tbs->serial);
    issue->op->serial = record->serial;

    record->subject = t->subject_text;
    record->sans = t->sans_text;
    record->source = issue->source;
    record->requester = issue->requester;
    record->transaction = issue->transaction;
    record->vouched = issue->vouched;
    record->withheld = issue->withheld;
    record->issued_at = ngx_time();
    record->not_before = t->not_before;
    record->not_after = t->not_after;
    record->status = NGX_PKI_STATUS_GOOD;

    if (issue->profile != NULL) {
        record->profile = *ngx_pki_profile_name(issue->profile);
    }

    if (issue->renewed != NULL) {
        record->device = issue->renewed->device;
        record->user = issue->renewed->user;
        record->renewed = issue->renewed->serial;

        /* unless somebody has vouched for the renewal */

        if (record->vouched.len == 0) {
            record->vouched = issue->renewed->vouched;
        }
    }

    return NGX_OK;
}


static void
ngx_pki_issue_sign_tbs(ngx_pki_issue_t *issue, ngx_pki_key_pt handler)
{
    u_char             *digest;
    unsigned int        len;
    ngx_pki_key_job_t  *job;

    job = &issue->sign;

    ngx_memzero(job, sizeof(ngx_pki_key_job_t));

    digest = ngx_pnalloc(issue->op->pool, EVP_MAX_MD_SIZE);

    if (digest == NULL
        || EVP_Digest(issue->tbs.data, issue->tbs.len, digest, &len,
                      issue->authority->md, NULL)
           != 1)
    {
        ERR_clear_error();
        ngx_pki_issue_fail(issue, "the certificate cannot be hashed");
        return;
    }

    job->op = issue->op;
    job->key = issue->authority->key;
    job->md = issue->authority->md;
    job->pss = issue->authority->pss;
    job->input.data = digest;
    job->input.len = len;
    job->handler = handler;
    job->data = issue;

    ngx_pki_op_action(issue->op, "signing a certificate");

    ngx_pki_key_sign(job);
}


/* puts the signature, which has been verified, to what was signed */

static ngx_int_t
ngx_pki_issue_signed(ngx_pki_issue_t *issue)
{
    ngx_str_t          *algorithm;
    ngx_pki_key_job_t  *job;

    job = &issue->sign;
    issue->sign_time += job->elapsed;

    if (job->rc != NGX_OK) {
        ngx_str_set(&issue->error, "the key of the authority does not sign");
        return NGX_ERROR;
    }

    algorithm = ngx_pki_key_algorithm(job->key->spec.type, job->md,
                                      job->pss);

    if (algorithm == NULL
        || ngx_pki_issue_seal(issue->op->pool, &issue->tbs, algorithm,
                              &job->output, &issue->record.der)
           != NGX_OK)
    {
        ngx_str_set(&issue->error, "the certificate cannot be encoded");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_pki_issue_sign_handler(ngx_pki_key_job_t *job)
{
    time_t                half;
    ngx_pki_issue_t      *issue;
    ngx_pki_store_job_t  *store;

    issue = job->data;

    if (ngx_pki_issue_signed(issue) != NGX_OK) {
        ngx_pki_issue_done(issue, NGX_PKI_ISSUE_UNAVAILABLE);
        return;
    }

    half = (issue->record.not_after - ngx_time()) / 2;

    store = &issue->store;

    store->record = issue->record;
    store->pending.id = issue->pending;
    store->by = issue->approver;
    store->challenge = issue->challenge;

    if (issue->binding != NULL) {
        store->one_time = *issue->binding;
    }

    store->notice = issue->notice;

    if (issue->renewed != NULL && issue->renewed_of == issue->authority) {
        store->renewed = issue->renewed->serial;
    }

    store->transaction_ttl = ngx_min(half, NGX_PKI_ISSUE_TRANSACTION_TTL);
    store->handler = ngx_pki_issue_add_handler;

    issue->doubtful = 1;

    ngx_pki_store_add(store);
}


static void
ngx_pki_issue_add_handler(ngx_pki_store_job_t *job)
{
    ngx_pki_issue_t  *issue;

    static ngx_str_t  decided =
        ngx_string("the request does not wait for a decision any more");
    static ngx_str_t  revoked =
        ngx_string("the certificate that signs is not good any more");
    static ngx_str_t  taken =
        ngx_string("the one-time challenge was used meanwhile");

    issue = job->data;
    issue->store_time += job->elapsed;
    issue->doubtful = (job->result == NGX_PKI_STORE_UNAVAILABLE);

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        issue->record = job->record;
        (void) ngx_atomic_fetch_add(&job->store->slot->issued, 1);
        ngx_pki_issue_done(issue, NGX_PKI_ISSUE_OK);
        return;

    case NGX_PKI_STORE_EXISTS:
        ngx_pki_issue_existing(issue);
        return;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_pki_issue_refuse(issue, &decided, NGX_PKI_ISSUE_BAD_REQUEST);
        return;

    case NGX_PKI_STORE_REVOKED:
        ngx_pki_issue_refuse(issue, &revoked, NGX_PKI_ISSUE_BAD_CERT_ID);
        return;

    case NGX_PKI_STORE_TAKEN:
        issue->challenged = 1;
        ngx_pki_issue_refuse(issue, &taken, NGX_PKI_ISSUE_BAD_REQUEST);
        return;

    case NGX_PKI_STORE_CONFLICT:

        if (issue->tries < NGX_PKI_ISSUE_MAX_TRIES) {
            ngx_pki_issue_sign(issue);
            return;
        }

        ngx_log_error(NGX_LOG_ALERT, issue->op->log, 0,
                      "random serial numbers are taken again and again");

        /* fall through */

    default:
        ngx_pki_issue_fail(issue, "the certificate cannot be recorded");
        return;
    }
}


static void
ngx_pki_issue_internal_handler(ngx_pki_key_job_t *job)
{
    ngx_pki_issue_t  *issue;

    issue = job->data;

    ngx_pki_issue_done(issue, ngx_pki_issue_signed(issue) == NGX_OK
                              ? NGX_PKI_ISSUE_OK : NGX_PKI_ISSUE_UNAVAILABLE);
}


/* the transaction has a certificate: issue->store.record */

static void
ngx_pki_issue_existing(ngx_pki_issue_t *issue)
{
    static ngx_str_t  revoked =
        ngx_string("the certificate of this transaction is revoked");
    static ngx_str_t  withheld =
        ngx_string("the certificate of this transaction is withheld");

    issue->record = issue->store.record;
    issue->op->serial = issue->record.serial;

    if (issue->record.status != NGX_PKI_STATUS_GOOD) {
        ngx_pki_issue_refuse(issue, &revoked, NGX_PKI_ISSUE_BAD_REQUEST);
        return;
    }

    /* only who asks by SCEP can tell whoever must be told of it first */

    if (issue->record.withheld.len != 0
        && (issue->pending.len != 0
            || !ngx_pki_str_eq(&issue->source, "scep")))
    {
        ngx_pki_issue_refuse(issue, &withheld, NGX_PKI_ISSUE_BAD_REQUEST);
        return;
    }

    ngx_pki_issue_done(issue, NGX_PKI_ISSUE_EXISTING);
}


static void
ngx_pki_issue_refuse(ngx_pki_issue_t *issue, ngx_str_t *error,
    ngx_uint_t fail_info)
{
    issue->error = *error;
    issue->fail_info = fail_info;

    (void) ngx_atomic_fetch_add(&issue->authority->store.slot->refused, 1);

    ngx_pki_issue_done(issue, NGX_PKI_ISSUE_REFUSED);
}


static void
ngx_pki_issue_fail(ngx_pki_issue_t *issue, const char *error)
{
    issue->error.data = (u_char *) error;
    issue->error.len = ngx_strlen(error);

    ngx_pki_issue_done(issue, NGX_PKI_ISSUE_UNAVAILABLE);
}


static void
ngx_pki_issue_done(ngx_pki_issue_t *issue, ngx_pki_issue_result_e result)
{
    issue->result = result;

    issue->handler(issue);
}

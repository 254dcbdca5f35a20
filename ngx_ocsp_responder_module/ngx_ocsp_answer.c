
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_answer.h"


/* "ocsp_on_error try_later": what is known longer than that is not told */

#define NGX_OCSP_ANSWER_STALE      60

/* a clock that goes back by more seconds than that was wrong before */

#define NGX_OCSP_ANSWER_CLOCK      5


/* a CertID and its way to the store */

struct ngx_ocsp_item_s {
    ngx_ocsp_answer_t         *answer;
    ngx_ocsp_cert_id_t        *id;
    ngx_ocsp_signer_t         *signer;       /* NULL: a foreign issuer */
    ngx_ocsp_single_t         *single;
    time_t                     known_at;
    ngx_pki_store_job_t        job;
};


static ngx_int_t ngx_ocsp_answer_init(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_answer_lookup(ngx_ocsp_item_t *item);
static void ngx_ocsp_answer_status_handler(ngx_pki_store_job_t *job);
static void ngx_ocsp_answer_known(ngx_ocsp_answer_t *answer);
static ngx_ocsp_response_status_e ngx_ocsp_answer_judge(
    ngx_ocsp_answer_t *answer);
static ngx_uint_t ngx_ocsp_answer_is_immature(ngx_array_t *signers);
static ngx_uint_t ngx_ocsp_answer_is_foreign(ngx_ocsp_answer_t *answer);
static ngx_uint_t ngx_ocsp_answer_is_unknown(ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_ocsp_answer_single(ngx_ocsp_answer_t *answer,
    ngx_ocsp_item_t *item);
static void ngx_ocsp_answer_never_issued(ngx_ocsp_answer_t *answer,
    ngx_ocsp_item_t *item);
static void ngx_ocsp_answer_sign(ngx_ocsp_answer_t *answer);
static time_t ngx_ocsp_answer_produced_at(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_answer_sign_handler(ngx_pki_key_job_t *job);
static void ngx_ocsp_answer_done(ngx_ocsp_answer_t *answer,
    ngx_ocsp_response_status_e result);


ngx_ocsp_signer_t *
ngx_ocsp_answer_signer(ngx_array_t *signers, ngx_ocsp_cert_id_t *id)
{
    ngx_uint_t               i;
    ngx_ocsp_signer_t      **s;
    ngx_pki_issuer_hash_t   *hash;

    if (id->hash == NGX_PKI_HASHES) {
        return NULL;
    }

    s = signers->elts;

    for (i = 0; i < signers->nelts; i++) {
        hash = &s[i]->authority->hash[id->hash];

        /* the pair: a name may have had several keys */

        if (hash->key.len != 0
            && hash->key.len == id->key_hash.len
            && hash->name.len == id->name_hash.len
            && ngx_memcmp(hash->key.data, id->key_hash.data, hash->key.len)
               == 0
            && ngx_memcmp(hash->name.data, id->name_hash.data,
                          hash->name.len)
               == 0)
        {
            return s[i];
        }
    }

    return NULL;
}


void
ngx_ocsp_answer_start(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t  i, n;

    if (ngx_ocsp_answer_init(answer) != NGX_OK) {
        ngx_ocsp_answer_done(answer, NGX_OCSP_INTERNAL_ERROR);
        return;
    }

    answer->immature = ngx_ocsp_answer_is_immature(answer->signers);

    if (!answer->immature
        && ngx_ocsp_answer_is_foreign(answer)
        && answer->policy->unknown != NGX_OCSP_UNKNOWN_UNKNOWN)
    {
        ngx_ocsp_answer_done(answer, NGX_OCSP_UNAUTHORIZED);
        return;
    }

    /* one more than there are: the last one is known below at the earliest */

    n = answer->request.ids.nelts;
    answer->waiting = n + 1;

    for (i = 0; i < n; i++) {
        ngx_ocsp_answer_lookup(&answer->items[i]);
    }

    ngx_ocsp_answer_known(answer);
}


static ngx_int_t
ngx_ocsp_answer_init(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t            i, n;
    ngx_ocsp_item_t      *item;
    ngx_ocsp_signer_t   **s;
    ngx_ocsp_cert_id_t   *id;

    id = answer->request.ids.elts;
    n = answer->request.ids.nelts;

    answer->items = ngx_pcalloc(answer->op->pool, n * sizeof(ngx_ocsp_item_t));
    answer->singles = ngx_pcalloc(answer->op->pool,
                                  n * sizeof(ngx_ocsp_single_t));

    if (answer->items == NULL || answer->singles == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        item = &answer->items[i];

        item->answer = answer;
        item->id = &id[i];
        item->single = &answer->singles[i];
        item->single->cert_id = id[i].whole;
        item->signer = ngx_ocsp_answer_signer(answer->signers, &id[i]);

        /* one signature: that of the first issuer we speak for */

        if (answer->signer == NULL) {
            answer->signer = item->signer;
        }
    }

    if (answer->signer == NULL) {
        s = answer->signers->elts;
        answer->signer = s[0];
    }

    answer->now = ngx_time();

    return NGX_OK;
}


static void
ngx_ocsp_answer_lookup(ngx_ocsp_item_t *item)
{
    ngx_pki_store_job_t  *job;
    ngx_pki_authority_t  *a;

    item->known_at = item->answer->now;

    /* it may be of an authority whose certificate is not known yet */

    if (item->signer == NULL && item->answer->immature) {
        item->answer->unavailable = 1;
        ngx_ocsp_answer_known(item->answer);
        return;
    }

    /* no certificate has such a serial number (RFC 5280, 4.1.2.2) */

    if (item->signer == NULL || item->id->serial.len > NGX_PKI_SERIAL_LEN) {
        ngx_ocsp_answer_known(item->answer);
        return;
    }

    a = item->signer->authority;

    if (ngx_pki_authority_trouble(a) != NULL) {
        item->answer->unavailable = 1;
        ngx_ocsp_answer_known(item->answer);
        return;
    }

    job = &item->job;

    job->op = item->answer->op;
    job->store = &a->store;
    job->serial.len = (u_char) item->id->serial.len;
    ngx_memcpy(job->serial.data, item->id->serial.data, job->serial.len);
    job->handler = ngx_ocsp_answer_status_handler;
    job->data = item;

    ngx_pki_store_status(job);
}


static void
ngx_ocsp_answer_status_handler(ngx_pki_store_job_t *job)
{
    ngx_ocsp_item_t    *item;
    ngx_ocsp_answer_t  *answer;

    item = job->data;
    answer = item->answer;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        item->single->status = job->status.status;
        item->single->reason = job->status.reason;
        item->single->revoked_at = job->status.revoked_at;
        item->known_at = job->known_at;
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        item->known_at = job->known_at;
        break;

    default:
        answer->unavailable = 1;
        break;
    }

    answer->store_time = ngx_max(answer->store_time, job->elapsed);

    ngx_ocsp_answer_known(answer);
}


static void
ngx_ocsp_answer_known(ngx_ocsp_answer_t *answer)
{
    ngx_ocsp_response_status_e  result;

    if (--answer->waiting != 0) {
        return;
    }

    if (answer->unavailable) {
        ngx_ocsp_answer_done(answer, NGX_OCSP_TRY_LATER);
        return;
    }

    /* the store may have taken a while, and a status is younger than that */

    answer->now = ngx_time();

    result = ngx_ocsp_answer_judge(answer);

    if (result != NGX_OCSP_SUCCESSFUL) {
        ngx_ocsp_answer_done(answer, result);
        return;
    }

    ngx_ocsp_answer_sign(answer);
}


static ngx_ocsp_response_status_e
ngx_ocsp_answer_judge(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t  i;

    if (answer->policy->unknown == NGX_OCSP_UNKNOWN_UNAUTHORIZED
        && ngx_ocsp_answer_is_unknown(answer))
    {
        return NGX_OCSP_UNAUTHORIZED;
    }

    answer->delegate = ngx_ocsp_signer_get(answer->signer, answer->now);

    if (answer->delegate == NULL) {
        return NGX_OCSP_TRY_LATER;
    }

    for (i = 0; i < answer->request.ids.nelts; i++) {

        if (ngx_ocsp_answer_single(answer, &answer->items[i]) != NGX_OK) {
            return NGX_OCSP_TRY_LATER;
        }
    }

    return NGX_OCSP_SUCCESSFUL;
}


/* whether an authority has no certificate yet: it cannot be told by its hash */

static ngx_uint_t
ngx_ocsp_answer_is_immature(ngx_array_t *signers)
{
    ngx_uint_t           i;
    ngx_ocsp_signer_t  **s;

    s = signers->elts;

    for (i = 0; i < signers->nelts; i++) {
        if (s[i]->authority->certificate == NULL) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_ocsp_answer_is_foreign(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t  i;

    for (i = 0; i < answer->request.ids.nelts; i++) {
        if (answer->items[i].signer != NULL) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_ocsp_answer_is_unknown(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t  i;

    for (i = 0; i < answer->request.ids.nelts; i++) {
        if (answer->singles[i].status != NGX_PKI_STATUS_UNKNOWN) {
            return 0;
        }
    }

    return 1;
}


/*
 * thisUpdate is when the status was known; its validity counts from there.  A
 * revocation is known from its own time on, be it later than the last word of
 * the log.
 */

static ngx_int_t
ngx_ocsp_answer_single(ngx_ocsp_answer_t *answer, ngx_ocsp_item_t *item)
{
    time_t              end, known_at;
    ngx_ocsp_single_t  *single;

    single = item->single;

    known_at = ngx_max(item->known_at, single->revoked_at);
    single->this_update = ngx_min(known_at, answer->now);

    if (answer->policy->on_error == NGX_OCSP_ON_ERROR_TRY_LATER
        && answer->now - single->this_update > NGX_OCSP_ANSWER_STALE)
    {
        return NGX_DECLINED;
    }

    end = ngx_min(answer->delegate->not_after,
                  answer->signer->authority->not_after);

    single->next_update = single->this_update
                          + answer->policy->validity[single->status];
    single->next_update = ngx_min(single->next_update, end);

    if (single->next_update <= answer->now) {
        return NGX_DECLINED;
    }

    if (single->status == NGX_PKI_STATUS_UNKNOWN) {
        ngx_ocsp_answer_never_issued(answer, item);
    }

    if (answer->next_update == 0
        || single->next_update < answer->next_update)
    {
        answer->next_update = single->next_update;
    }

    answer->this_update = ngx_max(answer->this_update, single->this_update);

    return NGX_OK;
}


/* RFC 6960, 2.2: the extended form of "revoked", for our own serials only */

static void
ngx_ocsp_answer_never_issued(ngx_ocsp_answer_t *answer, ngx_ocsp_item_t *item)
{
    if (answer->policy->unknown != NGX_OCSP_UNKNOWN_REVOKED
        || item->signer == NULL)
    {
        return;
    }

    item->single->status = NGX_PKI_STATUS_REVOKED;
    item->single->reason = NGX_PKI_REASON_HOLD;
    item->single->revoked_at = 0;

    answer->extended_revoke = 1;
}


static void
ngx_ocsp_answer_sign(ngx_ocsp_answer_t *answer)
{
    u_char                    *digest;
    unsigned int               len;
    ngx_pki_op_t              *op;
    ngx_ocsp_delegate_t       *delegate;
    ngx_ocsp_response_data_t   data;

    op = answer->op;
    delegate = answer->delegate;

    data.key_hash = delegate->key_hash;
    data.produced_at = ngx_ocsp_answer_produced_at(answer);
    data.singles = answer->singles;
    data.n = answer->request.ids.nelts;
    data.nonce = answer->request.nonce;
    data.extended_revoke = answer->extended_revoke;

    digest = ngx_pnalloc(op->pool, EVP_MAX_MD_SIZE);

    if (digest == NULL
        || ngx_ocsp_response_encode(op->pool, &data, &answer->tbs) != NGX_OK
        || EVP_Digest(answer->tbs.data, answer->tbs.len, digest, &len,
                      delegate->md, NULL)
           != 1)
    {
        ERR_clear_error();
        ngx_ocsp_answer_done(answer, NGX_OCSP_INTERNAL_ERROR);
        return;
    }

    ngx_pki_op_action(op, "signing an OCSP response");

    answer->sign.op = op;
    answer->sign.key = delegate->key;
    answer->sign.md = delegate->md;
    answer->sign.input.data = digest;
    answer->sign.input.len = len;
    answer->sign.handler = ngx_ocsp_answer_sign_handler;
    answer->sign.data = answer;

    ngx_pki_key_sign(&answer->sign);
}


/* a clock that is set back a little makes no answer look older than the last */

static time_t
ngx_ocsp_answer_produced_at(ngx_ocsp_answer_t *answer)
{
    time_t              now;
    ngx_ocsp_signer_t  *signer;

    now = answer->now;
    signer = answer->signer;

    if (now >= signer->produced_at
        || signer->produced_at - now > NGX_OCSP_ANSWER_CLOCK)
    {
        signer->produced_at = now;
    }

    return signer->produced_at;
}


static void
ngx_ocsp_answer_sign_handler(ngx_pki_key_job_t *job)
{
    ngx_int_t             rc;
    ngx_ocsp_answer_t    *answer;
    ngx_ocsp_delegate_t  *delegate;

    answer = job->data;
    delegate = answer->delegate;

    answer->sign_time = job->elapsed;

    rc = job->rc;

    if (rc == NGX_OK) {
        rc = ngx_ocsp_response_seal(answer->op->pool, &answer->tbs,
                                    delegate->algorithm, &job->output,
                                    &delegate->certificate, &answer->body);
    }

    ngx_ocsp_answer_done(answer, (rc == NGX_OK) ? NGX_OCSP_SUCCESSFUL
                                                : NGX_OCSP_INTERNAL_ERROR);
}


static void
ngx_ocsp_answer_done(ngx_ocsp_answer_t *answer,
    ngx_ocsp_response_status_e result)
{
    answer->result = result;

    if (answer->delegate != NULL) {
        ngx_ocsp_delegate_release(answer->delegate);
        answer->delegate = NULL;
    }

    answer->handler(answer);
}

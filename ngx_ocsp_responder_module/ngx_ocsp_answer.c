
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_answer.h"


static ngx_int_t ngx_ocsp_answer_open(ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_ocsp_answer_init(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_answer_item(ngx_ocsp_answer_t *answer, ngx_uint_t i);
static ngx_uint_t ngx_ocsp_answer_is_immature(ngx_array_t *signers);
static ngx_uint_t ngx_ocsp_answer_is_foreign(ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_ocsp_answer_peek(ngx_ocsp_answer_t *answer);
static ngx_uint_t ngx_ocsp_answer_is_settled(ngx_ocsp_item_t *item);
static void ngx_ocsp_answer_lookup(ngx_ocsp_item_t *item);
static void ngx_ocsp_answer_status_handler(ngx_pki_store_job_t *job);
static void ngx_ocsp_answer_known(ngx_ocsp_answer_t *answer);
static ngx_ocsp_response_status_e ngx_ocsp_answer_unavailable(
    ngx_ocsp_answer_t *answer);
static ngx_ocsp_response_status_e ngx_ocsp_answer_conclude(
    ngx_ocsp_answer_t *answer);


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


ngx_int_t
ngx_ocsp_answer_at_once(ngx_ocsp_answer_t *answer)
{
    ngx_int_t  rc;

    if (ngx_ocsp_answer_open(answer) != NGX_OK) {
        return NGX_OK;
    }

    if (answer->cache == NGX_OCSP_CACHE_MISS
        && ngx_ocsp_reply_find(answer) == NGX_OK)
    {
        answer->result = NGX_OCSP_SUCCESSFUL;
        return NGX_OK;
    }

    /* nobody can sign now, but that may not be what is answered */

    if (answer->responder == NULL
        || !ngx_pki_key_is_at_once(answer->responder->key))
    {
        return NGX_AGAIN;
    }

    rc = ngx_ocsp_answer_peek(answer);

    if (rc == NGX_BUSY) {
        answer->result = ngx_ocsp_answer_unavailable(answer);
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    answer->result = ngx_ocsp_judge(answer);

    if (answer->result != NGX_OCSP_SUCCESSFUL) {
        return NGX_OK;
    }

    answer->result = ngx_ocsp_sign_at_once(answer);

    return NGX_OK;
}


void
ngx_ocsp_answer_start(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t  i;

    if (ngx_ocsp_answer_open(answer) != NGX_OK) {
        ngx_ocsp_answer_done(answer, answer->result);
        return;
    }

    if (answer->responder != NULL) {
        ngx_ocsp_responder_retain(answer->responder);
        answer->retained = 1;
    }

    /* one more than there are: the last one is known below at the earliest */

    answer->waiting = answer->request.n + 1;

    for (i = 0; i < answer->request.n; i++) {
        ngx_ocsp_answer_lookup(&answer->items[i]);
    }

    ngx_ocsp_answer_known(answer);
}


/* NGX_DONE: answer->result says it all */

static ngx_int_t
ngx_ocsp_answer_open(ngx_ocsp_answer_t *answer)
{
    if (ngx_ocsp_answer_init(answer) != NGX_OK) {
        answer->result = NGX_OCSP_INTERNAL_ERROR;
        return NGX_DONE;
    }

    if (!answer->immature
        && answer->policy->unknown != NGX_OCSP_UNKNOWN_UNKNOWN
        && ngx_ocsp_answer_is_foreign(answer))
    {
        answer->result = NGX_OCSP_UNAUTHORIZED;
        return NGX_DONE;
    }

    answer->responder = ngx_ocsp_signer_get(answer->signer,
                                            &answer->request.preferred,
                                            answer->now);

    /* a vault cannot sign as often as that; RFC 9919, 2.2.1 */

    if (answer->responder != NULL && answer->responder->key->remote) {
        ngx_str_null(&answer->request.nonce);
    }

    answer->cache = ngx_ocsp_reply_question(answer) ? NGX_OCSP_CACHE_MISS
                                                    : NGX_OCSP_CACHE_BYPASS;

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_answer_init(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t           i, n;
    ngx_ocsp_signer_t  **s;

    n = answer->request.n;

    answer->now = ngx_time();

    if (n == 1) {
        answer->items = &answer->item;
        answer->singles = &answer->single;

    } else {
        answer->items = ngx_pcalloc(answer->pool, n * sizeof(ngx_ocsp_item_t));
        answer->singles = ngx_pcalloc(answer->pool,
                                      n * sizeof(ngx_ocsp_single_t));

        if (answer->items == NULL || answer->singles == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        ngx_ocsp_answer_item(answer, i);
    }

    if (answer->signer == NULL) {
        s = answer->signers->elts;
        answer->signer = s[0];
    }

    answer->immature = ngx_ocsp_answer_is_immature(answer->signers);

    return NGX_OK;
}


static void
ngx_ocsp_answer_item(ngx_ocsp_answer_t *answer, ngx_uint_t i)
{
    ngx_ocsp_item_t     *item;
    ngx_ocsp_cert_id_t  *id;

    item = &answer->items[i];
    id = &answer->request.ids[i];

    item->answer = answer;
    item->id = id;
    item->single = &answer->singles[i];
    item->single->cert_id = id->whole;
    item->signer = ngx_ocsp_answer_signer(answer->signers, id);
    item->known_at = answer->now;

    /* no certificate has a longer one (RFC 5280, 4.1.2.2) */

    if (id->serial.len <= NGX_PKI_SERIAL_LEN) {
        item->serial.len = (u_char) id->serial.len;
        ngx_memcpy(item->serial.data, id->serial.data, id->serial.len);
    }

    /* one signature: that of the first issuer we speak for */

    if (answer->signer == NULL) {
        answer->signer = item->signer;
    }
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

    for (i = 0; i < answer->request.n; i++) {
        if (answer->items[i].signer != NULL) {
            return 0;
        }
    }

    return 1;
}


/* NGX_AGAIN: Redis has to be asked; NGX_BUSY: and cannot be */

static ngx_int_t
ngx_ocsp_answer_peek(ngx_ocsp_answer_t *answer)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_ocsp_item_t  *item;

    for (i = 0; i < answer->request.n; i++) {
        item = &answer->items[i];

        if (ngx_ocsp_answer_is_settled(item)) {
            continue;
        }

        if (answer->unavailable) {
            return NGX_BUSY;
        }

        rc = ngx_pki_store_status_peek(&item->signer->authority->store,
                                       &item->serial, &item->status,
                                       &item->known_at);

        if (rc != NGX_OK) {
            return (rc == NGX_BUSY) ? NGX_BUSY : NGX_AGAIN;
        }

        item->single->status = item->status.status;
        item->single->reason = item->status.reason;
        item->single->revoked_at = item->status.revoked_at;
    }

    return answer->unavailable ? NGX_BUSY : NGX_OK;
}


/* whether nobody has to be asked, or answer->unavailable: nobody can be */

static ngx_uint_t
ngx_ocsp_answer_is_settled(ngx_ocsp_item_t *item)
{
    ngx_ocsp_answer_t  *answer;

    answer = item->answer;

    /* it may be of an authority whose certificate is not known yet */

    if (item->signer == NULL) {
        answer->unavailable |= answer->immature;
        return 1;
    }

    /* RFC 6960, 2.7 */

    if (answer->policy->compromised != 0) {
        item->single->status = NGX_PKI_STATUS_REVOKED;
        item->single->reason = NGX_PKI_REASON_CA_COMPROMISE;
        item->single->revoked_at = answer->policy->compromised;
        return 1;
    }

    if (item->serial.len == 0) {
        return 1;
    }

    if (ngx_pki_authority_trouble(item->signer->authority) != NULL) {
        answer->unavailable = 1;
        return 1;
    }

    return 0;
}


static void
ngx_ocsp_answer_lookup(ngx_ocsp_item_t *item)
{
    ngx_pki_op_t         *op;
    ngx_pki_store_job_t  *job;

    if (ngx_ocsp_answer_is_settled(item)) {
        ngx_ocsp_answer_known(item->answer);
        return;
    }

    op = item->answer->op;

    job = ngx_pcalloc(op->pool, sizeof(ngx_pki_store_job_t));

    if (job == NULL) {
        item->answer->unavailable = 1;
        ngx_ocsp_answer_known(item->answer);
        return;
    }

    item->job = job;

    job->op = op;
    job->store = &item->signer->authority->store;
    job->serial = item->serial;
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
        item->status = job->status;
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

    /* the store may have taken a while, and a status is younger than that */

    answer->now = ngx_time();

    if (answer->unavailable) {
        ngx_ocsp_answer_done(answer, ngx_ocsp_answer_unavailable(answer));
        return;
    }

    result = ngx_ocsp_answer_conclude(answer);

    if (result != NGX_OCSP_SUCCESSFUL) {
        ngx_ocsp_answer_done(answer, result);
        return;
    }

    ngx_ocsp_sign(answer);
}


/* a status cannot be had now; an answer to be renewed is good to its end */

static ngx_ocsp_response_status_e
ngx_ocsp_answer_unavailable(ngx_ocsp_answer_t *answer)
{
    return (ngx_ocsp_reply_find_any(answer) == NGX_OK) ? NGX_OCSP_SUCCESSFUL
                                                       : NGX_OCSP_TRY_LATER;
}


static ngx_ocsp_response_status_e
ngx_ocsp_answer_conclude(ngx_ocsp_answer_t *answer)
{
    if (answer->responder != NULL
        && !ngx_ocsp_responder_usable(answer->responder, answer->now))
    {
        return NGX_OCSP_TRY_LATER;
    }

    return ngx_ocsp_judge(answer);
}


void
ngx_ocsp_answer_done(ngx_ocsp_answer_t *answer,
    ngx_ocsp_response_status_e result)
{
    answer->result = result;

    if (answer->retained) {
        ngx_ocsp_responder_release(answer->responder);
    }

    answer->handler(answer);
}

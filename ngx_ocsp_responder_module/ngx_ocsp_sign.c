
/*
 * Copyright (C) the ngx_pki authors
 *
 * The signature of a response: at once, by a key in memory; or as a job, of
 * which there are not too many, and one only for all who ask the same.
 */


#include "ngx_ocsp_answer.h"
#include "ngx_ocsp_flight.h"


/* a clock that goes back by more seconds than that was wrong before */

#define NGX_OCSP_SIGN_CLOCK    5

/* signatures that a worker waits for, its own and other workers' */

#define NGX_OCSP_SIGN_PENDING    512

/* milliseconds: between looks for another one's, and what that may take */

#define NGX_OCSP_SIGN_WAIT       10
#define NGX_OCSP_SIGN_LEASE      15000

/* the header of a BIT STRING, its octet, and what an EC signature varies by */

#define NGX_OCSP_SIGN_BITS       8

/* signatures over "unknown" of a second, where each of them is a call */

#define NGX_OCSP_SIGN_UNKNOWN    5


static void ngx_ocsp_sign_queue(ngx_ocsp_answer_t *answer);
static ngx_uint_t ngx_ocsp_sign_is_long(ngx_ocsp_answer_t *answer);
static ngx_uint_t ngx_ocsp_sign_sheds(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_sign_tell(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_sign_fly(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_sign_wait_handler(ngx_event_t *ev);
static ngx_uint_t ngx_ocsp_sign_is_current(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_sign_job(ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_ocsp_sign_encode(ngx_ocsp_answer_t *answer,
    ngx_str_t *digest);
static time_t ngx_ocsp_sign_produced_at(ngx_ocsp_answer_t *answer);
static void ngx_ocsp_sign_handler(ngx_pki_key_job_t *job);
static ngx_int_t ngx_ocsp_sign_seal(ngx_ocsp_answer_t *answer,
    ngx_str_t *signature);
static void ngx_ocsp_sign_done(ngx_ocsp_answer_t *answer,
    ngx_ocsp_response_status_e result);


/* of this worker: answers that wait for a signature, "unknown" of a second */

static ngx_uint_t  ngx_ocsp_sign_pending;
static ngx_uint_t  ngx_ocsp_sign_unknowns;
static time_t      ngx_ocsp_sign_unknown_at;
static time_t      ngx_ocsp_sign_told_at;


ngx_ocsp_response_status_e
ngx_ocsp_sign_at_once(ngx_ocsp_answer_t *answer)
{
    u_char     buf[NGX_PKI_KEY_SIGNATURE_MAX];
    ngx_str_t  digest, signature;

    signature.data = buf;

    if (ngx_ocsp_sign_encode(answer, &digest) != NGX_OK
        || ngx_pki_key_sign_at_once(answer->responder->key,
                                    answer->responder->md,
                                    answer->responder->pss, &digest,
                                    &signature, answer->log)
           != NGX_OK
        || ngx_ocsp_sign_seal(answer, &signature) != NGX_OK)
    {
        return NGX_OCSP_INTERNAL_ERROR;
    }

    return NGX_OCSP_SUCCESSFUL;
}


void
ngx_ocsp_sign(ngx_ocsp_answer_t *answer)
{
    if (ngx_pki_key_is_at_once(answer->responder->key)) {
        ngx_ocsp_sign_job(answer);
        return;
    }

    ngx_ocsp_sign_queue(answer);
}


/* a signature that takes a while: of a vault, or of a large key */

static void
ngx_ocsp_sign_queue(ngx_ocsp_answer_t *answer)
{
    if (ngx_ocsp_sign_pending >= NGX_OCSP_SIGN_PENDING
        || ngx_ocsp_sign_sheds(answer))
    {
        ngx_ocsp_sign_tell(answer);
        ngx_ocsp_sign_done(answer, NGX_OCSP_TRY_LATER);
        return;
    }

    ngx_ocsp_sign_pending++;
    answer->pending = 1;

    if (answer->cache == NGX_OCSP_CACHE_MISS && ngx_ocsp_sign_is_long(answer))
    {
        answer->cache = NGX_OCSP_CACHE_BYPASS;
    }

    if (answer->cache == NGX_OCSP_CACHE_BYPASS) {
        ngx_ocsp_sign_job(answer);
        return;
    }

    ngx_ocsp_sign_fly(answer);
}


/* too long to be kept: nobody has to wait for it */

static ngx_uint_t
ngx_ocsp_sign_is_long(ngx_ocsp_answer_t *answer)
{
    ngx_str_t              digest;
    ngx_ocsp_responder_t  *responder;

    responder = answer->responder;

    return ngx_ocsp_sign_encode(answer, &digest) == NGX_OK
           && answer->tbs.len + responder->algorithm->len
              + EVP_PKEY_get_size(responder->key->public_key)
              + NGX_OCSP_SIGN_BITS
              > NGX_PKI_ZONE_REPLY_MAX;
}


/*
 * What is not kept must not use up what a vault can do: serials that were never
 * issued, several at once.
 */

static ngx_uint_t
ngx_ocsp_sign_sheds(ngx_ocsp_answer_t *answer)
{
    if (!answer->responder->key->remote
        || answer->policy->compromised != 0
        || (answer->request.n == 1
            && answer->items->status.status != NGX_PKI_STATUS_UNKNOWN))
    {
        return 0;
    }

    if (ngx_ocsp_sign_unknown_at != answer->now) {
        ngx_ocsp_sign_unknown_at = answer->now;
        ngx_ocsp_sign_unknowns = 0;
    }

    return ngx_ocsp_sign_unknowns++ >= NGX_OCSP_SIGN_UNKNOWN;
}


/* once a second is enough: clients decide how often it happens */

static void
ngx_ocsp_sign_tell(ngx_ocsp_answer_t *answer)
{
    if (ngx_ocsp_sign_told_at == answer->now) {
        return;
    }

    ngx_ocsp_sign_told_at = answer->now;

    ngx_log_error(NGX_LOG_WARN, answer->log, 0,
                  "too many OCSP responses wait for signatures of \"%V\"",
                  &answer->responder->key->name);
}


/* one signature for all who ask for it, on whichever worker */

static void
ngx_ocsp_sign_fly(ngx_ocsp_answer_t *answer)
{
    ngx_int_t        rc;
    ngx_pki_zone_t  *zone;

    zone = answer->items->signer->authority->store.zone;

    rc = ngx_ocsp_flight_begin(zone, ngx_ocsp_reply_tag(answer),
                               NGX_OCSP_SIGN_LEASE);

    if (rc == NGX_OK) {
        answer->flight = 1;
        ngx_ocsp_sign_job(answer);
        return;
    }

    /* nobody is there any more to wait for it, or too many do */

    if (rc == NGX_DECLINED || answer->op->request == NULL) {
        ngx_ocsp_sign_done(answer, NGX_OCSP_TRY_LATER);
        return;
    }

    ngx_memzero(&answer->wait, sizeof(ngx_event_t));

    answer->wait.handler = ngx_ocsp_sign_wait_handler;
    answer->wait.data = answer;
    answer->wait.log = answer->log;

    ngx_add_timer(&answer->wait, NGX_OCSP_SIGN_WAIT);
}


static void
ngx_ocsp_sign_wait_handler(ngx_event_t *ev)
{
    ngx_ocsp_answer_t  *answer;

    answer = ev->data;

    answer->now = ngx_time();

    if (ngx_ocsp_reply_find(answer) == NGX_OK) {
        ngx_ocsp_sign_done(answer, NGX_OCSP_SUCCESSFUL);
        return;
    }

    if (!ngx_ocsp_sign_is_current(answer)) {
        ngx_ocsp_sign_done(answer, NGX_OCSP_TRY_LATER);
        return;
    }

    ngx_ocsp_sign_fly(answer);
}


/* a status may change while the signature of what was judged is waited for */

static ngx_uint_t
ngx_ocsp_sign_is_current(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t              i;
    ngx_ocsp_item_t        *item;
    ngx_pki_store_t        *store;
    ngx_pki_zone_status_t   status;

    for (i = 0; i < answer->request.n; i++) {
        item = &answer->items[i];

        if (item->signer == NULL || item->serial.len == 0
            || answer->policy->compromised != 0)
        {
            continue;
        }

        store = &item->signer->authority->store;

        if (ngx_pki_zone_lookup(store->zone, store->slot, &item->serial,
                                &status)
            == NGX_OK
            && status.status != item->status.status)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_ocsp_sign_job(ngx_ocsp_answer_t *answer)
{
    ngx_str_t  digest;

    if (ngx_ocsp_sign_encode(answer, &digest) != NGX_OK) {
        ngx_ocsp_sign_done(answer, NGX_OCSP_INTERNAL_ERROR);
        return;
    }

    ngx_pki_op_action(answer->op, "signing an OCSP response");

    ngx_memzero(&answer->sign, sizeof(ngx_pki_key_job_t));

    answer->sign.op = answer->op;
    answer->sign.key = answer->responder->key;
    answer->sign.md = answer->responder->md;
    answer->sign.pss = answer->responder->pss;
    answer->sign.at_once = ngx_pki_key_is_at_once(answer->responder->key);
    answer->sign.input = digest;
    answer->sign.handler = ngx_ocsp_sign_handler;
    answer->sign.data = answer;

    ngx_pki_key_sign(&answer->sign);
}


static ngx_int_t
ngx_ocsp_sign_encode(ngx_ocsp_answer_t *answer, ngx_str_t *digest)
{
    unsigned int               len;
    ngx_ocsp_response_data_t   data;

    if (answer->twin && answer->singles->status != NGX_PKI_STATUS_UNKNOWN
        && answer->cache == NGX_OCSP_CACHE_MISS
        && ngx_ocsp_reply_twin(answer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    data.responder = answer->responder;
    data.by_name = answer->policy->by_name;
    data.produced_at = ngx_ocsp_sign_produced_at(answer);
    data.singles = answer->singles;
    data.n = answer->request.n;
    data.nonce = answer->request.nonce;
    data.extended_revoke = answer->extended_revoke;

    if (ngx_ocsp_response_encode(answer->pool, &data, &answer->tbs) != NGX_OK
        || EVP_Digest(answer->tbs.data, answer->tbs.len, answer->digest, &len,
                      answer->responder->md, NULL)
           != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    digest->data = answer->digest;
    digest->len = len;

    return NGX_OK;
}


/* a clock that is set back a little makes no answer look older than the last */

static time_t
ngx_ocsp_sign_produced_at(ngx_ocsp_answer_t *answer)
{
    time_t                now, last;
    ngx_pki_zone_slot_t  *slot;

    now = answer->now;
    slot = answer->signer->authority->store.slot;
    last = slot->produced_at;

    if (now < last && last - now <= NGX_OCSP_SIGN_CLOCK) {
        return last;
    }

    slot->produced_at = now;

    return now;
}


static void
ngx_ocsp_sign_handler(ngx_pki_key_job_t *job)
{
    ngx_int_t           rc;
    ngx_ocsp_answer_t  *answer;

    answer = job->data;

    answer->sign_time = job->elapsed;

    if (job->rc != NGX_OK) {

        /* a vault that is away comes back */

        ngx_ocsp_sign_done(answer, answer->responder->key->remote
                                     ? NGX_OCSP_TRY_LATER
                                     : NGX_OCSP_INTERNAL_ERROR);
        return;
    }

    /* it may have taken a while */

    answer->now = ngx_time();

    rc = (answer->next_update > answer->now
          && ngx_ocsp_sign_is_current(answer))
         ? ngx_ocsp_sign_seal(answer, &job->output) : NGX_DECLINED;

    if (rc == NGX_DECLINED) {
        ngx_ocsp_sign_done(answer, NGX_OCSP_TRY_LATER);
        return;
    }

    ngx_ocsp_sign_done(answer, (rc == NGX_OK) ? NGX_OCSP_SUCCESSFUL
                                                : NGX_OCSP_INTERNAL_ERROR);
}


static ngx_int_t
ngx_ocsp_sign_seal(ngx_ocsp_answer_t *answer, ngx_str_t *signature)
{
    u_char     hash[sizeof(answer->etag) / 2];
    ngx_str_t  sealed;

    if (ngx_ocsp_response_seal(answer->pool, &answer->tbs,
                               answer->responder->algorithm, signature,
                               &sealed)
        != NGX_OK
        || ngx_ocsp_reply_body(answer, &sealed) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->request.nonce.len != 0) {
        return NGX_OK;
    }

    if (EVP_Digest(answer->body.data, answer->body.len, hash, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(answer->etag, hash, sizeof(hash));

    if (answer->cache == NGX_OCSP_CACHE_MISS) {
        ngx_ocsp_reply_keep(answer, &sealed);
    }

    return NGX_OK;
}


static void
ngx_ocsp_sign_done(ngx_ocsp_answer_t *answer,
    ngx_ocsp_response_status_e result)
{
    if (answer->pending) {
        ngx_ocsp_sign_pending--;
    }

    if (answer->flight) {
        ngx_ocsp_flight_end(answer->items->signer->authority->store.zone,
                            ngx_ocsp_reply_tag(answer));
    }

    ngx_ocsp_answer_done(answer, result);
}

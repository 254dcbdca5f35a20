
/*
 * Copyright (C) the ngx_pki authors
 *
 * What becomes of a call when the vault has answered, or has not.
 */


#include "ngx_pki_vault_call.h"


#define NGX_PKI_VAULT_MAX_REPEATS       3
#define NGX_PKI_VAULT_MAX_UNAUTHORIZED  3

/* milliseconds; a pause before a retry is any time up to the backoff */

#define NGX_PKI_VAULT_BACKOFF           1000
#define NGX_PKI_VAULT_FIRST_RETRY       300
#define NGX_PKI_VAULT_SHORT_PAUSE       100
#define NGX_PKI_VAULT_UNAUTHORIZED_MIN  50
#define NGX_PKI_VAULT_UNAUTHORIZED_MAX  200


static void ngx_pki_vault_status_ok(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_status_broken(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_status_unauthorized(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_status_close(ngx_pki_vault_way_t *way);
static ngx_msec_int_t ngx_pki_vault_status_pause(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_status_repeat(ngx_pki_vault_way_t *way);


void
ngx_pki_vault_status(ngx_pki_vault_way_t *way)
{
    ngx_uint_t              trouble;
    ngx_pki_https_call_t   *https;
    ngx_pki_vault_result_e  result;

    https = &way->https;

    if (https->status == 0) {
        ngx_pki_vault_status_broken(way);
        return;
    }

    if (https->status == 200) {
        ngx_pki_vault_status_ok(way);
        return;
    }

    if (ngx_pki_vault_answer_words(way->call->op->pool, https->status,
                                   &https->answer, &way->words)
        != NGX_OK)
    {
        ngx_str_set(&way->words, "out of memory");
    }

    if (https->status == 429) {
        (void) ngx_atomic_fetch_add(&way->vault->shared->outcomes.throttled,
                                    1);
        ngx_pki_vault_status_close(way);
        ngx_pki_vault_status_repeat(way);
        return;
    }

    if (https->status == 401) {
        ngx_pki_vault_status_unauthorized(way);
        return;
    }

    if (https->status == 408 || https->status >= 500) {

        if (https->status == 503 && https->retry_after >= 0) {
            ngx_pki_vault_status_close(way);
        }

        ngx_pki_vault_status_repeat(way);
        return;
    }

    ngx_pki_vault_limit_answered(way->vault->zone,
                                 &way->vault->shared->limit);

    result = ngx_pki_vault_answer_result(https->status);

    switch (result) {

    case NGX_PKI_VAULT_REFUSED:
    case NGX_PKI_VAULT_NOT_FOUND:
        trouble = NGX_PKI_VAULT_LASTING;
        break;

    case NGX_PKI_VAULT_UNAVAILABLE:
        trouble = NGX_PKI_VAULT_PASSING;
        break;

    default:
        trouble = NGX_PKI_VAULT_NO_TROUBLE;
    }

    ngx_pki_vault_call_fail(way, result, trouble);
}


static void
ngx_pki_vault_status_ok(ngx_pki_vault_way_t *way)
{
    ngx_str_t              text;
    const char            *error;
    ngx_uint_t             again;
    ngx_pki_vault_key_t   *key;
    ngx_pki_vault_call_t  *call;

    call = way->call;
    key = call->key;

    ngx_pki_vault_limit_answered(way->vault->zone,
                                 &way->vault->shared->limit);

    error = ngx_pki_vault_answer_take(call, &way->https.answer);

    if (error == NULL) {

        if (call->operation == NGX_PKI_VAULT_GET
            || call->operation == NGX_PKI_VAULT_CREATE)
        {
            key->hsm = call->hsm;
            key->weight = ngx_pki_vault_weight(&call->spec);
        }

        ngx_pki_vault_report_success(way);
        ngx_pki_vault_call_done(way, NGX_PKI_VAULT_OK);
        return;
    }

    (void) ngx_atomic_fetch_add(&way->vault->shared->outcomes.wrong, 1);

    if (call->operation == NGX_PKI_VAULT_UNWRAP) {
        OPENSSL_cleanse(call->output.data, call->output.len);
    }

    ngx_str_null(&call->output);

    text.data = (u_char *) error;
    text.len = ngx_strlen(error);

    ngx_pki_vault_call_words(way, "200 with a wrong answer: ", &text);

    again = (way->wrong == NULL && call->operation != NGX_PKI_VAULT_CREATE);
    way->wrong = error;

    if (again) {
        ngx_pki_vault_status_repeat(way);
        return;
    }

    ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE,
                            NGX_PKI_VAULT_LASTING);
}


/* no answer, or only the beginning of one */

static void
ngx_pki_vault_status_broken(ngx_pki_vault_way_t *way)
{
    way->words = way->https.error;

    if (way->https.tls_error) {
        ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE,
                                NGX_PKI_VAULT_PASSING);
        return;
    }

    way->fresh = 1;

    ngx_pki_vault_status_repeat(way);
}


/*
 * A vault sometimes does not accept a good token (AKV10046), or not yet: twice
 * more the same, then another one, just once.
 */

static void
ngx_pki_vault_status_unauthorized(ngx_pki_vault_way_t *way)
{
    ngx_msec_t  pause;

    pause = NGX_PKI_VAULT_UNAUTHORIZED_MIN
            + (ngx_msec_t) ngx_random()
              % (NGX_PKI_VAULT_UNAUTHORIZED_MAX
                 - NGX_PKI_VAULT_UNAUTHORIZED_MIN + 1);

    if (way->renewed || pause > ngx_pki_vault_call_spare(way)) {
        ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_REFUSED,
                                way->renewed ? NGX_PKI_VAULT_LASTING
                                             : NGX_PKI_VAULT_PASSING);
        return;
    }

    if (++way->unauthorized == NGX_PKI_VAULT_MAX_UNAUTHORIZED) {
        way->refused = way->generation;
        way->renewed = 1;
    }

    ngx_pki_vault_call_retry(way, pause);
}


/* the gate keeps this call waiting, and all others */

static void
ngx_pki_vault_status_close(ngx_pki_vault_way_t *way)
{
    ngx_msec_t  pause;

    pause = ngx_pki_vault_limit_close(way->vault->zone,
                                      &way->vault->shared->limit,
                                      way->call->key->conf->rate,
                                      way->https.retry_after);

    if (pause != 0) {
        ngx_log_error(NGX_LOG_WARN, way->call->op->log, 0,
                      "key vault \"%V\" gets no calls for %M ms, it answered "
                      "%V", &way->vault->name, pause, &way->words);
    }
}


/*
 * The pause before the next retry, with full jitter: 1, 2, 4 seconds, but a
 * short one before the first; at least what the vault asks for.
 */

static ngx_msec_int_t
ngx_pki_vault_status_pause(ngx_pki_vault_way_t *way)
{
    ngx_msec_int_t  pause, backoff;

    backoff = NGX_PKI_VAULT_FIRST_RETRY;

    if (way->repeats != 0) {
        backoff = NGX_PKI_VAULT_BACKOFF << way->repeats;
    }

    pause = NGX_PKI_VAULT_SHORT_PAUSE
            + ngx_random() % (backoff - NGX_PKI_VAULT_SHORT_PAUSE + 1);

    return ngx_max(pause, way->https.retry_after);
}


static void
ngx_pki_vault_status_repeat(ngx_pki_vault_way_t *way)
{
    ngx_uint_t      trouble;
    ngx_msec_int_t  pause;

    trouble = NGX_PKI_VAULT_PASSING;

    if (way->https.status == 200) {
        trouble = NGX_PKI_VAULT_LASTING;

    } else if (way->https.status == 429) {
        trouble = NGX_PKI_VAULT_NO_TROUBLE;
    }

    pause = ngx_pki_vault_status_pause(way);

    /* a key that was perhaps created would be created twice */

    if (way->repeats == NGX_PKI_VAULT_MAX_REPEATS
        || pause > (ngx_msec_int_t) ngx_pki_vault_call_spare(way)
        || (way->call->operation == NGX_PKI_VAULT_CREATE
            && way->https.status != 429))
    {
        ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE, trouble);
        return;
    }

    way->repeats++;

    ngx_pki_vault_call_retry(way, pause);
}

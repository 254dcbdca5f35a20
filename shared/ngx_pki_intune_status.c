
/*
 * Copyright (C) the ngx_pki authors
 *
 * What becomes of a call when Intune has answered, or has not.  All calls may
 * be repeated: Intune knows them by transaction and request.
 */


#include "ngx_pki_intune_call.h"


#define NGX_PKI_INTUNE_MAX_REPEATS  2

/* milliseconds; a pause is any time up to the backoff */

#define NGX_PKI_INTUNE_MIN_PAUSE    100
#define NGX_PKI_INTUNE_BACKOFF      300


static void ngx_pki_intune_status_ok(ngx_pki_intune_way_t *way);
static const char *ngx_pki_intune_status_download(ngx_pki_intune_way_t *way);
static const char *ngx_pki_intune_status_code(ngx_pki_intune_way_t *way);
static ngx_int_t ngx_pki_intune_status_refused(ngx_pki_intune_way_t *way,
    ngx_str_t *words);
static ngx_uint_t ngx_pki_intune_status_may_pass(ngx_pki_intune_way_t *way);
static void ngx_pki_intune_status_repeat(ngx_pki_intune_way_t *way,
    ngx_str_t *words);


void
ngx_pki_intune_status(ngx_pki_intune_way_t *way)
{
    ngx_str_t              words;
    ngx_uint_t             status;
    ngx_pki_https_call_t  *https;

    https = &way->https;
    status = https->status;

    if (status == 200) {
        ngx_pki_intune_status_ok(way);
        return;
    }

    ngx_pki_intune_words(way->call->op->pool, https, &words);

    /* a token from before a role was given is refused until it ends */

    if ((status == 401 || status == 403) && !way->renewed) {
        way->renewed = 1;
        way->refused = way->generation;
        ngx_pki_intune_call_retry(way, NGX_PKI_INTUNE_MIN_PAUSE);
        return;
    }

    /* one that answers is asked again, one that is not there is looked for */

    if (status != 400 && status != 401 && status != 403 && status != 429) {
        ngx_pki_intune_list_drop(way->intune, way->list);

        if (status != 408 && status < 500) {
            way->stale = way->list;
        }
    }

    if (ngx_pki_intune_status_may_pass(way)) {
        ngx_pki_intune_status_repeat(way, &words);
        return;
    }

    ngx_pki_intune_call_fail(way, &words);
}


static void
ngx_pki_intune_status_ok(ngx_pki_intune_way_t *way)
{
    ngx_str_t               words;
    const char             *error;
    ngx_pool_t             *pool;
    ngx_pki_intune_call_t  *call;

    call = way->call;
    pool = call->op->pool;

    switch (call->kind) {

    case NGX_PKI_INTUNE_DOWNLOAD:
        error = ngx_pki_intune_status_download(way);
        break;

    case NGX_PKI_INTUNE_UPLOAD:
        error = ngx_pki_intune_json_uploaded(pool, &way->https.answer);
        break;

    default:
        error = ngx_pki_intune_status_code(way);
    }

    if (error != NULL) {
        words.len = sizeof("HTTP 200 with a wrong answer: ") - 1
                    + ngx_strlen(error);
        words.data = ngx_pnalloc(pool, words.len + 1);

        if (words.data == NULL) {
            ngx_str_set(&words, "out of memory");

        } else {
            (void) ngx_sprintf(words.data,
                               "HTTP 200 with a wrong answer: %s%Z", error);
        }

        ngx_pki_intune_call_fail(way, &words);
        return;
    }

    ngx_pki_intune_call_done(way, call->code.len ? NGX_PKI_INTUNE_REFUSED
                                                 : NGX_PKI_INTUNE_OK);
}


static const char *
ngx_pki_intune_status_download(ngx_pki_intune_way_t *way)
{
    ngx_uint_t              left_out;
    const char             *error;
    ngx_pki_intune_call_t  *call;

    call = way->call;

    error = ngx_pki_intune_json_revocations(call->op->pool,
                                            &way->https.answer, call->max,
                                            &call->revocations, &left_out);

    if (error == NULL && left_out != 0) {
        ngx_log_error(NGX_LOG_ERR, call->op->log, 0,
                      "intune \"%V\" wants %ui certificates revoked without "
                      "\"requestContext\", which is not possible, "
                      "client-request-id %V",
                      ngx_pki_intune_name(way->intune), left_out,
                      &way->client_request_id);
    }

    return error;
}


/* nothing but "Success" is one; call->code is that of a refusal */

static const char *
ngx_pki_intune_status_code(ngx_pki_intune_way_t *way)
{
    ngx_str_t               code, words;
    const char             *error;
    ngx_pki_intune_call_t  *call;

    call = way->call;

    error = ngx_pki_intune_json_code(call->op->pool, &way->https.answer,
                                     &code, &words);
    if (error != NULL) {
        return error;
    }

    if (code.len == sizeof("Success") - 1
        && ngx_strncmp(code.data, "Success", code.len) == 0)
    {
        return NULL;
    }

    call->code = code;

    return ngx_pki_intune_status_refused(way, &words) == NGX_OK
           ? NULL : "out of memory";
}


static ngx_int_t
ngx_pki_intune_status_refused(ngx_pki_intune_way_t *way, ngx_str_t *words)
{
    u_char                 *p;
    ngx_pki_intune_call_t  *call;

    call = way->call;

    p = ngx_pnalloc(call->op->pool, NGX_PKI_INTUNE_MAX_ERROR);
    if (p == NULL) {
        return NGX_ERROR;
    }

    call->error.data = p;
    call->error.len = ngx_snprintf(p, NGX_PKI_INTUNE_MAX_ERROR,
                                   "%s: %V%s%V, client-request-id %V",
                                   ngx_pki_intune_call_name(call->kind),
                                   &call->code, words->len ? ": " : "", words,
                                   &way->client_request_id)
                      - p;

    return NGX_OK;
}


/* 404 and 410: the service has moved, and the list is asked for anew */

static ngx_uint_t
ngx_pki_intune_status_may_pass(ngx_pki_intune_way_t *way)
{
    switch (way->https.status) {

    case 0:
        return !way->https.tls_error;

    case 404:
    case 408:
    case 410:
    case 429:
        return 1;

    default:
        return way->https.status >= 500;
    }
}


static void
ngx_pki_intune_status_repeat(ngx_pki_intune_way_t *way, ngx_str_t *words)
{
    ngx_msec_int_t  pause, backoff;

    backoff = NGX_PKI_INTUNE_BACKOFF << (2 * way->repeats);

    pause = NGX_PKI_INTUNE_MIN_PAUSE
            + ngx_random() % (backoff - NGX_PKI_INTUNE_MIN_PAUSE + 1);
    pause = ngx_max(pause, way->https.retry_after);

    if (way->repeats == NGX_PKI_INTUNE_MAX_REPEATS
        || pause > (ngx_msec_int_t) ngx_pki_intune_call_spare(way))
    {
        ngx_pki_intune_call_fail(way, words);
        return;
    }

    way->repeats++;
    way->fresh = (way->https.status == 0);
    way->call->unanswered |= (way->https.status == 0
                              || way->https.status >= 500);

    ngx_log_error(NGX_LOG_INFO, way->call->op->log, 0,
                  "intune \"%V\": %s: %V, next try in %M ms",
                  ngx_pki_intune_name(way->intune),
                  ngx_pki_intune_call_name(way->call->kind), words,
                  (ngx_msec_t) pause);

    ngx_pki_intune_call_retry(way, pause);
}

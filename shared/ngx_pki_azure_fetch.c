
/*
 * Copyright (C) the ngx_pki authors
 *
 * Asking for a token: probe, attempts, Arc's challenge, what to try again.
 *
 *                 +--- later -----------------+
 *                 v                           |
 *     start -> attempt -> the answer -> a token, or an error that may pass
 *                 ^            |                         |
 *                 +- challenge +                  one that will not -> done
 */


#include "ngx_pki_azure_identity.h"


/* milliseconds; somewhere else than in Azure nobody answers the probe */

#define NGX_PKI_AZURE_FETCH_PROBE      1000
#define NGX_PKI_AZURE_FETCH_DELAY      1000
#define NGX_PKI_AZURE_FETCH_MAX_DELAY  30000
#define NGX_PKI_AZURE_FETCH_REPEAT     3

/* IMDS says 410 while it is being upgraded, which takes 70 seconds at most */

#define NGX_PKI_AZURE_FETCH_GONE       10000
#define NGX_PKI_AZURE_FETCH_GONE_MAX   7


static void ngx_pki_azure_fetch_begin(ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_fetch_attempt(ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_fetch_send(ngx_pki_azure_fetch_t *fetch,
    ngx_msec_t timeout);
static void ngx_pki_azure_fetch_probe(ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_fetch_handler(ngx_pki_https_call_t *call);
static void ngx_pki_azure_fetch_probed(ngx_pki_azure_fetch_t *fetch);
static ngx_int_t ngx_pki_azure_fetch_answer(ngx_pki_azure_fetch_t *fetch);
static const char *ngx_pki_azure_fetch_decode(ngx_pki_azure_fetch_t *fetch);
static ngx_int_t ngx_pki_azure_fetch_refused(ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_fetch_later(ngx_pki_azure_fetch_t *fetch);
static ngx_uint_t ngx_pki_azure_fetch_may_pass(ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_fetch_timer_handler(ngx_event_t *ev);
static void ngx_pki_azure_fetch_done(ngx_pki_azure_fetch_t *fetch,
    ngx_int_t rc);


ngx_pki_azure_fetch_t *
ngx_pki_azure_fetch_start(ngx_pki_azure_identity_t *identity,
    ngx_str_t *resource, ngx_uint_t background, ngx_log_t *log)
{
    ngx_pki_op_t           *op;
    ngx_pki_azure_fetch_t  *fetch;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return NULL;
    }

    fetch = ngx_pcalloc(op->pool, sizeof(ngx_pki_azure_fetch_t));

    if (fetch == NULL
        || (fetch->error.data = ngx_pnalloc(op->pool, NGX_PKI_AZURE_MAX_ERROR))
           == NULL)
    {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    fetch->op = op;
    fetch->identity = identity;
    fetch->resource = *resource;

    fetch->call.peer = identity->peer;
    fetch->call.pool = op->pool;
    fetch->call.log = op->log;
    fetch->call.direct = ngx_pki_azure_is_managed(identity);
    fetch->call.background = background;
    fetch->call.handler = ngx_pki_azure_fetch_handler;
    fetch->call.data = fetch;

    fetch->timer.handler = ngx_pki_azure_fetch_timer_handler;
    fetch->timer.data = fetch;
    fetch->timer.log = op->log;
    fetch->timer.cancelable = 1;

    ngx_pki_op_action(op, "asking for a token");

    ngx_pki_azure_fetch_begin(fetch);

    return fetch;
}


void
ngx_pki_azure_fetch_abort(ngx_pki_azure_fetch_t *fetch)
{
    if (fetch->timer.timer_set) {
        ngx_del_timer(&fetch->timer);
    }

    ngx_pki_op_destroy(fetch->op);
}


static void
ngx_pki_azure_fetch_begin(ngx_pki_azure_fetch_t *fetch)
{
    if (fetch->identity->probe && !fetch->identity->probed) {
        ngx_pki_azure_fetch_probe(fetch);
        return;
    }

    ngx_pki_azure_fetch_attempt(fetch);
}


static void
ngx_pki_azure_fetch_attempt(ngx_pki_azure_fetch_t *fetch)
{
    if (ngx_pki_azure_source_request(fetch) != NGX_OK) {

        /* who started the fetch has not got it yet */

        fetch->failed = 1;
        ngx_add_timer(&fetch->timer, 0);
        return;
    }

    ngx_pki_azure_fetch_send(fetch, NGX_PKI_AZURE_CALL_TIMEOUT);
}


static void
ngx_pki_azure_fetch_send(ngx_pki_azure_fetch_t *fetch, ngx_msec_t timeout)
{
    ngx_pki_https_call_t  *call;

    call = &fetch->call;

    call->timeout = timeout;
    call->fresh = (fetch->repeated != 0);

    call->status = 0;
    call->retry_after = -1;
    ngx_str_null(&call->answer);
    ngx_str_null(&call->challenge);

    ngx_pki_https_send(call);
}


/* without "Metadata: true" IMDS answers at once, by 400 */

static void
ngx_pki_azure_fetch_probe(ngx_pki_azure_fetch_t *fetch)
{
    fetch->probing = 1;

    ngx_str_set(&fetch->call.method, "GET");
    fetch->call.path = fetch->identity->path;
    fetch->call.nheaders = 0;

    ngx_pki_azure_fetch_send(fetch, NGX_PKI_AZURE_FETCH_PROBE);
}


static void
ngx_pki_azure_fetch_handler(ngx_pki_https_call_t *call)
{
    ngx_int_t               rc;
    ngx_pki_azure_fetch_t  *fetch;

    fetch = call->data;

    if (call->status == 0 && call->background && ngx_exiting) {
        ngx_pki_azure_fetch_done(fetch, NGX_ABORT);
        return;
    }

    if (fetch->probing) {
        ngx_pki_azure_fetch_probed(fetch);
        return;
    }

    rc = ngx_pki_azure_fetch_answer(fetch);

    ngx_explicit_memzero(call->answer.data, call->answer.len);

    switch (rc) {

    case NGX_DECLINED:
        ngx_pki_azure_fetch_attempt(fetch);
        break;

    case NGX_AGAIN:
        ngx_pki_azure_fetch_later(fetch);
        break;

    default:
        ngx_pki_azure_fetch_done(fetch, rc);
    }
}


static void
ngx_pki_azure_fetch_probed(ngx_pki_azure_fetch_t *fetch)
{
    fetch->probing = 0;

    if (fetch->call.status == 0) {
        ngx_pki_azure_fetch_done(fetch, ngx_pki_azure_fetch_text(fetch,
                                 "\"auto\" found no identity: nothing in the "
                                 "environment, and IMDS does not answer"));
        return;
    }

    fetch->identity->probed = 1;

    ngx_pki_azure_fetch_attempt(fetch);
}


/* NGX_DECLINED: challenged, ask once more; NGX_AGAIN: it may pass */

static ngx_int_t
ngx_pki_azure_fetch_answer(ngx_pki_azure_fetch_t *fetch)
{
    const char            *error;
    ngx_pki_https_call_t  *call;

    call = &fetch->call;

    if (call->status == 0) {
        (void) ngx_pki_azure_fetch_error(fetch, &call->error);

        return call->tls_error ? NGX_ERROR : NGX_AGAIN;
    }

    if (call->status != 200) {
        return ngx_pki_azure_fetch_refused(fetch);
    }

    error = ngx_pki_azure_fetch_decode(fetch);

    if (error == NULL) {
        return NGX_OK;
    }

    (void) ngx_pki_azure_fetch_text(fetch, error);

    return NGX_AGAIN;
}


static const char *
ngx_pki_azure_fetch_decode(ngx_pki_azure_fetch_t *fetch)
{
    ngx_str_t               *client_id;
    const char              *error;
    ngx_pki_azure_answer_t  *answer;

    answer = &fetch->answer;
    client_id = &fetch->identity->client_id;

    error = ngx_pki_azure_answer_token(fetch->op->pool, &fetch->call.answer,
                                       ngx_time(), answer);
    if (error != NULL) {
        return error;
    }

    /* Arc has one identity only, and gives its token whatever is asked for */

    if (ngx_pki_azure_is_managed(fetch->identity)
        && client_id->len != 0
        && answer->client_id.len != 0
        && (answer->client_id.len != client_id->len
            || ngx_strncasecmp(answer->client_id.data, client_id->data,
                               client_id->len)
               != 0))
    {
        ngx_pki_azure_answer_cleanse(answer);
        return "a token of another identity than \"client_id\"";
    }

    return NULL;
}


static ngx_int_t
ngx_pki_azure_fetch_refused(ngx_pki_azure_fetch_t *fetch)
{
    ngx_pki_https_call_t  *call;

    call = &fetch->call;

    if (fetch->identity->kind == NGX_PKI_AZURE_ARC
        && call->status == 401
        && fetch->arc_key.len == 0)
    {
        return ngx_pki_azure_arc_challenge(fetch, &call->challenge) == NGX_OK
               ? NGX_DECLINED : NGX_ERROR;
    }

    ngx_pki_azure_answer_error(fetch->op->pool, call->status, &call->answer,
                               &fetch->error);

    return ngx_pki_azure_fetch_may_pass(fetch) ? NGX_AGAIN : NGX_ERROR;
}


/* what the documentation of IMDS says; Entra has no 404 and 410 that pass */

static ngx_uint_t
ngx_pki_azure_fetch_may_pass(ngx_pki_azure_fetch_t *fetch)
{
    switch (fetch->call.status) {

    case 404:
    case 410:
        return ngx_pki_azure_is_managed(fetch->identity);

    case 408:
    case 429:
        return 1;

    default:
        return fetch->call.status >= 500;
    }
}


static void
ngx_pki_azure_fetch_later(ngx_pki_azure_fetch_t *fetch)
{
    ngx_uint_t  n, max;
    ngx_msec_t  delay;

    n = fetch->repeated++;

    if (fetch->call.status == 410) {
        max = NGX_PKI_AZURE_FETCH_GONE_MAX;
        delay = NGX_PKI_AZURE_FETCH_GONE;

    } else {
        max = NGX_PKI_AZURE_FETCH_REPEAT;
        delay = NGX_PKI_AZURE_FETCH_DELAY << ngx_min(n, max);
    }

    if (n >= max) {
        ngx_pki_azure_fetch_done(fetch, NGX_ERROR);
        return;
    }

    if (fetch->call.retry_after > (ngx_msec_int_t) delay) {
        delay = ngx_min((ngx_msec_t) fetch->call.retry_after,
                        NGX_PKI_AZURE_FETCH_MAX_DELAY);
    }

    /* what nodes have begun together they shall not repeat together */

    fetch->delay = delay + (ngx_msec_t) ngx_random() % (delay / 4);

    /* each key file of Arc is good for one request */

    ngx_str_null(&fetch->arc_key);

    ngx_log_error(NGX_LOG_INFO, fetch->op->log, 0,
                  "azure identity \"%V\": %V, next try in %M ms",
                  &fetch->identity->name, &fetch->error, fetch->delay);

    fetch->again(fetch);

    ngx_add_timer(&fetch->timer, fetch->delay);
}


static void
ngx_pki_azure_fetch_timer_handler(ngx_event_t *ev)
{
    ngx_pki_azure_fetch_t  *fetch;

    fetch = ev->data;

    if (fetch->failed) {
        ngx_pki_azure_fetch_done(fetch, NGX_ERROR);
        return;
    }

    ngx_pki_azure_fetch_begin(fetch);
}


static void
ngx_pki_azure_fetch_done(ngx_pki_azure_fetch_t *fetch, ngx_int_t rc)
{
    fetch->rc = rc;
    fetch->done(fetch);

    ngx_pki_azure_answer_cleanse(&fetch->answer);
    ngx_pki_op_destroy(fetch->op);
}


ngx_int_t
ngx_pki_azure_fetch_error(ngx_pki_azure_fetch_t *fetch, ngx_str_t *error)
{
    fetch->error.len = ngx_min(error->len, NGX_PKI_AZURE_MAX_ERROR);
    ngx_memcpy(fetch->error.data, error->data, fetch->error.len);

    return NGX_ERROR;
}


ngx_int_t
ngx_pki_azure_fetch_text(ngx_pki_azure_fetch_t *fetch, const char *text)
{
    ngx_str_t  error;

    error.data = (u_char *) text;
    error.len = ngx_strlen(text);

    return ngx_pki_azure_fetch_error(fetch, &error);
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * A call to a vault, step by step; every step ends by the deadline.
 */


#include "ngx_pki_vault_call.h"


/*
 * Milliseconds that a try should have: one that is given up takes its
 * connection with it, and perhaps an operation of the vault.
 */

#define NGX_PKI_VAULT_TRY  1000


static void ngx_pki_vault_call_token(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_call_token_handler(ngx_pki_azure_token_t *token);
static void ngx_pki_vault_call_limit(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_call_limit_handler(ngx_event_t *ev);
static void ngx_pki_vault_call_connection(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_call_connection_handler(ngx_event_t *ev);
static void ngx_pki_vault_call_send(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_call_answer_handler(ngx_pki_https_call_t *https);
static void ngx_pki_vault_call_next(ngx_pki_vault_t *vault);
static void ngx_pki_vault_call_retry_handler(ngx_event_t *ev);
static void ngx_pki_vault_call_wait(ngx_pki_vault_way_t *way,
    ngx_msec_t delay, ngx_event_handler_pt handler);
static ngx_msec_t ngx_pki_vault_call_left(ngx_pki_vault_way_t *way);


void
ngx_pki_vault_call(ngx_pki_vault_call_t *call)
{
    ngx_int_t               rc;
    ngx_pki_vault_way_t    *way;
    ngx_pki_vault_result_e  result;

    ngx_str_null(&call->output);
    ngx_str_null(&call->error);

    way = ngx_pcalloc(call->op->pool, sizeof(ngx_pki_vault_way_t));

    if (way == NULL) {
        ngx_str_set(&call->error, "out of memory");
        call->result = NGX_PKI_VAULT_UNAVAILABLE;
        call->handler(call);
        return;
    }

    call->ctx = way;

    way->call = call;
    way->vault = call->key->vault;
    way->deadline = ngx_current_msec + call->key->conf->budget;

    way->timer.data = way;
    way->timer.log = call->op->log;

    if (ngx_pki_vault_request_init(way) != NGX_OK) {
        ngx_str_set(&way->words, "out of memory");
        ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE,
                                NGX_PKI_VAULT_NO_TROUBLE);
        return;
    }

    rc = ngx_pki_vault_trouble_check(way->vault->zone, call->key->state,
                                     call->operation, call->op->pool,
                                     &result, &way->words);
    if (rc != NGX_OK && !call->trial) {
        ngx_pki_vault_report_blocked(way);
        ngx_pki_vault_call_done(way, result);
        return;
    }

    ngx_pki_vault_call_token(way);
}


/* at every try anew: a token may expire meanwhile, or another one be there */

static void
ngx_pki_vault_call_token(ngx_pki_vault_way_t *way)
{
    ngx_pki_azure_token_t  *token;

    token = &way->token;

    ngx_memzero(token, sizeof(ngx_pki_azure_token_t));

    token->identity = way->call->key->identity;
    token->resource = way->call->key->audience;
    token->pool = way->call->op->pool;
    token->log = way->call->op->log;
    token->timeout = ngx_max(ngx_pki_vault_call_left(way), 1);

    token->generation = way->refused;

    token->handler = ngx_pki_vault_call_token_handler;
    token->data = way;

    ngx_pki_azure_token_get(token);
}


static void
ngx_pki_vault_call_token_handler(ngx_pki_azure_token_t *token)
{
    ngx_pki_vault_way_t  *way;

    way = token->data;

    if (token->rc != NGX_OK) {
        ngx_pki_vault_call_words(way, "no access token: ", &token->error);
        ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE,
                                NGX_PKI_VAULT_PASSING);
        return;
    }

    way->generation = token->generation;

    if (ngx_pki_vault_request_authorize(way, &token->token) != NGX_OK) {
        ngx_str_set(&way->words, "out of memory");
        ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE,
                                NGX_PKI_VAULT_NO_TROUBLE);
        return;
    }

    ngx_pki_vault_call_limit(way);
}


static void
ngx_pki_vault_call_limit(ngx_pki_vault_way_t *way)
{
    ngx_uint_t            weight;
    ngx_msec_int_t        delay;
    ngx_pki_vault_key_t  *key;

    key = way->call->key;
    weight = key->weight ? key->weight : 2;

    delay = ngx_pki_vault_limit_reserve(way->vault->zone,
                                        &way->vault->shared->limit,
                                        key->conf->rate, weight,
                                        ngx_pki_vault_call_spare(way));

    if (delay == NGX_DECLINED) {

        if (way->words.len == 0) {
            ngx_str_set(&way->words, "too many calls wait for their turn");
        }

        ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE,
                                NGX_PKI_VAULT_NO_TROUBLE);
        return;
    }

    if (delay > 0) {
        ngx_pki_vault_call_wait(way, delay, ngx_pki_vault_call_limit_handler);
        return;
    }

    ngx_pki_vault_call_connection(way);
}


static void
ngx_pki_vault_call_limit_handler(ngx_event_t *ev)
{
    ngx_pki_vault_way_t  *way;

    way = ev->data;

    if (ngx_pki_vault_limit_gate(way->vault->zone, &way->vault->shared->limit))
    {
        ngx_pki_vault_call_limit(way);
        return;
    }

    ngx_pki_vault_call_connection(way);
}


static void
ngx_pki_vault_call_connection(ngx_pki_vault_way_t *way)
{
    ngx_pki_vault_t  *vault;

    vault = way->vault;

    if (vault->active < way->call->key->conf->connections
        && ngx_queue_empty(&vault->waiting))
    {
        ngx_pki_vault_call_send(way);
        return;
    }

    ngx_queue_insert_tail(&vault->waiting, &way->queue);

    ngx_pki_vault_call_wait(way, ngx_pki_vault_call_spare(way),
                            ngx_pki_vault_call_connection_handler);
}


static void
ngx_pki_vault_call_connection_handler(ngx_event_t *ev)
{
    ngx_pki_vault_way_t  *way;

    way = ev->data;

    ngx_queue_remove(&way->queue);

    if (way->words.len == 0) {
        ngx_str_set(&way->words, "no connection became free in time");
    }

    ngx_pki_vault_call_fail(way, NGX_PKI_VAULT_UNAVAILABLE,
                            NGX_PKI_VAULT_NO_TROUBLE);
}


static void
ngx_pki_vault_call_send(ngx_pki_vault_way_t *way)
{
    ngx_msec_t             left;
    ngx_pki_https_call_t  *https;
    ngx_pki_vault_call_t  *call;

    call = way->call;
    https = &way->https;

    ngx_memzero(https, sizeof(ngx_pki_https_call_t));

    https->peer = way->vault->peer;
    https->pool = call->op->pool;
    https->log = call->op->log;

    https->path = way->path;
    https->body = way->body;
    https->headers = way->headers;
    https->nheaders = NGX_PKI_VAULT_HEADERS;

    if (call->operation == NGX_PKI_VAULT_GET) {
        ngx_str_set(&https->method, "GET");
        https->nheaders = NGX_PKI_VAULT_CONTENT_TYPE;

    } else {
        ngx_str_set(&https->method, "POST");
    }

    left = ngx_max(ngx_pki_vault_call_left(way), 1);

    https->timeout = ngx_min(call->key->conf->timeout, left);

    /* libcurl itself repeats a request when an old connection breaks */
    https->fresh = (way->fresh || call->operation == NGX_PKI_VAULT_CREATE);

    https->handler = ngx_pki_vault_call_answer_handler;
    https->data = way;

    way->vault->active++;

    ngx_pki_https_send(https);
}


static void
ngx_pki_vault_call_answer_handler(ngx_pki_https_call_t *https)
{
    ngx_pki_vault_t      *vault;
    ngx_pki_vault_way_t  *way;

    way = https->data;
    vault = way->vault;

    vault->active--;

    way->fresh = 0;
    way->request_id = https->request_id;

    /* the last one that touches "way" */

    ngx_pki_vault_status(way);

    ngx_pki_vault_call_next(vault);
}


static void
ngx_pki_vault_call_next(ngx_pki_vault_t *vault)
{
    ngx_queue_t          *q;
    ngx_pki_vault_way_t  *way;

    while (!ngx_queue_empty(&vault->waiting)) {

        q = ngx_queue_head(&vault->waiting);
        way = ngx_queue_data(q, ngx_pki_vault_way_t, queue);

        if (vault->active >= way->call->key->conf->connections) {
            return;
        }

        ngx_queue_remove(q);
        ngx_del_timer(&way->timer);

        if (ngx_pki_vault_limit_gate(vault->zone, &vault->shared->limit)) {
            ngx_pki_vault_call_limit(way);

        } else {
            ngx_pki_vault_call_send(way);
        }
    }
}


void
ngx_pki_vault_call_retry(ngx_pki_vault_way_t *way, ngx_msec_t pause)
{
    way->retries++;

    (void) ngx_atomic_fetch_add(&way->vault->shared->counters.retries, 1);

    ngx_pki_vault_call_wait(way, pause, ngx_pki_vault_call_retry_handler);
}


static void
ngx_pki_vault_call_retry_handler(ngx_event_t *ev)
{
    ngx_pki_vault_call_token(ev->data);
}


static void
ngx_pki_vault_call_wait(ngx_pki_vault_way_t *way, ngx_msec_t delay,
    ngx_event_handler_pt handler)
{
    way->timer.handler = handler;

    ngx_add_timer(&way->timer, delay);
}


static ngx_msec_t
ngx_pki_vault_call_left(ngx_pki_vault_way_t *way)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (way->deadline - ngx_current_msec);

    return (left > 0) ? (ngx_msec_t) left : 0;
}


/* for how long it may wait and still have time for a try */

ngx_msec_t
ngx_pki_vault_call_spare(ngx_pki_vault_way_t *way)
{
    ngx_msec_t             left, try;
    ngx_pki_vault_conf_t  *conf;

    conf = way->call->key->conf;

    left = ngx_pki_vault_call_left(way);
    try = ngx_min(conf->budget / 4, NGX_PKI_VAULT_TRY);

    return (left > try) ? left - try : 0;
}


void
ngx_pki_vault_call_fail(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result, ngx_uint_t trouble)
{
    ngx_pki_vault_outcomes_t  *outcomes;

    outcomes = &way->vault->shared->outcomes;

    (void) ngx_atomic_fetch_add(result == NGX_PKI_VAULT_UNAVAILABLE
                                ? &outcomes->unavailable
                                : &outcomes->refused, 1);

    ngx_pki_vault_report(way, result, trouble);
    ngx_pki_vault_call_done(way, result);
}


void
ngx_pki_vault_call_words(ngx_pki_vault_way_t *way, const char *prefix,
    ngx_str_t *text)
{
    u_char  *p;

    p = ngx_pnalloc(way->call->op->pool, ngx_strlen(prefix) + text->len);

    if (p == NULL) {
        way->words = *text;
        return;
    }

    way->words.data = p;

    p = ngx_cpymem(p, prefix, ngx_strlen(prefix));
    p = ngx_cpymem(p, text->data, text->len);

    way->words.len = p - way->words.data;
}


void
ngx_pki_vault_call_done(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result)
{
    ngx_pki_vault_request_cleanse(way);

    way->call->result = result;
    way->call->handler(way->call);
}

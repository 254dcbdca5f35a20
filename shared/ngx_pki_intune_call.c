
/*
 * Copyright (C) the ngx_pki authors
 *
 * A call to Intune, step by step; every step ends by the deadline.
 */


#include "ngx_pki_intune_call.h"


/* milliseconds: between two looks for the list; that a try should have */

#define NGX_PKI_INTUNE_POLL  20
#define NGX_PKI_INTUNE_TRY   1000


typedef struct {
    ngx_pki_intune_service_e   service;
    ngx_str_t                  path;
    ngx_str_t                  version;      /* a header */
    const char                *name;
} ngx_pki_intune_kind_t;


static void ngx_pki_intune_call_start_handler(ngx_event_t *ev);
static ngx_int_t ngx_pki_intune_call_init(ngx_pki_intune_call_t *call);
static void ngx_pki_intune_call_list(ngx_pki_intune_way_t *way);
static void ngx_pki_intune_call_list_handler(ngx_event_t *ev);
static void ngx_pki_intune_call_list_wait(ngx_pki_intune_way_t *way);
static void ngx_pki_intune_call_token(ngx_pki_intune_way_t *way);
static void ngx_pki_intune_call_token_handler(ngx_pki_azure_token_t *token);
static void ngx_pki_intune_call_send(ngx_pki_intune_way_t *way);
static ngx_int_t ngx_pki_intune_call_path(ngx_pki_intune_way_t *way,
    ngx_pki_intune_place_t *place);
static void ngx_pki_intune_call_answer_handler(ngx_pki_https_call_t *https);
static ngx_msec_t ngx_pki_intune_call_left(ngx_pki_intune_way_t *way);
static void ngx_pki_intune_call_wait(ngx_pki_intune_way_t *way,
    ngx_msec_t delay, ngx_event_handler_pt handler);
static void ngx_pki_intune_call_text(ngx_pki_intune_way_t *way,
    const char *text);


/* by ngx_pki_intune_call_e */

static ngx_pki_intune_kind_t  ngx_pki_intune_kinds[] = {

    { NGX_PKI_INTUNE_SCEP, ngx_string("/ScepActions/validateRequest"),
      ngx_string("api-version: 2018-02-20"), "validateRequest" },

    { NGX_PKI_INTUNE_SCEP, ngx_string("/ScepActions/successNotification"),
      ngx_string("api-version: 2018-02-20"), "successNotification" },

    { NGX_PKI_INTUNE_SCEP, ngx_string("/ScepActions/failureNotification"),
      ngx_string("api-version: 2018-02-20"), "failureNotification" },

    { NGX_PKI_INTUNE_CONNECTOR,
      ngx_string("/CertificateAuthorityRequests/downloadRevocationRequests"),
      ngx_string("api-version: 5019-05-05"), "downloadRevocationRequests" },

    { NGX_PKI_INTUNE_CONNECTOR,
      ngx_string("/CertificateAuthorityRequests/uploadRevocationResults"),
      ngx_string("api-version: 5019-05-05"), "uploadRevocationResults" }
};


void
ngx_pki_intune_send(ngx_pki_intune_call_t *call)
{
    ngx_memzero(&call->posted, sizeof(ngx_event_t));

    call->posted.handler = ngx_pki_intune_call_start_handler;
    call->posted.data = call;
    call->posted.log = call->op->log;

    ngx_post_event(&call->posted, &ngx_posted_events);
}


static void
ngx_pki_intune_call_start_handler(ngx_event_t *ev)
{
    ngx_pki_intune_call_t  *call;

    call = ev->data;

    ngx_str_null(&call->code);
    ngx_str_null(&call->error);
    call->elapsed = 0;

    if (ngx_pki_intune_call_init(call) != NGX_OK) {
        ngx_str_set(&call->error, "out of memory");
        call->result = NGX_PKI_INTUNE_UNAVAILABLE;
        call->handler(call);
        return;
    }

    ngx_pki_intune_call_list(call->way);
}


static ngx_int_t
ngx_pki_intune_call_init(ngx_pki_intune_call_t *call)
{
    ngx_str_t             *header;
    ngx_pki_intune_way_t  *way;

    way = ngx_pcalloc(call->op->pool, sizeof(ngx_pki_intune_way_t));
    if (way == NULL) {
        return NGX_ERROR;
    }

    call->way = way;

    way->call = call;
    way->intune = ngx_pki_intune_one(call->intune);
    way->started = ngx_pki_op_clock();
    way->deadline = ngx_current_msec
                    + (call->budget ? call->budget : NGX_PKI_INTUNE_BUDGET);

    way->timer.data = way;
    way->timer.log = call->op->log;

    header = way->headers;

    ngx_str_set(&header[NGX_PKI_INTUNE_ACCEPT], "Accept: application/json");
    ngx_str_set(&header[NGX_PKI_INTUNE_CONTENT_TYPE],
                "Content-Type: application/json; charset=utf-8");

    header[NGX_PKI_INTUNE_API_VERSION] =
        ngx_pki_intune_kinds[call->kind].version;

    if (ngx_pki_intune_request_id(call->op->pool,
                                  &header[NGX_PKI_INTUNE_CLIENT_REQUEST_ID],
                                  &way->client_request_id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_intune_json_encode(call->op->pool, call, &way->body);
}


const char *
ngx_pki_intune_call_name(ngx_pki_intune_call_e kind)
{
    return ngx_pki_intune_kinds[kind].name;
}


static void
ngx_pki_intune_call_list(ngx_pki_intune_way_t *way)
{
    ngx_int_t          rc;
    ngx_str_t          error;
    ngx_pki_intune_t  *intune;

    intune = way->intune;

    rc = ngx_pki_intune_list_get(intune, way->call->op->pool, way->stale,
                                 &error);

    switch (rc) {

    case NGX_OK:
        way->list = intune->generation;
        ngx_pki_intune_call_token(way);
        break;

    case NGX_AGAIN:
        ngx_pki_intune_call_list_wait(way);
        break;

    default:
        ngx_pki_intune_call_fail(way, &error);
    }
}


/* what has led nowhere may do so no more: better than no try */

static void
ngx_pki_intune_call_list_wait(ngx_pki_intune_way_t *way)
{
    ngx_msec_t  spare;

    spare = ngx_pki_intune_call_spare(way);

    if (spare == 0 && way->stale == 0) {
        ngx_pki_intune_call_text(way, "graph: no list of services in time");
        return;
    }

    if (spare == 0) {
        way->stale = 0;
    }

    ngx_pki_intune_call_wait(way, NGX_PKI_INTUNE_POLL,
                             ngx_pki_intune_call_list_handler);
}


static void
ngx_pki_intune_call_list_handler(ngx_event_t *ev)
{
    ngx_pki_intune_call_list(ev->data);
}


/* at every try anew: a token may expire meanwhile, or another one be there */

static void
ngx_pki_intune_call_token(ngx_pki_intune_way_t *way)
{
    ngx_pki_azure_token_t  *token;

    token = &way->token;

    ngx_memzero(token, sizeof(ngx_pki_azure_token_t));

    token->identity = way->intune->identity;
    token->resource = way->intune->resource;
    token->pool = way->call->op->pool;
    token->log = way->call->op->log;
    token->timeout = ngx_max(ngx_pki_intune_call_left(way), 1);
    token->generation = way->refused;

    token->handler = ngx_pki_intune_call_token_handler;
    token->data = way;

    ngx_pki_azure_token_get(token);
}


static void
ngx_pki_intune_call_token_handler(ngx_pki_azure_token_t *token)
{
    ngx_str_t              error;
    ngx_pki_intune_way_t  *way;

    way = token->data;

    if (token->rc != NGX_OK) {
        error.len = sizeof("no access token: ") - 1 + token->error.len;
        error.data = ngx_pnalloc(token->pool, error.len);

        if (error.data == NULL) {
            ngx_pki_intune_call_text(way, "out of memory");
            return;
        }

        (void) ngx_sprintf(error.data, "no access token: %V", &token->error);

        ngx_pki_intune_call_fail(way, &error);
        return;
    }

    way->generation = token->generation;

    if (ngx_pki_azure_secret_bearer(token->pool, &token->token,
                                    &way->headers[NGX_PKI_INTUNE_AUTHORIZATION])
        != NGX_OK)
    {
        ngx_pki_intune_call_text(way, "out of memory");
        return;
    }

    ngx_pki_intune_call_send(way);
}


/* the list may have changed while there was no token: the newest one it is */

static void
ngx_pki_intune_call_send(ngx_pki_intune_way_t *way)
{
    ngx_msec_t               left;
    ngx_pki_https_call_t    *https;
    ngx_pki_intune_call_t   *call;
    ngx_pki_intune_place_t  *place;

    call = way->call;
    https = &way->https;
    place = &way->intune->places[ngx_pki_intune_kinds[call->kind].service];

    if (place->peer == NULL) {
        ngx_pki_intune_call_text(way, "the tenant has no such service");
        return;
    }

    ngx_memzero(https, sizeof(ngx_pki_https_call_t));

    if (ngx_pki_intune_call_path(way, place) != NGX_OK) {
        ngx_pki_intune_call_text(way, "out of memory");
        return;
    }

    https->peer = place->peer;
    https->pool = call->op->pool;
    https->log = call->op->log;

    ngx_str_set(&https->method, "POST");
    https->body = way->body;
    https->headers = way->headers;
    https->nheaders = NGX_PKI_INTUNE_HEADERS;

    left = ngx_max(ngx_pki_intune_call_left(way), 1);

    https->timeout = ngx_min(NGX_PKI_INTUNE_TIMEOUT, left);
    https->fresh = way->fresh;

    https->handler = ngx_pki_intune_call_answer_handler;
    https->data = way;

    way->list = way->intune->generation;

    ngx_pki_https_send(https);
}


static ngx_int_t
ngx_pki_intune_call_path(ngx_pki_intune_way_t *way,
    ngx_pki_intune_place_t *place)
{
    u_char     *p;
    ngx_str_t  *path, *rest;

    path = &way->https.path;
    rest = &ngx_pki_intune_kinds[way->call->kind].path;

    path->len = place->path.len + rest->len;

    p = ngx_pnalloc(way->call->op->pool, path->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path->data = p;

    (void) ngx_sprintf(p, "%V%V%Z", &place->path, rest);

    return NGX_OK;
}


static void
ngx_pki_intune_call_answer_handler(ngx_pki_https_call_t *https)
{
    ngx_pki_intune_way_t  *way;

    way = https->data;
    way->fresh = 0;

    ngx_pki_intune_status(way);
}


void
ngx_pki_intune_call_retry(ngx_pki_intune_way_t *way, ngx_msec_t pause)
{
    ngx_pki_intune_call_wait(way, pause, ngx_pki_intune_call_list_handler);
}


static ngx_msec_t
ngx_pki_intune_call_left(ngx_pki_intune_way_t *way)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (way->deadline - ngx_current_msec);

    return (left > 0) ? (ngx_msec_t) left : 0;
}


ngx_msec_t
ngx_pki_intune_call_spare(ngx_pki_intune_way_t *way)
{
    ngx_msec_t  left, budget, try;

    left = ngx_pki_intune_call_left(way);
    budget = way->call->budget ? way->call->budget : NGX_PKI_INTUNE_BUDGET;
    try = ngx_min(budget / 4, NGX_PKI_INTUNE_TRY);

    return (left > try) ? left - try : 0;
}


static void
ngx_pki_intune_call_wait(ngx_pki_intune_way_t *way, ngx_msec_t delay,
    ngx_event_handler_pt handler)
{
    way->timer.handler = handler;

    ngx_add_timer(&way->timer, delay);
}


static void
ngx_pki_intune_call_text(ngx_pki_intune_way_t *way, const char *text)
{
    ngx_str_t  words;

    words.data = (u_char *) text;
    words.len = ngx_strlen(text);

    ngx_pki_intune_call_fail(way, &words);
}


/* Microsoft's support finds a call by our id of it */

void
ngx_pki_intune_call_fail(ngx_pki_intune_way_t *way, ngx_str_t *words)
{
    u_char                 *p;
    ngx_pki_intune_call_t  *call;

    call = way->call;

    ngx_str_set(&call->error, "out of memory");

    p = ngx_pnalloc(call->op->pool, NGX_PKI_INTUNE_MAX_ERROR);

    if (p != NULL) {
        call->error.data = p;
        call->error.len = ngx_snprintf(p, NGX_PKI_INTUNE_MAX_ERROR,
                                       "%s: %V, client-request-id %V",
                                       ngx_pki_intune_call_name(call->kind),
                                       words, &way->client_request_id)
                          - p;
    }

    ngx_pki_intune_call_done(way, NGX_PKI_INTUNE_UNAVAILABLE);
}


void
ngx_pki_intune_call_done(ngx_pki_intune_way_t *way,
    ngx_pki_intune_result_e result)
{
    ngx_pki_intune_call_t  *call;

    call = way->call;

    /* the challenge is in it */

    ngx_explicit_memzero(way->body.data, way->body.len);

    call->result = result;
    call->elapsed = ngx_pki_op_clock() - way->started;

    call->handler(call);
}

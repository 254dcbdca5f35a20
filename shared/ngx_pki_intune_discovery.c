
/*
 * Copyright (C) the ngx_pki authors
 *
 * Asking Graph where Intune's services are, page by page.
 *
 *     start --> token --> page --> answer --> next page, or done
 *                 ^                   |
 *                 +------- later -----+
 */


#include "ngx_pki_intune_call.h"


#define NGX_PKI_INTUNE_MAX_PAGES    5
#define NGX_PKI_INTUNE_MAX_REPEATS  2

/* seconds; an outage of Graph may last half as long */

#define NGX_PKI_INTUNE_LIFETIME     (2 * 86400)

/* milliseconds: before a repetition; at most, if Graph asks for it; for how
 * long nothing may be heard of the worker that asks */

#define NGX_PKI_INTUNE_DELAY        500
#define NGX_PKI_INTUNE_MAX_DELAY    5000
#define NGX_PKI_INTUNE_LEASE        (3 * NGX_PKI_INTUNE_TIMEOUT)

#define NGX_PKI_INTUNE_PATH                                                  \
    "/v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-000000000000"     \
    "/endpoints"

#define NGX_PKI_INTUNE_FORBIDDEN                                             \
    "; has the identity the permission Application.Read.All of Graph?"


struct ngx_pki_intune_discovery_s {
    ngx_pki_op_t              *op;
    ngx_pki_intune_t          *intune;
    ngx_str_t                  path;
    ngx_str_t                  uri[NGX_PKI_INTUNE_SERVICES];
    ngx_str_t                  error;

    ngx_pki_azure_token_t      token;
    ngx_pki_https_call_t       https;
    ngx_str_t                  headers[3];
    ngx_event_t                timer;        /* cancelable: who waits for the
                                              * list keeps the worker */

    ngx_uint_t                 pages;
    ngx_uint_t                 repeated;
    ngx_uint_t                 generation;   /* of the token */
    ngx_uint_t                 refused;
    unsigned                   background:1;
};


static ngx_pki_intune_discovery_t *ngx_pki_intune_discovery_create(
    ngx_pki_intune_t *intune);
static void ngx_pki_intune_discovery_token(ngx_pki_intune_discovery_t *d);
static void ngx_pki_intune_discovery_token_handler(
    ngx_pki_azure_token_t *token);
static void ngx_pki_intune_discovery_send(ngx_pki_intune_discovery_t *d);
static void ngx_pki_intune_discovery_handler(ngx_pki_https_call_t *https);
static void ngx_pki_intune_discovery_page(ngx_pki_intune_discovery_t *d);
static const char *ngx_pki_intune_discovery_next(
    ngx_pki_intune_discovery_t *d, ngx_str_t *next);
static void ngx_pki_intune_discovery_refused(ngx_pki_intune_discovery_t *d);
static void ngx_pki_intune_discovery_later(ngx_pki_intune_discovery_t *d);
static void ngx_pki_intune_discovery_timer_handler(ngx_event_t *ev);
static void ngx_pki_intune_discovery_check(ngx_pki_intune_discovery_t *d);
static void ngx_pki_intune_discovery_store(ngx_pki_intune_discovery_t *d);
static void ngx_pki_intune_discovery_text(ngx_pki_intune_discovery_t *d,
    const char *fmt, ...);
static void ngx_pki_intune_discovery_fail(ngx_pki_intune_discovery_t *d);
static void ngx_pki_intune_discovery_done(ngx_pki_intune_discovery_t *d);


void
ngx_pki_intune_discovery_start(ngx_pki_intune_t *intune, ngx_uint_t stale,
    ngx_uint_t background)
{
    ngx_pki_intune_discovery_t  *d;

    if (intune->discovery != NULL
        || !ngx_pki_azure_cell_lease(intune->zone, intune->cell, stale,
                                     NGX_PKI_INTUNE_LEASE))
    {
        return;
    }

    d = ngx_pki_intune_discovery_create(intune);

    if (d == NULL) {
        ngx_pki_azure_cell_release(intune->zone, intune->cell);
        return;
    }

    d->background = background;
    intune->discovery = d;

    ngx_pki_intune_discovery_token(d);
}


static ngx_pki_intune_discovery_t *
ngx_pki_intune_discovery_create(ngx_pki_intune_t *intune)
{
    ngx_pki_op_t                *op;
    ngx_pki_intune_discovery_t  *d;

    op = ngx_pki_op_create(intune->log);
    if (op == NULL) {
        return NULL;
    }

    d = ngx_pcalloc(op->pool, sizeof(ngx_pki_intune_discovery_t));

    if (d == NULL
        || (d->error.data = ngx_pnalloc(op->pool, NGX_PKI_AZURE_MAX_ERROR))
           == NULL
        || ngx_pki_intune_request_id(op->pool, &d->headers[1], NULL)
           != NGX_OK)
    {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    ngx_pki_op_action(op, "looking for the services of intune");

    d->op = op;
    d->intune = intune;

    ngx_str_set(&d->uri[NGX_PKI_INTUNE_SCEP], "");
    ngx_str_set(&d->uri[NGX_PKI_INTUNE_CONNECTOR], "");
    ngx_str_set(&d->path, NGX_PKI_INTUNE_PATH);
    ngx_str_set(&d->headers[2], "Accept: application/json");

    d->timer.handler = ngx_pki_intune_discovery_timer_handler;
    d->timer.data = d;
    d->timer.log = op->log;
    d->timer.cancelable = 1;

    return d;
}


void
ngx_pki_intune_discovery_abort(ngx_pki_intune_discovery_t *d)
{
    if (d->timer.timer_set) {
        ngx_del_timer(&d->timer);
    }

    ngx_pki_op_destroy(d->op);
}


static void
ngx_pki_intune_discovery_token(ngx_pki_intune_discovery_t *d)
{
    ngx_pki_azure_token_t  *token;

    token = &d->token;

    ngx_memzero(token, sizeof(ngx_pki_azure_token_t));

    token->identity = d->intune->identity;
    token->resource = d->intune->graph_resource;
    token->pool = d->op->pool;
    token->log = d->op->log;
    token->timeout = NGX_PKI_INTUNE_TIMEOUT;
    token->generation = d->refused;

    token->handler = ngx_pki_intune_discovery_token_handler;
    token->data = d;

    ngx_pki_azure_token_get(token);
}


static void
ngx_pki_intune_discovery_token_handler(ngx_pki_azure_token_t *token)
{
    ngx_pki_intune_discovery_t  *d;

    d = token->data;

    if (token->rc != NGX_OK) {
        ngx_pki_intune_discovery_text(d, "no access token: %V",
                                      &token->error);
        ngx_pki_intune_discovery_fail(d);
        return;
    }

    d->generation = token->generation;

    if (ngx_pki_azure_secret_bearer(d->op->pool, &token->token,
                                    &d->headers[0])
        != NGX_OK)
    {
        ngx_pki_intune_discovery_text(d, "out of memory");
        ngx_pki_intune_discovery_fail(d);
        return;
    }

    ngx_pki_intune_discovery_send(d);
}


static void
ngx_pki_intune_discovery_send(ngx_pki_intune_discovery_t *d)
{
    ngx_pki_https_call_t  *https;

    https = &d->https;

    ngx_memzero(https, sizeof(ngx_pki_https_call_t));

    https->peer = d->intune->graph_peer;
    https->pool = d->op->pool;
    https->log = d->op->log;

    ngx_str_set(&https->method, "GET");
    https->path = d->path;
    https->headers = d->headers;
    https->nheaders = 3;

    https->timeout = NGX_PKI_INTUNE_TIMEOUT;
    https->fresh = (d->repeated != 0);
    https->background = d->background;

    https->handler = ngx_pki_intune_discovery_handler;
    https->data = d;

    ngx_pki_azure_cell_hold(d->intune->zone, d->intune->cell,
                            NGX_PKI_INTUNE_LEASE, &d->error);

    ngx_pki_https_send(https);
}


static void
ngx_pki_intune_discovery_handler(ngx_pki_https_call_t *https)
{
    ngx_pki_intune_discovery_t  *d;

    d = https->data;

    if (https->status == 0 && d->background && ngx_exiting) {
        ngx_pki_azure_cell_release(d->intune->zone, d->intune->cell);
        ngx_pki_intune_discovery_done(d);
        return;
    }

    if (https->status == 200) {
        ngx_pki_intune_discovery_page(d);
        return;
    }

    ngx_pki_intune_discovery_refused(d);
}


static void
ngx_pki_intune_discovery_page(ngx_pki_intune_discovery_t *d)
{
    ngx_str_t    next;
    const char  *error;

    error = ngx_pki_intune_json_list(d->op->pool, &d->https.answer, d->uri,
                                     &next);

    if (error == NULL && next.len != 0
        && (d->uri[NGX_PKI_INTUNE_SCEP].len == 0
            || d->uri[NGX_PKI_INTUNE_CONNECTOR].len == 0))
    {
        error = ngx_pki_intune_discovery_next(d, &next);

        if (error == NULL) {
            ngx_pki_intune_discovery_send(d);
            return;
        }
    }

    if (error != NULL) {
        ngx_pki_intune_discovery_text(d, "a wrong answer: %s", error);
        ngx_pki_intune_discovery_fail(d);
        return;
    }

    ngx_pki_intune_discovery_check(d);
}


/* the token goes there, so it is the same host */

static const char *
ngx_pki_intune_discovery_next(ngx_pki_intune_discovery_t *d, ngx_str_t *next)
{
    const char     *error;
    ngx_pki_url_t   url;

    if (++d->pages == NGX_PKI_INTUNE_MAX_PAGES) {
        return "too many pages";
    }

    error = ngx_pki_url_parse(d->op->pool, next, &url);

    if (error != NULL) {
        return error;
    }

    if (url.text.len != d->intune->graph.text.len
        || ngx_memcmp(url.text.data, d->intune->graph.text.data, url.text.len)
           != 0)
    {
        return "the next page is on another host";
    }

    d->path = url.path;

    return NULL;
}


/* a token from before a role was given is refused until it ends */

static void
ngx_pki_intune_discovery_refused(ngx_pki_intune_discovery_t *d)
{
    ngx_str_t              words;
    ngx_pki_https_call_t  *https;

    https = &d->https;

    ngx_pki_intune_words(d->op->pool, https, &words);

    ngx_pki_intune_discovery_text(d, "%V%s", &words,
                                  https->status == 403
                                  ? NGX_PKI_INTUNE_FORBIDDEN : "");

    if ((https->status == 401 || https->status == 403) && d->refused == 0) {
        d->refused = d->generation;
        ngx_pki_intune_discovery_token(d);
        return;
    }

    if ((https->status == 0 && !https->tls_error)
        || https->status == 408 || https->status == 429
        || https->status >= 500)
    {
        ngx_pki_intune_discovery_later(d);
        return;
    }

    ngx_pki_intune_discovery_fail(d);
}


static void
ngx_pki_intune_discovery_later(ngx_pki_intune_discovery_t *d)
{
    ngx_msec_int_t  delay;

    delay = NGX_PKI_INTUNE_DELAY << d->repeated;
    delay += ngx_random() % (delay / 2);
    delay = ngx_max(delay, d->https.retry_after);

    if (d->repeated == NGX_PKI_INTUNE_MAX_REPEATS
        || delay > NGX_PKI_INTUNE_MAX_DELAY)
    {
        ngx_pki_intune_discovery_fail(d);
        return;
    }

    d->repeated++;

    ngx_pki_azure_cell_hold(d->intune->zone, d->intune->cell,
                            delay + NGX_PKI_INTUNE_LEASE, &d->error);

    ngx_add_timer(&d->timer, (ngx_msec_t) delay);
}


static void
ngx_pki_intune_discovery_timer_handler(ngx_event_t *ev)
{
    ngx_pki_intune_discovery_token(ev->data);
}


/* a poisoned list would have our token sent to anybody */

static void
ngx_pki_intune_discovery_check(ngx_pki_intune_discovery_t *d)
{
    ngx_uint_t      i;
    const char     *error;
    ngx_pki_url_t   url;

    if (d->uri[NGX_PKI_INTUNE_SCEP].len == 0) {
        ngx_pki_intune_discovery_text(d, "the tenant has no \"%V\": has it "
                            "Intune, and the application its permissions?",
                            ngx_pki_intune_json_service(NGX_PKI_INTUNE_SCEP));
        ngx_pki_intune_discovery_fail(d);
        return;
    }

    for (i = 0; i < NGX_PKI_INTUNE_SERVICES; i++) {

        if (d->uri[i].len == 0) {
            continue;
        }

        error = ngx_pki_intune_json_uri(d->op->pool, &d->uri[i],
                                        d->intune->hosts, &url);
        if (error != NULL) {
            ngx_pki_intune_discovery_text(d, "\"%V\": %s",
                                          ngx_pki_intune_json_service(i),
                                          error);
            ngx_pki_intune_discovery_fail(d);
            return;
        }
    }

    ngx_pki_intune_discovery_store(d);
}


static void
ngx_pki_intune_discovery_store(ngx_pki_intune_discovery_t *d)
{
    u_char            *p;
    ngx_int_t          rc;
    ngx_str_t         *uri, list;
    ngx_uint_t         level;
    ngx_pki_intune_t  *intune;

    intune = d->intune;
    uri = d->uri;

    p = ngx_pnalloc(d->op->pool, uri[0].len + uri[1].len + 2);

    if (p == NULL) {
        ngx_pki_intune_discovery_text(d, "out of memory");
        ngx_pki_intune_discovery_fail(d);
        return;
    }

    list.data = p;
    list.len = ngx_sprintf(p, "%V\n%V\n", &uri[0], &uri[1]) - p;

    rc = ngx_pki_azure_cell_set(intune->zone, intune->cell, &list,
                                NGX_PKI_INTUNE_LIFETIME);

    if (rc == NGX_ERROR) {
        ngx_pki_intune_discovery_text(d, "no room in \"pki_zone\"");
        ngx_pki_intune_discovery_fail(d);
        return;
    }

    level = (rc == NGX_DONE) ? NGX_LOG_NOTICE : NGX_LOG_INFO;

    ngx_log_error(level, d->op->log, 0,
                  "intune \"%V\": services found%s at \"%V\"",
                  ngx_pki_intune_name(intune), rc == NGX_DONE ? " again" : "",
                  &uri[0]);

    ngx_pki_intune_discovery_done(d);
}


static void
ngx_pki_intune_discovery_text(ngx_pki_intune_discovery_t *d, const char *fmt,
    ...)
{
    va_list  args;

    va_start(args, fmt);
    d->error.len = ngx_vslprintf(d->error.data, d->error.data
                                                + NGX_PKI_AZURE_MAX_ERROR,
                                 fmt, args)
                   - d->error.data;
    va_end(args);
}


static void
ngx_pki_intune_discovery_fail(ngx_pki_intune_discovery_t *d)
{
    ngx_uint_t         level, good;
    ngx_pki_intune_t  *intune;

    intune = d->intune;

    level = ngx_pki_azure_cell_fail(intune->zone, intune->cell, &d->error,
                                    &good);

    if (level != 0) {
        ngx_log_error(level, d->op->log, 0,
                      "intune \"%V\": its services are not found "
                      "by \"%V\": %V%s",
                      ngx_pki_intune_name(intune), &intune->graph.text,
                      &d->error,
                      good ? "; where they were they are still asked" : "");
    }

    ngx_pki_intune_discovery_done(d);
}


static void
ngx_pki_intune_discovery_done(ngx_pki_intune_discovery_t *d)
{
    d->intune->discovery = NULL;

    ngx_pki_op_destroy(d->op);
}

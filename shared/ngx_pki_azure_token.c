
/*
 * Copyright (C) the ngx_pki authors
 *
 * Getting a token: from the zone, or by asking for it, or by waiting until the
 * worker that asks has it.  Who asks does so on its own account: the fetch goes
 * on whatever becomes of those who wait.
 */


#include "ngx_pki_azure_cell.h"


/* milliseconds */

#define NGX_PKI_AZURE_TOKEN_POLL    20
#define NGX_PKI_AZURE_TOKEN_RENEW   5000

/* what a fetch may be silent for: probe, challenge and answer */
#define NGX_PKI_AZURE_TOKEN_LEASE   (3 * NGX_PKI_AZURE_CALL_TIMEOUT)


/* what this worker knows of a token; in the cycle's pool */

typedef struct {
    ngx_pki_azure_identity_t  *identity;
    ngx_str_t                  resource;
    ngx_pki_azure_cell_t      *cell;
    ngx_pki_azure_fetch_t     *fetch;        /* NULL: this worker asks not */
    ngx_queue_t                waiters;
    ngx_event_t                poll;         /* not cancelable, while there
                                              * are waiters */
    ngx_event_t                renew;        /* cancelable */
} ngx_pki_azure_cache_t;


static ngx_pki_azure_cache_t *ngx_pki_azure_token_cache(
    ngx_pki_azure_token_t *token);
static ngx_pki_azure_cache_t *ngx_pki_azure_token_create_cache(
    ngx_pki_azure_identity_t *identity, ngx_str_t *resource);
static void ngx_pki_azure_token_cleanup(void *data);
static ngx_int_t ngx_pki_azure_token_try(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_token_t *token);
static ngx_int_t ngx_pki_azure_token_look(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_token_t *token, ngx_pki_azure_cell_view_t *view);
static void ngx_pki_azure_token_error(ngx_pki_azure_token_t *token,
    const char *prefix, ngx_pki_azure_cell_view_t *view, const char *none);
static void ngx_pki_azure_token_wait(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_token_t *token);
static void ngx_pki_azure_token_timer_handler(ngx_event_t *ev);
static void ngx_pki_azure_token_poll_handler(ngx_event_t *ev);
static void ngx_pki_azure_token_wake(ngx_pki_azure_cache_t *cache);
static void ngx_pki_azure_token_renew_handler(ngx_event_t *ev);
static void ngx_pki_azure_token_fetch(ngx_pki_azure_cache_t *cache,
    ngx_uint_t refused, ngx_uint_t background);
static void ngx_pki_azure_token_again(ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_token_done(ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_token_store(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_fetch_t *fetch);
static void ngx_pki_azure_token_fail(ngx_pki_azure_cache_t *cache,
    ngx_str_t *error);


void
ngx_pki_azure_token_get(ngx_pki_azure_token_t *token)
{
    ngx_pki_azure_cache_t  *cache;

    token->rc = NGX_ERROR;

    ngx_str_null(&token->token);
    ngx_str_set(&token->error, "out of memory");

    cache = ngx_pki_azure_token_cache(token);

    if (cache == NULL || ngx_pki_azure_token_try(cache, token) == NGX_OK) {
        token->handler(token);
        return;
    }

    ngx_pki_azure_token_wait(cache, token);
}


static ngx_pki_azure_cache_t *
ngx_pki_azure_token_cache(ngx_pki_azure_token_t *token)
{
    ngx_uint_t                  i;
    ngx_pki_azure_cache_t     **cache, *new;
    ngx_pki_azure_identity_t   *identity;

    identity = token->identity;
    cache = identity->caches.elts;

    for (i = 0; i < identity->caches.nelts; i++) {
        if (cache[i]->resource.len == token->resource.len
            && ngx_memcmp(cache[i]->resource.data, token->resource.data,
                          token->resource.len)
               == 0)
        {
            return cache[i];
        }
    }

    new = ngx_pki_azure_token_create_cache(identity, &token->resource);
    cache = ngx_array_push(&identity->caches);

    if (new == NULL || cache == NULL) {
        identity->caches.nelts = i;
        return NULL;
    }

    *cache = new;

    ngx_add_timer(&new->renew, NGX_PKI_AZURE_TOKEN_RENEW);

    return new;
}


static ngx_pki_azure_cache_t *
ngx_pki_azure_token_create_cache(ngx_pki_azure_identity_t *identity,
    ngx_str_t *resource)
{
    ngx_pool_cleanup_t     *cln;
    ngx_pki_azure_cell_t   *cell;
    ngx_pki_azure_cache_t  *cache;

    cell = ngx_pki_azure_cell(identity, resource);

    if (cell == NULL) {
        return NULL;
    }

    cache = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_pki_azure_cache_t));
    cln = ngx_pool_cleanup_add(ngx_cycle->pool, 0);

    if (cache == NULL || cln == NULL) {
        return NULL;
    }

    cache->resource.data = ngx_pstrdup(ngx_cycle->pool, resource);
    if (cache->resource.data == NULL) {
        return NULL;
    }

    cache->resource.len = resource->len;
    cache->identity = identity;
    cache->cell = cell;

    ngx_queue_init(&cache->waiters);

    cache->poll.handler = ngx_pki_azure_token_poll_handler;
    cache->poll.data = cache;
    cache->poll.log = identity->log;

    cache->renew.handler = ngx_pki_azure_token_renew_handler;
    cache->renew.data = cache;
    cache->renew.log = identity->log;
    cache->renew.cancelable = 1;

    cln->handler = ngx_pki_azure_token_cleanup;
    cln->data = cache;

    return cache;
}


/* the HTTPS client has gone before, without calling anybody */

static void
ngx_pki_azure_token_cleanup(void *data)
{
    ngx_pki_azure_cache_t  *cache = data;

    if (cache->renew.timer_set) {
        ngx_del_timer(&cache->renew);
    }

    if (cache->fetch != NULL) {
        ngx_pki_azure_fetch_abort(cache->fetch);
    }
}


/* NGX_AGAIN: wait */

static ngx_int_t
ngx_pki_azure_token_try(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_token_t *token)
{
    ngx_pki_azure_cell_view_t  view;

    if (ngx_pki_azure_token_look(cache, token, &view) != NGX_OK) {
        return NGX_OK;
    }

    switch (view.state) {

    case NGX_PKI_AZURE_CELL_TOKEN:
        token->rc = NGX_OK;
        ngx_str_null(&token->error);
        token->token = view.token;
        token->generation = view.generation;

        if (view.renew) {
            ngx_pki_azure_token_fetch(cache, 0, 1);
        }

        return NGX_OK;

    case NGX_PKI_AZURE_CELL_FAILED:
        ngx_pki_azure_token_error(token, "", &view,
                                  "a new token was refused, too");
        return NGX_OK;

    case NGX_PKI_AZURE_CELL_ASK:
        ngx_pki_azure_token_fetch(cache, token->generation, 0);
        return NGX_AGAIN;

    default:
        return NGX_AGAIN;
    }
}


/* memory is taken for a token that is there, not each time somebody looks */

static ngx_int_t
ngx_pki_azure_token_look(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_token_t *token, ngx_pki_azure_cell_view_t *view)
{
    ngx_int_t        rc;
    ngx_pki_zone_t  *zone;

    zone = cache->identity->zone;
    view->refused = token->generation;

    rc = ngx_pki_azure_cell_look(zone, cache->cell, NULL, view);

    if (rc == NGX_OK && view->state == NGX_PKI_AZURE_CELL_TOKEN) {
        rc = ngx_pki_azure_cell_look(zone, cache->cell, token->pool, view);
    }

    return rc;
}


static void
ngx_pki_azure_token_error(ngx_pki_azure_token_t *token, const char *prefix,
    ngx_pki_azure_cell_view_t *view, const char *none)
{
    u_char     *p;
    size_t      size;
    ngx_str_t   text;

    text.data = view->error;
    text.len = view->error_len;

    if (text.len == 0) {
        text.data = (u_char *) none;
        text.len = ngx_strlen(none);
    }

    size = ngx_strlen(prefix) + text.len + 1;

    p = ngx_pnalloc(token->pool, size);
    if (p == NULL) {
        return;
    }

    token->error.data = p;
    token->error.len = ngx_sprintf(p, "%s%V%Z", prefix, &text) - p - 1;
}


static void
ngx_pki_azure_token_wait(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_token_t *token)
{
    token->ctx = cache;

    ngx_memzero(&token->timer, sizeof(ngx_event_t));

    token->timer.handler = ngx_pki_azure_token_timer_handler;
    token->timer.data = token;
    token->timer.log = cache->identity->log;

    ngx_add_timer(&token->timer, token->timeout);

    ngx_queue_insert_tail(&cache->waiters, &token->queue);

    if (!cache->poll.timer_set) {
        ngx_add_timer(&cache->poll, NGX_PKI_AZURE_TOKEN_POLL);
    }
}


static void
ngx_pki_azure_token_timer_handler(ngx_event_t *ev)
{
    ngx_pki_azure_cache_t      *cache;
    ngx_pki_azure_token_t      *token;
    ngx_pki_azure_cell_view_t   view;

    token = ev->data;
    cache = token->ctx;

    ngx_queue_remove(&token->queue);

    view.refused = token->generation;

    if (ngx_pki_azure_cell_look(cache->identity->zone, cache->cell, NULL,
                                &view)
        == NGX_OK)
    {
        ngx_pki_azure_token_error(token, "no token in time: ", &view,
                                  "no answer yet");
    }

    token->handler(token);
}


static void
ngx_pki_azure_token_poll_handler(ngx_event_t *ev)
{
    ngx_pki_azure_token_wake(ev->data);
}


/* handlers may get further tokens: they come to a queue of their own */

static void
ngx_pki_azure_token_wake(ngx_pki_azure_cache_t *cache)
{
    ngx_queue_t             waiting, *q;
    ngx_pki_azure_token_t  *token;

    if (ngx_queue_empty(&cache->waiters)) {
        return;
    }

    ngx_queue_init(&waiting);
    ngx_queue_add(&waiting, &cache->waiters);
    ngx_queue_init(&cache->waiters);

    while (!ngx_queue_empty(&waiting)) {

        q = ngx_queue_head(&waiting);
        ngx_queue_remove(q);

        token = ngx_queue_data(q, ngx_pki_azure_token_t, queue);

        if (ngx_pki_azure_token_try(cache, token) == NGX_AGAIN) {
            ngx_queue_insert_tail(&cache->waiters, q);
            continue;
        }

        ngx_del_timer(&token->timer);

        token->handler(token);
    }

    if (!ngx_queue_empty(&cache->waiters) && !cache->poll.timer_set) {
        ngx_add_timer(&cache->poll, NGX_PKI_AZURE_TOKEN_POLL);
    }
}


/* all workers look, one of them asks */

static void
ngx_pki_azure_token_renew_handler(ngx_event_t *ev)
{
    ngx_pki_azure_cache_t      *cache;
    ngx_pki_azure_cell_view_t   view;

    if (ngx_exiting) {
        return;
    }

    cache = ev->data;
    view.refused = 0;

    if (ngx_pki_azure_cell_look(cache->identity->zone, cache->cell, NULL,
                                &view)
        == NGX_OK
        && view.state == NGX_PKI_AZURE_CELL_TOKEN && view.renew)
    {
        ngx_pki_azure_token_fetch(cache, 0, 1);
    }

    ngx_add_timer(ev, NGX_PKI_AZURE_TOKEN_RENEW);
}


static void
ngx_pki_azure_token_fetch(ngx_pki_azure_cache_t *cache, ngx_uint_t refused,
    ngx_uint_t background)
{
    ngx_str_t                  error;
    ngx_pki_azure_fetch_t     *fetch;
    ngx_pki_azure_identity_t  *identity;

    identity = cache->identity;

    /* if it is so slow that the lease has passed on, another worker asks */

    if (cache->fetch != NULL
        || !ngx_pki_azure_cell_lease(identity->zone, cache->cell, refused,
                                     NGX_PKI_AZURE_TOKEN_LEASE))
    {
        return;
    }

    fetch = ngx_pki_azure_fetch_start(identity, &cache->resource, background,
                                      identity->log);

    if (fetch == NULL) {
        ngx_str_set(&error, "out of memory");
        ngx_pki_azure_token_fail(cache, &error);
        return;
    }

    fetch->again = ngx_pki_azure_token_again;
    fetch->done = ngx_pki_azure_token_done;
    fetch->data = cache;

    cache->fetch = fetch;
}


static void
ngx_pki_azure_token_again(ngx_pki_azure_fetch_t *fetch)
{
    ngx_pki_azure_cache_t  *cache;

    cache = fetch->data;

    ngx_pki_azure_cell_hold(cache->identity->zone, cache->cell,
                            fetch->delay + NGX_PKI_AZURE_TOKEN_LEASE,
                            &fetch->error);
}


static void
ngx_pki_azure_token_done(ngx_pki_azure_fetch_t *fetch)
{
    ngx_pki_azure_cache_t  *cache;

    cache = fetch->data;
    cache->fetch = NULL;

    switch (fetch->rc) {

    case NGX_OK:
        ngx_pki_azure_token_store(cache, fetch);
        break;

    case NGX_ERROR:
        ngx_pki_azure_token_fail(cache, &fetch->error);
        break;

    default: /* NGX_ABORT */
        ngx_pki_azure_cell_release(cache->identity->zone, cache->cell);
    }

    ngx_pki_azure_token_wake(cache);
}


static void
ngx_pki_azure_token_store(ngx_pki_azure_cache_t *cache,
    ngx_pki_azure_fetch_t *fetch)
{
    ngx_int_t                  rc;
    ngx_str_t                  error;
    ngx_pki_azure_identity_t  *identity;

    identity = cache->identity;

    rc = ngx_pki_azure_cell_set(identity->zone, cache->cell,
                                &fetch->answer.token, fetch->answer.lifetime);

    if (rc == NGX_ERROR) {
        ngx_str_set(&error, "no room in \"pki_zone\"");
        ngx_pki_azure_token_fail(cache, &error);
        return;
    }

    if (rc == NGX_DONE) {
        ngx_log_error(NGX_LOG_NOTICE, identity->log, 0,
                      "azure identity \"%V\": token for \"%V\" again",
                      &identity->name, &cache->resource);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, identity->log, 0,
                  "azure identity \"%V\": token for \"%V\" by %V, "
                  "good for %T s",
                  &identity->name, &cache->resource,
                  ngx_pki_azure_source_name(identity),
                  fetch->answer.lifetime);
}


static void
ngx_pki_azure_token_fail(ngx_pki_azure_cache_t *cache, ngx_str_t *error)
{
    ngx_uint_t                 level, good;
    ngx_pki_azure_identity_t  *identity;

    identity = cache->identity;

    level = ngx_pki_azure_cell_fail(identity->zone, cache->cell, error, &good);

    if (level != 0) {
        ngx_log_error(level, identity->log, 0,
                      "azure identity \"%V\": no %stoken for \"%V\": %V%s",
                      &identity->name, good ? "new " : "", &cache->resource,
                      error, good ? "; the old one has not expired" : "");
    }
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * Peers: which call goes next, and over how many connections at a time.
 */


#include "ngx_pki_https_transfer.h"


static ngx_pki_https_peer_t *ngx_pki_https_peer_find(ngx_pki_https_t *https,
    ngx_str_t *text);
static ngx_pki_https_peer_t *ngx_pki_https_peer_create(ngx_pki_https_t *https,
    ngx_pki_url_t *url);
static ngx_pki_https_call_t *ngx_pki_https_peer_next(
    ngx_pki_https_peer_t *peer);
static void ngx_pki_https_peer_drop(ngx_pki_https_peer_t *peer);
static void ngx_pki_https_peer_fail_queue(ngx_queue_t *queue,
    ngx_pki_https_name_t *name, const char *err);


ngx_pki_https_peer_t *
ngx_pki_https_peer(ngx_pki_https_t *https, ngx_pki_url_t *url,
    ngx_uint_t connections, ngx_pki_https_counters_t *counters)
{
    ngx_pki_https_peer_t  *peer;

    peer = ngx_pki_https_peer_find(https, &url->text);

    if (peer == NULL) {
        peer = ngx_pki_https_peer_create(https, url);
        if (peer == NULL) {
            return NULL;
        }
    }

    if (counters != NULL) {
        peer->counters = counters;
    }

    if (connections > peer->connections) {
        https->nconnections += connections - peer->connections;
        peer->connections = connections;
    }

    /* libcurl's own number would shrink with that of the transfers */

    if (curl_multi_setopt(https->multi, CURLMOPT_MAXCONNECTS,
                          (long) https->nconnections)
        != CURLM_OK)
    {
        return NULL;
    }

    return peer;
}


void
ngx_pki_https_peer_add(ngx_pki_https_call_t *call)
{
    ngx_pki_https_peer_t  *peer;

    peer = call->peer;

    ngx_queue_insert_tail(call->background ? &peer->background
                                           : &peer->waiting,
                          &call->queue);
}


void
ngx_pki_https_peer_dispatch(ngx_pki_https_peer_t *peer)
{
    ngx_pki_https_call_t  *call;
    ngx_pki_https_name_t  *name;

    if (ngx_exiting) {
        ngx_pki_https_peer_drop(peer);
    }

    while (peer->nrunning < peer->connections) {

        call = ngx_pki_https_peer_next(peer);
        if (call == NULL) {
            return;
        }

        name = ngx_pki_https_peer_name(call);

        /* may end the call */

        if (ngx_pki_https_name_get(name) != NGX_OK) {
            return;
        }

        ngx_queue_remove(&call->queue);

        if (ngx_pki_https_transfer_start(call, name) != NGX_OK) {
            ngx_pki_https_finish(call);
        }
    }
}


void
ngx_pki_https_peer_fail(ngx_pki_https_peer_t *peer, ngx_pki_https_name_t *name,
    const char *err)
{
    ngx_pki_https_peer_fail_queue(&peer->waiting, name, err);
    ngx_pki_https_peer_fail_queue(&peer->background, name, err);
}


ngx_pki_https_name_t *
ngx_pki_https_peer_name(ngx_pki_https_call_t *call)
{
    ngx_pki_https_t  *https;

    https = call->peer->https;

    return (https->proxy.url != NULL && !call->direct) ? &https->proxy
                                                       : &call->peer->name;
}


static ngx_pki_https_peer_t *
ngx_pki_https_peer_find(ngx_pki_https_t *https, ngx_str_t *text)
{
    ngx_queue_t           *q;
    ngx_pki_https_peer_t  *peer;

    for (q = ngx_queue_head(&https->peers);
         q != ngx_queue_sentinel(&https->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_pki_https_peer_t, queue);

        if (peer->url->text.len == text->len
            && ngx_memcmp(peer->url->text.data, text->data, text->len) == 0)
        {
            return peer;
        }
    }

    return NULL;
}


static ngx_pki_https_peer_t *
ngx_pki_https_peer_create(ngx_pki_https_t *https, ngx_pki_url_t *url)
{
    ngx_pki_https_peer_t  *peer;

    peer = ngx_pcalloc(https->pool, sizeof(ngx_pki_https_peer_t));
    if (peer == NULL) {
        return NULL;
    }

    peer->https = https;
    peer->url = url;

    ngx_pki_https_name_init(&peer->name, https, url);

    ngx_queue_init(&peer->waiting);
    ngx_queue_init(&peer->background);

    ngx_queue_insert_tail(&https->peers, &peer->queue);

    return peer;
}


static ngx_pki_https_call_t *
ngx_pki_https_peer_next(ngx_pki_https_peer_t *peer)
{
    ngx_queue_t  *queue;

    queue = ngx_queue_empty(&peer->waiting) ? &peer->background
                                            : &peer->waiting;

    if (ngx_queue_empty(queue)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(queue), ngx_pki_https_call_t, queue);
}


/* a worker that quits starts no background call */

static void
ngx_pki_https_peer_drop(ngx_pki_https_peer_t *peer)
{
    ngx_pki_https_peer_fail_queue(&peer->background, NULL,
                                  "the worker is exiting");
}


static void
ngx_pki_https_peer_fail_queue(ngx_queue_t *queue, ngx_pki_https_name_t *name,
    const char *err)
{
    ngx_queue_t           *q, *next;
    ngx_pki_https_call_t  *call;

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue);
         q = next)
    {
        next = ngx_queue_next(q);
        call = ngx_queue_data(q, ngx_pki_https_call_t, queue);

        if (name != NULL && ngx_pki_https_peer_name(call) != name) {
            continue;
        }

        ngx_queue_remove(q);

        ngx_pki_https_error(call, "%s", err);
        ngx_pki_https_finish(call);
    }
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * Connections that are open before they are needed: a new one costs ten times
 * what a call over an old one does.
 */


#include "ngx_pki_https_transfer.h"


/* well below CURLOPT_MAXAGE_CONN */
#define NGX_PKI_HTTPS_WARM_INTERVAL  50000

/* connections that take longer are no use to those who wait for one */
#define NGX_PKI_HTTPS_WARM_TIMEOUT   3000


static void ngx_pki_https_warm_timer_handler(ngx_event_t *ev);
static void ngx_pki_https_warm_send(ngx_pki_https_peer_t *peer);
static void ngx_pki_https_warm_handler(ngx_pki_https_call_t *call);


void
ngx_pki_https_warm(ngx_pki_https_peer_t *peer, ngx_str_t *path)
{
    peer->path = *path;

    if (peer->timer.timer_set) {
        return;
    }

    peer->timer.handler = ngx_pki_https_warm_timer_handler;
    peer->timer.data = peer;
    peer->timer.log = peer->https->log;
    peer->timer.cancelable = 1;

    ngx_add_timer(&peer->timer, 0);
}


void
ngx_pki_https_warm_stop(ngx_pki_https_peer_t *peer)
{
    if (peer->timer.timer_set) {
        ngx_del_timer(&peer->timer);
    }
}


/*
 * All at once: libcurl takes the first connection that is free, so that one
 * request after the other would go over the same.
 */

static void
ngx_pki_https_warm_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t             n;
    ngx_pki_https_peer_t  *peer;

    peer = ev->data;

    if (ngx_exiting || peer->https->closing) {
        return;
    }

    /* whoever waits will use what is free */

    if (ngx_queue_empty(&peer->waiting) && ngx_queue_empty(&peer->background))
    {
        for (n = peer->nrunning; n < peer->connections; n++) {
            ngx_pki_https_warm_send(peer);
        }
    }

    ngx_add_timer(ev, NGX_PKI_HTTPS_WARM_INTERVAL);
}


static void
ngx_pki_https_warm_send(ngx_pki_https_peer_t *peer)
{
    ngx_pool_t            *pool;
    ngx_pki_https_call_t  *call;

    pool = ngx_create_pool(1024, peer->https->log);
    if (pool == NULL) {
        return;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_pki_https_call_t));
    if (call == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    call->peer = peer;
    call->pool = pool;
    call->log = peer->https->log;
    call->path = peer->path;
    call->timeout = NGX_PKI_HTTPS_WARM_TIMEOUT;
    call->background = 1;
    call->uncounted = 1;
    call->handler = ngx_pki_https_warm_handler;

    ngx_str_set(&call->method, "GET");

    ngx_pki_https_send(call);
}


static void
ngx_pki_https_warm_handler(ngx_pki_https_call_t *call)
{
    ngx_pki_https_peer_t  *peer;

    peer = call->peer;

    if (call->status != 0) {

        if (peer->outage) {
            peer->outage = 0;
            ngx_log_error(NGX_LOG_INFO, call->log, 0,
                          "connections to \"%V\" are open again",
                          &peer->url->text);
        }

    } else if (!peer->outage && !ngx_exiting) {
        peer->outage = 1;
        ngx_log_error(NGX_LOG_INFO, call->log, 0,
                      "connections to \"%V\" cannot be kept open: %V",
                      &peer->url->text, &call->error);
    }

    ngx_destroy_pool(call->pool);
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * Which notices wait, and how long.  Only the worker that sends knows: the
 * next one begins anew, which costs a few calls.
 */


#include "ngx_pki_outbox_job.h"


/* milliseconds, then doubled */

#define NGX_PKI_OUTBOX_DELAY           1000
#define NGX_PKI_OUTBOX_MAX_PEER_DELAY  60000

#define NGX_PKI_OUTBOX_FAILURES        3     /* it is not one notice's fault */


static ngx_pki_outbox_wait_t *ngx_pki_outbox_wait_add(
    ngx_pki_outbox_t *outbox, ngx_str_t *id);


ngx_uint_t
ngx_pki_outbox_is_due(ngx_pki_outbox_t *outbox, ngx_pki_notice_t *notice)
{
    ngx_pki_outbox_wait_t  *w;
    ngx_pki_outbox_peer_t  *peer;

    peer = ngx_pki_outbox_peer(outbox, notice);

    if (peer->delay != 0
        && (ngx_msec_int_t) (ngx_current_msec - peer->at) < 0
        && notice->kind.len != 0
        && !ngx_pki_outbox_is_old(notice))
    {
        return 0;
    }

    w = ngx_pki_outbox_wait_find(outbox, &notice->id);

    return w == NULL || (ngx_msec_int_t) (ngx_current_msec - w->at) >= 0;
}


ngx_pki_outbox_wait_t *
ngx_pki_outbox_delay(ngx_pki_outbox_t *outbox, ngx_pki_outbox_peer_t *peer,
    ngx_str_t *id)
{
    ngx_pki_outbox_wait_t  *w;

    w = ngx_pki_outbox_wait_find(outbox, id);

    if (w == NULL) {
        w = ngx_pki_outbox_wait_add(outbox, id);
        w->peer = peer;
        w->delay = NGX_PKI_OUTBOX_DELAY;

    } else {
        w->delay = ngx_min(2 * w->delay, NGX_PKI_OUTBOX_MAX_DELAY);
    }

    w->at = ngx_current_msec + w->delay;

    return w;
}


void
ngx_pki_outbox_forget(ngx_pki_outbox_t *outbox, ngx_str_t *id)
{
    ngx_pki_outbox_wait_t  *w;

    w = ngx_pki_outbox_wait_find(outbox, id);

    if (w != NULL) {
        w->len = 0;
    }
}


void
ngx_pki_outbox_back_off(ngx_pki_outbox_peer_t *peer, ngx_msec_t delay)
{
    peer->delay = delay;
    peer->at = ngx_current_msec + delay;
}


/* Several in flight fail at once: that is one failure more, not many. */

void
ngx_pki_outbox_failed(ngx_pki_outbox_peer_t *peer)
{
    peer->failures++;

    if (peer->failures < NGX_PKI_OUTBOX_FAILURES) {
        return;
    }

    if (peer->delay == 0) {
        ngx_pki_outbox_back_off(peer, NGX_PKI_OUTBOX_DELAY);

    } else if ((ngx_msec_int_t) (ngx_current_msec - peer->at) >= 0) {
        ngx_pki_outbox_back_off(peer, ngx_min(2 * peer->delay,
                                              NGX_PKI_OUTBOX_MAX_PEER_DELAY));
    }
}


void
ngx_pki_outbox_hurry(ngx_pki_outbox_t *outbox, ngx_pki_outbox_peer_t *peer)
{
    ngx_uint_t              i;
    ngx_pki_outbox_wait_t  *w;

    if (peer->delay != 0) {

        for (i = 0; i < NGX_PKI_OUTBOX_MAX_WAITS; i++) {
            w = &outbox->waits[i];

            if (w->peer == peer && !w->refused) {
                w->len = 0;
            }
        }
    }

    peer->failures = 0;
    peer->delay = 0;
}


ngx_pki_outbox_wait_t *
ngx_pki_outbox_wait_find(ngx_pki_outbox_t *outbox, ngx_str_t *id)
{
    ngx_uint_t              i;
    ngx_pki_outbox_wait_t  *w;

    for (i = 0; i < NGX_PKI_OUTBOX_MAX_WAITS; i++) {
        w = &outbox->waits[i];

        if (w->len != 0
            && w->len == id->len
            && ngx_memcmp(w->id, id->data, id->len) == 0)
        {
            return w;
        }
    }

    return NULL;
}


/* in the place of the one whose time is nearest, if there is no other */

static ngx_pki_outbox_wait_t *
ngx_pki_outbox_wait_add(ngx_pki_outbox_t *outbox, ngx_str_t *id)
{
    ngx_uint_t              i;
    ngx_pki_outbox_wait_t  *w, *place;

    place = &outbox->waits[0];

    for (i = 0; i < NGX_PKI_OUTBOX_MAX_WAITS && place->len != 0; i++) {
        w = &outbox->waits[i];

        if (w->len == 0 || (ngx_msec_int_t) (place->at - w->at) > 0) {
            place = w;
        }
    }

    place->len = ngx_min(id->len, NGX_PKI_OUTBOX_ID_LEN);
    place->refused = 0;
    ngx_memcpy(place->id, id->data, place->len);

    return place;
}

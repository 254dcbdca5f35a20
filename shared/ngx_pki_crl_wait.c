
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_crl_wait.h"


#define NGX_PKI_CRL_WAIT_MAX   512
#define NGX_PKI_CRL_WAIT_TURN  32            /* told in one of the event loop */


static void ngx_pki_crl_wait_post(ngx_pki_crl_wait_t *wait);
static void ngx_pki_crl_wait_handler(ngx_event_t *ev);


void
ngx_pki_crl_wait_init(ngx_pki_crl_wait_t *wait)
{
    ngx_queue_init(&wait->woken);
}


void
ngx_pki_crl_wait_stop(ngx_pki_crl_wait_t *wait)
{
    if (wait->event.posted) {
        ngx_delete_posted_event(&wait->event);
    }
}


ngx_int_t
ngx_pki_crl_wait_add(ngx_pki_crl_wait_t *wait, ngx_queue_t *queue,
    ngx_pki_crl_waiter_t *waiter)
{
    if (wait->count >= NGX_PKI_CRL_WAIT_MAX) {
        return NGX_BUSY;
    }

    wait->count++;
    ngx_queue_insert_tail(queue, &waiter->queue);

    return NGX_OK;
}


void
ngx_pki_crl_wait_wake(ngx_pki_crl_wait_t *wait, ngx_queue_t *queue)
{
    if (ngx_queue_empty(queue)) {
        return;
    }

    ngx_queue_add(&wait->woken, queue);
    ngx_queue_init(queue);

    ngx_pki_crl_wait_post(wait);
}


void
ngx_pki_crl_wait_wake_one(ngx_pki_crl_wait_t *wait,
    ngx_pki_crl_waiter_t *waiter)
{
    ngx_queue_remove(&waiter->queue);
    ngx_queue_insert_tail(&wait->woken, &waiter->queue);

    ngx_pki_crl_wait_post(wait);
}


/* in the next turn: what is posted for this one is all done in it */

static void
ngx_pki_crl_wait_post(ngx_pki_crl_wait_t *wait)
{
    wait->event.handler = ngx_pki_crl_wait_handler;
    wait->event.data = wait;
    wait->event.log = ngx_cycle->log;

    ngx_post_event(&wait->event, &ngx_posted_next_events);
}


static void
ngx_pki_crl_wait_handler(ngx_event_t *ev)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_pki_crl_wait_t    *wait;
    ngx_pki_crl_waiter_t  *waiter;

    wait = ev->data;

    for (n = 0; n < NGX_PKI_CRL_WAIT_TURN; n++) {

        if (ngx_queue_empty(&wait->woken)) {
            return;
        }

        q = ngx_queue_head(&wait->woken);
        ngx_queue_remove(q);

        wait->count--;

        waiter = ngx_queue_data(q, ngx_pki_crl_waiter_t, queue);
        waiter->handler(waiter);
    }

    if (!ngx_queue_empty(&wait->woken)) {
        ngx_pki_crl_wait_post(wait);
    }
}

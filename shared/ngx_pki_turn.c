
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_turn.h"


/*
 * No turn comes that late.  The timer is there for ngx_event_no_timers_left(),
 * which lets a quitting worker exit, and looks at nothing else.
 */

#define NGX_PKI_TURN_GUARD  60000


static void ngx_pki_turn_handler(ngx_event_t *ev);
static void ngx_pki_turn_guard_handler(ngx_event_t *ev);


/* of this process; a worker that starts has nobody who waits */

static ngx_queue_t  ngx_pki_turns = { &ngx_pki_turns, &ngx_pki_turns };
static ngx_event_t  ngx_pki_turn_event;
static ngx_event_t  ngx_pki_turn_guard;

/* debug messages of timers show a descriptor */

static ngx_connection_t  ngx_pki_turn_dumb = { .fd = (ngx_socket_t) -1 };


void
ngx_pki_turn_wait(ngx_pki_turn_t *turn, ngx_pki_turn_pt handler, void *data)
{
    turn->handler = handler;
    turn->data = data;

    if (ngx_queue_empty(&ngx_pki_turns)) {
        ngx_pki_turn_event.handler = ngx_pki_turn_handler;
        ngx_pki_turn_event.log = ngx_cycle->log;

        ngx_post_event(&ngx_pki_turn_event, &ngx_posted_next_events);

        /* not cancelable */
        ngx_pki_turn_guard.handler = ngx_pki_turn_guard_handler;
        ngx_pki_turn_guard.data = &ngx_pki_turn_dumb;
        ngx_pki_turn_guard.log = ngx_cycle->log;

        ngx_add_timer(&ngx_pki_turn_guard, NGX_PKI_TURN_GUARD);
    }

    ngx_queue_insert_tail(&ngx_pki_turns, &turn->queue);
}


static void
ngx_pki_turn_handler(ngx_event_t *ev)
{
    ngx_queue_t     *q;
    ngx_pki_turn_t  *turn;

    q = ngx_queue_head(&ngx_pki_turns);
    turn = ngx_queue_data(q, ngx_pki_turn_t, queue);

    ngx_queue_remove(q);

    if (ngx_queue_empty(&ngx_pki_turns)) {
        ngx_del_timer(&ngx_pki_turn_guard);

    } else {
        ngx_post_event(ev, &ngx_posted_next_events);
    }

    /* the last: it may end the operation that the turn lies in */

    turn->handler(turn->data);
}


static void
ngx_pki_turn_guard_handler(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_PKI_TURN_GUARD);
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * Turns: what computes for long waits for its turn, and one turn of the event
 * loop serves one that waits.  So however many certificates are asked for at
 * once, whoever else comes to this worker waits for one computation at most.
 */


#ifndef _NGX_PKI_TURN_H_INCLUDED_
#define _NGX_PKI_TURN_H_INCLUDED_


#include "ngx_pki.h"


typedef struct ngx_pki_turn_s  ngx_pki_turn_t;

typedef void (*ngx_pki_turn_pt)(void *data);


/* lies where it stays until its handler is called, as in an operation */

struct ngx_pki_turn_s {
    ngx_queue_t                queue;
    ngx_pki_turn_pt            handler;
    void                      *data;
};


/*
 * Calls handler(data) in a later turn of the event loop, after all who wait
 * already, and exactly once: there is no way to give up, and the worker does
 * not exit before.  The turn must not be waiting already.
 */
void ngx_pki_turn_wait(ngx_pki_turn_t *turn, ngx_pki_turn_pt handler,
    void *data);


#endif /* _NGX_PKI_TURN_H_INCLUDED_ */

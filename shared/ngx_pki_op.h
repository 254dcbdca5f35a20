
/*
 * Copyright (C) the ngx_pki authors
 *
 * The operation: a piece of asynchronous work with its own pool, its own
 * log and a deadline.  It outlives the request that started it: the request
 * holds only a weak link (op->request), cut when the client goes away.
 *
 * Every step that an operation waits for (a Redis command, a key job) ends by
 * itself within its own time limit and calls its handler exactly once; so an
 * operation is never cancelled.  Its deadline only answers the client early;
 * the chain of steps then runs to its end and destroys the operation.
 */


#ifndef _NGX_PKI_OP_H_INCLUDED_
#define _NGX_PKI_OP_H_INCLUDED_


#include "ngx_pki.h"


typedef struct ngx_pki_op_s  ngx_pki_op_t;

typedef void (*ngx_pki_op_pt)(ngx_pki_op_t *op);


struct ngx_pki_op_s {
    ngx_pool_t                *pool;        /* owns this structure, too */
    ngx_log_t                 *log;         /* adds the context below */

    /* the weak link to whoever waits; NULL once nobody does */
    void                      *request;
    void                      *link;

    /* called when the deadline passes and somebody still waits */
    ngx_pki_op_pt              expire;
    void                      *data;

    ngx_event_t                timer;       /* not cancelable */

    /* context of log messages; empty ones are left out */
    ngx_str_t                  client;
    ngx_str_t                  authority;
    ngx_str_t                  transaction;
    ngx_str_t                  serial;      /* hex */
};


/*
 * Creates an operation.  "log" is copied and must belong to a cycle.
 * Returns NULL if out of memory.
 */
ngx_pki_op_t *ngx_pki_op_create(ngx_log_t *log);

/*
 * Arms the deadline: after "timeout" milliseconds op->expire(op) is called if
 * op->request is still set.  The worker does not exit while it is armed.
 */
void ngx_pki_op_deadline(ngx_pki_op_t *op, ngx_msec_t timeout,
    ngx_pki_op_pt expire);

/* Sets what log messages of the operation say after "while ". */
#define ngx_pki_op_action(op, text)  (op)->log->action = (char *) (text)

/* Ends the operation and frees its pool, the operation included. */
void ngx_pki_op_destroy(ngx_pki_op_t *op);

/* Milliseconds of a monotonic clock, as exact as it gets: for measuring. */
ngx_msec_t ngx_pki_op_clock(void);

/* Copies "src" into the operation's pool; NGX_ERROR if out of memory. */
ngx_int_t ngx_pki_op_copy(ngx_pki_op_t *op, ngx_str_t *dst, ngx_str_t *src);


#endif /* _NGX_PKI_OP_H_INCLUDED_ */

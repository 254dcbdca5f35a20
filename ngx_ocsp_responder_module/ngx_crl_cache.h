
/*
 * Copyright (C) the ngx_pki authors
 *
 * A worker's copy of the CRL that Redis has: loaded at the start and when it is
 * asked for, looked after in between, so that there is one to serve while
 * Redis is away.
 */


#ifndef _NGX_CRL_CACHE_H_INCLUDED_
#define _NGX_CRL_CACHE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"


/* in a pool of its own, which the last release frees */

typedef struct {
    ngx_pool_t                *pool;
    ngx_uint_t                 count;

    ngx_str_t                  der;
    uint64_t                   number;
    time_t                     this_update;
    time_t                     next_update;

    /* of whoever serves it, made when first needed, in "pool" */
    ngx_str_t                  pem;
    ngx_str_t                  etag;
} ngx_crl_copy_t;


typedef struct ngx_crl_waiter_s  ngx_crl_waiter_t;

typedef void (*ngx_crl_waiter_pt)(ngx_crl_waiter_t *waiter);

struct ngx_crl_waiter_s {
    ngx_queue_t                queue;
    ngx_crl_waiter_pt          handler;
    void                      *data;
};


/* one an authority, in the cycle's pool */

typedef struct {
    ngx_pki_authority_t       *authority;

    /* in a worker */
    ngx_event_t                timer;        /* cancelable */
    ngx_crl_copy_t            *copy;         /* NULL: none yet */
    ngx_queue_t                waiting;      /* of ngx_crl_waiter_t */
    ngx_atomic_uint_t          known;        /* when loading began: there was
                                              * one of this number */
    unsigned                   failed:1;     /* Redis did not answer last */
    unsigned                   loading:1;
} ngx_crl_cache_t;


/* In a worker.  "log" is a cycle's. */
void ngx_crl_cache_start(ngx_crl_cache_t *cache, ngx_log_t *log);
void ngx_crl_cache_stop(ngx_crl_cache_t *cache);

/*
 * Whether there is nothing to wait for: the copy is the CRL that Redis has, as
 * far as is known, or Redis does not answer.
 */
ngx_uint_t ngx_crl_cache_is_current(ngx_crl_cache_t *cache);

/*
 * Loads it, once for all who wait.  waiter->handler is called exactly once,
 * whether that succeeded or not, never before this returns NGX_OK.
 */
ngx_int_t ngx_crl_cache_wait(ngx_crl_cache_t *cache, ngx_crl_waiter_t *waiter);

/*
 * A reference to the copy, to be released.  NULL: there is none, or its
 * nextUpdate has come.
 */
ngx_crl_copy_t *ngx_crl_cache_get(ngx_crl_cache_t *cache);
void ngx_crl_cache_release(ngx_crl_copy_t *copy);


#endif /* _NGX_CRL_CACHE_H_INCLUDED_ */

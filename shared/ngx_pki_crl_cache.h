
/*
 * Copyright (C) the ngx_pki authors
 *
 * A worker's copies of the CRLs that Redis has, of one authority: one of each,
 * so that there is one to serve while Redis is away.  A new one is loaded when
 * it is asked for, of small CRLs and those in use also ahead of that.
 */


#ifndef _NGX_PKI_CRL_CACHE_H_INCLUDED_
#define _NGX_PKI_CRL_CACHE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_crl.h"
#include "ngx_pki_authority.h"


/* immutable but for "count" and "pem"; the last release frees it */

typedef struct {
    ngx_uint_t                 count;
    ngx_str_t                  der;          /* within "buffer" */
    uint64_t                   number;
    time_t                     this_update;
    time_t                     next_update;
    ngx_str_t                  etag;         /* with quotes, within "text" */
    ngx_str_t                  pem;          /* len 0: not made yet */
    u_char                     text[64];
    u_char                    *buffer;       /* by ngx_alloc() */
} ngx_pki_crl_copy_t;


/* which CRL somebody wants, and how */

typedef struct {
    ngx_uint_t                 list;
    size_t                     max;          /* octets of DER; 0: any */
    unsigned                   pem:1;
} ngx_pki_crl_want_t;


typedef struct ngx_pki_crl_waiter_s  ngx_pki_crl_waiter_t;

typedef void (*ngx_pki_crl_waiter_pt)(ngx_pki_crl_waiter_t *waiter);

struct ngx_pki_crl_waiter_s {
    ngx_queue_t                queue;        /* private */
    ngx_pki_crl_want_t         want;
    ngx_pki_crl_waiter_pt      handler;
    void                      *data;
};


/*
 * At configuration time: a->crls, made if it is not there yet.  NULL: out of
 * memory.
 */
ngx_pki_crl_cache_t *ngx_pki_crl_cache_add(ngx_conf_t *cf,
    ngx_pki_authority_t *a);

/*
 * In a worker: looks after the copies, from now on.  Without it they are only
 * loaded when they are asked for.  "log" is a cycle's.
 */
void ngx_pki_crl_cache_start(ngx_pki_crl_cache_t *cache, ngx_log_t *log);
void ngx_pki_crl_cache_stop(ngx_pki_crl_cache_t *cache);
ngx_uint_t ngx_pki_crl_cache_is_started(ngx_pki_crl_cache_t *cache);

/*
 * Whether there is nothing to wait for: the copy is the CRL that Redis has, as
 * far as is known, or that is too large; or Redis does not answer, or had
 * nothing better a moment ago; or the next one takes its time to load.
 */
ngx_uint_t ngx_pki_crl_cache_is_current(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_want_t *want);

/*
 * If it is not current: loads it, once for all who wait.  waiter->handler is
 * called exactly once, whether that succeeded or not, never before this returns
 * NGX_OK.  NGX_BUSY: too many wait already, logged; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_crl_cache_wait(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_waiter_t *waiter);

/* Of no use any more: its handler is called soon, whatever is loaded. */
void ngx_pki_crl_cache_leave(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_waiter_t *waiter);

/* Octets of the CRL that Redis has, whether it was loaded or not; 0: not
 * known. */
size_t ngx_pki_crl_cache_size(ngx_pki_crl_cache_t *cache, ngx_uint_t list);

/*
 * A reference to the copy, to be released; one without PEM has none yet.  NULL:
 * there is none, its nextUpdate has come, or it is larger than wanted.
 */
ngx_pki_crl_copy_t *ngx_pki_crl_cache_get(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_want_t *want);
void ngx_pki_crl_copy_release(ngx_pki_crl_copy_t *copy);

/*
 * A CRL that was published by this worker right now: takes over "buffer", by
 * ngx_alloc(), in which "der" lies.  Nothing happens if a newer one is there.
 */
void ngx_pki_crl_cache_put(ngx_pki_crl_cache_t *cache, ngx_uint_t list,
    ngx_pki_crl_meta_t *meta, u_char *buffer, ngx_str_t *der);


#endif /* _NGX_PKI_CRL_CACHE_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * One CRL of a cache, for ngx_pki_crl_cache.c: the copy, how it compares with
 * what Redis has, and who waits for another one.
 */


#ifndef _NGX_PKI_CRL_ITEM_H_INCLUDED_
#define _NGX_PKI_CRL_ITEM_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_crl_cache.h"
#include "ngx_pki_crl_copy.h"
#include "ngx_pki_crl_load.h"
#include "ngx_pki_crl_wait.h"


#define NGX_PKI_CRL_ITEM_SMALL  262144       /* octets, at most */

/* msec that a new worker has to get the first one */

#define NGX_PKI_CRL_ITEM_YOUNG  5000


typedef struct ngx_pki_crl_item_s  ngx_pki_crl_item_t;

typedef void (*ngx_pki_crl_item_pt)(ngx_pki_crl_item_t *item);

struct ngx_pki_crl_item_s {
    ngx_pki_authority_t       *authority;
    ngx_uint_t                 list;

    ngx_pki_crl_copy_t        *copy;         /* NULL: none yet */
    ngx_pki_crl_copy_t        *old;          /* the one before, while its PEM
                                              * is all there is; or NULL */

    ngx_pki_crl_meta_t         seen;         /* what Redis had last */
    ngx_uint_t                 epoch;        /* and when that was */

    ngx_msec_t                 since;        /* the worker has been there */
    ngx_pki_crl_wait_t        *wait;         /* of the cache */
    ngx_queue_t                waiting;      /* of ngx_pki_crl_waiter_t */
    ngx_queue_t                waiting_pem;

    ngx_pki_crl_load_t         load;
    ngx_pki_crl_pem_t          pem;
    ngx_pki_crl_item_pt        ended;        /* loading; NULL: no matter */

    /* when loading began: there was one of this number */
    ngx_atomic_uint_t          known;
    ngx_uint_t                 load_epoch;
    ngx_msec_t                 load_at;

    ngx_msec_t                 asked_at;
    ngx_msec_t                 failed_at;
    unsigned                   asked:1;
    unsigned                   failed:1;     /* loading was in vain */
    unsigned                   loading:1;
    unsigned                   last:1;       /* was tried, as nginx quits */
};


/* Stays as long as "pool".  NULL: out of memory. */
ngx_pki_crl_item_t *ngx_pki_crl_item_create(ngx_pool_t *pool,
    ngx_pki_authority_t *a, ngx_pki_crl_wait_t *wait, ngx_uint_t list,
    ngx_msec_t since);
void ngx_pki_crl_item_stop(ngx_pki_crl_item_t *item);

/*
 * The copy may be served; is the one that Redis has, by what was seen since the
 * log's last gap; "seen" is what Redis has; the next one, a large one, has been
 * loading for a while; it was in vain to load one in the last "time"
 * milliseconds; Redis fails, but a new worker without one has some patience;
 * somebody waits; waits while there is none and none is being loaded; asks for
 * it; it is past half of its life, or is none.
 */
ngx_uint_t ngx_pki_crl_item_is_valid(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_fresh(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_seen(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_slow(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_held(ngx_pki_crl_item_t *item,
    ngx_msec_t time);
ngx_uint_t ngx_pki_crl_item_is_patient(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_awaited(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_stranded(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_used(ngx_pki_crl_item_t *item);
ngx_uint_t ngx_pki_crl_item_is_old(ngx_pki_crl_item_t *item);

/* Somebody asks for it. */
void ngx_pki_crl_item_use(ngx_pki_crl_item_t *item);

/* NGX_ERROR: out of memory.  It must not be loading. */
ngx_int_t ngx_pki_crl_item_load(ngx_pki_crl_item_t *item);

/*
 * See ngx_pki_crl_cache_wait().  "settled": the copy, which must be there, is
 * as it should be, only its PEM is not.
 */
ngx_int_t ngx_pki_crl_item_wait(ngx_pki_crl_item_t *item, ngx_uint_t settled,
    ngx_pki_crl_waiter_t *waiter);

/*
 * There is nothing more to wait for: whoever waits is told, after the PEM is
 * made if that is what he wants.
 */
void ngx_pki_crl_item_settle(ngx_pki_crl_item_t *item);

/*
 * The copy to serve, with PEM if there is one and it is wanted, without a
 * reference of its own; NULL: none that is valid.
 */
ngx_pki_crl_copy_t *ngx_pki_crl_item_copy(ngx_pki_crl_item_t *item,
    ngx_uint_t pem);

/* The one that this worker has published: takes over a reference. */
void ngx_pki_crl_item_put(ngx_pki_crl_item_t *item, ngx_pki_crl_meta_t *meta,
    ngx_pki_crl_copy_t *copy);


#endif /* _NGX_PKI_CRL_ITEM_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * One CRL: its entries are copied, hashed, signed, published; in slices, none
 * of which computes for longer than a fraction of a millisecond or so.
 */


#ifndef _NGX_CRL_BUILD_H_INCLUDED_
#define _NGX_CRL_BUILD_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_crl.h"
#include "ngx_crl_set.h"


typedef struct ngx_crl_build_s  ngx_crl_build_t;

typedef void (*ngx_crl_build_pt)(ngx_crl_build_t *build);

struct ngx_crl_build_s {
    ngx_pki_op_t              *op;
    ngx_crl_set_t             *set;
    ngx_uint_t                 list;
    ngx_str_t                  token;        /* of the lock */

    /* in: number, times, base and mark to be; out: size, seq */
    ngx_pki_crl_meta_t         meta;
    uint64_t                   old_number;
    uint64_t                   base;         /* a delta: BaseCRLNumber */
    uint64_t                   base_seq;
    ngx_str_t                  shard_url;
    ngx_str_t                  delta_url;

    /*
     * A delta that is issued at the same time with the same number, NULL: none.
     * Its own handler is called after that of the full one.
     */
    ngx_crl_build_t           *delta;

    ngx_int_t                  rc;           /* NGX_OK, NGX_ERROR: logged;
                                              * NGX_AGAIN: overtaken */
    const char                *error;        /* what failed, static */
    ngx_uint_t                 count;        /* entries */
    ngx_crl_build_pt           handler;      /* called exactly once */
    void                      *data;

    void                      *job;          /* private */
};


/*
 * Starts; the set is frozen while entries are copied.  Allocated by the caller
 * in the pool of "op", which must stay until the handler is called.  The worker
 * has the copy in a->crls when it is.
 */
void ngx_crl_build_start(ngx_crl_build_t *build);


#endif /* _NGX_CRL_BUILD_H_INCLUDED_ */

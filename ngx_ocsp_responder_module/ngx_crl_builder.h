
/*
 * Copyright (C) the ngx_pki authors
 *
 * Builds the CRLs of an authority in the background.  Every worker has a
 * builder, the one that holds the lease of the instance works; of several
 * nodes the one that has the lock in Redis.
 */


#ifndef _NGX_CRL_BUILDER_H_INCLUDED_
#define _NGX_CRL_BUILDER_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_crl_set.h"


typedef struct {
    time_t                     validity;     /* seconds */
    time_t                     overlap;
    ngx_msec_t                 refresh;
    time_t                     delta;        /* 0: no deltas */
    ngx_uint_t                 shards;       /* 1: none */
} ngx_crl_builder_spec_t;


/* one an authority, in the cycle's pool */

typedef struct {
    ngx_pki_authority_t       *authority;
    ngx_crl_builder_spec_t     spec;
    unsigned                   full:1;       /* a location serves it */

    /* in a worker */
    ngx_event_t                timer;        /* cancelable */
    ngx_crl_set_t              set;
    void                      *session[NGX_PKI_CRL_LOCKS];  /* private; NULL:
                                              * no lock held */
    ngx_msec_t                 pruned;       /* ngx_current_msec */
    time_t                     since;        /* it builds here; 0: not */

    /* of failures: the lists, see ngx_crl_trouble.c */
    u_char                     failed[NGX_PKI_CRL_LISTS / 8 + 1];
    ngx_uint_t                 failures;     /* how many lists */
    ngx_uint_t                 streak;       /* since one could be built */
    ngx_uint_t                 overtaken;    /* in a row */
    time_t                     retry_at;
    time_t                     backoff;
    const char                *why;          /* the last one; NULL: none */
    time_t                     built;        /* something, since; 0: nothing */
    ngx_msec_t                 punctual;     /* ngx_current_msec */
    time_t                     reported;     /* when it was logged last */
} ngx_crl_builder_t;


/* In a worker: builds from now on.  "log" is a cycle's. */
void ngx_crl_builder_start(ngx_crl_builder_t *builder, ngx_log_t *log);
void ngx_crl_builder_stop(ngx_crl_builder_t *builder);

/* When a CRL of this kind with these times is to be followed by the next. */
time_t ngx_crl_builder_due(ngx_crl_builder_spec_t *spec, ngx_uint_t list,
    time_t this_update, time_t next_update);


#endif /* _NGX_CRL_BUILDER_H_INCLUDED_ */

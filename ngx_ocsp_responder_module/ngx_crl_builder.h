
/*
 * Copyright (C) the ngx_pki authors
 *
 * Builds the CRL of an authority in the background.  Every worker has a
 * builder, the one that holds the lease of the instance works; of several
 * nodes the one that has the lock in Redis.
 */


#ifndef _NGX_CRL_BUILDER_H_INCLUDED_
#define _NGX_CRL_BUILDER_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"


#define NGX_CRL_BUILDER_TOKEN_LEN  64


typedef struct {
    time_t                     validity;
    time_t                     overlap;
    ngx_msec_t                 refresh;
} ngx_crl_builder_spec_t;


/* one an authority, in the cycle's pool */

typedef struct {
    ngx_pki_authority_t       *authority;
    ngx_crl_builder_spec_t     spec;

    /* in a worker */
    ngx_event_t                timer;        /* cancelable */
    ngx_atomic_uint_t          revocations;  /* of the zone, in the CRL */
    time_t                     this_update;  /* of the CRL */
    time_t                     due;          /* 0: nothing is known yet */
    ngx_atomic_uint_t          seen;         /* revocations, when noticed */
    uint64_t                   applied;      /* changes of the log by then */
    time_t                     retry_at;
    time_t                     backoff;
    unsigned                   noticed:1;    /* that one is due */
    unsigned                   building:1;

    /* of a lock that Redis may hold for us although it did not say so */
    u_char                     token[NGX_CRL_BUILDER_TOKEN_LEN];
    size_t                     token_len;
} ngx_crl_builder_t;


/* In a worker: builds from now on.  "log" is a cycle's. */
void ngx_crl_builder_start(ngx_crl_builder_t *builder, ngx_log_t *log);
void ngx_crl_builder_stop(ngx_crl_builder_t *builder);


#endif /* _NGX_CRL_BUILDER_H_INCLUDED_ */

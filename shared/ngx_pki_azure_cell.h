
/*
 * Copyright (C) the ngx_pki authors
 *
 * A token in the zone: what all workers of this nginx know together of the
 * token of one identity for one resource.
 *
 * At most one worker asks for it at a time: it holds the cell's lease, which
 * passes on when its owner is dead or silent.  After a failure nobody asks for
 * a while, and everybody is told why.  A good token is used whatever happens
 * to its renewal.
 */


#ifndef _NGX_PKI_AZURE_CELL_H_INCLUDED_
#define _NGX_PKI_AZURE_CELL_H_INCLUDED_


#include "ngx_pki_azure_identity.h"


typedef struct ngx_pki_azure_cell_s  ngx_pki_azure_cell_t;


typedef enum {
    NGX_PKI_AZURE_CELL_TOKEN = 0,            /* here it is */
    NGX_PKI_AZURE_CELL_FAILED,               /* not now, "error" says why */
    NGX_PKI_AZURE_CELL_ASK,                  /* nobody asks */
    NGX_PKI_AZURE_CELL_WAIT                  /* somebody does */
} ngx_pki_azure_cell_state_e;


typedef struct {
    ngx_uint_t                 refused;      /* in: a generation, 0: none */

    ngx_pki_azure_cell_state_e  state;
    ngx_uint_t                 renew;        /* TOKEN: it is time to ask */
    ngx_uint_t                 generation;   /* of the token */
    ngx_str_t                  token;        /* TOKEN; cleansed with the pool */
    size_t                     error_len;    /* of the last failure, if any */
    u_char                     error[NGX_PKI_AZURE_MAX_ERROR];
} ngx_pki_azure_cell_view_t;


/* The cell of an identity and a resource; NULL: no room, which is logged. */
ngx_pki_azure_cell_t *ngx_pki_azure_cell(ngx_pki_azure_identity_t *identity,
    ngx_str_t *resource);

/*
 * Looks.  The token is copied to "pool", with NULL it is not.  NGX_ERROR: out
 * of memory.
 */
ngx_int_t ngx_pki_azure_cell_look(ngx_pki_zone_t *zone,
    ngx_pki_azure_cell_t *cell, ngx_pool_t *pool,
    ngx_pki_azure_cell_view_t *view);

/*
 * Takes the lease for "time" milliseconds; 0: another one has it, or a failure
 * was just now, or a token was refused so shortly after another one that a new
 * one would be, too.  "refused" as above.
 */
ngx_uint_t ngx_pki_azure_cell_lease(ngx_pki_zone_t *zone,
    ngx_pki_azure_cell_t *cell, ngx_uint_t refused, ngx_msec_t time);

/* Holds the lease for "time" milliseconds more; "error" is what went wrong. */
void ngx_pki_azure_cell_hold(ngx_pki_zone_t *zone, ngx_pki_azure_cell_t *cell,
    ngx_msec_t time, ngx_str_t *error);

/*
 * The three ends of a lease.  Set: NGX_ERROR: no room for the token, the lease
 * stays; NGX_DONE: stored after there had been complaints, else NGX_OK.  Fail:
 * at which level to complain, 0: not again yet; "good": the old token is.
 */
ngx_int_t ngx_pki_azure_cell_set(ngx_pki_zone_t *zone,
    ngx_pki_azure_cell_t *cell, ngx_str_t *token, time_t lifetime);
ngx_uint_t ngx_pki_azure_cell_fail(ngx_pki_zone_t *zone,
    ngx_pki_azure_cell_t *cell, ngx_str_t *error, ngx_uint_t *good);
void ngx_pki_azure_cell_release(ngx_pki_zone_t *zone,
    ngx_pki_azure_cell_t *cell);


#endif /* _NGX_PKI_AZURE_CELL_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * What keeps a key of a vault from working, as all workers know it.  Lies in
 * the zone, so that one worker's experience spares the others theirs.
 */


#ifndef _NGX_PKI_VAULT_TROUBLE_H_INCLUDED_
#define _NGX_PKI_VAULT_TROUBLE_H_INCLUDED_


#include "ngx_pki_vault.h"


#define NGX_PKI_VAULT_TROUBLE_LEN  512


/*
 * A vault may allow one operation and refuse another.  Get and create share a
 * trouble, which any success ends: the key is there and can be reached.
 */

typedef enum {
    NGX_PKI_VAULT_TROUBLE_SIGN = 0,
    NGX_PKI_VAULT_TROUBLE_UNWRAP,
    NGX_PKI_VAULT_TROUBLE_KEY,
    NGX_PKI_VAULT_TROUBLES
} ngx_pki_vault_trouble_e;


typedef struct {
    size_t                     len;          /* of the text; 0: no trouble */
    u_char                     text[NGX_PKI_VAULT_TROUBLE_LEN];
    ngx_uint_t                 result;       /* ngx_pki_vault_result_e */
    ngx_uint_t                 blocks;       /* calls, until "until" */
    ngx_msec_t                 until;        /* ngx_current_msec */
} ngx_pki_vault_trouble_t;


typedef struct {
    ngx_pki_vault_trouble_t    troubles[NGX_PKI_VAULT_TROUBLES];
} ngx_pki_vault_state_t;


/*
 * Whether a call may be made: NGX_OK, or NGX_DECLINED with "result" and "text"
 * (in "pool") of the one that failed.  Every half a minute one may try.
 */
ngx_int_t ngx_pki_vault_trouble_check(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state, ngx_pki_vault_operation_e operation,
    ngx_pool_t *pool, ngx_pki_vault_result_e *result, ngx_str_t *text);

/* A call failed; "blocks": so will others, for half a minute they need not be
 * made.  Else the trouble is shown for a minute at most. */
void ngx_pki_vault_trouble_set(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state, ngx_pki_vault_operation_e operation,
    ngx_pki_vault_result_e result, ngx_str_t *text, ngx_uint_t blocks);

/* A call succeeded.  Returns 1 if that ends a trouble. */
ngx_uint_t ngx_pki_vault_trouble_clear(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state, ngx_pki_vault_operation_e operation);

/* A worker starts: whatever the trouble is, a call may try whether it has been
 * put right. */
void ngx_pki_vault_trouble_unblock(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state);

/* Copies the first trouble there is to "buf", which has room for
 * NGX_PKI_VAULT_TROUBLE_LEN octets; returns its length, 0: none. */
size_t ngx_pki_vault_trouble_copy(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state, u_char *buf);


#endif /* _NGX_PKI_VAULT_TROUBLE_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * How all workers keep within the limit of a key vault: a meter that tells
 * each call when it may go, and a gate that is closed while the vault asks for
 * a pause.  Lies in the zone.
 */


#ifndef _NGX_PKI_VAULT_LIMIT_H_INCLUDED_
#define _NGX_PKI_VAULT_LIMIT_H_INCLUDED_


#include "ngx_pki_zone.h"


/*
 * The backlog is what has been reserved and has not drained yet.  Up to a burst
 * of it goes at once, what is above has to wait until it has drained.  Times
 * are ngx_current_msec; one that is further away than any can be is of a clock
 * that began anew, and counts as long past.
 */

typedef struct {
    ngx_msec_t                 drained;      /* the backlog is of then */
    uint64_t                   backlog;      /* thousandths of half units */
    ngx_msec_t                 gate;         /* closed until then */
    ngx_uint_t                 pauses;       /* in a row */
} ngx_pki_vault_limit_t;


/*
 * Reserves a call of "weight" half units under a limit of "rate" units a second
 * (0: none): in how many milliseconds it may go.  NGX_DECLINED: in more than
 * "max", nothing is reserved.
 */
ngx_msec_int_t ngx_pki_vault_limit_reserve(ngx_pki_zone_t *zone,
    ngx_pki_vault_limit_t *limit, ngx_uint_t rate, ngx_uint_t weight,
    ngx_msec_t max);

/* For how many milliseconds the gate stays closed; 0: it is open. */
ngx_msec_t ngx_pki_vault_limit_gate(ngx_pki_zone_t *zone,
    ngx_pki_vault_limit_t *limit);

/*
 * Closes the gate for "retry_after" milliseconds (negative: not said), at least
 * for 1, 2, 4, 8, 16 seconds the more often in a row.  Returns the pause if it
 * was open before, else 0.
 */
ngx_msec_t ngx_pki_vault_limit_close(ngx_pki_zone_t *zone,
    ngx_pki_vault_limit_t *limit, ngx_uint_t rate, ngx_msec_int_t retry_after);

/* The vault has answered: the next pause is a first one. */
void ngx_pki_vault_limit_answered(ngx_pki_zone_t *zone,
    ngx_pki_vault_limit_t *limit);


#endif /* _NGX_PKI_VAULT_LIMIT_H_INCLUDED_ */

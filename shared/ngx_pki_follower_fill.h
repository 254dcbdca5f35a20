
/*
 * Copyright (C) the ngx_pki authors
 *
 * After a start of nginx, or a gap in its log, the zone knows nothing of an
 * authority.  The worker that has the lease then reads the statuses of all its
 * certificates from Redis, in the background, so that nobody's first question
 * has to go there, nor needs Redis at all.
 */


#ifndef _NGX_PKI_FOLLOWER_FILL_H_INCLUDED_
#define _NGX_PKI_FOLLOWER_FILL_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_store.h"


typedef struct ngx_pki_follower_fill_s  ngx_pki_follower_fill_t;
typedef struct ngx_pki_follower_walk_s  ngx_pki_follower_walk_t;


/* For "n" authorities, all in "pool"; NULL: out of memory. */
ngx_pki_follower_fill_t *ngx_pki_follower_fill_create(ngx_pool_t *pool,
    ngx_pki_zone_t *zone, ngx_pki_store_t **stores, ngx_uint_t n,
    ngx_log_t *log);

/* Begins, if there is something to read; for the worker with the lease. */
void ngx_pki_follower_fill(ngx_pki_follower_fill_t *fill);

/* That of the authority number "i"; to be told of each change of its log. */
ngx_pki_follower_walk_t *ngx_pki_follower_fill_walk(
    ngx_pki_follower_fill_t *fill, ngx_uint_t i);

/* The log has changed a serial number (len 0: none), and was applied. */
void ngx_pki_follower_fill_changed(ngx_pki_follower_walk_t *walk,
    ngx_pki_serial_t *serial, uint64_t version);

/* In exit_process. */
void ngx_pki_follower_fill_stop(ngx_pki_follower_fill_t *fill);


#endif /* _NGX_PKI_FOLLOWER_FILL_H_INCLUDED_ */

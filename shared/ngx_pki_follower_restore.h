
/*
 * Copyright (C) the ngx_pki authors
 *
 * After a gap in its log an authority's Redis may be an older one: restored
 * from a copy, or a replica that lagged behind.  What the zone knows to be
 * revoked or held is then told to it, and until that is done no CRL is built.
 */


#ifndef _NGX_PKI_FOLLOWER_RESTORE_H_INCLUDED_
#define _NGX_PKI_FOLLOWER_RESTORE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_store.h"


/* lies in what the follower keeps of a log */

typedef struct {
    ngx_pki_store_t           *store;
    ngx_log_t                 *log;
    ngx_event_t                timer;        /* cancelable */

    ngx_uint_t                 epoch;        /* of the slot, when it began */
    ngx_msec_t                 begun;

    uint32_t                   place;        /* in the zone */
    uint32_t                   next;         /* after this slice */
    ngx_pki_op_t              *op;           /* of this slice */
    ngx_uint_t                 waiting;      /* for answers to it */
    ngx_uint_t                 missing;      /* of this slice */

    ngx_uint_t                 restored;
    ngx_uint_t                 gone;         /* without a record */

    unsigned                   running:1;
    unsigned                   failed:1;     /* this slice, or the last time */
    unsigned                   reported:1;
} ngx_pki_follower_restore_t;


/* "restore" is zeroed, "log" a cycle's or the follower's. */
void ngx_pki_follower_restore_init(ngx_pki_follower_restore_t *restore,
    ngx_pki_store_t *store, ngx_log_t *log);

/* Begins, if slot->restoring is set; for the worker that holds the lease. */
void ngx_pki_follower_restore(ngx_pki_follower_restore_t *restore);

/* In exit_process. */
void ngx_pki_follower_restore_stop(ngx_pki_follower_restore_t *restore);


#endif /* _NGX_PKI_FOLLOWER_RESTORE_H_INCLUDED_ */

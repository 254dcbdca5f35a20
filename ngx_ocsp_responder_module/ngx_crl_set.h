
/*
 * Copyright (C) the ngx_pki authors
 *
 * All that is revoked or held of an authority, in the worker that builds its
 * CRLs: read from Redis once, then kept in step by the change log.
 *
 * States.  EMPTY: this worker does not hold the lease.  WAITING: for the
 * follower to have found its place in the log, and slot->restoring to end.
 * LOADING: Redis is read, changes of the log meanwhile apply in order.
 * RESTORING: what the set has from before and Redis lacks is told to Redis, or
 * forgotten if Redis knows better.  READY.  A gap in the log leads from any of
 * them but EMPTY back to WAITING, and what is there is kept, marked.
 */


#ifndef _NGX_CRL_SET_H_INCLUDED_
#define _NGX_CRL_SET_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"
#include "ngx_crl_list.h"


typedef enum {
    NGX_CRL_SET_EMPTY = 0,
    NGX_CRL_SET_WAITING,
    NGX_CRL_SET_LOADING,
    NGX_CRL_SET_RESTORING,
    NGX_CRL_SET_READY
} ngx_crl_set_state_e;


/* what the builder knows of one CRL, full, delta or of a shard */

typedef struct {
    ngx_crl_list_t            *entries;      /* full: those without a shard;
                                              * delta: the released ones */
    ngx_pki_crl_meta_t         meta;         /* as Redis has it */
    uint64_t                   changed;      /* seq of the last change of it */
    ngx_msec_t                 changed_at;   /* of the first one that is not
                                              * in it, ngx_current_msec */
} ngx_crl_state_t;


typedef struct ngx_crl_set_s  ngx_crl_set_t;

struct ngx_crl_set_s {
    ngx_pki_authority_t       *authority;
    ngx_log_t                 *log;
    ngx_uint_t                 shards_here;  /* "crl_shards" of this node */
    ngx_uint_t                 state;        /* ngx_crl_set_state_e */
    ngx_uint_t                 shards;       /* how many there are now */
    ngx_crl_state_t           *crl[NGX_PKI_CRL_LISTS];   /* NULL: none yet */
    ngx_uint_t                 epoch;        /* of the slot, when read */
    unsigned                   full:1;       /* a location here serves it */
    unsigned                   frozen:1;
    unsigned                   rebase:1;     /* what is told from here on may
                                              * contradict older full CRLs */

    /* lists that are being freed, a little at a time */
    ngx_crl_list_t            *discarded;
    ngx_event_t                reaper;       /* cancelable */

    /* private to ngx_crl_set*.c */
    void                      *loader;
};


/*
 * In a worker, every some 100 ms: takes the lease's comings and goings, goes
 * on.  The set is filled only while this worker holds the lease; stop frees
 * all of it, at once.  Returns whether it is READY.
 */
ngx_uint_t ngx_crl_set_tick(ngx_crl_set_t *set);
void ngx_crl_set_stop(ngx_crl_set_t *set);

/*
 * In a worker that quits: as stop, but what Redis may have lost is told to it
 * first, and the worker stays until then.  May be called again and again.
 */
void ngx_crl_set_quit(ngx_crl_set_t *set);

/* The last change that the set knows of: what is built has no later one. */
uint64_t ngx_crl_set_applied(ngx_crl_set_t *set);

/*
 * While frozen the lists do not change, changes wait in line; briefly, only in
 * READY.  thaw applies them.
 */
void ngx_crl_set_freeze(ngx_crl_set_t *set);
void ngx_crl_set_thaw(ngx_crl_set_t *set);

/*
 * A CRL is published with this, by this node or another one; or what Redis
 * has was read.  Keeps the zone's number of it in step.
 */
void ngx_crl_set_published(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_pki_crl_meta_t *meta);

/*
 * The filter of a CRL: entries of certificates that expired leave when each
 * CRL that has them was published since (RFC 5280, 3.3).
 */
void ngx_crl_set_filter(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_crl_filter_t *filter);

/*
 * Octets of all entries that a CRL may come to have: a full list and its delta
 * have those of all lists.
 */
size_t ngx_crl_set_size(ngx_crl_set_t *set, ngx_uint_t list);

/*
 * Takes what the filters leave out, and what was released before the base of
 * deltas, out of memory and of Redis, in the background, a little at a time.
 * "token" of the lock is not needed: what has changed since stays.
 */
void ngx_crl_set_prune(ngx_crl_set_t *set);


#endif /* _NGX_CRL_SET_H_INCLUDED_ */

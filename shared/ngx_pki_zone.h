
/*
 * Copyright (C) the ngx_pki authors
 *
 * The shared memory zone: what the workers of one nginx know together.
 *
 * Statuses.  Redis is the truth, the zone is its cache.  An entry carries the
 * version of its last change: the number of the change in the authority's
 * log.  The follower applies the log in order; slot->applied is the number of
 * the last change applied.  Invariant: an entry is never older than
 * slot->applied says.  A status read from Redis (with the number of the log's
 * last change at that moment) may enter only if it is not older than
 * slot->applied; a newer version is never overwritten by an older one.
 *
 * Epochs.  When the log has a gap slot->epoch is increased: every good entry
 * of an older epoch counts as absent, and so does every answer of Redis to a
 * question of an older epoch.  A revoked or held entry stays until a newer
 * version says otherwise, whatever the epoch.
 *
 * Restoring.  Behind a gap there may be a Redis that has lost changes.  From
 * then on slot->restoring is set, and no CRL is built, until the follower has
 * given Redis back what the zone knows to be revoked or held.  After a start
 * that is nothing, but other nodes may have to.
 */


#ifndef _NGX_PKI_ZONE_H_INCLUDED_
#define _NGX_PKI_ZONE_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_ZONE_NAME_LEN    64
#define NGX_PKI_ZONE_TEXT_LEN    256

#define NGX_PKI_ZONE_FIRST_EPOCH 1           /* the log was found */


/*
 * A moment by both clocks: the wall clock may be set, the monotonic one may
 * stand still while the machine sleeps.
 */

typedef struct {
    volatile time_t            wall;         /* 0: never */
    volatile ngx_msec_t        monotonic;    /* ngx_current_msec */
} ngx_pki_zone_moment_t;


/* what is known of a certificate */

typedef struct {
    ngx_pki_status_e           status;
    ngx_int_t                  reason;       /* of hold and revoked */
    time_t                     revoked_at;
    time_t                     not_after;
    uint64_t                   version;
    ngx_uint_t                 epoch;        /* slot->epoch when asked */
} ngx_pki_zone_status_t;


/* what is known of one that is revoked or held */

typedef struct {
    ngx_pki_serial_t           serial;
    ngx_pki_zone_status_t      status;
} ngx_pki_zone_revoked_t;


typedef enum {
    NGX_PKI_ZONE_WAITING = 0,                /* Redis has not answered yet */
    NGX_PKI_ZONE_READY,
    NGX_PKI_ZONE_UNHEALTHY                   /* slot->text says why */
} ngx_pki_zone_state_e;


/*
 * What the workers share of an authority; lies in the zone, survives reloads,
 * is found by name.  Written under the zone's lock by the functions below;
 * numbers may be read without it.
 */

typedef struct {
    u_char                     name[NGX_PKI_ZONE_NAME_LEN];
    size_t                     name_len;
    ngx_uint_t                 index;        /* of the slot in the zone */

    ngx_uint_t                 state;        /* ngx_pki_zone_state_e */
    u_char                     fingerprint[32];  /* of the CA certificate */
    u_char                     text[NGX_PKI_ZONE_TEXT_LEN];

    /* of the key in a vault, text; of the certificate with the fingerprint */
    u_char                     key_version[NGX_PKI_ZONE_NAME_LEN];

    /* the follower's place in the authority's log */
    uint64_t                   applied;
    u_char                     last_id[48];  /* of the stream, text */
    size_t                     last_id_len;
    ngx_pki_zone_moment_t      synced;       /* as new as Redis was then */
    ngx_atomic_t               epoch;
    ngx_atomic_t               restoring;    /* see above */

    /* revoked, held, released ones, and gaps of the log */
    ngx_atomic_t               revocations;

    volatile time_t            produced_at;  /* of the last OCSP response */

    ngx_atomic_t               issued;       /* counters of this nginx */
    ngx_atomic_t               refused;
} ngx_pki_zone_slot_t;


typedef struct ngx_pki_zone_s  ngx_pki_zone_t;

struct ngx_pki_zone_s {
    void                      *sh;           /* ngx_pki_zone_sh_t */
    ngx_slab_pool_t           *shpool;
    ngx_shm_zone_t            *shm_zone;
};


/*
 * Adds the zone at configuration time ("tag" is the module's address).
 * NULL: the reason is logged.
 */
ngx_pki_zone_t *ngx_pki_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag);

/*
 * The slot of an authority, made if it is not there yet.  NULL: no slot is
 * left.  To be called in a worker.
 */
ngx_pki_zone_slot_t *ngx_pki_zone_slot(ngx_pki_zone_t *zone, ngx_str_t *name);

/*
 * Looks a serial up: NGX_OK and "status", or NGX_DECLINED: Redis must be asked,
 * status->epoch is what ngx_pki_zone_enter() wants to see, status->status is
 * UNKNOWN, or HOLD if it was held before the log had a gap.
 */
ngx_int_t ngx_pki_zone_lookup(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status);

/*
 * Enters what Redis said of a serial.  "seq" is the number of the last change
 * in the log at the moment of that answer, status->epoch the slot's when it
 * was asked.  NGX_DECLINED: older than what has been applied since, ask again.
 * NGX_OK also if a newer version is there, which "status" then becomes.
 */
ngx_int_t ngx_pki_zone_enter(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status, uint64_t seq);

/*
 * Applies a change of the log, by the follower only: enters the status (a new
 * entry is made for every change; serial->len 0: there is none) and advances
 * slot->applied to status->version, last_id to "id".  A change that does not
 * follow on slot->applied is ignored.
 */
void ngx_pki_zone_apply(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status, ngx_str_t *id);

/*
 * The log has a gap: drops every good status of the authority; revoked and
 * held ones stay until Redis says otherwise.  Following goes on from "applied"
 * and "id".  Counts as a revocation, for one may have been missed.  Sets
 * slot->restoring.
 */
void ngx_pki_zone_reset(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    uint64_t applied, ngx_str_t *id);

/*
 * Goes through the revoked and held entries of an authority, some at a time:
 * copies at most *n from "*place" on (0: the beginning), sets *n to how many
 * and moves *place behind them.  NGX_AGAIN: go on there; NGX_DONE: the end.
 */
ngx_int_t ngx_pki_zone_revoked(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    uint32_t *place, ngx_pki_zone_revoked_t *revoked, ngx_uint_t *n);

/* Ends slot->restoring, unless the log had another gap since "epoch". */
void ngx_pki_zone_restored(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_uint_t epoch);

/*
 * A signed answer about one certificate, kept for all workers.  "kind" is all
 * else that it depends on: who signed, the form of the question, the policy.
 */

typedef struct {
    ngx_pki_serial_t           serial;
    uint64_t                   kind;

    /* what it tells; version and epoch as ngx_pki_zone_lookup() gave them */
    ngx_pki_zone_status_t      status;
    time_t                     this_update;
    time_t                     next_update;
    time_t                     refresh_at;   /* from then on it is renewed */
    u_char                     etag[64];     /* SHA-256, hex */

    u_char                    *data;         /* get: NGX_PKI_ZONE_REPLY_MAX */
    size_t                     len;
} ngx_pki_zone_reply_t;

#define NGX_PKI_ZONE_REPLY_MAX  1024

/*
 * Looks for the answer with reply->serial and kind, and copies it out, octets
 * into "data".  Takes no lock.  NGX_DECLINED: none, or what it tells of may
 * have changed in a gap of the log.  Its times are the caller's to check.
 */
ngx_int_t ngx_pki_zone_reply_get(ngx_pki_zone_t *zone,
    ngx_pki_zone_slot_t *slot, ngx_pki_zone_reply_t *reply);

/*
 * Keeps an answer, unless it is too long or its status is no longer what the
 * zone knows, by version and epoch.  Whatever changes a status drops the
 * answers that tell of it, under the same lock.
 */
void ngx_pki_zone_reply_put(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply);

/* How full the zone is, for the probe; numbers of entries. */

typedef struct {
    ngx_uint_t                 statuses;
    ngx_uint_t                 statuses_max;
    ngx_uint_t                 replies;
    ngx_uint_t                 replies_max;
    ngx_uint_t                 evictions;    /* of statuses that counted */
} ngx_pki_zone_usage_t;

void ngx_pki_zone_usage(ngx_pki_zone_t *zone, ngx_pki_zone_usage_t *usage);

/* Sets "moment" to now, as far as the event loop knows. */
void ngx_pki_zone_moment(ngx_pki_zone_moment_t *moment);

/*
 * When it was, in seconds of the wall clock as that goes now: the earlier of
 * what the two clocks say, in the future never.  0: never.
 */
time_t ngx_pki_zone_moment_time(ngx_pki_zone_moment_t *moment);

/* Sets state, fingerprint (32 octets, or NULL: as it was) and text. */
void ngx_pki_zone_set_state(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_uint_t state, u_char *fingerprint, ngx_str_t *text);

/* Sets slot->key_version, cut to its size. */
void ngx_pki_zone_set_key_version(ngx_pki_zone_t *zone,
    ngx_pki_zone_slot_t *slot, ngx_str_t *version);

/*
 * A delegated OCSP responder of this nginx, in a cell of the zone: its secret,
 * and who makes the next one.
 */

typedef struct {
    ngx_atomic_t               generation;   /* of the secret; 0: none yet */
    u_char                    *data;         /* slab; private key, DER */
    size_t                     len;
    ngx_pid_t                  maker;        /* 0: nobody */
    ngx_msec_t                 lease;        /* of the maker, until then */
} ngx_pki_zone_responder_t;

/*
 * Its secret: stores (replacing, cleansing the old one; increases generation)
 * and copies out to "pool" (cleansing is then the caller's).  NGX_DECLINED:
 * none there.
 */
ngx_int_t ngx_pki_zone_responder_set(ngx_pki_zone_t *zone,
    ngx_pki_zone_responder_t *responder, ngx_str_t *blob);
ngx_int_t ngx_pki_zone_responder_get(ngx_pki_zone_t *zone,
    ngx_pki_zone_responder_t *responder, ngx_pool_t *pool, ngx_str_t *blob);

/*
 * Memory of the zone for whoever shares something by a name of its own: zeroed
 * when it is made, found again by name and size, also after a reload, never
 * freed.  NULL: no room is left.  To be called in a worker.
 */
void *ngx_pki_zone_cell(ngx_pki_zone_t *zone, ngx_str_t *name, size_t size);

/* Guard what is in cells; briefly: no logging, no allocation in between. */
#define ngx_pki_zone_lock(zone)    ngx_shmtx_lock(&(zone)->shpool->mutex)
#define ngx_pki_zone_unlock(zone)  ngx_shmtx_unlock(&(zone)->shpool->mutex)

/*
 * The lease of the instance: one worker follows the log and does background
 * work.  Taken, renewed or refused: call it every 200 ms; a lease whose owner
 * is dead or silent for 2 s passes on.  Returns 1 for the owner.
 */
ngx_uint_t ngx_pki_zone_lead(ngx_pki_zone_t *zone);
void ngx_pki_zone_resign(ngx_pki_zone_t *zone);

/* Whether this worker holds the lease, without taking it. */
ngx_uint_t ngx_pki_zone_leads(ngx_pki_zone_t *zone);


#endif /* _NGX_PKI_ZONE_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The store: records, statuses and the change log in Redis.  A change of
 * status and its log entry are one atomic step (one script).
 */


#ifndef _NGX_PKI_STORE_H_INCLUDED_
#define _NGX_PKI_STORE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_op.h"
#include "ngx_pki_redis.h"
#include "ngx_pki_record.h"
#include "ngx_pki_pending.h"
#include "ngx_pki_challenge.h"
#include "ngx_pki_notice.h"
#include "ngx_pki_zone.h"
#include "ngx_pki_crl.h"
#include "ngx_pki_log_entry.h"


typedef struct ngx_pki_store_job_s  ngx_pki_store_job_t;

typedef void (*ngx_pki_store_pt)(ngx_pki_store_job_t *job);


/*
 * Where an authority keeps its state; one an authority, zeroed, filled in a
 * worker.
 */

typedef struct {
    ngx_pki_redis_t           *redis;
    ngx_str_t                  prefix;       /* "pki:{devices}:" */
    ngx_pki_zone_t            *zone;
    ngx_pki_zone_slot_t       *slot;
    ngx_pki_crl_zone_t        *crl;          /* a cell of the zone */

    /* told of each change of the log that the follower has applied, in the
     * worker that follows; NULL: nobody */
    void                     (*listener)(void *data,
                                         ngx_pki_log_entry_t *entry);
    void                      *listener_data;

    /* of statuses: in flight; for what Redis does not know, see the budget */
    ngx_uint_t                 lookups;
    ngx_uint_t                 spent;
    ngx_msec_t                 spent_at;     /* as of then */
    time_t                     shed_at;      /* when it was logged last */
} ngx_pki_store_t;


/* a certificate and what Redis says of it */

typedef struct {
    ngx_pki_serial_t           serial;
    ngx_pki_zone_status_t      status;
} ngx_pki_store_status_t;


typedef enum {
    NGX_PKI_STORE_OK = 0,
    NGX_PKI_STORE_NOT_FOUND,
    NGX_PKI_STORE_EXISTS,        /* add: the transaction has a certificate */
    NGX_PKI_STORE_CONFLICT,      /* already so, or not possible */
    NGX_PKI_STORE_FULL,          /* pend: too many wait; challenge: so many */
    NGX_PKI_STORE_SHARE,         /* pend: too many of this client wait */
    NGX_PKI_STORE_TAKEN,         /* add: its challenge is used, or expired */
    NGX_PKI_STORE_REVOKED,       /* add: what it renews is, or is held */
    NGX_PKI_STORE_UNAVAILABLE    /* logged; perhaps carried out, perhaps not */
} ngx_pki_store_result_e;


/*
 * A job lies in the pool of its operation.  Its handler is called exactly
 * once; never before the starting function returns, but for
 * ngx_pki_store_status(), which answers at once from the zone if it can.
 * The zone is brought up to date before the handler is called.
 */

struct ngx_pki_store_job_s {
    ngx_pki_op_t              *op;
    ngx_pki_store_t           *store;

    ngx_pki_store_result_e     result;
    ngx_msec_t                 elapsed;

    /* in: what to add; serial of the others.  out: the record as it is now,
     * in the operation's pool */
    ngx_pki_record_t           record;

    /* in, add and find_transaction: its key, hex; empty: none.  Kept for
     * "transaction_ttl" seconds, or as long as the certificate if shorter.
     * In, revoke: of a transaction that is to have none any more */
    ngx_str_t                  transaction_key;
    time_t                     transaction_ttl;

    /* in, add: the serial of the one of this authority that it renews; empty:
     * none */
    ngx_str_t                  renewed;

    /* in, add: the hash of the one-time challenge that it takes, whose "by" is
     * in "one_time", and whom to tell of it; empty: none.  Out, outbox: of
     * ngx_pki_notice_t */
    ngx_str_t                  challenge;
    ngx_pki_notice_t           notice;
    ngx_array_t               *notices;

    /* in and out, one-time challenges; in, put: how many "by" may have that
     * are not used yet, 0: any number */
    ngx_pki_challenge_t        one_time;
    ngx_uint_t                 quota;

    /* in, revoke and release; "by" is also who approves or rejects */
    ngx_int_t                  reason;
    ngx_str_t                  by;

    /* in and out, of requests that wait; in, add: the "id" of the one that it
     * approves, empty: none */
    ngx_pki_pending_t          pending;
    ngx_array_t               *requests;     /* of ngx_pki_pending_t */

    /* in and out, status */
    ngx_pki_serial_t           serial;
    ngx_pki_zone_status_t      status;
    time_t                     known_at;     /* when the status was known */
    ngx_pki_zone_moment_t      asked;

    /* in and out, list (newest first) and outbox */
    ngx_str_t                  cursor;       /* empty: from the start, end */
    ngx_uint_t                 limit;        /* at most 1000 */
    ngx_array_t               *records;      /* of ngx_pki_record_t */

    /* out, statuses; "cursor" and "limit" are as for list */
    ngx_array_t               *statuses;     /* of ngx_pki_store_status_t */
    uint64_t                   seq;          /* of the last change in them */
    ngx_uint_t                 total;        /* of all certificates */
    ngx_uint_t                 malformed;    /* left out */

    /* in and out, register */
    ngx_str_t                  certificate;
    ngx_str_t                  key_id;       /* URL of a vault key, or empty */
    ngx_uint_t                 shards;       /* of this node; of all */

    /* of CRLs, see below */
    ngx_uint_t                 list;
    ngx_pki_crl_meta_t         meta;
    uint64_t                   old_number;
    ngx_uint_t                 part;
    ngx_str_t                  crl;
    ngx_array_t               *entries;      /* of ngx_pki_crl_entry_t */
    ngx_uint_t                 released;     /* those instead */

    /* in, restore: no node publishes a CRL for a while; out, crl_meta: so it
     * is now */
    ngx_uint_t                 restoring;

    /* in, lock and unlock: its name; out, lock: its token */
    ngx_str_t                  lock;
    ngx_msec_t                 lock_time;    /* 0: 30 seconds */
    ngx_str_t                  token;

    /* in and out, the registration authority's entries; empty: none */
    ngx_str_t                  ra;
    ngx_str_t                  ra_previous;
    ngx_str_t                  ra_next;
    unsigned                   ra_keep:1;

    /* in, revoke: only if it still is */
    unsigned                   withheld:1;

    ngx_pki_store_pt           handler;
    void                      *data;

    ngx_pki_redis_command_t    command;
    ngx_str_t                 *argv;
    ngx_msec_t                 started;
    ngx_uint_t                 tries;
    ngx_event_t                posted;
    unsigned                   repeatable:1;
};


/* Prepares the scripts; once, at configuration time. */
ngx_int_t ngx_pki_store_init(void);

/*
 * Adds job->record.  OK: recorded (by enough replicas), and the request
 * job->pending.id, if any, approved with it.  EXISTS: the transaction already
 * has a certificate, which job->record now is.  CONFLICT: the serial number is
 * taken.  NOT_FOUND: the request does not wait any more, or another one does.
 * REVOKED: job->renewed is not good any more.
 */
void ngx_pki_store_add(ngx_pki_store_job_t *job);

/* The certificate of a transaction: OK or NOT_FOUND. */
void ngx_pki_store_find_transaction(ngx_pki_store_job_t *job);

/* The record of job->record.serial: OK or NOT_FOUND. */
void ngx_pki_store_get(ngx_pki_store_job_t *job);

/*
 * A page of records without their DER, newest first.  NOT_FOUND: the cursor is
 * not one that was given out.
 */
void ngx_pki_store_list(ngx_pki_store_job_t *job);

/*
 * Revokes job->record.serial for job->reason (NGX_PKI_REASON_HOLD: holds it).
 * OK; NOT_FOUND; CONFLICT: it is revoked already (a hold may become a
 * revocation, never the other way round), or it is not withheld any more where
 * job->withheld asks for that.  job->record is the record as it is then.
 */
void ngx_pki_store_revoke(ngx_pki_store_job_t *job);

/* Releases a hold.  OK, NOT_FOUND, CONFLICT: it is not held. */
void ngx_pki_store_release(ngx_pki_store_job_t *job);

/*
 * Requests that wait for a decision, see ngx_pki_store_pending.c.  pend: keeps
 * job->pending for its "ttl" seconds: OK: it waits now; EXISTS: it is there
 * already, its state and serial are set; CONFLICT: another one has its id;
 * FULL, SHARE.  get: of job->pending.id: OK and job->pending, or NOT_FOUND.
 * reject: the one with this id and key: OK (also if it is already) and
 * job->pending; NOT_FOUND; CONFLICT: it is approved.  list: a page of those
 * that wait, without their CSR, the newest first, "cursor" and "limit" as of
 * the list above.
 */
void ngx_pki_store_pend(ngx_pki_store_job_t *job);
void ngx_pki_store_pending_get(ngx_pki_store_job_t *job);
void ngx_pki_store_pending_reject(ngx_pki_store_job_t *job);
void ngx_pki_store_pending_list(ngx_pki_store_job_t *job);

/*
 * One-time challenges, see ngx_pki_store_challenge.c.  put: keeps job->one_time
 * until it expires: OK; FULL: of its "by" there are "quota"; CONFLICT: there is
 * one with this hash.  get: of job->one_time.hash, which add takes: OK and
 * job->one_time, or NOT_FOUND: never there, used, or expired.
 */
void ngx_pki_store_challenge_put(ngx_pki_store_job_t *job);
void ngx_pki_store_challenge_get(ngx_pki_store_job_t *job);

/*
 * What is withheld: job->record.serial may be given out now.  OK; NOT_FOUND;
 * CONFLICT: it is not good any more.  job->record is the record after.
 */
void ngx_pki_store_deliver(ngx_pki_store_job_t *job);

/*
 * Notices that wait, under the lock "outbox".  outbox: up to job->limit of
 * them, 100 at most, oldest first, into job->notices, with "cursor" as of
 * lists; one that is malformed has only its id, and its kind is empty.
 * outbox_try: a try to send job->notice.id begins: OK: the first one; CONFLICT:
 * there was one.  outbox_done: takes it out: OK, also if it is not there.
 */
void ngx_pki_store_outbox(ngx_pki_store_job_t *job);
void ngx_pki_store_outbox_try(ngx_pki_store_job_t *job);
void ngx_pki_store_outbox_done(ngx_pki_store_job_t *job);

/*
 * Tells Redis what the zone knows: job->serial is revoked or held as
 * job->status says.  OK: it had lost that; CONFLICT: it had not, or knows
 * better; NOT_FOUND: it has no record of it, but CRLs will have it.
 */
void ngx_pki_store_restore(ngx_pki_store_job_t *job);

/*
 * The status of job->serial: from the zone, else from Redis, then kept in the
 * zone.  OK and job->status; NOT_FOUND: never issued; UNAVAILABLE.
 * job->known_at: when the zone was in step with Redis, or when Redis was
 * asked, by the wall clock as it goes now.
 */
void ngx_pki_store_status(ngx_pki_store_job_t *job);

/*
 * What ngx_pki_store_status() would say at once; allocates nothing.  NGX_OK:
 * "status" and "known_at"; NGX_BUSY: UNAVAILABLE, for Redis is down, or asked
 * for too many serial numbers that it does not know; NGX_DECLINED: it must be
 * asked.
 */
ngx_int_t ngx_pki_store_status_peek(ngx_pki_store_t *store,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status,
    time_t *known_at);

/*
 * The statuses of a page of certificates, as of one moment; OK or UNAVAILABLE.
 * Does not touch the zone: see ngx_pki_follower_fill.c.
 */
void ngx_pki_store_statuses(ngx_pki_store_job_t *job);

/*
 * Registers job->certificate (DER) as that of the authority, with job->key_id.
 * The first one wins: both are the registered ones afterwards.  An empty
 * certificate only asks: OK, or NOT_FOUND.  Of job->shards the most wins.
 */
void ngx_pki_store_register(ngx_pki_store_job_t *job);

/*
 * One node at a time does job->lock ("crl", "ra", ...).  lock: OK and
 * job->token, or CONFLICT: another node is at it; held for job->lock_time.
 * unlock: gives it back if job->token still holds it.
 */
void ngx_pki_store_lock(ngx_pki_store_job_t *job);
void ngx_pki_store_unlock(ngx_pki_store_job_t *job);

/*
 * CRLs: job->list says which.  For whoever serves them:
 * load: job->meta, and its DER in job->crl if it is small, else it is empty;
 * or NOT_FOUND.  part: of that with job->meta.number, number job->part, in
 * job->crl; NOT_FOUND: replaced by a newer one.
 */
void ngx_pki_store_crl_load(ngx_pki_store_job_t *job);
void ngx_pki_store_crl_part(ngx_pki_store_job_t *job);

/*
 * For whoever builds them, under the lock "crl" or, of shards, "crl-shards":
 * meta: as load, but without the DER.
 * scan: some of what is revoked and held, or (job->released) has been released
 * since the base of deltas, from job->cursor on (empty: the beginning), into
 * job->entries, made if it is NULL; the same may come twice; job->cursor is
 * empty at the end.  UNAVAILABLE also if one of them is malformed, logged.
 * prune: takes job->entries out of Redis, those that are still as they were;
 * CONFLICT: some have not expired by the clock of Redis, and stay.
 * put: one part of one that is to be published, job->crl is the whole.
 * publish: job->crl, or its parts if it is large, with job->meta in the place
 * of the one with job->old_number (0: none); tells all nodes by the log, and
 * job->meta.seq includes that if nothing else came between.
 * CONFLICT: the lock is lost, there is one of this or a higher number, Redis
 * has lost changes since job->status.epoch was the slot's, or the parts.
 */
void ngx_pki_store_crl_meta(ngx_pki_store_job_t *job);
void ngx_pki_store_crl_scan(ngx_pki_store_job_t *job);
void ngx_pki_store_crl_prune(ngx_pki_store_job_t *job);
void ngx_pki_store_crl_put(ngx_pki_store_job_t *job);
void ngx_pki_store_crl_publish(ngx_pki_store_job_t *job);

/*
 * Registration authorities, made under the lock "ra".  load: OK, job->ra and
 * ra_previous.  put: OK if the lock is still held and job->ra, which must not
 * be kept unless ra_keep says so, still the current one: that is job->ra_next
 * now; else CONFLICT.
 */
void ngx_pki_store_ra_load(ngx_pki_store_job_t *job);
void ngx_pki_store_ra_put(ngx_pki_store_job_t *job);


#endif /* _NGX_PKI_STORE_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of the set, for ngx_crl_set*.c only.
 *
 * A job lives while this worker has the lease.  It does one thing at a time, by
 * steps of a timer, with at most one task for Redis.
 */


#ifndef _NGX_CRL_SET_JOB_H_INCLUDED_
#define _NGX_CRL_SET_JOB_H_INCLUDED_


#include "ngx_crl_set.h"
#include "ngx_pki_op.h"


/* entries told to Redis, or taken out of it, at a time */

#define NGX_CRL_SET_BATCH  128

/* milliseconds, both */

#define NGX_CRL_SET_PAUSE  1
#define NGX_CRL_SET_RETRY  500


typedef struct ngx_crl_set_job_s   ngx_crl_set_job_t;
typedef struct ngx_crl_set_task_s  ngx_crl_set_task_t;

typedef void (*ngx_crl_set_pt)(ngx_crl_set_job_t *job);


/*
 * What Redis was asked, in the pool of an operation, which may outlive the job:
 * "job" is NULL once that has lost interest.
 */

struct ngx_crl_set_task_s {
    ngx_pki_op_t              *op;
    ngx_crl_set_job_t         *job;
    ngx_pki_store_job_t       *stores;
    ngx_uint_t                 n;
    ngx_uint_t                 waiting;      /* for answers */
    ngx_uint_t                 next;         /* of the entries of a scan */
    unsigned                   failed:1;     /* one of them at least */
};


struct ngx_crl_set_job_s {
    ngx_crl_set_t             *set;
    ngx_event_t                timer;        /* cancelable; of "step" */
    ngx_crl_set_pt             step;         /* NULL: nothing to do */
    ngx_crl_set_task_t        *task;         /* NULL: none */
    ngx_event_t                guard;        /* not cancelable; if "again" */

    ngx_msec_t                 gained;       /* the lease */
    ngx_msec_t                 retry_at;     /* not before; quitting: until */
    ngx_msec_t                 begun;        /* to read */
    uint64_t                   first;        /* slot->applied, then */
    uint64_t                   applied;      /* the last change heard of */

    /* of a scan, by connections made before it began */
    ngx_uint_t                 connected;
    ngx_str_t                  cursor;
    u_char                     cursor_text[NGX_INT64_LEN];

    /* of a walk: where it is, what it found, and in which list */
    ngx_uint_t                 list;
    ngx_crl_place_t            place;
    ngx_uint_t                 from;
    ngx_uint_t                 n;
    ngx_pki_crl_entry_t        found[NGX_CRL_SET_BATCH];

    ngx_uint_t                 restored;
    ngx_uint_t                 gone;         /* without a record */
    ngx_uint_t                 pruned;
    ngx_msec_t                 pruned_at;

    /* changes in line, while frozen */
    ngx_pki_log_entry_t       *line;
    ngx_uint_t                 waiting;
    ngx_uint_t                 room;

    unsigned                   released:1;   /* is what the scan reads */
    unsigned                   again:1;      /* something is there, marked */
    unsigned                   missed:1;     /* by the walk */
    unsigned                   failed:1;     /* what was told to Redis last */
    unsigned                   prune:1;      /* is asked for */
    unsigned                   broken:1;     /* to be read again */
    unsigned                   quitting:1;   /* as soon as Redis is told */
    unsigned                   reported:1;   /* that it fails */
};


/* Back to WAITING, and to read all again; what is there is kept, marked. */
void ngx_crl_set_again(ngx_crl_set_job_t *job);

/*
 * Something is there, marked, which nobody else may know; no longer; whether
 * another worker says so.  Whoever quits shows progress, or gives up.
 */
void ngx_crl_set_keep(ngx_crl_set_job_t *job);
void ngx_crl_set_unkeep(ngx_crl_set_job_t *job);
ngx_uint_t ngx_crl_set_is_kept(ngx_crl_set_job_t *job);
void ngx_crl_set_progress(ngx_crl_set_job_t *job);

/* Forgets all of it; memory is freed a little at a time. */
void ngx_crl_set_discard(ngx_crl_set_t *set);

/* All is in step with Redis. */
void ngx_crl_set_ready(ngx_crl_set_job_t *job);

/* How many CRLs there may be: the numbers below it. */
ngx_uint_t ngx_crl_set_lists(ngx_crl_set_t *set);

/* The CRL whose list has the entry: of a shard, or the full one. */
ngx_uint_t ngx_crl_set_home(ngx_crl_set_t *set, ngx_pki_serial_t *serial);

/* Whether a full CRL is built here, or another node's is still in use. */
ngx_uint_t ngx_crl_set_full(ngx_crl_set_t *set);

/* A CRL has to follow the change "seq". */
void ngx_crl_set_touch(ngx_crl_state_t *state, uint64_t seq);

/* What the log, as store->listener, and what a scan brings.  take returns
 * NGX_ERROR if there is no memory. */
void ngx_crl_set_listener(void *data, ngx_pki_log_entry_t *entry);
ngx_int_t ngx_crl_set_take(ngx_crl_set_job_t *job, ngx_pki_crl_entry_t *entry);

/* The next step, after "delay"; none, and nobody waits for the task. */
void ngx_crl_set_next(ngx_crl_set_job_t *job, ngx_crl_set_pt step,
    ngx_msec_t delay);
void ngx_crl_set_cancel(ngx_crl_set_job_t *job);

/* As next, after something has failed: what, is logged once. */
void ngx_crl_set_retry(ngx_crl_set_job_t *job, ngx_crl_set_pt step,
    const char *what);

/*
 * A task with "n" jobs of the store, to be started, becomes job->task, until
 * free.  NULL: no memory.  Each of their handlers calls answered: NULL if more
 * answers are to come, or nobody waits for them.
 */
ngx_crl_set_task_t *ngx_crl_set_task(ngx_crl_set_job_t *job, ngx_uint_t n,
    ngx_pki_store_pt handler);
ngx_crl_set_task_t *ngx_crl_set_task_answered(ngx_pki_store_job_t *store);
void ngx_crl_set_task_free(ngx_crl_set_job_t *job);

/*
 * A walk through all lists, a stretch at a time, until some of those are found
 * that are marked, or if "marked" is not set may leave.  NGX_DONE: it has come
 * to the end, perhaps with some found.
 */
void ngx_crl_set_walk_begin(ngx_crl_set_job_t *job);
ngx_int_t ngx_crl_set_walk(ngx_crl_set_job_t *job, ngx_uint_t marked);

/* The steps that begin: to read, to restore, to prune. */
void ngx_crl_set_load(ngx_crl_set_job_t *job);
void ngx_crl_set_restore(ngx_crl_set_job_t *job);
void ngx_crl_set_prune_begin(ngx_crl_set_job_t *job);

/* What may leave a list: see ngx_crl_set_filter(), and what was released. */
void ngx_crl_set_leaves(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_crl_filter_t *filter);
ngx_uint_t ngx_crl_set_may_leave(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_pki_crl_entry_t *entry);


#endif /* _NGX_CRL_SET_JOB_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of the builder, for ngx_crl_builder.c, ngx_crl_due.c,
 * ngx_crl_session.c, ngx_crl_turn.c and ngx_crl_trouble.c only.
 *
 * A session is what happens under a lock: a turn for each CRL that is due.
 */


#ifndef _NGX_CRL_SESSION_H_INCLUDED_
#define _NGX_CRL_SESSION_H_INCLUDED_


#include "ngx_crl_build.h"
#include "ngx_crl_builder.h"


#define NGX_CRL_SKEW  5                      /* seconds between nodes' clocks */


/* why a CRL is due, the more pressing the higher */

typedef enum {
    NGX_CRL_DUE_NOT = 0,
    NGX_CRL_DUE_TIME,
    NGX_CRL_DUE_CHANGE,
    NGX_CRL_DUE_URGENT                       /* there is none that is good for
                                              * long */
} ngx_crl_due_e;


typedef struct {
    ngx_uint_t                 list;
    ngx_crl_due_e              why;
    ngx_msec_t                 late;         /* since it is due */
} ngx_crl_due_t;


/* in the pool of its operation */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_crl_builder_t         *builder;
    ngx_uint_t                 lock;         /* which: see ngx_pki_crl_lock() */
    ngx_pki_store_job_t        store;        /* of it */
    ngx_msec_t                 started;
    unsigned                   published:1;  /* something was */
    unsigned                   timed:1;      /* because it was time */
} ngx_crl_session_t;


/* Whether anything can be built now: NULL, or what it is that cannot. */
const char *ngx_crl_builder_obstacle(ngx_crl_builder_t *builder);

/* How many lists there are to be built here, and the i-th of them. */
ngx_uint_t ngx_crl_due_lists(ngx_crl_builder_t *builder);
ngx_uint_t ngx_crl_due_list(ngx_crl_builder_t *builder, ngx_uint_t i);

/* Whether a CRL is due, and why. */
void ngx_crl_due_look(ngx_crl_builder_t *builder, ngx_uint_t list,
    ngx_crl_due_t *due);

/* The most pressing one, of those of a lock that may be tried now: NGX_DECLINED
 * if there is none. */
ngx_int_t ngx_crl_due_next(ngx_crl_builder_t *builder, ngx_uint_t lock,
    ngx_crl_due_t *due);

/* What the builder knows of a CRL; zeroes if that is nothing. */
ngx_pki_crl_meta_t *ngx_crl_due_meta(ngx_crl_builder_t *builder,
    ngx_uint_t list);

/* Takes the lock, builds what is due, gives the lock back. */
void ngx_crl_session_start(ngx_crl_builder_t *builder, ngx_uint_t lock,
    ngx_log_t *log);

/*
 * Builds one CRL, unless another node was faster; calls ngx_crl_turn_done()
 * exactly once.  NGX_AGAIN: the lock may be lost.
 */
void ngx_crl_turn_start(ngx_crl_session_t *session, ngx_crl_due_t *due);
void ngx_crl_turn_done(ngx_crl_session_t *session, ngx_int_t rc);

/*
 * What has become of a list: NGX_OK, NGX_AGAIN (overtaken), NGX_ERROR; of the
 * lock: "list" is NGX_PKI_CRL_LISTS.  "why" is for the probe, static; the error
 * log has more.
 */
void ngx_crl_trouble_result(ngx_crl_builder_t *builder, ngx_uint_t list,
    ngx_int_t rc, const char *why);

/* Whether it is too early to try a list again. */
ngx_uint_t ngx_crl_trouble_blocks(ngx_crl_builder_t *builder, ngx_uint_t list);

/* Tells the zone and the log how it goes; at every tick. */
void ngx_crl_trouble_report(ngx_crl_builder_t *builder);

/* Another worker builds from now on: what is known grows old. */
void ngx_crl_trouble_forget(ngx_crl_builder_t *builder);


#endif /* _NGX_CRL_SESSION_H_INCLUDED_ */

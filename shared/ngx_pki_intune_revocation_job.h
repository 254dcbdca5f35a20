
/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of a pass, for ngx_pki_intune_revocation*.c only.
 */


#ifndef _NGX_PKI_INTUNE_REVOCATION_JOB_H_INCLUDED_
#define _NGX_PKI_INTUNE_REVOCATION_JOB_H_INCLUDED_


#include "ngx_pki_intune_revocation.h"


typedef struct ngx_pki_intune_pass_s  ngx_pki_intune_pass_t;


/* an authority and an Intune; in the cycle's pool */

struct ngx_pki_intune_poll_s {
    ngx_pki_intune_poll_t     *next;         /* of the same authority */
    ngx_pki_authority_t       *authority;
    ngx_pki_intune_t          *intune;

    /* of the worker */
    ngx_event_t                timer;        /* cancelable */
    ngx_msec_t                 look_at;
    ngx_uint_t                 max;          /* to be asked for at once */
    ngx_uint_t                 failures;     /* since the last success */
    unsigned                   busy:1;
};


/* in the pool of its operation */

struct ngx_pki_intune_pass_s {
    ngx_pki_op_t              *op;
    ngx_pki_intune_poll_t     *poll;
    ngx_msec_t                 started;
    ngx_msec_t                 pause;        /* before the next one */
    ngx_str_t                  issuer;
    ngx_str_t                  token;        /* of the lock; empty: not held */

    ngx_pki_store_job_t        store;
    ngx_pki_intune_call_t      call;
    ngx_array_t               *wanted;       /* ngx_pki_intune_revocation_t */
    ngx_array_t               *results;      /* the same */
    ngx_uint_t                 next;         /* of "wanted" */

    ngx_str_t                  serial;       /* of that, as records have it */
    u_char                     buf[2 * NGX_PKI_SERIAL_LEN];
    ngx_pki_authority_t       *authority;    /* that is being asked for it */
    unsigned                   foreign:1;    /* Intune did not vouch for it */
    unsigned                   told:1;       /* that some are another's */
};


/* Revokes the one whose number is pass->serial; then goes on with the next. */
void ngx_pki_intune_revocation_one(ngx_pki_intune_pass_t *pass);

/*
 * What has become of the one that is "next", whose turn is over: an empty
 * "error" is a success.
 */
void ngx_pki_intune_revocation_result(ngx_pki_intune_pass_t *pass,
    const char *error, const char *message);

/* Ways to go on: what is next, or the upload; the end, nothing is told. */
void ngx_pki_intune_revocation_next(ngx_pki_intune_pass_t *pass);
void ngx_pki_intune_revocation_unlock(ngx_pki_intune_pass_t *pass);

/* The one that is "next"; a fresh job for the store of "a". */
ngx_pki_intune_revocation_t *ngx_pki_intune_revocation_wanted(
    ngx_pki_intune_pass_t *pass);
void ngx_pki_intune_revocation_job(ngx_pki_intune_pass_t *pass,
    ngx_pki_authority_t *a, ngx_pki_store_pt handler);


#endif /* _NGX_PKI_INTUNE_REVOCATION_JOB_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of ngx_pki_bootstrap*.c: an attempt at something.
 */


#ifndef _NGX_PKI_BOOTSTRAP_JOB_H_INCLUDED_
#define _NGX_PKI_BOOTSTRAP_JOB_H_INCLUDED_


#include "ngx_pki_bootstrap.h"
#include "ngx_pki_ca.h"


struct ngx_pki_bootstrap_s {
    ngx_pki_authority_t       *authority;
    ngx_msec_t                 backoff;
    ngx_msec_t                 again_at;     /* not before, if backoff */
    unsigned                   busy:1;
    unsigned                   checked:1;
    unsigned                   requested:1;  /* the "csr" is written */
};


/* one attempt, in the pool of its operation */

typedef struct {
    ngx_pki_bootstrap_t       *bootstrap;
    ngx_pki_op_t              *op;
    ngx_pki_authority_t       *authority;
    ngx_pki_store_job_t        store;
    ngx_pki_vault_call_t       call;
    ngx_pki_key_job_t          trial;        /* a signature nobody needs */
    ngx_pki_ca_job_t           ca;
    ngx_event_t                timer;        /* not cancelable */
    ngx_uint_t                 trials;
    unsigned                   found:1;      /* the key was there already */
    ngx_int_t                  rc;
} ngx_pki_bootstrap_job_t;


/* NULL: another one is under way, it is too early, or out of memory. */
ngx_pki_bootstrap_job_t *ngx_pki_bootstrap_begin(ngx_pki_authority_t *a,
    ngx_log_t *log, const char *action);

/* Ends the job.  NGX_OK, NGX_AGAIN: look at Redis again at once; NGX_BUSY: in
 * a while; NGX_ERROR: with a backoff. */
void ngx_pki_bootstrap_done(ngx_pki_bootstrap_job_t *job, ngx_int_t rc);

/* The vault's words become what the authority waits for. */
void ngx_pki_bootstrap_trouble(ngx_pki_bootstrap_job_t *job);

ngx_int_t ngx_pki_bootstrap_pin_version(ngx_pki_authority_t *a,
    EVP_PKEY *public_key, ngx_str_t *version);

/* Tells what the key does not permit. */
void ngx_pki_bootstrap_suitable(ngx_pki_authority_t *a,
    ngx_pki_vault_call_t *call, ngx_log_t *log);


#endif /* _NGX_PKI_BOOTSTRAP_JOB_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of registration authorities, for ngx_pki_ra*.c only.  A worker
 * looks at what Redis has, again and again:
 *
 *     timer --> load --> status --> open --> settle --> done
 *                 ^     (of each entry)        |
 *                 |                     none, old, revoked
 *                 |                            v
 *              unlock <-- put <-- certify <-- make <-- lock, load again
 */


#ifndef _NGX_PKI_RA_JOB_H_INCLUDED_
#define _NGX_PKI_RA_JOB_H_INCLUDED_


#include "ngx_pki_ra.h"
#include "ngx_pki_ra_entry.h"
#include "ngx_pki_issue.h"
#include "ngx_pki_seal.h"
#include "ngx_pki_vault.h"


typedef struct ngx_pki_ra_job_s  ngx_pki_ra_job_t;


struct ngx_pki_ra_s {
    ngx_pki_authority_t       *authority;
    ngx_pki_recipient_t        self;         /* the authority's own */

    /* in the cycle's pool with "ra file:", counted otherwise; or NULL */
    ngx_pki_recipient_t       *current;
    ngx_pki_recipient_t       *previous;
    time_t                     offer_at;     /* the current one */
    ngx_array_t                recipients;   /* of ngx_pki_recipient_t * */

    ngx_event_t                timer;        /* cancelable */
    ngx_msec_t                 look_at;      /* not before */
    ngx_msec_t                 backoff;      /* 0: the last look was well */
    ngx_atomic_uint_t          revocations;  /* of the slot, at that look */
    ngx_pki_vault_key_t       *wrapper;      /* of an EC key in a vault */
    unsigned                   busy:1;
    unsigned                   stopped:1;

    ngx_str_t                  trouble;      /* empty: none is known */
    u_char                     text[NGX_PKI_ZONE_TEXT_LEN];
};


typedef enum {
    NGX_PKI_RA_NONE = 0,                     /* Redis has none */
    NGX_PKI_RA_USABLE,
    NGX_PKI_RA_REVOKED,
    NGX_PKI_RA_UNUSABLE,                     /* never, as far as is known */
    NGX_PKI_RA_LATER                         /* it cannot be told now */
} ngx_pki_ra_verdict_e;


/* an entry of Redis, and what is to be thought of it */

typedef struct {
    ngx_str_t                  octets;       /* empty: there is none */
    ngx_pki_ra_entry_t         entry;
    ngx_pki_ra_verdict_e       verdict;
    const char                *why;          /* unless it is usable */
    ngx_pki_recipient_t       *recipient;    /* a reference, or NULL */
} ngx_pki_ra_found_t;


enum {
    NGX_PKI_RA_CURRENT = 0,
    NGX_PKI_RA_PREVIOUS,
    NGX_PKI_RA_ENTRIES
};


/* a look, in the pool of its operation */

struct ngx_pki_ra_job_s {
    ngx_pki_op_t              *op;
    ngx_pki_ra_t              *ra;
    ngx_pki_authority_t       *authority;
    ngx_pki_store_job_t        store;

    ngx_pki_ra_found_t         found[NGX_PKI_RA_ENTRIES];
    ngx_uint_t                 at;           /* which one is looked at */
    ngx_pki_seal_job_t         seal;
    ngx_pki_key_job_t          trial;        /* of a vault's key */
    u_char                     digest[32];

    ngx_pki_key_t             *wrap;         /* what seals, and opens */
    ngx_pki_vault_key_t        vault;        /* the key that is asked for */
    ngx_pki_vault_call_t       call;
    ngx_pki_vault_pt           created;
    void                     (*wrapped)(ngx_pki_ra_job_t *job, ngx_int_t rc);

    /* when one is made */
    EVP_PKEY                  *pkey;         /* a secret, or a vault's */
    ngx_str_t                  key_url;
    ngx_pki_ra_entry_t         next;
    ngx_pki_template_t         template;
    ngx_pki_issue_t            issue;
    unsigned                   keep:1;       /* the current one */
    unsigned                   hsm:1;        /* the authority's key is */
    unsigned                   told:1;       /* what is missing */
    ngx_int_t                  rc;
};


/* ngx_pki_ra.c */

/* A recipient with a pool of its own and no key yet; NULL: no memory, or it is
 * not a certificate. */
ngx_pki_recipient_t *ngx_pki_recipient_create(ngx_str_t *der, ngx_log_t *log);

/* Fills a recipient from a certificate, which it does not take over. */
ngx_int_t ngx_pki_recipient_set(ngx_pki_recipient_t *recipient, X509 *x509);

/* Says what is missing; logs it if it is something new. */
void ngx_pki_ra_waits(ngx_pki_ra_t *ra, ngx_log_t *log, ngx_uint_t level,
    const char *fmt, ...);

/* ngx_pki_ra_certificate.c */

/* What the certificate made at "now" will say; NGX_ERROR. */
ngx_int_t ngx_pki_ra_template(ngx_pool_t *pool, ngx_pki_authority_t *a,
    time_t now, ngx_pki_template_t *t);

/* Whether it is one that the authority has made for its RA: NULL, or not. */
const char *ngx_pki_ra_check(ngx_pki_authority_t *a, X509 *x509);

/* Whether a key, the key usages fit the use: NULL, or what is wrong. */
const char *ngx_pki_ra_check_key(EVP_PKEY *pkey);
const char *ngx_pki_ra_check_usage(X509 *x509);

/* Whether it is the authority that has issued it. */
ngx_uint_t ngx_pki_ra_issued(ngx_pki_authority_t *a, X509 *x509);

/* Whether Windows takes it, by its extended key usage. */
ngx_uint_t ngx_pki_ra_extended(X509 *x509);

/* What its sealed key is bound to: the authority's name, the certificate. */
ngx_int_t ngx_pki_ra_bind(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_str_t *der, ngx_str_t *bound);

/* Its serial number, as the store knows it. */
ngx_int_t ngx_pki_ra_serial(ngx_str_t *der, ngx_pki_serial_t *serial);

/* ngx_pki_ra_look.c */

void ngx_pki_ra_timer_handler(ngx_event_t *ev);

/* Ends a look.  NGX_OK: all is well.  Look again: NGX_DONE: now, NGX_AGAIN:
 * soon, NGX_ERROR: in a while, which gets longer. */
void ngx_pki_ra_done(ngx_pki_ra_job_t *job, ngx_int_t rc);

/* ngx_pki_ra_open.c: judges job->found, then calls ngx_pki_ra_settle(). */

void ngx_pki_ra_open(ngx_pki_ra_job_t *job);
void ngx_pki_ra_settle(ngx_pki_ra_job_t *job);

/* ngx_pki_ra_make.c: makes one in place of what has been found. */

void ngx_pki_ra_make(ngx_pki_ra_job_t *job);

/* ngx_pki_ra_vault.c */

/*
 * Finds job->wrap, then calls job->wrapped: NGX_OK, NGX_DECLINED (there is no
 * such key), NGX_ERROR.  "name" is the name in what it has sealed; NULL: one
 * to seal with, which is made if it is not there.
 */
void ngx_pki_ra_wrap(ngx_pki_ra_job_t *job, ngx_str_t *name);

/* The name of job->wrap for what it seals. */
ngx_int_t ngx_pki_ra_wrap_name(ngx_pki_ra_job_t *job, ngx_str_t *name);

/* Finds or makes the key of "ra keyvault:", then calls job->wrapped: job->pkey
 * (its public half) and job->key_url. */
void ngx_pki_ra_vault_key(ngx_pki_ra_job_t *job);

/* The key of a recipient in a vault, named with its version.  NGX_DECLINED: it
 * is not the one that is configured. */
ngx_int_t ngx_pki_ra_vault_recipient(ngx_pki_ra_job_t *job, ngx_str_t *url,
    ngx_pki_recipient_t *recipient);


#endif /* _NGX_PKI_RA_JOB_H_INCLUDED_ */

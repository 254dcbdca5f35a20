
/*
 * Copyright (C) the ngx_pki authors
 *
 * Issuance: request, profile, signature, record; in this order, and nothing
 * leaves before the record is acknowledged.
 */


#ifndef _NGX_PKI_ISSUE_H_INCLUDED_
#define _NGX_PKI_ISSUE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_op.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_profile.h"
#include "ngx_pki_authority.h"
#include "ngx_pki_device.h"


typedef struct ngx_pki_issue_s  ngx_pki_issue_t;

typedef void (*ngx_pki_issue_pt)(ngx_pki_issue_t *issue);


typedef enum {
    NGX_PKI_ISSUE_OK = 0,
    NGX_PKI_ISSUE_EXISTING,      /* a retry: the same certificate again */
    NGX_PKI_ISSUE_REFUSED,       /* by the profile, or since revoked */
    NGX_PKI_ISSUE_UNAVAILABLE    /* key or Redis; the client may retry */
} ngx_pki_issue_result_e;


struct ngx_pki_issue_s {
    ngx_pki_op_t              *op;
    ngx_pki_authority_t       *authority;
    ngx_pki_profile_t         *profile;
    ngx_pki_csr_t             *csr;          /* decoded, verified */

    ngx_str_t                  source;       /* "scep", "enroll", "api" */
    ngx_str_t                  requester;
    ngx_str_t                  transaction;  /* text; names a retry with
                                              * key, subject, extensions */

    /* a renewal: the record of the certificate that asks; what is issued
     * names nobody else (subject, SANs).  NULL: none */
    ngx_pki_record_t          *renewed;
    ngx_pki_authority_t       *renewed_of;   /* whose that is */

    /* the id of the request that waits which it approves, and who does;
     * empty: none */
    ngx_str_t                  pending;
    ngx_str_t                  approver;

    /* by which kind of challenge; of a one-time one: its hash, which it takes,
     * and what it is bound to (NULL: it is none) */
    ngx_str_t                  vouched;
    ngx_str_t                  challenge;
    ngx_pki_challenge_t       *binding;

    /* whom to tell before it is given out; or afterwards */
    ngx_str_t                  withheld;
    ngx_pki_notice_t           notice;

    ngx_uint_t                 device_rule;  /* NGX_PKI_DEVICE_* */

    ngx_pki_issue_result_e     result;
    ngx_str_t                  error;        /* for the log */
    ngx_uint_t                 fail_info;    /* of a refusal, as in SCEP */
    unsigned                   challenged:1; /* refused: for that challenge */
    unsigned                   doubtful:1;   /* it may be recorded */
    ngx_pki_record_t           record;       /* OK and EXISTING */
    ngx_msec_t                 sign_time;
    ngx_msec_t                 store_time;

    ngx_pki_issue_pt           handler;      /* called exactly once */
    void                      *data;

    /* on the way */
    ngx_uint_t                 tries;        /* serial numbers */
    ngx_pki_template_t         template;
    ngx_str_t                  tbs;
    ngx_pki_key_job_t          sign;
    ngx_pki_store_job_t        store;
};


/*
 * Looks whether it is a retry; if "authorize" is set the caller checks the
 * challenge in between by ngx_pki_issue_find() and ngx_pki_issue_start().
 * find: calls the handler with EXISTING or REFUSED, or else with OK, which
 * only says that there is no certificate of this transaction yet.
 */
void ngx_pki_issue_find(ngx_pki_issue_t *issue);

/* Applies the profile, signs, records. */
void ngx_pki_issue_start(ngx_pki_issue_t *issue);

/*
 * Certificates that the authority makes for itself: a delegated OCSP responder,
 * an RA.  Recorded, with AIA and CDP, only if issue->source is set.
 * Called exactly once: issue->record.der, or UNAVAILABLE.
 */
void ngx_pki_issue_internal(ngx_pki_issue_t *issue, ngx_str_t *spki,
    ngx_pki_template_t *t);

/*
 * The signed outer structure: SEQUENCE { tbs, algorithm, BIT STRING }, as of
 * certificates, CRLs and (with nothing added) basic OCSP responses.
 */
ngx_int_t ngx_pki_issue_seal(ngx_pool_t *pool, ngx_str_t *tbs,
    ngx_str_t *algorithm, ngx_str_t *signature, ngx_str_t *out);


#endif /* _NGX_PKI_ISSUE_H_INCLUDED_ */

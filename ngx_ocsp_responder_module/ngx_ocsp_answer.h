
/*
 * Copyright (C) the ngx_pki authors
 *
 * From a decoded OCSP request to a response: whose certificates these are,
 * their statuses, one signature.  Knows nothing of HTTP.
 */


#ifndef _NGX_OCSP_ANSWER_H_INCLUDED_
#define _NGX_OCSP_ANSWER_H_INCLUDED_


#include "ngx_ocsp_request.h"
#include "ngx_ocsp_response.h"
#include "ngx_ocsp_signer.h"
#include "ngx_pki_op.h"


/* never-issued serials and foreign issuers; DEFAULT: signed unknown for the
 * first, unauthorized for the second */

#define NGX_OCSP_UNKNOWN_DEFAULT       0
#define NGX_OCSP_UNKNOWN_UNAUTHORIZED  1
#define NGX_OCSP_UNKNOWN_UNKNOWN       2
#define NGX_OCSP_UNKNOWN_REVOKED       3

#define NGX_OCSP_ON_ERROR_STALE        0
#define NGX_OCSP_ON_ERROR_TRY_LATER    1

#define NGX_OCSP_STATUSES              (NGX_PKI_STATUS_REVOKED + 1)


typedef struct {
    time_t                     validity[NGX_OCSP_STATUSES];
    ngx_uint_t                 unknown;      /* NGX_OCSP_UNKNOWN_* */
    ngx_uint_t                 on_error;     /* NGX_OCSP_ON_ERROR_* */
} ngx_ocsp_policy_t;


typedef struct ngx_ocsp_answer_s  ngx_ocsp_answer_t;
typedef struct ngx_ocsp_item_s    ngx_ocsp_item_t;

typedef void (*ngx_ocsp_answer_pt)(ngx_ocsp_answer_t *answer);


struct ngx_ocsp_answer_s {
    /* in; the request decoded from octets that stay as long as "op" */
    ngx_pki_op_t              *op;
    ngx_ocsp_request_t         request;
    ngx_array_t               *signers;      /* of ngx_ocsp_signer_t * */
    ngx_ocsp_policy_t         *policy;

    /* out; "body" and times only if SUCCESSFUL, the times are the tightest */
    ngx_ocsp_response_status_e result;
    ngx_str_t                  body;
    time_t                     this_update;
    time_t                     next_update;
    ngx_ocsp_single_t         *singles;      /* as many as CertIDs */
    ngx_msec_t                 sign_time;
    ngx_msec_t                 store_time;

    ngx_ocsp_answer_pt         handler;      /* called exactly once */
    void                      *data;

    /* on the way */
    ngx_ocsp_item_t           *items;
    ngx_uint_t                 waiting;      /* for statuses */
    time_t                     now;
    ngx_ocsp_signer_t         *signer;
    ngx_ocsp_delegate_t       *delegate;
    ngx_str_t                  tbs;
    ngx_pki_key_job_t          sign;
    unsigned                   unavailable:1;
    unsigned                   immature:1;   /* an issuer is not known yet */
    unsigned                   extended_revoke:1;
};


/* The signer whose authority issued "id"; NULL: none of these. */
ngx_ocsp_signer_t *ngx_ocsp_answer_signer(ngx_array_t *signers,
    ngx_ocsp_cert_id_t *id);

/* Starts; the handler may be called before this returns. */
void ngx_ocsp_answer_start(ngx_ocsp_answer_t *answer);


#endif /* _NGX_OCSP_ANSWER_H_INCLUDED_ */

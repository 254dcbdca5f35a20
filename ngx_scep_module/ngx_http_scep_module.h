
/*
 * Copyright (C) the ngx_pki authors
 *
 * SCEP (RFC 8894), REST enrolment and the Certificate Master: one nginx
 * module, one configuration of a location.
 */


#ifndef _NGX_HTTP_SCEP_MODULE_H_INCLUDED_
#define _NGX_HTTP_SCEP_MODULE_H_INCLUDED_


#include "ngx_http_pki_module.h"
#include "ngx_http_enroll.h"
#include "ngx_http_certificate_master.h"
#include "ngx_http_challenge_issue.h"
#include "ngx_scep_challenge.h"
#include "ngx_pki_device.h"
#include "ngx_scep_envelope.h"
#include "ngx_scep_verify.h"
#include "ngx_pki_base64.h"


#define NGX_HTTP_SCEP_LEGACY_DES   0x0001
#define NGX_HTTP_SCEP_LEGACY_MD5   0x0002

/* what a failed unwrapping is replaced from, see ngx_scep_envelope_key() */

#define NGX_HTTP_SCEP_SECRET_LEN   32

#define NGX_HTTP_SCEP_RETRY_AFTER  10        /* seconds */


/* see ngx_http_scep_next.c */

typedef struct ngx_http_scep_next_s  ngx_http_scep_next_t;


typedef struct {
    ngx_scep_digests_t         digests;
    ngx_scep_ciphers_t         ciphers;
    u_char                     secret[NGX_HTTP_SCEP_SECRET_LEN];
    ngx_uint_t                 legacy;       /* of any location */
    ngx_uint_t                 enabled;      /* there is a location */
    ngx_http_scep_next_t      *nexts;        /* of all locations */
    ngx_array_t               *scopes;       /* of one-time challenges */

#if (NGX_THREADS)
    ngx_thread_pool_t         *thread_pool;  /* of passwords */
#endif

    /* in this worker */
    ngx_queue_t                passwords;    /* that wait for their turn */
    ngx_uint_t                 npasswords;
    ngx_uint_t                 deriving;     /* a key, from one of them */
    ngx_uint_t                 pending;
    size_t                     sending;      /* octets of CRLs */
} ngx_http_scep_main_conf_t;


/* scep_renewal and scep_approval, see ngx_http_scep_policy.c */

typedef struct {
    ngx_flag_t                 renewal;
    time_t                     within;       /* before its end; 0: always */
    time_t                     expired;      /* for so long after it */
    ngx_flag_t                 manual;       /* approval */
    ngx_int_t                  per_client;   /* that wait at a time */
    time_t                     ttl;          /* of what waits for it */
} ngx_http_scep_policy_t;


typedef struct {
    ngx_http_enroll_conf_t              enroll;
    ngx_http_certificate_master_conf_t  master;
    ngx_http_challenge_issue_conf_t     issue;

    ngx_str_t                  authority_name;  /* empty: no "scep" here */
    ngx_pki_authority_t       *authority;
    ngx_http_scep_next_t      *next;         /* NULL: none follows it */
    ngx_str_t                  profile_name;
    ngx_pki_profile_t         *profile;
    ngx_scep_challenge_t      *challenge;    /* NULL: none configured */
    ngx_int_t                  max_pending;
    ngx_uint_t                 response_cipher;
    ngx_http_scep_policy_t     policy;
    ngx_uint_t                 device_rule;  /* NGX_PKI_DEVICE_*, see
                                              * scep_device */
    ngx_uint_t                 legacy;       /* NGX_HTTP_SCEP_LEGACY_* */

    u_char                    *file;         /* where "scep" is written */
    ngx_uint_t                 line;
} ngx_http_scep_loc_conf_t;


extern ngx_str_t  ngx_http_scep_type_text;


/*
 * Logs what keeps an authority from SCEP, if anything does for good: a key in a
 * vault may turn out to be of no use when nginx runs already.
 */
void ngx_http_scep_complain(ngx_http_request_t *r, ngx_pki_authority_t *a);

/* A location with "scep" is complete: NGX_CONF_ERROR is logged. */
char *ngx_http_scep_enable(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *conf);

/* The content handler of a location with "scep". */
ngx_int_t ngx_http_scep_handler(ngx_http_request_t *r);

/* 400 with a line of text, which is logged; what to finalize with. */
ngx_int_t ngx_http_scep_bad_request(ngx_http_request_t *r, const char *text);

/*
 * PKIOperation: takes a pkiMessage, which is copied where needed, and the
 * request, which is finalized when the answer is there.
 */
void ngx_http_scep_operation(ngx_http_request_t *r, ngx_str_t *body);


/* The directives scep_renewal and scep_approval. */
char *ngx_http_scep_renewal_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_scep_approval_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_scep_policy_init(ngx_http_scep_policy_t *policy);
void ngx_http_scep_policy_merge(ngx_http_scep_policy_t *prev,
    ngx_http_scep_policy_t *policy);


#endif /* _NGX_HTTP_SCEP_MODULE_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * What the HTTP modules share: settings, requests, variables.
 */


#ifndef _NGX_HTTP_PKI_MODULE_H_INCLUDED_
#define _NGX_HTTP_PKI_MODULE_H_INCLUDED_


#include "ngx_pki.h"
#include <ngx_http.h>

#include "ngx_pki_authority.h"
#include "ngx_pki_profile.h"
#include "ngx_pki_follower.h"
#include "ngx_pki_intune.h"


typedef struct {
    ngx_pki_redis_conf_t       redis;        /* url.len 0: not configured */
    ngx_pki_zone_t            *zone;
    ngx_array_t                authorities;  /* of ngx_pki_authority_t * */
    ngx_array_t                profiles;     /* of ngx_pki_profile_t * */
    ngx_str_t                  thread_pool_name;
#if (NGX_THREADS)
    ngx_thread_pool_t         *thread_pool;
#endif

    ngx_array_t                identities;   /* ngx_pki_azure_identity_t * */
    ngx_array_t                intunes;      /* of ngx_pki_intune_t * */
    ngx_pki_vault_conf_t       vault;
    ngx_pki_https_conf_t       https;
    ngx_str_t                  https_names;  /* one that wants a resolver */
    unsigned                   https_wanted:1;
    unsigned                   key_vault:1;

    ngx_str_t                  redis_user;
    ngx_str_t                  redis_password_file;
    ngx_str_t                  redis_trusted_certificate;
    ngx_str_t                  redis_certificate;
    ngx_str_t                  redis_certificate_key;

    /* in a worker */
    ngx_pki_redis_t           *connections;
    ngx_pki_follower_t        *follower;
    ngx_pki_https_t           *client;
} ngx_http_pki_main_conf_t;


/* what the variables of a request show; made on first use */

typedef struct {
    ngx_str_t                  authority;
    ngx_str_t                  serial;
    ngx_str_t                  subject;
    ngx_str_t                  profile;
    ngx_str_t                  device;
    ngx_str_t                  sign_time;    /* seconds, "0.012" */
    ngx_str_t                  store_time;

    ngx_str_t                  scep_operation;
    ngx_str_t                  scep_message_type;
    ngx_str_t                  scep_transaction_id;
    ngx_str_t                  scep_status;
    ngx_str_t                  scep_fail_info;
    ngx_str_t                  scep_challenge_result;
    ngx_str_t                  scep_challenge_by;
    ngx_str_t                  scep_challenge_code;
    ngx_str_t                  scep_challenge_time;
    ngx_str_t                  enroll_status;

    ngx_str_t                  ocsp_status;
    ngx_str_t                  ocsp_serial;  /* octets; it is shown in hex */
    ngx_str_t                  ocsp_reason;
    ngx_str_t                  ocsp_cache;
    ngx_str_t                  crl_number;
} ngx_http_pki_ctx_t;


typedef void (*ngx_http_pki_body_pt)(ngx_http_request_t *r, ngx_str_t *body);


extern ngx_module_t  ngx_http_pki_module;
extern ngx_module_t  ngx_http_scep_module;
extern ngx_module_t  ngx_http_ocsp_responder_module;


/* NULL: out of memory. */
ngx_http_pki_ctx_t *ngx_http_pki_get_ctx(ngx_http_request_t *r);

/* Copies a value into the request's pool, for a field of the context. */
void ngx_http_pki_set(ngx_http_request_t *r, ngx_str_t *field,
    ngx_str_t *value);

/* Prints milliseconds as seconds, "0.012". */
void ngx_http_pki_set_time(ngx_http_request_t *r, ngx_str_t *field,
    ngx_msec_t elapsed);

/*
 * A directive's word to its authority or profile, at configuration time; NULL:
 * logged.  To be used when all blocks are read, i.e. in a merge function or
 * postconfiguration.
 */
ngx_pki_authority_t *ngx_http_pki_authority(ngx_conf_t *cf, ngx_str_t *name,
    const char *directive);
ngx_pki_profile_t *ngx_http_pki_profile(ngx_conf_t *cf, ngx_str_t *name,
    const char *directive);

/* A parameter "name=value" of a directive, with "name=": 1, and the value. */
ngx_uint_t ngx_http_pki_param(ngx_str_t *param, const char *name,
    ngx_str_t *value);

/*
 * Reads the body, wherever nginx put it, up to "max" octets, and calls the
 * handler; 413 above.  To be returned by a content handler.
 */
ngx_int_t ngx_http_pki_read_body(ngx_http_request_t *r, size_t max,
    ngx_http_pki_body_pt handler);

/*
 * An operation on behalf of a request, which stays until
 * ngx_http_pki_op_finalize(): the handler of the body just returns, a content
 * handler that read none returns NGX_DONE.  NULL: finalize with 500.
 */
ngx_pki_op_t *ngx_http_pki_op_create(ngx_http_request_t *r,
    ngx_msec_t timeout, ngx_pki_op_pt expire);

/* The request, or NULL if the client went away or was answered already. */
ngx_http_request_t *ngx_http_pki_op_request(ngx_pki_op_t *op);

/*
 * Ends the request (if it is still there) with "rc", cuts the link, and runs
 * what is posted.  The operation stays and is the caller's to destroy.
 */
void ngx_http_pki_op_finalize(ngx_pki_op_t *op, ngx_int_t rc);

/*
 * Sends a whole answer: copies "body" to the request's pool, sets the type
 * (static memory) and the length.  Returns what to finalize the request with.
 */
ngx_int_t ngx_http_pki_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body);

/* Adds a header; "name" is static, "value" stays as long as the request. */
ngx_int_t ngx_http_pki_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* A quoted strong ETag of "body", in "pool"; NGX_ERROR: out of memory. */
ngx_int_t ngx_http_pki_etag(ngx_pool_t *pool, ngx_str_t *body,
    ngx_str_t *etag);

/* Adds it to an answer, so that nginx may say 304. */
ngx_int_t ngx_http_pki_add_etag(ngx_http_request_t *r, ngx_str_t *body);

/* 503 with Retry-After and one line of text. */
ngx_int_t ngx_http_pki_unavailable(ngx_http_request_t *r, ngx_uint_t seconds,
    ngx_str_t *text);


#endif /* _NGX_HTTP_PKI_MODULE_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The calls of the Certificate Master's JSON API.
 */


#ifndef _NGX_HTTP_CERTIFICATE_MASTER_API_H_INCLUDED_
#define _NGX_HTTP_CERTIFICATE_MASTER_API_H_INCLUDED_


#include "ngx_http_certificate_master.h"
#include "ngx_http_rest.h"


#define NGX_HTTP_CERTIFICATE_MASTER_TIMEOUT  10000

/* of a body that is a few words, and of one with a request for a certificate */

#define NGX_HTTP_CERTIFICATE_MASTER_BODY     4096
#define NGX_HTTP_CERTIFICATE_MASTER_REQUEST  131072


typedef struct ngx_http_certificate_master_call_s
    ngx_http_certificate_master_call_t;

typedef void (*ngx_http_certificate_master_pt)(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);


/* valid while the handler of the call runs */

struct ngx_http_certificate_master_call_s {
    ngx_http_certificate_master_conf_t  *conf;
    ngx_str_t                  user;
    ngx_uint_t                 roles;
    ngx_str_t                  serial;       /* lower case; empty: of none */
    ngx_str_t                  body;

    /* of a call that is refused */
    ngx_uint_t                 status;
    const char                *code;
    const char                *message;
    const char                *allow;        /* of 405 */
};


/* The content handler of the location. */
ngx_int_t ngx_http_certificate_master_handler(ngx_http_request_t *r);

/*
 * The calls: each is the last statement of a body handler, and answers
 * sooner or later.
 */
void ngx_http_certificate_master_list(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_issue(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_get(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_get_pem(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_get_der(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_get_chain(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_revoke(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_release(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);

/*
 * Parses the body of a call: an object whose members are strings with "names"
 * (ends with NULL).  An empty body is an empty object.  NULL: the request is
 * finalized.
 */
json_t *ngx_http_certificate_master_parse(ngx_http_request_t *r,
    ngx_str_t *body, const char **names);

/* A certificate as the API shows it; a new reference, NULL: out of memory. */
json_t *ngx_http_certificate_master_item(ngx_pki_authority_t *authority,
    ngx_pki_record_t *record);


#endif /* _NGX_HTTP_CERTIFICATE_MASTER_API_H_INCLUDED_ */

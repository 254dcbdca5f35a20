
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


#define NGX_HTTP_CERTIFICATE_MASTER_READER   0x01
#define NGX_HTTP_CERTIFICATE_MASTER_ISSUE    0x02
#define NGX_HTTP_CERTIFICATE_MASTER_REVOKE   0x04
#define NGX_HTTP_CERTIFICATE_MASTER_APPROVE  0x08
#define NGX_HTTP_CERTIFICATE_MASTER_ADMIN    0xff


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
    ngx_str_t                  id;           /* of a request that waits */
    ngx_str_t                  body;

    /* of a call that is refused */
    ngx_uint_t                 status;
    const char                *code;
    const char                *message;
    const char                *allow;        /* of 405 */
};


/* what a path leads to */

typedef enum {
    NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATES = 0,
    NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE,
    NGX_HTTP_CERTIFICATE_MASTER_PENDING,
    NGX_HTTP_CERTIFICATE_MASTER_PENDING_ONE,
    NGX_HTTP_CERTIFICATE_MASTER_CHALLENGES,
    NGX_HTTP_CERTIFICATE_MASTER_NOTHING
} ngx_http_certificate_master_what_e;


/* "suffix" is what comes after the serial number, the id or the collection */

typedef struct {
    ngx_str_t                           suffix;
    ngx_http_certificate_master_what_e  what;
    ngx_uint_t                          methods;
    ngx_uint_t                          role;
    size_t                              max;
    ngx_http_certificate_master_pt      handler;
} ngx_http_certificate_master_route_t;


/* The content handler of the location. */
ngx_int_t ngx_http_certificate_master_handler(ngx_http_request_t *r);

/*
 * Finds the route of a request, and the serial number or id that it is about:
 * NGX_OK, NGX_DECLINED and the reason in "call", NGX_ERROR.
 */
ngx_int_t ngx_http_certificate_master_route(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_route_t **route);

/* Notes why a call is refused; NGX_DECLINED. */
ngx_int_t ngx_http_certificate_master_refuse(
    ngx_http_certificate_master_call_t *call, ngx_uint_t status,
    const char *code, const char *message);

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
void ngx_http_certificate_master_pending(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_pending_get(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_approve(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_reject(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
void ngx_http_certificate_master_challenge(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);

/*
 * Parses the body of a call: an object whose members are strings with "names"
 * (ends with NULL).  An empty body is an empty object.  NULL: the request is
 * finalized.
 */
json_t *ngx_http_certificate_master_parse(ngx_http_request_t *r,
    ngx_str_t *body, const char **names);

/* The authority that the body of a call names, or the only one if it names
 * none; NULL: there is no such one. */
ngx_pki_authority_t *ngx_http_certificate_master_authority(
    ngx_array_t *authorities, json_t *body);

/* A certificate as the API shows it, and a request that waits or waited; a new
 * reference, NULL: out of memory. */
json_t *ngx_http_certificate_master_item(ngx_pki_authority_t *authority,
    ngx_pki_record_t *record);
json_t *ngx_http_certificate_master_pending_item(
    ngx_pki_authority_t *authority, ngx_pki_pending_t *pending);


#endif /* _NGX_HTTP_CERTIFICATE_MASTER_API_H_INCLUDED_ */

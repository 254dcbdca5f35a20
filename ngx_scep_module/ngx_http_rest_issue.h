
/*
 * Copyright (C) the ngx_pki authors
 *
 * From a PKCS#10 that came by HTTP to a certificate.
 */


#ifndef _NGX_HTTP_REST_ISSUE_H_INCLUDED_
#define _NGX_HTTP_REST_ISSUE_H_INCLUDED_


#include "ngx_http_rest.h"
#include "ngx_pki_issue.h"


#define NGX_HTTP_REST_ISSUE_MAX  65536


typedef struct ngx_http_rest_issue_s  ngx_http_rest_issue_t;

/* Answers with ri->issue.record; returns what to finalize the request with. */
typedef ngx_int_t (*ngx_http_rest_issue_pt)(ngx_http_request_t *r,
    ngx_http_rest_issue_t *ri);


/* lies in the pool of its operation */

struct ngx_http_rest_issue_s {
    /* in; the first two of the configuration, "source" in static memory */
    ngx_pki_authority_t       *authority;
    ngx_pki_profile_t         *profile;
    ngx_str_t                  source;
    ngx_str_t                  requester;
    ngx_str_t                  request;      /* DER, PEM or bare base64 */
    ngx_http_rest_issue_pt     answer;

    ngx_pki_op_t              *op;
    ngx_pki_csr_t              csr;
    ngx_pki_issue_t            issue;
};


/*
 * Issues what "spec" asks for (it is copied) and answers; to be the last
 * statement of a body handler.  Errors are answered in JSON.
 */
void ngx_http_rest_issue(ngx_http_request_t *r, ngx_http_rest_issue_t *spec);

/* The answer in JSON: 201 and {"serial","certificate","chain"}. */
ngx_int_t ngx_http_rest_issue_json(ngx_http_request_t *r,
    ngx_http_rest_issue_t *ri);


#endif /* _NGX_HTTP_REST_ISSUE_H_INCLUDED_ */

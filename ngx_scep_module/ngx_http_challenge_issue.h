
/*
 * Copyright (C) the ngx_pki authors
 *
 * Where programs of device management get one-time challenges.
 */


#ifndef _NGX_HTTP_CHALLENGE_ISSUE_H_INCLUDED_
#define _NGX_HTTP_CHALLENGE_ISSUE_H_INCLUDED_


#include "ngx_http_pki_module.h"
#include "ngx_http_identity.h"


typedef enum {
    NGX_HTTP_CHALLENGE_NDES = 0,             /* GET, a page */
    NGX_HTTP_CHALLENGE_TEXT,                 /* POST, the bare secret */
    NGX_HTTP_CHALLENGE_JSON                  /* POST */
} ngx_http_challenge_format_e;


/* the part of a location's settings that is read here */

typedef struct {
    ngx_str_t                    name;       /* of the authority */
    ngx_str_t                    scope;
    ngx_str_t                    bind;       /* a subject; empty: none */
    ngx_http_challenge_format_e  format;
    time_t                       ttl;
    ngx_uint_t                   quota;
    ngx_uint_t                   length;

    ngx_pki_authority_t         *authority;
    ngx_http_identity_conf_t     identity;

    unsigned                     here:1;     /* not inherited */
} ngx_http_challenge_issue_conf_t;


/*
 * The directive "scep_challenge_issue"; the offset of its command is that of
 * the ngx_http_challenge_issue_conf_t in the location's settings.
 */
char *ngx_http_challenge_issue(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* For merge_loc_conf; "profile" is the name of that of the location. */
char *ngx_http_challenge_issue_merge_conf(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *prev,
    ngx_http_challenge_issue_conf_t *conf, ngx_str_t *profile);

/* The content handler of the location. */
ngx_int_t ngx_http_challenge_issue_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CHALLENGE_ISSUE_H_INCLUDED_ */

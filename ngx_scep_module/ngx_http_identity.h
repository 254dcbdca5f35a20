
/*
 * Copyright (C) the ngx_pki authors
 *
 * Who is asking, as far as nginx itself has proved it.
 *
 * $remote_user alone proves nothing: nginx fills it from the Authorization
 * header of any request, checked or not.  It is a name here only where
 * "auth_basic" guards the very location and nothing can stand in for it.
 */


#ifndef _NGX_HTTP_IDENTITY_H_INCLUDED_
#define _NGX_HTTP_IDENTITY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* how a location authenticates; found out when its settings are merged */

typedef struct {
    unsigned                   basic:1;        /* auth_basic, always */
    unsigned                   doubtful:1;     /* auth_basic, perhaps */
    unsigned                   certificate:1;  /* ssl_verify_client */
} ngx_http_identity_conf_t;


/*
 * Finds out how the location being merged authenticates.  To be called in a
 * merge_loc_conf handler of a module that comes after nginx's own.
 */
void ngx_http_identity_conf(ngx_conf_t *cf, ngx_http_identity_conf_t *conf);

/*
 * The subject of the client's certificate, if it was verified against what
 * this server trusts: NGX_OK, NGX_DECLINED (it was not), NGX_ERROR.
 */
ngx_int_t ngx_http_identity_certificate(ngx_http_request_t *r,
    ngx_http_identity_conf_t *conf, ngx_str_t *subject);

/*
 * The user whose password auth_basic verified: NGX_OK or NGX_DECLINED.  An
 * unverified $remote_user is emptied, so that whatever a map makes of it
 * later is empty, too.
 */
ngx_int_t ngx_http_identity_user(ngx_http_request_t *r,
    ngx_http_identity_conf_t *conf, ngx_str_t *user);

/*
 * Whether the request carries a name that nobody has verified: variables made
 * of $remote_user, perhaps evaluated long before, cannot be trusted then.
 */
ngx_uint_t ngx_http_identity_unverified(ngx_http_request_t *r,
    ngx_http_identity_conf_t *conf);

/*
 * Whether the text of a complex value mentions the variable "name"; a name
 * that ends in "_" stands for all that begin so.
 */
ngx_uint_t ngx_http_identity_mentions(ngx_http_complex_value_t *value,
    const char *name);


#endif /* _NGX_HTTP_IDENTITY_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * Where one-time challenges are made and where they are taken: a challenge
 * that no location takes is found out by nginx -t, not by devices.
 */


#ifndef _NGX_HTTP_CHALLENGE_SCOPE_H_INCLUDED_
#define _NGX_HTTP_CHALLENGE_SCOPE_H_INCLUDED_


#include "ngx_http_pki_module.h"


/*
 * While locations are merged: challenges of this scope are made in this one,
 * for at most "ttl" seconds, or taken.  Made of scope NULL: of any, for as long
 * as whoever asks says.
 */
ngx_int_t ngx_http_challenge_scope_made(ngx_conf_t *cf,
    ngx_pki_authority_t *authority, ngx_str_t *scope, time_t ttl);
ngx_int_t ngx_http_challenge_scope_taken(ngx_conf_t *cf,
    ngx_pki_authority_t *authority, ngx_str_t *scope, time_t ttl);

/* When all is read: warns of those that nobody takes, though others of their
 * authority are taken, or not for so long; and of those that nobody makes. */
void ngx_http_challenge_scope_check(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CHALLENGE_SCOPE_H_INCLUDED_ */

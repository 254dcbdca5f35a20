
/*
 * Copyright (C) the ngx_pki authors
 *
 * URLs of services that are called: scheme, host, port, path.
 */


#ifndef _NGX_PKI_URL_H_INCLUDED_
#define _NGX_PKI_URL_H_INCLUDED_


#include "ngx_pki.h"


typedef struct {
    ngx_str_t                  text;         /* "https://host:port", no path */
    ngx_str_t                  host;         /* lower case, no brackets */
    in_port_t                  port;
    ngx_str_t                  path;         /* with query; may be empty */

    unsigned                   tls:1;        /* https, else http */
    unsigned                   resolve:1;    /* "host" is a name */
    unsigned                   brackets:1;   /* "host" is an IPv6 address */
} ngx_pki_url_t;


/*
 * Parses an absolute http or https URL; pure, all in "pool", every string
 * ends with a NUL behind its length.  Refuses user information, fragments,
 * control characters, blanks and non-ASCII.  NULL, or what is wrong.
 */
const char *ngx_pki_url_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_url_t *url);

/* Whether it is an address of this very machine, which no network carries. */
ngx_uint_t ngx_pki_url_is_loopback(ngx_pki_url_t *url);

/* Appends "in" percent-encoded (all but RFC 3986 unreserved characters) to
 * "p", which has room for three times its length; returns the new end. */
u_char *ngx_pki_url_escape(u_char *p, ngx_str_t *in);


#endif /* _NGX_PKI_URL_H_INCLUDED_ */

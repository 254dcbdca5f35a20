
/*
 * Copyright (C) the ngx_pki authors
 *
 * The page on which Microsoft's NDES shows a one-time challenge, as programs
 * of device management read it: they look for its very sentences, tags and
 * blanks.
 */


#ifndef _NGX_SCEP_CHALLENGE_PAGE_H_INCLUDED_
#define _NGX_SCEP_CHALLENGE_PAGE_H_INCLUDED_


#include "ngx_pki.h"


typedef enum {
    NGX_SCEP_CHALLENGE_PAGE_ISSUED = 0,
    NGX_SCEP_CHALLENGE_PAGE_FULL,            /* of challenges not used yet */
    NGX_SCEP_CHALLENGE_PAGE_DENIED,
    NGX_SCEP_CHALLENGE_PAGE_UNAVAILABLE
} ngx_scep_challenge_page_e;


/* all but the first and the last of an issued one only */

typedef struct {
    ngx_scep_challenge_page_e  what;
    ngx_str_t                  thumbprint;   /* octets of a digest */
    ngx_str_t                  secret;       /* letters and digits */
    time_t                     ttl;
    ngx_uint_t                 utf8;         /* else UTF-16LE with a BOM */
} ngx_scep_challenge_page_t;


/* Prints the page to "pool"; pure.  NGX_ERROR: out of memory. */
ngx_int_t ngx_scep_challenge_page(ngx_pool_t *pool,
    ngx_scep_challenge_page_t *page, ngx_str_t *out);


#endif /* _NGX_SCEP_CHALLENGE_PAGE_H_INCLUDED_ */

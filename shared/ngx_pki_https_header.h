
/*
 * Copyright (C) the ngx_pki authors
 *
 * What is kept of the header of an answer.
 */


#ifndef _NGX_PKI_HTTPS_HEADER_H_INCLUDED_
#define _NGX_PKI_HTTPS_HEADER_H_INCLUDED_


#include "ngx_pki.h"


typedef struct {
    ngx_str_t                  challenge;    /* WWW-Authenticate, the first */
    ngx_str_t                  request_id;   /* x-ms-request-id */
    ngx_msec_int_t             retry_after;  /* milliseconds, -1: not said */

    unsigned                   exact:1;      /* it was said in milliseconds */
    unsigned                   ended:1;      /* trailers follow */
} ngx_pki_https_header_t;


/*
 * Takes one line, end of line included; a status line begins anew.  Pure;
 * values are copied to "pool", with a NUL behind each.  Values that are too
 * long, or have control characters, are left out.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_https_header_line(ngx_pool_t *pool, ngx_str_t *line,
    ngx_pki_https_header_t *header);


#endif /* _NGX_PKI_HTTPS_HEADER_H_INCLUDED_ */

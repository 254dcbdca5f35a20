
/*
 * Copyright (C) the ngx_pki authors
 *
 * Headers of what may be cached: OCSP responses, CRLs, certificates.
 */


#ifndef _NGX_HTTP_OCSP_HEADERS_H_INCLUDED_
#define _NGX_HTTP_OCSP_HEADERS_H_INCLUDED_


#include "ngx_http_pki_module.h"


/*
 * Cache-Control with this max-age, Expires, Last-Modified and ETag, which is
 * quoted already; the core answers conditional requests then.  NGX_ERROR: no
 * memory.
 */
ngx_int_t ngx_http_ocsp_headers_cache(ngx_http_request_t *r, time_t max_age,
    time_t expires, time_t modified, ngx_str_t *etag);

/* Cache-Control: no-store; never 304. */
ngx_int_t ngx_http_ocsp_headers_no_store(ngx_http_request_t *r);

/* No compression, whatever is configured: what is sent is exactly this. */
void ngx_http_ocsp_headers_identity(ngx_http_request_t *r);

/* 405 with Allow. */
ngx_int_t ngx_http_ocsp_headers_not_allowed(ngx_http_request_t *r,
    ngx_str_t *allow);


#endif /* _NGX_HTTP_OCSP_HEADERS_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The request in the URI of a GET: {url}/{base64 of the DER} (RFC 6960, A.1).
 * nginx's own decoded URI is of no use: its merging of slashes destroys the
 * base64, in which "//" is as good as any other two characters.
 */


#ifndef _NGX_OCSP_URI_H_INCLUDED_
#define _NGX_OCSP_URI_H_INCLUDED_


#include "ngx_pki.h"


/*
 * What follows the location's name in a URI as the client sent it, without
 * arguments and leading slashes; pure.  The name may be escaped in the URI and
 * its slashes doubled.  NGX_DECLINED: the URI does not begin with the name.
 */
ngx_int_t ngx_ocsp_uri_strip(ngx_str_t *uri, ngx_str_t *name,
    ngx_str_t *text);

/*
 * Decodes the text to "der", in "pool"; pure.  For n = 0 as it is, for n > 0
 * as if somebody on the way had merged two slashes into the n-th one.
 * NGX_DECLINED: not base64, or not a DER element of this length; NGX_DONE:
 * there is no n-th slash; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_ocsp_uri_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *der);


#endif /* _NGX_OCSP_URI_H_INCLUDED_ */

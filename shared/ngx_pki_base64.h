
/*
 * Copyright (C) the ngx_pki authors
 *
 * Base64 as clients really send it in the URI of a GET.
 */


#ifndef _NGX_PKI_BASE64_H_INCLUDED_
#define _NGX_PKI_BASE64_H_INCLUDED_


#include "ngx_pki.h"


/*
 * Decodes base64 out of a URI.  Percent-decodes once (a double encoding is
 * taken back, too); "+" stays "+"; a blank is a "+" that somebody decoded,
 * unless blanks are line breaks; accepts the URL-safe alphabet and missing
 * padding.  Pure.  "out" lies in "pool".  NGX_DECLINED: not base64.
 */
ngx_int_t ngx_pki_base64_uri_decode(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out);


/*
 * Takes the padding off; NGX_DECLINED if it is wrong or anything follows it,
 * which nginx's own decoder would ignore.
 */
ngx_int_t ngx_pki_base64_trim(ngx_str_t *base64);


#endif /* _NGX_PKI_BASE64_H_INCLUDED_ */

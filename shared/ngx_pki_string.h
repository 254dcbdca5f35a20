
/*
 * Copyright (C) the ngx_pki authors
 *
 * The character strings of ASN.1 as UTF-8.
 */


#ifndef _NGX_PKI_STRING_H_INCLUDED_
#define _NGX_PKI_STRING_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_NUMERIC_STRING    0x12
#define NGX_PKI_VISIBLE_STRING    0x1a
#define NGX_PKI_UNIVERSAL_STRING  0x1c


/*
 * The text of an ASN.1 string of the type "tag": points into "content", or
 * into "pool" where it had to be converted.  Pure.  NGX_DECLINED: it is not a
 * string, not of its alphabet, or ngx_pki_string_length() refuses it;
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_string_utf8(ngx_pool_t *pool, ngx_uint_t tag,
    ngx_str_t *content, ngx_str_t *text);

/*
 * How many characters it has; NGX_ERROR: it is not UTF-8, or has control
 * characters (C0, DEL, C1), which belong into no name and no log.
 */
ngx_int_t ngx_pki_string_length(ngx_str_t *text);


#endif /* _NGX_PKI_STRING_H_INCLUDED_ */

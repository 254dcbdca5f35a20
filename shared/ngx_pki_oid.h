
/*
 * Copyright (C) the ngx_pki authors
 *
 * Object identifiers: content octets to dotted text and back.
 */


#ifndef _NGX_PKI_OID_H_INCLUDED_
#define _NGX_PKI_OID_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_OID_LEN       64     /* content octets of the longest one */
#define NGX_PKI_OID_TEXT_LEN  256


/*
 * Prints an OID, "2.5.29.17".  Pure.  NGX_DECLINED: these are not the content
 * octets of one, or of one with an arc over 32 bits; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_oid_text(ngx_pool_t *pool, ngx_str_t *oid, ngx_str_t *text);

/* Parses "2.5.29.17".  NGX_DECLINED: this is none, or as above. */
ngx_int_t ngx_pki_oid_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *oid);


#endif /* _NGX_PKI_OID_H_INCLUDED_ */

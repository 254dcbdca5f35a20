
/*
 * Copyright (C) the ngx_pki authors
 *
 * Distinguished names: DER to RFC 4514 text and back.
 */


#ifndef _NGX_PKI_NAME_H_INCLUDED_
#define _NGX_PKI_NAME_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_NAME_OID_CN     "\x55\x04\x03"
#define NGX_PKI_NAME_OID_O      "\x55\x04\x0a"
#define NGX_PKI_NAME_OID_OU     "\x55\x04\x0b"
#define NGX_PKI_NAME_OID_EMAIL  "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"


typedef struct {
    ngx_str_t                  oid;          /* content octets */
    ngx_str_t                  value;        /* whole */
    ngx_str_t                  text;         /* UTF-8, not escaped */
    ngx_uint_t                 rdn;          /* counted from 0, as in DER */
} ngx_pki_name_attribute_t;


/*
 * Decodes a Name (RFC 5280, 4.1.2.4) into "attributes", initialised here, of
 * ngx_pki_name_attribute_t.  Pure.  NGX_DECLINED and "error": malformed, over
 * 32 attributes, one empty or over 256 characters, controls or a NUL in it, or
 * not a string.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_name_decode(ngx_pool_t *pool, ngx_str_t *name,
    ngx_array_t *attributes, const char **error);

/*
 * Prints it as RFC 4514 says: the last RDN first, one line.  Pure.
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_name_text(ngx_pool_t *pool, ngx_array_t *attributes,
    ngx_str_t *text);

/*
 * Encodes RFC 4514 text, "CN=a,O=b", the last RDN first, of the types that the
 * above has names for.  Pure.  NGX_DECLINED and "error": it is not one;
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_name_encode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *name, const char **error);

/* Escapes a value for RFC 4514 text; "dst" has room for 2 * len. */
u_char *ngx_pki_name_escape(u_char *dst, ngx_str_t *value);


#endif /* _NGX_PKI_NAME_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * Subject alternative names: the kinds that a certificate may carry.
 */


#ifndef _NGX_PKI_SAN_H_INCLUDED_
#define _NGX_PKI_SAN_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_SAN_MAX       64


typedef enum {
    NGX_PKI_SAN_DNS = 0,
    NGX_PKI_SAN_IP,
    NGX_PKI_SAN_EMAIL,
    NGX_PKI_SAN_URI,
    NGX_PKI_SAN_UPN,             /* otherName 1.3.6.1.4.1.311.20.2.3 */
    NGX_PKI_SAN_TYPES
} ngx_pki_san_type_e;


typedef struct {
    ngx_pki_san_type_e         type;
    ngx_str_t                  value;        /* of an IP address: octets */
    ngx_str_t                  text;
} ngx_pki_san_t;


/*
 * Decodes the content of a subjectAltName (GeneralNames, RFC 5280, 4.2.1.6)
 * into "sans", initialised here, of ngx_pki_san_t.  Pure.  NGX_DECLINED and
 * "error": malformed, over 64 names, of a kind not listed above, or not of the
 * syntax of its kind.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_san_decode(ngx_pool_t *pool, ngx_str_t *value,
    ngx_array_t *sans, const char **error);

/* Encodes the content of a subjectAltName.  Pure. */
ngx_int_t ngx_pki_san_encode(ngx_pool_t *pool, ngx_array_t *sans,
    ngx_str_t *value);

/* Prints "DNS:a, IP:b", one line; empty for none.  Pure. */
ngx_int_t ngx_pki_san_text(ngx_pool_t *pool, ngx_array_t *sans,
    ngx_str_t *text);

/*
 * Parses what a configuration says: "dns:a", "ip:192.0.2.1", "email:a@b",
 * "uri:u", "upn:a@b".  NGX_DECLINED and "error", or NGX_ERROR as above.
 */
ngx_int_t ngx_pki_san_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_san_t *san, const char **error);

/* The kind of this name, "dns", "ip", ..., or NGX_PKI_SAN_TYPES. */
ngx_pki_san_type_e ngx_pki_san_type(ngx_str_t *name);

ngx_uint_t ngx_pki_san_is_wildcard(ngx_pki_san_t *san);

/*
 * Whether it is a URI of Microsoft that names a security identifier: domain
 * controllers take such a certificate for that of the account (KB5014754).
 */
ngx_uint_t ngx_pki_san_is_sid(ngx_pki_san_t *san);


#endif /* _NGX_PKI_SAN_H_INCLUDED_ */

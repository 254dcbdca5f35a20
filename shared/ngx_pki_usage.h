
/*
 * Copyright (C) the ngx_pki authors
 *
 * Key usages and extended key usages: their names, and which of them a client
 * may ask for.
 */


#ifndef _NGX_PKI_USAGE_H_INCLUDED_
#define _NGX_PKI_USAGE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"


/* RFC 5280, 4.2.1.3, the first bit first, as in the octet of the extension */

#define NGX_PKI_USAGE_DIGITAL_SIGNATURE  0x80
#define NGX_PKI_USAGE_NON_REPUDIATION    0x40
#define NGX_PKI_USAGE_KEY_ENCIPHERMENT   0x20
#define NGX_PKI_USAGE_DATA_ENCIPHERMENT  0x10
#define NGX_PKI_USAGE_KEY_AGREEMENT      0x08

/* all others make an authority, or narrow key agreement, which nobody uses */

#define NGX_PKI_USAGE_SAFE               0xf8


typedef enum {
    NGX_PKI_USAGE_REQUESTED = 0,     /* may be had for the asking */
    NGX_PKI_USAGE_CONFIGURED,        /* only if the configuration says so */
    NGX_PKI_USAGE_NEVER              /* would make a part of the authority */
} ngx_pki_usage_policy_e;


typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  oid;          /* content octets */
    ngx_pki_usage_policy_e     policy;
} ngx_pki_usage_t;


/* The bit of a key usage by its name; 0: no such one, or not a safe one. */
ngx_uint_t ngx_pki_usage_bit(ngx_str_t *name);

/* The bits that mean something for a kind of key (RFC 3279, 5480, 9295). */
ngx_uint_t ngx_pki_usage_of_key(ngx_pki_key_type_e type);

/*
 * Decodes the content of a keyUsage extension; "bits" has 0x100 set for any
 * usage beyond the first eight.  Pure.  NGX_DECLINED: malformed.
 */
ngx_int_t ngx_pki_usage_decode(ngx_str_t *value, ngx_uint_t *bits);

/* Encodes it: a BIT STRING of four octets, named bits, to "dst". */
u_char *ngx_pki_usage_encode(u_char *dst, ngx_uint_t bits);

/*
 * Prints the usages in Extension, Extension, ... (as in a template), in "pool":
 * "digitalSignature, clientAuth, 1.2.3.4"; empty: there are none.  NGX_ERROR:
 * malformed, or out of memory.
 */
ngx_int_t ngx_pki_usage_text(ngx_pool_t *pool, ngx_str_t *extensions,
    ngx_str_t *text);

/* An extended key usage by name or OID; NULL: not known here. */
ngx_pki_usage_t *ngx_pki_usage_by_name(ngx_str_t *name);
ngx_pki_usage_t *ngx_pki_usage_by_oid(ngx_str_t *oid);


#endif /* _NGX_PKI_USAGE_H_INCLUDED_ */

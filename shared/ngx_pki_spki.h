
/*
 * Copyright (C) the ngx_pki authors
 *
 * A public key from the octets of its SubjectPublicKeyInfo alone, so that it
 * can be judged before any arithmetic is done with it.
 */


#ifndef _NGX_PKI_SPKI_H_INCLUDED_
#define _NGX_PKI_SPKI_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"


typedef struct {
    ngx_pki_key_spec_t         key;          /* type 0: no supported kind */
    ngx_str_t                  public_key;   /* content of the BIT STRING */
    ngx_str_t                  modulus;      /* RSA, without leading zeros */
    ngx_uint_t                 exponent;     /* RSA; 0: over 32 bits */
} ngx_pki_spki_t;


/*
 * Decodes a SubjectPublicKeyInfo (RFC 5280, 4.1): RSA (RFC 3279), the named
 * curves P-256, P-384 and P-521 with uncompressed points (RFC 5480), Ed25519
 * (RFC 8410).  Pure; points into "spki".  NGX_ERROR: malformed.
 */
ngx_int_t ngx_pki_spki_decode(ngx_str_t *spki, ngx_pki_spki_t *key);

/*
 * Whether the modulus has the fingerprint of the Infineon library whose
 * private keys can be computed (ROCA, CVE-2017-15361).  Pure, microseconds.
 */
ngx_uint_t ngx_pki_spki_is_roca(ngx_str_t *modulus);


#endif /* _NGX_PKI_SPKI_H_INCLUDED_ */

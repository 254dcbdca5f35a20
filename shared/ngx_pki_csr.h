
/*
 * Copyright (C) the ngx_pki authors
 *
 * PKCS#10 certification requests, RFC 2986.
 */


#ifndef _NGX_PKI_CSR_H_INCLUDED_
#define _NGX_PKI_CSR_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"


typedef struct {
    ngx_str_t                  oid;          /* content octets */
    ngx_str_t                  value;        /* content of extnValue */
    ngx_uint_t                 critical;
} ngx_pki_extension_t;


/* how long a certificate is asked for; it never gets longer by that */

#define NGX_PKI_CSR_VALIDITY_UNKNOWN  -1

typedef struct {
    ngx_str_t                  period;       /* name and value, whole */
    ngx_str_t                  units;
    time_t                     seconds;      /* 0: nothing is said */
} ngx_pki_csr_validity_t;


typedef struct {
    ngx_str_t                  der;
    ngx_str_t                  info;         /* what is signed, whole */
    ngx_str_t                  subject;      /* Name, whole */
    ngx_str_t                  spki;         /* SubjectPublicKeyInfo, whole */
    ngx_str_t                  public_key;   /* content of its BIT STRING */

    /* the key, from the octets alone: type 0 is of no supported kind */
    ngx_pki_key_spec_t         key;
    ngx_uint_t                 exponent;     /* RSA; 0: over 32 bits */
    ngx_str_t                  modulus;      /* RSA, no leading zeros */

    ngx_str_t                  signature_oid;
    ngx_str_t                  signature_params;
    ngx_str_t                  signature;

    ngx_str_t                  challenge;    /* UTF-8; empty: none */
    ngx_array_t                extensions;   /* of ngx_pki_extension_t */
    ngx_pki_csr_validity_t     validity;

    /* the caller's, if it has the very key already, and what has verified with
     * it: making them takes a while */
    EVP_PKEY                  *pkey;
    ngx_pki_key_ctx_t         *verify;

    /* the caller's: whoever vouches for it looks at its names and usages, and
     * at no other extension that would name somebody */
    unsigned                   names_only:1;

    const char                *error;        /* why decoding failed */
} ngx_pki_csr_t;


/*
 * Decodes strict DER; pure.  Strings point into "der" (the challenge perhaps
 * into "pool").  NGX_ERROR: csr->error says why.  Refuses trailing octets,
 * duplicate extensions, more than 32 of them, more than one challenge.
 */
ngx_int_t ngx_pki_csr_decode(ngx_pool_t *pool, ngx_str_t *der,
    ngx_pki_csr_t *csr);

/* PEM or DER to DER, in "pool" or in "text"; pure.  NGX_DECLINED: neither;
 * NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_csr_unarmor(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *der);

/*
 * Verifies the request's own signature (proof of possession).  NGX_OK,
 * NGX_DECLINED: it is wrong or of an algorithm that is not allowed.  The key
 * must be of an allowed kind and size already (a huge one is a DoS).
 */
ngx_int_t ngx_pki_csr_verify(ngx_pki_csr_t *csr);


#endif /* _NGX_PKI_CSR_H_INCLUDED_ */

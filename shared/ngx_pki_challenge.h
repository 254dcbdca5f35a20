
/*
 * Copyright (C) the ngx_pki authors
 *
 * One-time challenges: a secret that is worth one certificate.  Only its hash
 * is kept, with whom the certificate may be for.
 */


#ifndef _NGX_PKI_CHALLENGE_H_INCLUDED_
#define _NGX_PKI_CHALLENGE_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_CHALLENGE_HASH_LEN   64      /* SHA-256 in hex */
#define NGX_PKI_CHALLENGE_MAX_SCOPE  64
#define NGX_PKI_CHALLENGE_MAX_TEXT   1024


typedef struct {
    ngx_str_t                  hash;         /* not in the record itself */
    ngx_str_t                  scope;        /* where it may be used */
    ngx_str_t                  by;           /* who had it made */

    /* what the certificate must say; empty: anything */
    ngx_str_t                  subject;      /* RFC 4514 */
    ngx_str_t                  sans;         /* as in a record, no others */
    ngx_str_t                  device;
    ngx_str_t                  user;

    time_t                     created;
    time_t                     expires;
} ngx_pki_challenge_t;


/*
 * The hash of a secret that is for this scope of an authority, hex, in "pool":
 * the same secret elsewhere is another one.  NGX_ERROR: out of memory, or
 * OpenSSL failed.
 */
ngx_int_t ngx_pki_challenge_hash(ngx_pool_t *pool, ngx_str_t *authority,
    ngx_str_t *scope, ngx_str_t *secret, ngx_str_t *hash);

/*
 * Decodes a hash of Redis: name, value, name, value, ...  Pure.  Fields that
 * are not known are ignored; strings point into the input.  NGX_ERROR: one is
 * missing, twice or malformed.
 */
ngx_int_t ngx_pki_challenge_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_challenge_t *challenge);

/*
 * Encodes it the same way into "fields" (NGX_PKI_CHALLENGE_FIELDS at least);
 * numbers are printed to "pool".  Returns how many, or NGX_ERROR.
 */
#define NGX_PKI_CHALLENGE_FIELDS  20
ngx_int_t ngx_pki_challenge_encode(ngx_pool_t *pool,
    ngx_pki_challenge_t *challenge, ngx_str_t *fields);

/*
 * Whether a certificate with these names is for whom the challenge is: pure.
 * "device" and "user" are those of the record.  NGX_DECLINED and "error".
 */
ngx_int_t ngx_pki_challenge_check(ngx_pki_challenge_t *challenge,
    ngx_str_t *subject, ngx_str_t *sans, ngx_str_t *device, ngx_str_t *user,
    ngx_str_t *error);


#endif /* _NGX_PKI_CHALLENGE_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * A private key at rest: sealed so that only the holder of another key opens
 * it.  AES-256-GCM with a content key that is used once; the content key is
 * either wrapped by RSAES-OAEP for an RSA key, wherever that is kept, or, with
 * an EC key of a file, derived from it.
 */


#ifndef _NGX_PKI_SEAL_H_INCLUDED_
#define _NGX_PKI_SEAL_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_op.h"
#include "ngx_pki_key.h"


typedef struct ngx_pki_seal_job_s  ngx_pki_seal_job_t;

typedef void (*ngx_pki_seal_pt)(ngx_pki_seal_job_t *job);


typedef enum {
    NGX_PKI_SEAL_WRAPPED = 1,                /* RSAES-OAEP, SHA-256 */
    NGX_PKI_SEAL_DERIVED                     /* HKDF, SHA-256 */
} ngx_pki_seal_method_e;


/*
 * SEQUENCE { version INTEGER (1), method INTEGER, keyName UTF8String,
 * contentKey OCTET STRING, nonce OCTET STRING, encrypted OCTET STRING }
 */

typedef struct {
    ngx_pki_seal_method_e      method;
    ngx_str_t                  key_name;     /* "file", or a vault's URL */
    ngx_str_t                  content_key;  /* wrapped, or the salt */
    ngx_str_t                  nonce;
    ngx_str_t                  encrypted;    /* and its tag */
} ngx_pki_seal_t;


/* Decodes what was sealed; pure.  NGX_ERROR: malformed. */
ngx_int_t ngx_pki_seal_decode(ngx_str_t *der, ngx_pki_seal_t *seal);

/* Encodes it; pure.  NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_seal_encode(ngx_pool_t *pool, ngx_pki_seal_t *seal,
    ngx_str_t *der);

/* Wraps a secret by RSAES-OAEP with SHA-256: a public operation, local.
 * NGX_ERROR. */
ngx_int_t ngx_pki_seal_wrap(ngx_pool_t *pool, EVP_PKEY *public_key,
    ngx_str_t *secret, ngx_str_t *out);

/*
 * Seals "pkey" for the holder of "key", which "name" is the name of; "bound"
 * has to be the same when it is opened.  No private operation of a vault.
 * NGX_DECLINED: the key is of no kind that can open; NGX_ERROR.
 */
ngx_int_t ngx_pki_seal(ngx_pool_t *pool, ngx_pki_key_t *key, ngx_str_t *name,
    ngx_str_t *bound, EVP_PKEY *pkey, ngx_str_t *der);


/*
 * Opens it, in the pool of an operation: a job of "key".  The handler is called
 * exactly once, perhaps at once.  NGX_OK: "pkey" is the handler's.
 * NGX_DECLINED: it was not sealed for this key, or has been changed.
 * NGX_ERROR: not now; logged.
 */

struct ngx_pki_seal_job_s {
    ngx_pki_op_t              *op;
    ngx_pki_key_t             *key;
    ngx_str_t                  bound;
    ngx_pki_seal_t             seal;

    ngx_int_t                  rc;
    EVP_PKEY                  *pkey;

    ngx_pki_seal_pt            handler;
    void                      *data;

    ngx_pki_key_job_t          unwrap;
};

void ngx_pki_seal_open(ngx_pki_seal_job_t *job);


#endif /* _NGX_PKI_SEAL_H_INCLUDED_ */

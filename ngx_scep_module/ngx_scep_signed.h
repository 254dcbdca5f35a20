
/*
 * Copyright (C) the ngx_pki authors
 *
 * SignedData with one signer (RFC 5652, 5), which whatever is answered here in
 * a signed form is: CertRep, and the answer to GetNextCACert.
 */


#ifndef _NGX_SCEP_SIGNED_H_INCLUDED_
#define _NGX_SCEP_SIGNED_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_scep_cms.h"


#define NGX_SCEP_MAX_ATTRS  8


/* the attributes that are signed */

typedef struct {
    ngx_pool_t                *pool;
    ngx_str_t                  elts[NGX_SCEP_MAX_ATTRS];
    ngx_uint_t                 n;
    ngx_uint_t                 failed;
} ngx_scep_attrs_t;


typedef struct {
    ngx_str_t                 *content;      /* of type data, may be empty */
    ngx_str_t                 *certificate;  /* of who signs, DER */
    ngx_scep_id_t             *signer;       /* its issuer and serial */
    ngx_str_t                 *digest;       /* OID */
    ngx_str_t                 *algorithm;    /* AlgorithmIdentifier, whole */
    ngx_str_t                 *attributes;   /* SET OF, as it was signed */
    ngx_str_t                 *signature;
} ngx_scep_signed_t;


/* rsaEncryption, of any digest: strongSwan 5.9 accepts no other. */
extern ngx_str_t  ngx_scep_signed_rsa;


/*
 * Adds the two that there must be (RFC 5652, 11), for a content of type data
 * (perhaps an empty string) that is hashed by "md".  NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_scep_attrs_init(ngx_scep_attrs_t *attrs, ngx_pool_t *pool,
    EVP_MD *md, ngx_str_t *content);

/* Adds one with this value; no memory is told by the next function. */
void ngx_scep_attrs_add(ngx_scep_attrs_t *attrs, ngx_str_t *oid,
    ngx_uint_t tag, ngx_str_t *value);

/* All of them, a SET OF in DER, which is to be signed.  NGX_ERROR: out of
 * memory. */
ngx_int_t ngx_scep_attrs_set(ngx_scep_attrs_t *attrs, ngx_str_t *out);

/* The whole ContentInfo.  NGX_ERROR: out of memory. */
ngx_int_t ngx_scep_signed(ngx_pool_t *pool, ngx_scep_signed_t *s,
    ngx_str_t *out);


#endif /* _NGX_SCEP_SIGNED_H_INCLUDED_ */

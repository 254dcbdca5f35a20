
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whether a pkiMessage is signed by whom it says: digest and signature.
 */


#ifndef _NGX_SCEP_VERIFY_H_INCLUDED_
#define _NGX_SCEP_VERIFY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_scep_message.h"


typedef enum {
    NGX_SCEP_SHA256 = 0,
    NGX_SCEP_SHA384,
    NGX_SCEP_SHA512,
    NGX_SCEP_SHA1,
    NGX_SCEP_MD5,
    NGX_SCEP_DIGESTS
} ngx_scep_digest_e;


/* what OpenSSL makes of them, fetched once; NULL: not available */

typedef struct {
    EVP_MD                    *md[NGX_SCEP_DIGESTS];
    EVP_PKEY_CTX              *rsa;          /* makes keys of signers */
} ngx_scep_digests_t;


typedef struct {
    ngx_uint_t                 md5;
    ngx_scep_digest_e          digest;
    ngx_uint_t                 pss;          /* as of ngx_pki_key_verify() */

    /* freed with the pool */
    EVP_PKEY                  *key;
    ngx_pki_key_ctx_t         *verify;
} ngx_scep_signer_t;


/* Fetches the digests, which are freed with "pool"; MD5 only if "md5".
 * NGX_ERROR: "error" is why. */
ngx_int_t ngx_scep_digests_init(ngx_pool_t *pool, ngx_scep_digests_t *digests,
    ngx_uint_t md5, const char **error);

/* The digest of this OID (content octets), NGX_SCEP_DIGESTS: none. */
ngx_scep_digest_e ngx_scep_digest_find(ngx_str_t *oid);

/* Its OID. */
ngx_str_t *ngx_scep_digest_oid(ngx_scep_digest_e digest);

/* Hashes "data" to "out", EVP_MAX_MD_SIZE octets; NGX_ERROR: it failed. */
ngx_int_t ngx_scep_digest(EVP_MD *md, ngx_str_t *data, u_char *out,
    ngx_str_t *digest);

/*
 * Checks the signer's key by its octets, then the digest, then the signature.
 * signer->md5 says whether MD5 is good enough.  NGX_OK and the rest of
 * "signer"; NGX_DECLINED: message->error and fail_info say why; NGX_ERROR:
 * out of memory.
 */
ngx_int_t ngx_scep_verify(ngx_pool_t *pool, ngx_scep_digests_t *digests,
    ngx_scep_message_t *message, ngx_scep_signer_t *signer);

/* Verifies the signature once more, for the time that takes. */
void ngx_scep_verify_again(ngx_scep_digests_t *digests,
    ngx_scep_message_t *message, ngx_scep_signer_t *signer);

/*
 * Which recipient of the envelope is this certificate; old stacks encode its
 * issuer's Name anew, so Names are compared as RFC 5280, 7.1 wants.  NULL:
 * none.
 */
ngx_scep_recipient_t *ngx_scep_verify_recipient(ngx_scep_message_t *message,
    ngx_scep_certificate_t *certificate, X509 *x509);


#endif /* _NGX_SCEP_VERIFY_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * The EnvelopedData of SCEP (RFC 8894, 3.1): content ciphers, opening one with
 * a content key, making one for a signer.
 */


#ifndef _NGX_SCEP_ENVELOPE_H_INCLUDED_
#define _NGX_SCEP_ENVELOPE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_scep_message.h"
#include "ngx_scep_password.h"


#define NGX_SCEP_MAX_KEY_LEN     32
#define NGX_SCEP_MAX_IV_LEN      16


typedef enum {
    NGX_SCEP_AES_128_CBC = 0,
    NGX_SCEP_AES_192_CBC,
    NGX_SCEP_AES_256_CBC,
    NGX_SCEP_DES_EDE3_CBC,
    NGX_SCEP_DES_CBC,
    NGX_SCEP_CIPHERS
} ngx_scep_cipher_e;


/* what OpenSSL makes of them, fetched once; NULL: not available */

typedef struct {
    EVP_CIPHER                *cipher[NGX_SCEP_CIPHERS];
    void                      *legacy;       /* OSSL_LIB_CTX, of DES alone */
} ngx_scep_ciphers_t;


/* how the envelope of an answer is made */

typedef struct {
    ngx_scep_certificate_t    *recipient;
    EVP_PKEY                  *key;          /* of the recipient */
    ngx_pki_key_ctx_t         *ctx;          /* of that key, free to use */
    ngx_scep_password_t       *password;     /* instead, unless NULL */
    EVP_MD                    *oaep;         /* NULL: PKCS#1 v1.5 */
    ngx_str_t                 *oaep_oid;
    EVP_MD                    *mgf1;         /* of OAEP */
    ngx_str_t                 *mgf1_oid;
    ngx_scep_cipher_e          cipher;
} ngx_scep_seal_t;


/*
 * Fetches the ciphers, which are freed with "pool"; single DES only if "des",
 * from OpenSSL's legacy provider in a library context of its own, so that no
 * one else gets it.  NGX_ERROR: "error" is what is not available.
 */
ngx_int_t ngx_scep_ciphers_init(ngx_pool_t *pool, ngx_scep_ciphers_t *ciphers,
    ngx_uint_t des, const char **error);

/* The cipher of a message; NGX_SCEP_CIPHERS: not supported, or a bad IV. */
ngx_scep_cipher_e ngx_scep_cipher_find(ngx_str_t *oid, ngx_str_t *iv);

/*
 * The content key, "len" octets: "unwrapped" if it is of this length; else
 * what follows from "secret" and the encrypted key, always the same and known
 * to nobody, so that a client cannot tell a bad padding from a wrong key.
 * NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_scep_envelope_key(ngx_str_t *secret, ngx_str_t *encrypted_key,
    ngx_str_t *unwrapped, u_char *key, size_t len);

/* Decrypts message->encrypted.  NGX_DECLINED: the padding is wrong;
 * NGX_ERROR: out of memory. */
ngx_int_t ngx_scep_envelope_open(ngx_pool_t *pool, EVP_CIPHER *cipher,
    ngx_scep_message_t *message, u_char *key, ngx_str_t *out);

/* Encrypts "content" with a fresh key for one recipient: a ContentInfo. */
ngx_int_t ngx_scep_envelope_seal(ngx_pool_t *pool,
    ngx_scep_ciphers_t *ciphers, ngx_scep_seal_t *seal, ngx_str_t *content,
    ngx_str_t *out);


#endif /* _NGX_SCEP_ENVELOPE_H_INCLUDED_ */

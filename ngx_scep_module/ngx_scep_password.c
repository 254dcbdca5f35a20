
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_password.h"
#include "ngx_scep_cms.h"

#include <openssl/crypto.h>


/* the length of the key, and three octets by which a password is checked */

#define NGX_SCEP_PASSWORD_HEAD     4

/* of the key with its head, in blocks */

#define NGX_SCEP_PASSWORD_WRAPPED                                            \
    (NGX_SCEP_PASSWORD_MAX_KEY + NGX_SCEP_PASSWORD_MAX_BLOCK)


static ngx_int_t ngx_scep_password_encrypt(ngx_scep_password_t *password,
    u_char *block, size_t len, u_char *out);
static void ngx_scep_password_put_kdf(ngx_pki_der_writer_t *w,
    ngx_scep_password_t *password);


static ngx_str_t  ngx_scep_oid_pbkdf2 =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c");
static ngx_str_t  ngx_scep_oid_hmac_sha256 =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x02\x09");
static ngx_str_t  ngx_scep_oid_pwri_kek =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x09");


ngx_int_t
ngx_scep_password_init(ngx_scep_password_t *p, ngx_str_t *text,
    EVP_CIPHER *cipher)
{
    p->password = *text;
    p->cipher = cipher;

    if (RAND_bytes(p->salt, sizeof(p->salt)) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_scep_password_derive(ngx_scep_password_t *p)
{
    if (PKCS5_PBKDF2_HMAC((char *) p->password.data, (int) p->password.len,
                          p->salt, sizeof(p->salt),
                          NGX_SCEP_PASSWORD_ITERATIONS, EVP_sha256(),
                          EVP_CIPHER_get_key_length(p->cipher), p->key)
        != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_scep_password_cleanse(ngx_scep_password_t *p)
{
    OPENSSL_cleanse(p->key, sizeof(p->key));
}


ngx_int_t
ngx_scep_password_wrap(ngx_pool_t *pool, ngx_scep_password_t *p,
    ngx_str_t *key, ngx_str_t *out)
{
    u_char     block[NGX_SCEP_PASSWORD_WRAPPED];
    size_t     size;
    ngx_int_t  rc;

    size = EVP_CIPHER_get_block_size(p->cipher);

    out->len = ngx_max(ngx_align(NGX_SCEP_PASSWORD_HEAD + key->len, size),
                       2 * size);

    out->data = ngx_pnalloc(pool, out->len);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    if (RAND_bytes(p->iv, sizeof(p->iv)) != 1
        || RAND_priv_bytes(block, sizeof(block)) != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    block[0] = (u_char) key->len;
    block[1] = ~key->data[0];
    block[2] = ~key->data[1];
    block[3] = ~key->data[2];

    ngx_memcpy(block + NGX_SCEP_PASSWORD_HEAD, key->data, key->len);

    rc = ngx_scep_password_encrypt(p, block, out->len, out->data);

    OPENSSL_cleanse(block, sizeof(block));

    return rc;
}


/* twice, the chain going on: each octet depends on every other one */

static ngx_int_t
ngx_scep_password_encrypt(ngx_scep_password_t *p, u_char *block, size_t len,
    u_char *out)
{
    int              n;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();

    rc = NGX_ERROR;

    if (ctx != NULL
        && EVP_EncryptInit_ex(ctx, p->cipher, NULL, p->key, p->iv) == 1
        && EVP_CIPHER_CTX_set_padding(ctx, 0) == 1
        && EVP_EncryptUpdate(ctx, out, &n, block, (int) len) == 1
        && EVP_EncryptUpdate(ctx, out, &n, out, (int) len) == 1)
    {
        rc = NGX_OK;
    }

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();

    return rc;
}


void
ngx_scep_password_put(ngx_pki_der_writer_t *w, ngx_scep_password_t *p,
    ngx_str_t *oid, ngx_str_t *encrypted_key)
{
    size_t     info, algorithm, cipher;
    ngx_str_t  iv;

    iv.data = p->iv;
    iv.len = EVP_CIPHER_get_iv_length(p->cipher);

    info = ngx_pki_der_begin(w, ngx_pki_der_explicit(3));

    ngx_pki_der_put_uint(w, 0);
    ngx_scep_password_put_kdf(w, p);

    /* PWRI-KEK, RFC 3211, 2.3 */

    algorithm = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_pwri_kek);

    cipher = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &iv);
    ngx_pki_der_close(w, cipher);

    ngx_pki_der_close(w, algorithm);

    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, encrypted_key);

    ngx_pki_der_close(w, info);
}


/* PBKDF2-params, RFC 8018, A.2; the length of the key is that of the cipher */

static void
ngx_scep_password_put_kdf(ngx_pki_der_writer_t *w, ngx_scep_password_t *p)
{
    size_t     algorithm, params;
    ngx_str_t  salt;

    salt.data = p->salt;
    salt.len = sizeof(p->salt);

    algorithm = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_pbkdf2);

    params = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &salt);
    ngx_pki_der_put_uint(w, NGX_SCEP_PASSWORD_ITERATIONS);
    ngx_scep_cms_put_algorithm(w, &ngx_scep_oid_hmac_sha256);
    ngx_pki_der_close(w, params);

    ngx_pki_der_close(w, algorithm);
}

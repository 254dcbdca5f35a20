
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_seal.h"
#include "ngx_pki_der.h"

#include <openssl/rsa.h>


#define NGX_PKI_SEAL_VERSION      1
#define NGX_PKI_SEAL_KEY_LEN      32
#define NGX_PKI_SEAL_NONCE_LEN    12
#define NGX_PKI_SEAL_TAG_LEN      16

#define NGX_PKI_SEAL_MAX_NAME     512
#define NGX_PKI_SEAL_MAX_WRAPPED  1024
#define NGX_PKI_SEAL_MAX_LEN      8192


static ngx_int_t ngx_pki_seal_check(ngx_pki_seal_t *seal);
static ngx_int_t ngx_pki_seal_new_key(ngx_pool_t *pool, ngx_pki_key_t *key,
    ngx_pki_seal_t *seal, u_char *content_key);
static ngx_int_t ngx_pki_seal_private(EVP_PKEY *pkey, ngx_str_t *der);
static ngx_int_t ngx_pki_seal_encrypt(ngx_pool_t *pool, u_char *content_key,
    ngx_str_t *bound, ngx_str_t *plain, ngx_pki_seal_t *seal);
static void ngx_pki_seal_unwrap_handler(ngx_pki_key_job_t *unwrap);
static void ngx_pki_seal_opened(ngx_pki_seal_job_t *job, u_char *content_key);
static ngx_int_t ngx_pki_seal_decrypt(u_char *content_key, ngx_str_t *bound,
    ngx_pki_seal_t *seal, u_char *plain, int *len);
static EVP_PKEY *ngx_pki_seal_load(u_char *plain, int len);
static void ngx_pki_seal_done(ngx_pki_seal_job_t *job, ngx_int_t rc);


ngx_int_t
ngx_pki_seal_decode(ngx_str_t *der, ngx_pki_seal_t *seal)
{
    ngx_uint_t     version, method;
    ngx_pki_der_t  in, seq;

    ngx_memzero(seal, sizeof(ngx_pki_seal_t));
    ngx_pki_der_init(&in, der);

    if (der->len > NGX_PKI_SEAL_MAX_LEN
        || ngx_pki_der_enter(&in, NGX_PKI_DER_SEQUENCE, &seq) != NGX_OK
        || !ngx_pki_der_end(&in)
        || ngx_pki_der_get_uint(&seq, &version) != NGX_OK
        || version != NGX_PKI_SEAL_VERSION
        || ngx_pki_der_get_uint(&seq, &method) != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_UTF8_STRING, &seal->key_name)
           != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING, &seal->content_key)
           != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING, &seal->nonce)
           != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING, &seal->encrypted)
           != NGX_OK
        || !ngx_pki_der_end(&seq))
    {
        return NGX_ERROR;
    }

    seal->method = method;

    return ngx_pki_seal_check(seal);
}


static ngx_int_t
ngx_pki_seal_check(ngx_pki_seal_t *seal)
{
    if (seal->key_name.len == 0
        || seal->key_name.len > NGX_PKI_SEAL_MAX_NAME
        || seal->nonce.len != NGX_PKI_SEAL_NONCE_LEN
        || seal->encrypted.len <= NGX_PKI_SEAL_TAG_LEN)
    {
        return NGX_ERROR;
    }

    switch (seal->method) {

    case NGX_PKI_SEAL_WRAPPED:
        return (seal->content_key.len != 0
                && seal->content_key.len <= NGX_PKI_SEAL_MAX_WRAPPED)
               ? NGX_OK : NGX_ERROR;

    case NGX_PKI_SEAL_DERIVED:
        return (seal->content_key.len == NGX_PKI_SEAL_KEY_LEN)
               ? NGX_OK : NGX_ERROR;

    default:
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_pki_seal_encode(ngx_pool_t *pool, ngx_pki_seal_t *seal, ngx_str_t *der)
{
    size_t                mark;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, seal->key_name.len
                                          + seal->content_key.len
                                          + seal->encrypted.len + 64)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, NGX_PKI_SEAL_VERSION);
    ngx_pki_der_put_uint(&w, seal->method);
    ngx_pki_der_put(&w, NGX_PKI_DER_UTF8_STRING, &seal->key_name);
    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &seal->content_key);
    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &seal->nonce);
    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &seal->encrypted);

    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, der);
}


ngx_int_t
ngx_pki_seal(ngx_pool_t *pool, ngx_pki_key_t *key, ngx_str_t *name,
    ngx_str_t *bound, EVP_PKEY *pkey, ngx_str_t *der)
{
    u_char          content_key[NGX_PKI_SEAL_KEY_LEN];
    ngx_int_t       rc;
    ngx_str_t       plain;
    ngx_pki_seal_t  seal;

    /* nobody could tell later which key opens it */

    if (name->len == 0) {
        return NGX_ERROR;
    }

    seal.key_name = *name;

    rc = ngx_pki_seal_new_key(pool, key, &seal, content_key);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_pki_seal_private(pkey, &plain);

    if (rc == NGX_OK) {
        rc = ngx_pki_seal_encrypt(pool, content_key, bound, &plain, &seal);

        OPENSSL_clear_free(plain.data, plain.len);
    }

    OPENSSL_cleanse(content_key, sizeof(content_key));
    ERR_clear_error();

    return (rc == NGX_OK) ? ngx_pki_seal_encode(pool, &seal, der) : rc;
}


static ngx_int_t
ngx_pki_seal_new_key(ngx_pool_t *pool, ngx_pki_key_t *key,
    ngx_pki_seal_t *seal, u_char *content_key)
{
    ngx_int_t  rc;
    ngx_str_t  secret;

    if (key->spec.type == NGX_PKI_KEY_RSA) {
        seal->method = NGX_PKI_SEAL_WRAPPED;

        if (RAND_priv_bytes(content_key, NGX_PKI_SEAL_KEY_LEN) != 1) {
            ERR_clear_error();
            return NGX_ERROR;
        }

        secret.data = content_key;
        secret.len = NGX_PKI_SEAL_KEY_LEN;

        rc = ngx_pki_seal_wrap(pool, key->public_key, &secret,
                               &seal->content_key);

    } else {
        seal->method = NGX_PKI_SEAL_DERIVED;

        seal->content_key.len = NGX_PKI_SEAL_KEY_LEN;
        seal->content_key.data = ngx_pnalloc(pool, NGX_PKI_SEAL_KEY_LEN);

        if (seal->content_key.data == NULL
            || RAND_bytes(seal->content_key.data, NGX_PKI_SEAL_KEY_LEN) != 1)
        {
            ERR_clear_error();
            return NGX_ERROR;
        }

        rc = ngx_pki_key_derive(key, &seal->content_key, content_key,
                                NGX_PKI_SEAL_KEY_LEN);
    }

    if (rc != NGX_OK) {
        OPENSSL_cleanse(content_key, NGX_PKI_SEAL_KEY_LEN);
    }

    return rc;
}


ngx_int_t
ngx_pki_seal_wrap(ngx_pool_t *pool, EVP_PKEY *public_key, ngx_str_t *secret,
    ngx_str_t *out)
{
    ngx_int_t      rc;
    EVP_PKEY_CTX  *ctx;

    out->len = EVP_PKEY_get_size(public_key);
    out->data = ngx_pnalloc(pool, out->len);
    ctx = EVP_PKEY_CTX_new(public_key, NULL);

    rc = NGX_ERROR;

    if (out->data != NULL
        && ctx != NULL
        && EVP_PKEY_encrypt_init(ctx) == 1
        && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1
        && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1
        && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1
        && EVP_PKEY_encrypt(ctx, out->data, &out->len, secret->data,
                            secret->len)
           == 1)
    {
        rc = NGX_OK;
    }

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();

    return rc;
}


/* PKCS#8; to be freed by OPENSSL_clear_free() */

static ngx_int_t
ngx_pki_seal_private(EVP_PKEY *pkey, ngx_str_t *der)
{
    int                   len;
    u_char               *p;
    PKCS8_PRIV_KEY_INFO  *p8;

    p8 = EVP_PKEY2PKCS8(pkey);

    if (p8 == NULL) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    p = NULL;
    len = i2d_PKCS8_PRIV_KEY_INFO(p8, &p);

    PKCS8_PRIV_KEY_INFO_free(p8);

    if (len <= 0) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    der->data = p;
    der->len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_seal_encrypt(ngx_pool_t *pool, u_char *content_key, ngx_str_t *bound,
    ngx_str_t *plain, ngx_pki_seal_t *seal)
{
    int              len, last;
    u_char          *p;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    seal->nonce.len = NGX_PKI_SEAL_NONCE_LEN;
    seal->nonce.data = ngx_pnalloc(pool, NGX_PKI_SEAL_NONCE_LEN);

    seal->encrypted.len = plain->len + NGX_PKI_SEAL_TAG_LEN;
    seal->encrypted.data = ngx_pnalloc(pool, seal->encrypted.len);

    if (seal->nonce.data == NULL || seal->encrypted.data == NULL) {
        return NGX_ERROR;
    }

    p = seal->encrypted.data;
    ctx = EVP_CIPHER_CTX_new();

    rc = NGX_ERROR;

    if (ctx != NULL
        && RAND_bytes(seal->nonce.data, NGX_PKI_SEAL_NONCE_LEN) == 1
        && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, content_key,
                              seal->nonce.data)
           == 1
        && EVP_EncryptUpdate(ctx, NULL, &len, bound->data, (int) bound->len)
           == 1
        && EVP_EncryptUpdate(ctx, p, &len, plain->data, (int) plain->len) == 1
        && EVP_EncryptFinal_ex(ctx, p + len, &last) == 1
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, NGX_PKI_SEAL_TAG_LEN,
                               p + plain->len)
           == 1)
    {
        rc = NGX_OK;
    }

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


void
ngx_pki_seal_open(ngx_pki_seal_job_t *job)
{
    u_char              content_key[NGX_PKI_SEAL_KEY_LEN];
    ngx_int_t           rc;
    ngx_pki_key_job_t  *unwrap;

    job->pkey = NULL;

    if (job->seal.method == NGX_PKI_SEAL_DERIVED) {
        rc = ngx_pki_key_derive(job->key, &job->seal.content_key, content_key,
                                NGX_PKI_SEAL_KEY_LEN);
        if (rc != NGX_OK) {
            ngx_pki_seal_done(job, rc);
            return;
        }

        ngx_pki_seal_opened(job, content_key);
        return;
    }

    if (job->key->spec.type != NGX_PKI_KEY_RSA) {
        ngx_pki_seal_done(job, NGX_DECLINED);
        return;
    }

    unwrap = &job->unwrap;
    ngx_memzero(unwrap, sizeof(ngx_pki_key_job_t));

    unwrap->op = job->op;
    unwrap->key = job->key;
    unwrap->md = EVP_sha256();
    unwrap->input = job->seal.content_key;
    unwrap->handler = ngx_pki_seal_unwrap_handler;
    unwrap->data = job;

    ngx_pki_key_decrypt(unwrap);
}


static void
ngx_pki_seal_unwrap_handler(ngx_pki_key_job_t *unwrap)
{
    u_char               content_key[NGX_PKI_SEAL_KEY_LEN];
    ngx_pki_seal_job_t  *job;

    job = unwrap->data;

    if (unwrap->rc != NGX_OK) {
        ngx_pki_seal_done(job, unwrap->rc);
        return;
    }

    if (unwrap->output.len != NGX_PKI_SEAL_KEY_LEN) {
        OPENSSL_cleanse(unwrap->output.data, unwrap->output.len);
        ngx_pki_seal_done(job, NGX_DECLINED);
        return;
    }

    ngx_memcpy(content_key, unwrap->output.data, NGX_PKI_SEAL_KEY_LEN);
    OPENSSL_cleanse(unwrap->output.data, NGX_PKI_SEAL_KEY_LEN);

    ngx_pki_seal_opened(job, content_key);
}


/* the content key is cleansed */

static void
ngx_pki_seal_opened(ngx_pki_seal_job_t *job, u_char *content_key)
{
    int         len;
    u_char     *plain;
    size_t      size;
    ngx_int_t   rc;

    size = job->seal.encrypted.len;
    plain = ngx_pnalloc(job->op->pool, size);

    if (plain == NULL) {
        OPENSSL_cleanse(content_key, NGX_PKI_SEAL_KEY_LEN);
        ngx_pki_seal_done(job, NGX_ERROR);
        return;
    }

    rc = ngx_pki_seal_decrypt(content_key, &job->bound, &job->seal, plain,
                              &len);

    OPENSSL_cleanse(content_key, NGX_PKI_SEAL_KEY_LEN);

    if (rc == NGX_OK) {
        job->pkey = ngx_pki_seal_load(plain, len);

        if (job->pkey == NULL) {
            rc = NGX_DECLINED;
        }
    }

    OPENSSL_cleanse(plain, size);
    ERR_clear_error();

    ngx_pki_seal_done(job, rc);
}


static ngx_int_t
ngx_pki_seal_decrypt(u_char *content_key, ngx_str_t *bound,
    ngx_pki_seal_t *seal, u_char *plain, int *len)
{
    int              n, last;
    size_t           size;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();
    size = seal->encrypted.len - NGX_PKI_SEAL_TAG_LEN;

    if (ctx == NULL
        || EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, content_key,
                              seal->nonce.data)
           != 1
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, NGX_PKI_SEAL_TAG_LEN,
                               seal->encrypted.data + size)
           != 1)
    {
        EVP_CIPHER_CTX_free(ctx);
        return NGX_ERROR;
    }

    rc = NGX_DECLINED;

    if (EVP_DecryptUpdate(ctx, NULL, &n, bound->data, (int) bound->len) == 1
        && EVP_DecryptUpdate(ctx, plain, &n, seal->encrypted.data, (int) size)
           == 1
        && EVP_DecryptFinal_ex(ctx, plain + n, &last) == 1)
    {
        *len = n + last;
        rc = NGX_OK;
    }

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


static EVP_PKEY *
ngx_pki_seal_load(u_char *plain, int len)
{
    EVP_PKEY             *pkey;
    const u_char         *p;
    PKCS8_PRIV_KEY_INFO  *p8;

    p = plain;
    p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, len);

    if (p8 == NULL) {
        return NULL;
    }

    pkey = (p == plain + len) ? EVP_PKCS82PKEY(p8) : NULL;

    PKCS8_PRIV_KEY_INFO_free(p8);

    return pkey;
}


static void
ngx_pki_seal_done(ngx_pki_seal_job_t *job, ngx_int_t rc)
{
    job->rc = rc;

    job->handler(job);
}

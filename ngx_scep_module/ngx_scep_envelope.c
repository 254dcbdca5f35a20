
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_envelope.h"

#include <openssl/hmac.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>


typedef struct {
    const char                *name;
    ngx_str_t                  oid;
    size_t                     iv_len;
} ngx_scep_cipher_name_t;


typedef struct {
    OSSL_LIB_CTX              *ctx;
    OSSL_PROVIDER             *provider;
} ngx_scep_legacy_t;


static ngx_int_t ngx_scep_ciphers_legacy(ngx_pool_t *pool,
    ngx_scep_ciphers_t *ciphers);
static ngx_int_t ngx_scep_envelope_wrap(ngx_pool_t *pool,
    ngx_scep_seal_t *seal, ngx_str_t *key, ngx_str_t *out);
static ngx_int_t ngx_scep_envelope_wrap_rsa(ngx_pool_t *pool,
    ngx_scep_seal_t *seal, ngx_str_t *key, ngx_str_t *out);
static ngx_int_t ngx_scep_envelope_wrap_init(EVP_PKEY_CTX *ctx,
    ngx_scep_seal_t *seal);
static ngx_int_t ngx_scep_envelope_encrypt(ngx_pool_t *pool,
    EVP_CIPHER *cipher, u_char *key, u_char *iv, ngx_str_t *content,
    ngx_str_t *out);
static void ngx_scep_envelope_put_recipient(ngx_pki_der_writer_t *w,
    ngx_scep_seal_t *seal, ngx_str_t *encrypted_key);
static void ngx_scep_envelope_put_oaep(ngx_pki_der_writer_t *w,
    ngx_scep_seal_t *seal);
static void ngx_scep_envelope_put_content(ngx_pki_der_writer_t *w,
    ngx_scep_cipher_e cipher, ngx_str_t *iv, ngx_str_t *encrypted);
static void ngx_scep_ciphers_cleanup(void *data);
static void ngx_scep_legacy_cleanup(void *data);


static ngx_scep_cipher_name_t  ngx_scep_cipher_names[NGX_SCEP_CIPHERS] = {

    { "AES-128-CBC", ngx_string("\x60\x86\x48\x01\x65\x03\x04\x01\x02"), 16 },
    { "AES-192-CBC", ngx_string("\x60\x86\x48\x01\x65\x03\x04\x01\x16"), 16 },
    { "AES-256-CBC", ngx_string("\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), 16 },
    { "DES-EDE3-CBC", ngx_string("\x2a\x86\x48\x86\xf7\x0d\x03\x07"), 8 },
    { "DES-CBC", ngx_string("\x2b\x0e\x03\x02\x07"), 8 }
};


ngx_int_t
ngx_scep_ciphers_init(ngx_pool_t *pool, ngx_scep_ciphers_t *ciphers,
    ngx_uint_t des, const char **error)
{
    ngx_uint_t           i;
    OSSL_LIB_CTX        *ctx;
    ngx_pool_cleanup_t  *cln;

    ngx_memzero(ciphers, sizeof(ngx_scep_ciphers_t));

    if (des && ngx_scep_ciphers_legacy(pool, ciphers) != NGX_OK) {
        *error = "legacy provider";
        return NGX_ERROR;
    }

    /* added last, run first: before the legacy provider goes */

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        *error = "memory";
        return NGX_ERROR;
    }

    cln->handler = ngx_scep_ciphers_cleanup;
    cln->data = ciphers;

    for (i = 0; i < NGX_SCEP_CIPHERS; i++) {

        if (i == NGX_SCEP_DES_CBC && !des) {
            continue;
        }

        ctx = (i == NGX_SCEP_DES_CBC) ? ciphers->legacy : NULL;

        ciphers->cipher[i] = EVP_CIPHER_fetch(ctx,
                                              ngx_scep_cipher_names[i].name,
                                              NULL);

        if (ciphers->cipher[i] == NULL) {
            ERR_clear_error();
            *error = ngx_scep_cipher_names[i].name;
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_ciphers_legacy(ngx_pool_t *pool, ngx_scep_ciphers_t *ciphers)
{
    ngx_scep_legacy_t   *legacy;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_scep_legacy_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    legacy = cln->data;
    legacy->provider = NULL;
    legacy->ctx = OSSL_LIB_CTX_new();

    cln->handler = ngx_scep_legacy_cleanup;

    if (legacy->ctx == NULL) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    legacy->provider = OSSL_PROVIDER_load(legacy->ctx, "legacy");

    if (legacy->provider == NULL) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    ciphers->legacy = legacy->ctx;

    return NGX_OK;
}


ngx_scep_cipher_e
ngx_scep_cipher_find(ngx_str_t *oid, ngx_str_t *iv)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_SCEP_CIPHERS; i++) {
        if (ngx_scep_str_eq(oid, &ngx_scep_cipher_names[i].oid)
            && iv->len == ngx_scep_cipher_names[i].iv_len)
        {
            break;
        }
    }

    return i;
}


/* The substitute is always computed: the time it takes shall tell nothing. */

ngx_int_t
ngx_scep_envelope_key(ngx_str_t *secret, ngx_str_t *encrypted_key,
    ngx_str_t *unwrapped, u_char *key, size_t len)
{
    u_char        buf[EVP_MAX_MD_SIZE];
    u_char       *from;
    unsigned int  n;

    if (HMAC(EVP_sha256(), secret->data, (int) secret->len,
             encrypted_key->data, encrypted_key->len, buf, &n)
        == NULL
        || n < len)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    from = (unwrapped->len == len) ? unwrapped->data : buf;
    ngx_memcpy(key, from, len);

    OPENSSL_cleanse(buf, sizeof(buf));

    return NGX_OK;
}


ngx_int_t
ngx_scep_envelope_open(ngx_pool_t *pool, EVP_CIPHER *cipher,
    ngx_scep_message_t *m, u_char *key, ngx_str_t *out)
{
    int              len, last;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    out->len = m->encrypted.len;
    out->data = ngx_pnalloc(pool, m->encrypted.len + NGX_SCEP_MAX_IV_LEN);
    ctx = EVP_CIPHER_CTX_new();

    if (out->data == NULL
        || ctx == NULL
        || EVP_DecryptInit_ex(ctx, cipher, NULL, key, m->iv.data) != 1)
    {
        EVP_CIPHER_CTX_free(ctx);
        ERR_clear_error();
        return NGX_ERROR;
    }

    rc = NGX_DECLINED;

    if (EVP_DecryptUpdate(ctx, out->data, &len, m->encrypted.data,
                          (int) m->encrypted.len)
        == 1
        && EVP_DecryptFinal_ex(ctx, out->data + len, &last) == 1)
    {
        out->len = len + last;
        rc = NGX_OK;
    }

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();

    return rc;
}


ngx_int_t
ngx_scep_envelope_seal(ngx_pool_t *pool, ngx_scep_ciphers_t *ciphers,
    ngx_scep_seal_t *seal, ngx_str_t *content, ngx_str_t *out)
{
    u_char                key_data[NGX_SCEP_MAX_KEY_LEN];
    u_char                iv_data[NGX_SCEP_MAX_IV_LEN];
    size_t                info, wrapper, data, mark;
    ngx_int_t             rc;
    ngx_str_t             key, iv, encrypted_key, encrypted;
    EVP_CIPHER           *cipher;
    ngx_pki_der_writer_t  w;

    cipher = ciphers->cipher[seal->cipher];

    key.data = key_data;
    key.len = EVP_CIPHER_get_key_length(cipher);
    iv.data = iv_data;
    iv.len = EVP_CIPHER_get_iv_length(cipher);

    if (RAND_priv_bytes(key_data, sizeof(key_data)) != 1
        || RAND_bytes(iv_data, sizeof(iv_data)) != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    rc = ngx_scep_envelope_wrap(pool, seal, &key, &encrypted_key);

    if (rc == NGX_OK) {
        rc = ngx_scep_envelope_encrypt(pool, cipher, key_data, iv_data,
                                       content, &encrypted);
    }

    OPENSSL_cleanse(key_data, sizeof(key_data));

    if (rc != NGX_OK
        || ngx_pki_der_writer_init(&w, pool, encrypted.len + 1024) != NGX_OK)
    {
        return NGX_ERROR;
    }

    info = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_enveloped_data);
    wrapper = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    data = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    /* 3 with a password, RFC 5652, 6.1 */

    ngx_pki_der_put_uint(&w, seal->password != NULL ? 3 : 0);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_scep_envelope_put_recipient(&w, seal, &encrypted_key);
    ngx_pki_der_close(&w, mark);

    ngx_scep_envelope_put_content(&w, seal->cipher, &iv, &encrypted);

    ngx_pki_der_close(&w, data);
    ngx_pki_der_close(&w, wrapper);
    ngx_pki_der_close(&w, info);

    return ngx_pki_der_finish(&w, out);
}


static ngx_int_t
ngx_scep_envelope_wrap(ngx_pool_t *pool, ngx_scep_seal_t *seal,
    ngx_str_t *key, ngx_str_t *out)
{
    if (seal->password != NULL) {
        return ngx_scep_password_wrap(pool, seal->password, key, out);
    }

    return ngx_scep_envelope_wrap_rsa(pool, seal, key, out);
}


static ngx_int_t
ngx_scep_envelope_wrap_rsa(ngx_pool_t *pool, ngx_scep_seal_t *seal,
    ngx_str_t *key, ngx_str_t *out)
{
    ngx_int_t      rc;
    EVP_PKEY_CTX  *ctx;

    out->len = EVP_PKEY_get_size(seal->key);
    out->data = ngx_pnalloc(pool, out->len);

    ctx = ngx_pki_key_ctx_reuse(seal->ctx, seal->key);

    rc = NGX_OK;

    if (out->data == NULL
        || ctx == NULL
        || ngx_scep_envelope_wrap_init(ctx, seal) != NGX_OK
        || EVP_PKEY_encrypt(ctx, out->data, &out->len, key->data, key->len)
           != 1)
    {
        rc = NGX_ERROR;
    }

    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_scep_envelope_wrap_init(EVP_PKEY_CTX *ctx, ngx_scep_seal_t *seal)
{
    if (EVP_PKEY_encrypt_init(ctx) != 1) {
        return NGX_ERROR;
    }

    if (seal->oaep == NULL) {
        return (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1)
               ? NGX_OK : NGX_ERROR;
    }

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_oaep_md(ctx, seal->oaep) != 1
        || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, seal->mgf1) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_envelope_encrypt(ngx_pool_t *pool, EVP_CIPHER *cipher, u_char *key,
    u_char *iv, ngx_str_t *content, ngx_str_t *out)
{
    int              len, last;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    out->data = ngx_pnalloc(pool, content->len + NGX_SCEP_MAX_IV_LEN);
    ctx = EVP_CIPHER_CTX_new();

    rc = NGX_ERROR;

    if (out->data != NULL
        && ctx != NULL
        && EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv) == 1
        && EVP_EncryptUpdate(ctx, out->data, &len, content->data,
                             (int) content->len)
           == 1
        && EVP_EncryptFinal_ex(ctx, out->data + len, &last) == 1)
    {
        out->len = len + last;
        rc = NGX_OK;
    }

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();

    return rc;
}


/* KeyTransRecipientInfo, RFC 5652, 6.2.1, or PasswordRecipientInfo */

static void
ngx_scep_envelope_put_recipient(ngx_pki_der_writer_t *w,
    ngx_scep_seal_t *seal, ngx_str_t *encrypted_key)
{
    size_t  mark;

    if (seal->password != NULL) {
        ngx_scep_password_put(w, seal->password,
                              &ngx_scep_cipher_names[seal->cipher].oid,
                              encrypted_key);
        return;
    }

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(w, 0);
    ngx_scep_cms_put_id(w, &seal->recipient->id);

    if (seal->oaep != NULL) {
        ngx_scep_envelope_put_oaep(w, seal);

    } else {
        ngx_scep_cms_put_algorithm(w, &ngx_scep_oid_rsa);
    }

    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, encrypted_key);

    ngx_pki_der_close(w, mark);
}


/* id-RSAES-OAEP with its parameters, RFC 4055, 4.1 */

static void
ngx_scep_envelope_put_oaep(ngx_pki_der_writer_t *w, ngx_scep_seal_t *seal)
{
    size_t  algorithm, params, field, mgf;

    algorithm = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_oaep);
    params = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    /* DER leaves defaults out, and SHA-1 is the default of both */

    if (!ngx_scep_str_eq(seal->oaep_oid, &ngx_scep_oid_sha1)) {
        field = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
        ngx_scep_cms_put_algorithm(w, seal->oaep_oid);
        ngx_pki_der_close(w, field);
    }

    if (!ngx_scep_str_eq(seal->mgf1_oid, &ngx_scep_oid_sha1)) {
        field = ngx_pki_der_begin(w, ngx_pki_der_explicit(1));
        mgf = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
        ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_mgf1);
        ngx_scep_cms_put_algorithm(w, seal->mgf1_oid);
        ngx_pki_der_close(w, mgf);
        ngx_pki_der_close(w, field);
    }

    ngx_pki_der_close(w, params);
    ngx_pki_der_close(w, algorithm);
}


/* EncryptedContentInfo, RFC 5652, 6.1 */

static void
ngx_scep_envelope_put_content(ngx_pki_der_writer_t *w,
    ngx_scep_cipher_e cipher, ngx_str_t *iv, ngx_str_t *encrypted)
{
    size_t  mark, algorithm;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_data);

    algorithm = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_cipher_names[cipher].oid);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, iv);
    ngx_pki_der_close(w, algorithm);

    ngx_pki_der_put(w, ngx_pki_der_context(0), encrypted);

    ngx_pki_der_close(w, mark);
}


static void
ngx_scep_ciphers_cleanup(void *data)
{
    ngx_scep_ciphers_t *ciphers = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_SCEP_CIPHERS; i++) {
        EVP_CIPHER_free(ciphers->cipher[i]);
    }
}


static void
ngx_scep_legacy_cleanup(void *data)
{
    ngx_scep_legacy_t *legacy = data;

    if (legacy->provider != NULL) {
        (void) OSSL_PROVIDER_unload(legacy->provider);
    }

    OSSL_LIB_CTX_free(legacy->ctx);
}

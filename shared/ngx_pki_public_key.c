
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_public_key.h"

#include <openssl/core_names.h>
#include <openssl/params.h>


#define NGX_PKI_PUBLIC_KEY_MAX  2048         /* octets of a modulus */


static EVP_PKEY *ngx_pki_public_key_rsa(ngx_pki_spki_t *spki,
    EVP_PKEY_CTX **ctx);
static EVP_PKEY *ngx_pki_public_key_ec(ngx_pki_spki_t *spki);
static EVP_PKEY *ngx_pki_public_key_from(const char *type,
    EVP_PKEY_CTX **ctx, OSSL_PARAM *params);
static EVP_PKEY_CTX *ngx_pki_public_key_ctx(const char *type);


EVP_PKEY *
ngx_pki_public_key(ngx_pki_spki_t *spki, EVP_PKEY_CTX **rsa)
{
    EVP_PKEY  *pkey;

    switch (spki->key.type) {

    case NGX_PKI_KEY_RSA:
        pkey = ngx_pki_public_key_rsa(spki, rsa);
        break;

    case NGX_PKI_KEY_EC:
        pkey = ngx_pki_public_key_ec(spki);
        break;

    case NGX_PKI_KEY_ED25519:
        pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                           spki->public_key.data,
                                           spki->public_key.len);
        break;

    default:
        pkey = NULL;
        break;
    }

    ERR_clear_error();

    return pkey;
}


static EVP_PKEY *
ngx_pki_public_key_rsa(ngx_pki_spki_t *spki, EVP_PKEY_CTX **ctx)
{
    u_char       n[NGX_PKI_PUBLIC_KEY_MAX];
    size_t       i, len;
    uint64_t     e;
    OSSL_PARAM   params[3];

    len = spki->modulus.len;

    if (len > NGX_PKI_PUBLIC_KEY_MAX || spki->exponent == 0) {
        return NULL;
    }

    /* OSSL_PARAM wants the order of octets of this machine */

    for (i = 0; i < len; i++) {
#if (NGX_HAVE_LITTLE_ENDIAN)
        n[i] = spki->modulus.data[len - 1 - i];
#else
        n[i] = spki->modulus.data[i];
#endif
    }

    e = spki->exponent;

    params[0] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, len);
    params[1] = OSSL_PARAM_construct_uint64(OSSL_PKEY_PARAM_RSA_E, &e);
    params[2] = OSSL_PARAM_construct_end();

    return ngx_pki_public_key_from("RSA", ctx, params);
}


static EVP_PKEY *
ngx_pki_public_key_ec(ngx_pki_spki_t *spki)
{
    char        *group;
    OSSL_PARAM   params[3];

    group = (char *) OBJ_nid2sn(spki->key.nid);

    /* a point that is not on the curve is refused */

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  spki->public_key.data,
                                                  spki->public_key.len);
    params[2] = OSSL_PARAM_construct_end();

    return ngx_pki_public_key_from("EC", NULL, params);
}


static EVP_PKEY *
ngx_pki_public_key_from(const char *type, EVP_PKEY_CTX **ctx,
    OSSL_PARAM *params)
{
    EVP_PKEY      *pkey;
    EVP_PKEY_CTX  *once;

    once = NULL;
    pkey = NULL;

    if (ctx == NULL) {
        ctx = &once;
    }

    if (*ctx == NULL) {
        *ctx = ngx_pki_public_key_ctx(type);
    }

    if (*ctx == NULL
        || EVP_PKEY_fromdata(*ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(once);

    return pkey;
}


static EVP_PKEY_CTX *
ngx_pki_public_key_ctx(const char *type)
{
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}

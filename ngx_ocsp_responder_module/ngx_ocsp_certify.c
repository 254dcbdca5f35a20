
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_certify.h"


#define NGX_OCSP_CERTIFY_POOL_SIZE  4096


static ngx_int_t ngx_ocsp_certify_name(ngx_ocsp_responder_t *responder,
    X509 *x509);
static uint64_t ngx_ocsp_certify_id(u_char *fingerprint);


ngx_ocsp_responder_t *
ngx_ocsp_certify_create(ngx_log_t *log)
{
    ngx_pool_t            *pool;
    ngx_ocsp_responder_t  *responder;

    pool = ngx_create_pool(NGX_OCSP_CERTIFY_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    responder = ngx_pcalloc(pool, sizeof(ngx_ocsp_responder_t));

    if (responder == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    responder->pool = pool;
    responder->count = 1;

    return responder;
}


ngx_int_t
ngx_ocsp_certify(ngx_ocsp_responder_t *responder, ngx_pki_key_t *key,
    X509 *x509, ngx_str_t *der)
{
    u_char        fingerprint[EVP_MAX_MD_SIZE];
    unsigned int  len;

    if (EVP_Digest(der->data, der->len, fingerprint, &len, EVP_sha256(), NULL)
        != 1
        || X509_pubkey_digest(x509, EVP_sha1(), responder->key_hash, &len)
           != 1
        || ngx_ocsp_certify_name(responder, x509) != NGX_OK)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    responder->id = ngx_ocsp_certify_id(fingerprint);
    responder->key = key;
    responder->certificate = *der;

    responder->md = ngx_pki_key_curve_md(&key->spec);
    responder->algorithm = ngx_pki_key_algorithm(key->spec.type,
                                                 responder->md, 0);

    return (responder->algorithm == NULL) ? NGX_ERROR : NGX_OK;
}


ngx_ocsp_responder_t *
ngx_ocsp_certify_authority(ngx_pki_authority_t *a, ngx_log_t *log)
{
    ngx_ocsp_responder_t  *responder;

    responder = ngx_ocsp_certify_create(log);
    if (responder == NULL) {
        return NULL;
    }

    responder->id = ngx_ocsp_certify_id(a->fingerprint);
    responder->key = a->key;
    responder->md = a->md;
    responder->pss = a->pss;
    responder->algorithm = ngx_pki_key_algorithm(a->key->spec.type, a->md,
                                                 a->pss);
    responder->name = a->issuer;

    /* whoever asks has it, but Apache and FreeRADIUS do not look there */

    responder->certificate = a->der;

    ngx_memcpy(responder->key_hash, a->hash[NGX_PKI_HASH_SHA1].key.data,
               NGX_OCSP_KEY_HASH_LEN);

    responder->not_before = a->not_before;
    responder->not_after = a->not_after;
    responder->renew_at = a->not_after;

    if (responder->algorithm == NULL) {
        ngx_destroy_pool(responder->pool);
        return NULL;
    }

    return responder;
}


/* as it is encoded in the certificate */

static ngx_int_t
ngx_ocsp_certify_name(ngx_ocsp_responder_t *responder, X509 *x509)
{
    size_t         len;
    const u_char  *p;

    if (X509_NAME_get0_der(X509_get_subject_name(x509), &p, &len) != 1) {
        return NGX_ERROR;
    }

    responder->name.data = ngx_pnalloc(responder->pool, len);
    if (responder->name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(responder->name.data, p, len);
    responder->name.len = len;

    return NGX_OK;
}


static uint64_t
ngx_ocsp_certify_id(u_char *fingerprint)
{
    uint64_t    id;
    ngx_uint_t  i;

    id = 0;

    for (i = 0; i < sizeof(uint64_t); i++) {
        id = id << 8 | fingerprint[i];
    }

    return id;
}

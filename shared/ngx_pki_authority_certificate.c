
/*
 * Copyright (C) the ngx_pki authors
 *
 * How a certificate becomes that of an authority: at configuration time from
 * a file, later in a worker from Redis.
 */


#include "ngx_pki_authority.h"
#include "ngx_pki_ca.h"
#include "ngx_pki_md.h"

#include <openssl/x509v3.h>


static const char *ngx_pki_authority_check_ca(X509 *x509);
static const char *ngx_pki_authority_check_key(ngx_pki_authority_t *a,
    X509 *x509, ngx_pki_key_spec_t *spec);
static ngx_int_t ngx_pki_authority_pin(ngx_pki_authority_t *a,
    ngx_pool_t *pool, X509 *x509);
static void ngx_pki_authority_certificate_cleanup(void *data);


const char *
ngx_pki_authority_take(ngx_pki_authority_t *a, ngx_pool_t *pool, X509 *x509)
{
    const char          *error;
    ngx_pki_key_spec_t   spec;
    ngx_pool_cleanup_t  *cln;

    /* one that is refused, perhaps again and again, leaves nothing behind */

    error = ngx_pki_authority_check_ca(x509);

    if (error == NULL) {
        error = ngx_pki_authority_check_key(a, x509, &spec);
    }

    if (error == NULL) {
        error = ngx_pki_authority_digest(a, &spec);
    }

    ERR_clear_error();

    if (error != NULL) {
        X509_free(x509);
        return error;
    }

    cln = ngx_pool_cleanup_add(pool, 0);

    if (cln == NULL) {
        X509_free(x509);
        return "cannot be used: out of memory";
    }

    cln->handler = ngx_pki_authority_certificate_cleanup;
    cln->data = x509;

    if (ngx_pki_authority_pin(a, pool, x509) != NGX_OK
        || ngx_pki_ca_der(pool, x509, &a->der) != NGX_OK
        || ngx_pki_ca_prepare(pool, a, x509) != NGX_OK)
    {
        return "cannot be used";
    }

    a->certificate = x509;

    return NULL;
}


static const char *
ngx_pki_authority_check_ca(X509 *x509)
{
    uint32_t  usage;

    usage = X509_get_key_usage(x509);

    if (!(X509_get_extension_flags(x509) & EXFLAG_CA)) {
        return "is not that of a CA (basicConstraints CA:TRUE)";
    }

    if ((usage & (X509v3_KU_KEY_CERT_SIGN|X509v3_KU_CRL_SIGN))
        != (X509v3_KU_KEY_CERT_SIGN|X509v3_KU_CRL_SIGN))
    {
        return "lacks the key usages keyCertSign and cRLSign";
    }

    if (X509_get0_subject_key_id(x509) == NULL) {
        return "has no subjectKeyIdentifier";
    }

    return NULL;
}


/* the key of a vault is compared later, with what the vault says */

static const char *
ngx_pki_authority_check_key(ngx_pki_authority_t *a, X509 *x509,
    ngx_pki_key_spec_t *spec)
{
    EVP_PKEY  *pkey;

    pkey = X509_get0_pubkey(x509);

    if (pkey == NULL
        || ngx_pki_key_describe(pkey, spec) != NGX_OK
        || spec->type == NGX_PKI_KEY_ED25519)
    {
        return "has a key that is neither RSA nor EC on P-256, P-384 or P-521";
    }

    if (a->vault == NULL && EVP_PKEY_eq(pkey, a->key->public_key) != 1) {
        return "does not belong to the key";
    }

    return NULL;
}


/*
 * A vault's key is not known yet, or is one that this node has made while
 * another node's became that of the authority.
 */

static ngx_int_t
ngx_pki_authority_pin(ngx_pki_authority_t *a, ngx_pool_t *pool, X509 *x509)
{
    EVP_PKEY             *pkey;
    ngx_pki_vault_key_t   vk;

    pkey = X509_get0_pubkey(x509);

    if (a->key->public_key != NULL
        && EVP_PKEY_eq(pkey, a->key->public_key) == 1)
    {
        return NGX_OK;
    }

    ERR_clear_error();

    ngx_memzero(&vk, sizeof(ngx_pki_vault_key_t));

    if (ngx_pki_vault_parse(pool, &a->vault->text, &vk) != NULL) {
        return NGX_ERROR;
    }

    return ngx_pki_key_vault_pin(a->key, pool, pkey, &vk.version);
}


const char *
ngx_pki_authority_digest(ngx_pki_authority_t *a, ngx_pki_key_spec_t *spec)
{
    if (a->pss && spec->type != NGX_PKI_KEY_RSA) {
        return "has no RSA key, which \"pss\" of \"signature_digest\" needs";
    }

    if (a->md == NULL) {
        a->md = a->key->remote ? ngx_pki_key_curve_md(spec)
                               : ngx_pki_md(NID_sha256);
    }

    if (a->key->remote && !ngx_pki_key_takes(spec, a->md)) {
        return "has a curve with which a vault signs its own digest only: "
               "P-256 sha256, P-384 sha384, P-521 sha512; "
               "\"signature_digest\" says another";
    }

    return NULL;
}


static void
ngx_pki_authority_certificate_cleanup(void *data)
{
    X509_free(data);
}


/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_request_signature.h"
#include "ngx_pki_der.h"

#include <openssl/asn1t.h>
#include <openssl/x509v3.h>


/* what OpenSSL calls security level 2: RSA of 2048 bits, SHA-224 */

#define NGX_OCSP_REQUEST_LEVEL  2

/* certificates between that of the signer and a trusted one */

#define NGX_OCSP_REQUEST_DEPTH  3

/* octets before the content of a short element */

#define NGX_OCSP_REQUEST_HEADER  2


/* RFC 6960, 4.1.1 */

typedef struct {
    X509_ALGOR                *algorithm;
    ASN1_BIT_STRING           *octets;
    STACK_OF(X509)            *certificates;
} ngx_ocsp_signature_t;


static const char *ngx_ocsp_request_verify_by(ngx_ocsp_request_t *req,
    ngx_ocsp_signature_t *signature, STACK_OF(X509) *trusted, time_t now,
    X509_STORE_CTX *ctx);
static ngx_uint_t ngx_ocsp_request_verify_is_strong(X509_ALGOR *algorithm);
static X509 *ngx_ocsp_request_verify_find(ngx_ocsp_request_t *req,
    STACK_OF(X509) *certificates, STACK_OF(X509) *trusted);
static const char *ngx_ocsp_request_verify_chain(X509 *x509,
    STACK_OF(X509) *certificates, STACK_OF(X509) *trusted, time_t now,
    X509_STORE_CTX *ctx);
static ngx_uint_t ngx_ocsp_request_verify_octets(ngx_ocsp_request_t *req,
    ngx_ocsp_signature_t *signature, X509 *x509);
static ngx_int_t ngx_ocsp_request_verify_issuer(X509_STORE_CTX *ctx,
    ngx_ocsp_trust_t *trust, ngx_ocsp_request_signer_t *signer);


ASN1_SEQUENCE(ngx_ocsp_signature_t) = {
    ASN1_SIMPLE(ngx_ocsp_signature_t, algorithm, X509_ALGOR),
    ASN1_SIMPLE(ngx_ocsp_signature_t, octets, ASN1_BIT_STRING),
    ASN1_EXP_SEQUENCE_OF_OPT(ngx_ocsp_signature_t, certificates, X509, 0)
} static_ASN1_SEQUENCE_END(ngx_ocsp_signature_t)


/* what is not here is weak, or nobody's */

static int  ngx_ocsp_request_algorithms[] = {
    NID_sha256WithRSAEncryption,
    NID_sha384WithRSAEncryption,
    NID_sha512WithRSAEncryption,
    NID_ecdsa_with_SHA256,
    NID_ecdsa_with_SHA384,
    NID_ecdsa_with_SHA512,
    NID_ED25519,
    NID_ED448,
    NID_undef
};


ngx_int_t
ngx_ocsp_request_verify(ngx_ocsp_request_t *req, ngx_ocsp_trust_t *trust,
    time_t now, ngx_log_t *log, ngx_ocsp_request_signer_t *signer)
{
    ngx_int_t              rc;
    const char            *why;
    const u_char          *p;
    X509_STORE_CTX        *ctx;
    STACK_OF(X509)        *trusted;
    ngx_ocsp_signature_t  *signature;

    p = req->signature.data;

    signature = (ngx_ocsp_signature_t *) ASN1_item_d2i(NULL, &p,
                                      (long) req->signature.len,
                                      ASN1_ITEM_rptr(ngx_ocsp_signature_t));
    trusted = ngx_ocsp_trust_gather(trust);
    ctx = X509_STORE_CTX_new();

    if (trusted == NULL || ctx == NULL) {
        rc = NGX_ERROR;
        goto done;
    }

    why = (signature == NULL) ? "it cannot be decoded"
                              : ngx_ocsp_request_verify_by(req, signature,
                                                           trusted, now, ctx);
    if (why == NULL) {
        rc = ngx_ocsp_request_verify_issuer(ctx, trust, signer);
        goto done;
    }

    ngx_log_error(NGX_LOG_INFO, log, 0,
                  "signature of an OCSP request is refused: %s", why);

    rc = ngx_ocsp_trust_is_immature(trust) ? NGX_AGAIN : NGX_DECLINED;

done:

    X509_STORE_CTX_free(ctx);
    sk_X509_free(trusted);
    ASN1_item_free((ASN1_VALUE *) signature,
                   ASN1_ITEM_rptr(ngx_ocsp_signature_t));
    ERR_clear_error();

    return rc;
}


/*
 * NULL, or what is wrong.  The chain comes first: what is computed then is by
 * keys that somebody trusted has signed for.
 */

static const char *
ngx_ocsp_request_verify_by(ngx_ocsp_request_t *req,
    ngx_ocsp_signature_t *signature, STACK_OF(X509) *trusted, time_t now,
    X509_STORE_CTX *ctx)
{
    X509        *x509;
    const char  *why;

    if (!ngx_ocsp_request_verify_is_strong(signature->algorithm)) {
        return "its algorithm is weak or unknown";
    }

    x509 = ngx_ocsp_request_verify_find(req, signature->certificates, trusted);

    if (x509 == NULL) {
        return "no certificate of the requestor";
    }

    if (!(X509_get_key_usage(x509) & (KU_DIGITAL_SIGNATURE
                                      |KU_NON_REPUDIATION)))
    {
        return "the requestor's certificate is not for signatures";
    }

    why = ngx_ocsp_request_verify_chain(x509, signature->certificates, trusted,
                                        now, ctx);

    if (why != NULL) {
        return why;
    }

    if (!ngx_ocsp_request_verify_octets(req, signature, x509)) {
        return "it is wrong";
    }

    return NULL;
}


static ngx_uint_t
ngx_ocsp_request_verify_is_strong(X509_ALGOR *algorithm)
{
    int   nid;
    int  *known;

    nid = OBJ_obj2nid(algorithm->algorithm);

    for (known = ngx_ocsp_request_algorithms; *known != NID_undef; known++) {
        if (*known == nid) {
            return 1;
        }
    }

    return 0;
}


/*
 * The requestor's name says who signed, if it is one that certificates have;
 * its certificate need not come along then if it is trusted itself.
 */

static X509 *
ngx_ocsp_request_verify_find(ngx_ocsp_request_t *req,
    STACK_OF(X509) *certificates, STACK_OF(X509) *trusted)
{
    X509          *x509;
    ngx_str_t      content;
    X509_NAME     *name;
    const u_char  *p;
    ngx_pki_der_t  der;

    if (req->requestor.len == 0) {
        return sk_X509_value(certificates, 0);
    }

    ngx_pki_der_init(&der, &req->requestor);

    /* directoryName, RFC 5280, 4.2.1.6 */

    if (ngx_pki_der_get(&der, ngx_pki_der_explicit(4), &content) != NGX_OK) {
        return sk_X509_value(certificates, 0);
    }

    p = content.data;
    name = d2i_X509_NAME(NULL, &p, (long) content.len);

    if (name == NULL) {
        return NULL;
    }

    x509 = X509_find_by_subject(certificates, name);

    if (x509 == NULL) {
        x509 = X509_find_by_subject(trusted, name);
    }

    X509_NAME_free(name);

    return x509;
}


static const char *
ngx_ocsp_request_verify_chain(X509 *x509, STACK_OF(X509) *certificates,
    STACK_OF(X509) *trusted, time_t now, X509_STORE_CTX *ctx)
{
    X509_VERIFY_PARAM  *param;

    if (X509_STORE_CTX_init(ctx, NULL, x509, certificates) != 1) {
        return "out of memory";
    }

    X509_STORE_CTX_set0_trusted_stack(ctx, trusted);

    /* an authority may be below another one, and ends the chain all the same */

    param = X509_STORE_CTX_get0_param(ctx);

    if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1) {
        return "out of memory";
    }

    X509_VERIFY_PARAM_set_auth_level(param, NGX_OCSP_REQUEST_LEVEL);
    X509_VERIFY_PARAM_set_depth(param, NGX_OCSP_REQUEST_DEPTH);
    X509_VERIFY_PARAM_set_time(param, now);

    if (X509_verify_cert(ctx) != 1) {
        return X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    }

    return NULL;
}


/* over the TBSRequest as it came: encoded again it might be another one */

static ngx_uint_t
ngx_ocsp_request_verify_octets(ngx_ocsp_request_t *req,
    ngx_ocsp_signature_t *signature, X509 *x509)
{
    int            n;
    EVP_PKEY      *pkey;
    ASN1_TYPE     *tbs;
    const u_char  *p;

    pkey = X509_get0_pubkey(x509);

    if (pkey == NULL) {
        return 0;
    }

    p = req->tbs.data;
    tbs = d2i_ASN1_TYPE(NULL, &p, (long) req->tbs.len);

    if (tbs == NULL) {
        return 0;
    }

    n = ASN1_item_verify(ASN1_ITEM_rptr(ASN1_ANY), signature->algorithm,
                         signature->octets, tbs, pkey);

    ASN1_TYPE_free(tbs);

    return n == 1;
}


static ngx_int_t
ngx_ocsp_request_verify_issuer(X509_STORE_CTX *ctx, ngx_ocsp_trust_t *trust,
    ngx_ocsp_request_signer_t *signer)
{
    int                  len;
    X509                *issuer;
    u_char              *der;
    const ASN1_INTEGER  *serial;

    ngx_memzero(signer, sizeof(ngx_ocsp_request_signer_t));

    issuer = sk_X509_value(X509_STORE_CTX_get0_chain(ctx), 1);

    if (issuer != NULL) {
        signer->authority = ngx_ocsp_trust_authority(trust, issuer);
    }

    if (signer->authority == NULL) {
        return NGX_OK;
    }

    serial = X509_get0_serialNumber(X509_STORE_CTX_get0_cert(ctx));

    der = NULL;
    len = i2d_ASN1_INTEGER(serial, &der) - NGX_OCSP_REQUEST_HEADER;

    if (len <= 0 || len > NGX_PKI_SERIAL_LEN) {
        OPENSSL_free(der);
        return NGX_ERROR;
    }

    signer->serial.len = (u_char) len;
    ngx_memcpy(signer->serial.data, der + NGX_OCSP_REQUEST_HEADER, len);

    OPENSSL_free(der);

    return NGX_OK;
}

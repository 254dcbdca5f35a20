
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_pss.h"
#include "ngx_pki_der.h"


#define NGX_PKI_PSS_SALT      20             /* unless it is said */
#define NGX_PKI_PSS_MAX_SALT  2048
#define NGX_PKI_PSS_TRAILER   1              /* 0xbc: there is no other */

#define NGX_PKI_PSS_OID_MGF1  "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"


static ngx_int_t ngx_pki_pss_hash(ngx_pki_der_t *der, ngx_pki_pss_t *pss);
static ngx_int_t ngx_pki_pss_mgf(ngx_pki_der_t *der, ngx_pki_pss_t *pss);
static ngx_int_t ngx_pki_pss_number(ngx_pki_der_t *der, ngx_uint_t tag,
    ngx_uint_t *value);
static int ngx_pki_pss_digest(ngx_pki_der_t *der);


ngx_int_t
ngx_pki_pss_decode(ngx_str_t *params, ngx_pki_pss_t *pss)
{
    ngx_uint_t     trailer;
    ngx_pki_der_t  der, seq;

    if (params->len == 0) {
        return NGX_DECLINED;
    }

    ngx_pki_der_init(&der, params);

    pss->salt = NGX_PKI_PSS_SALT;
    trailer = NGX_PKI_PSS_TRAILER;

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &seq) != NGX_OK
        || !ngx_pki_der_end(&der)
        || ngx_pki_pss_hash(&seq, pss) != NGX_OK
        || ngx_pki_pss_mgf(&seq, pss) != NGX_OK
        || ngx_pki_pss_number(&seq, ngx_pki_der_explicit(2), &pss->salt)
           != NGX_OK
        || ngx_pki_pss_number(&seq, ngx_pki_der_explicit(3), &trailer)
           != NGX_OK
        || !ngx_pki_der_end(&seq)
        || pss->salt > NGX_PKI_PSS_MAX_SALT
        || trailer != NGX_PKI_PSS_TRAILER)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* [0] HashAlgorithm */

static ngx_int_t
ngx_pki_pss_hash(ngx_pki_der_t *der, ngx_pki_pss_t *pss)
{
    ngx_pki_der_t  field;

    if (ngx_pki_der_enter(der, ngx_pki_der_explicit(0), &field) != NGX_OK) {
        return NGX_DECLINED;
    }

    pss->md = ngx_pki_pss_digest(&field);

    return (pss->md != NID_undef) ? NGX_OK : NGX_DECLINED;
}


/* [1] MaskGenAlgorithm: MGF1 with the same hash */

static ngx_int_t
ngx_pki_pss_mgf(ngx_pki_der_t *der, ngx_pki_pss_t *pss)
{
    ngx_str_t      oid;
    ngx_pki_der_t  field, mgf;

    if (ngx_pki_der_enter(der, ngx_pki_der_explicit(1), &field) != NGX_OK
        || ngx_pki_der_enter(&field, NGX_PKI_DER_SEQUENCE, &mgf) != NGX_OK
        || !ngx_pki_der_end(&field)
        || ngx_pki_der_get(&mgf, NGX_PKI_DER_OID, &oid) != NGX_OK
        || !ngx_pki_str_eq(&oid, NGX_PKI_PSS_OID_MGF1)
        || ngx_pki_pss_digest(&mgf) != pss->md)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* [2] saltLength, [3] trailerField; defaults are left out, but not by all */

static ngx_int_t
ngx_pki_pss_number(ngx_pki_der_t *der, ngx_uint_t tag, ngx_uint_t *value)
{
    ngx_pki_der_t  field;

    if (ngx_pki_der_peek(der) != tag) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(der, tag, &field) != NGX_OK
        || ngx_pki_der_get_uint(&field, value) != NGX_OK
        || !ngx_pki_der_end(&field))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* the AlgorithmIdentifier, which must end "der", of a digest of SHA-2 */

static int
ngx_pki_pss_digest(ngx_pki_der_t *der)
{
    ngx_str_t  oid, params;

    if (ngx_pki_der_get_algorithm(der, &oid, &params) != NGX_OK
        || !ngx_pki_der_end(der)
        || (params.len != 0 && !ngx_pki_str_eq(&params, "\x05\x00")))
    {
        return NID_undef;
    }

    if (ngx_pki_str_eq(&oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x01")) {
        return NID_sha256;
    }

    if (ngx_pki_str_eq(&oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x02")) {
        return NID_sha384;
    }

    if (ngx_pki_str_eq(&oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x03")) {
        return NID_sha512;
    }

    return NID_undef;
}

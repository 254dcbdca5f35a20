
/*
 * Copyright (C) the ngx_pki authors
 *
 * What follows from the certificate of an authority: octets made in advance.
 */


#include "ngx_pki_ca.h"
#include "ngx_pki_der.h"


typedef void (*ngx_pki_ca_put_pt)(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);


static ngx_int_t ngx_pki_ca_take_apart(ngx_pki_authority_t *a,
    ngx_str_t *bits);
static ngx_int_t ngx_pki_ca_hashes(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_str_t *bits);
static ngx_int_t ngx_pki_ca_extensions(ngx_pool_t *pool,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_ca_make_extension(ngx_pool_t *pool, ngx_str_t *oid,
    ngx_pki_ca_put_pt put, ngx_pki_authority_t *a, ngx_str_t *extension);
static void ngx_pki_ca_put_aki(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static void ngx_pki_ca_put_aia(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static void ngx_pki_ca_put_access(ngx_pki_der_writer_t *w, ngx_str_t *method,
    ngx_str_t *url);


static ngx_str_t  ngx_pki_ca_oid_aki = ngx_string("\x55\x1d\x23");
static ngx_str_t  ngx_pki_ca_oid_cdp = ngx_string("\x55\x1d\x1f");
static ngx_str_t  ngx_pki_ca_oid_aia =
    ngx_string("\x2b\x06\x01\x05\x05\x07\x01\x01");
static ngx_str_t  ngx_pki_ca_oid_ocsp =
    ngx_string("\x2b\x06\x01\x05\x05\x07\x30\x01");
static ngx_str_t  ngx_pki_ca_oid_issuers =
    ngx_string("\x2b\x06\x01\x05\x05\x07\x30\x02");


ngx_int_t
ngx_pki_ca_der(ngx_pool_t *pool, X509 *x509, ngx_str_t *der)
{
    int             len;
    unsigned char  *p;

    len = i2d_X509(x509, NULL);
    if (len <= 0) {
        return NGX_ERROR;
    }

    der->data = ngx_pnalloc(pool, len);
    if (der->data == NULL) {
        return NGX_ERROR;
    }

    p = der->data;
    der->len = i2d_X509(x509, &p);

    return NGX_OK;
}


ngx_int_t
ngx_pki_ca_prepare(ngx_pool_t *pool, ngx_pki_authority_t *a, X509 *x509)
{
    ngx_str_t                 bits;
    const ASN1_OCTET_STRING  *ski;

    if (ngx_pki_ca_take_apart(a, &bits) != NGX_OK
        || ngx_pki_ca_hashes(pool, a, &bits) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ski = X509_get0_subject_key_id(x509);

    if (ski == NULL) {
        return NGX_ERROR;
    }

    a->key_id.len = ASN1_STRING_length(ski);
    a->key_id.data = (u_char *) ASN1_STRING_get0_data(ski);

    a->not_before = ngx_pki_ca_time(X509_get0_notBefore(x509));
    a->not_after = ngx_pki_ca_time(X509_get0_notAfter(x509));

    if (X509_digest(x509, EVP_sha256(), a->fingerprint, NULL) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    return ngx_pki_ca_extensions(pool, a);
}


static ngx_int_t
ngx_pki_ca_take_apart(ngx_pki_authority_t *a, ngx_str_t *bits)
{
    ngx_str_t      content;
    ngx_uint_t     tag;
    ngx_pki_der_t  der, certificate, tbs, spki;

    ngx_pki_der_init(&der, &a->der);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &certificate) != NGX_OK
        || ngx_pki_der_enter(&certificate, NGX_PKI_DER_SEQUENCE, &tbs)
           != NGX_OK
        || ngx_pki_der_skip_optional(&tbs, ngx_pki_der_explicit(0)) != NGX_OK
        || ngx_pki_der_get(&tbs, NGX_PKI_DER_INTEGER, &a->serial) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* signature, issuer, validity */

    if (ngx_pki_der_any(&tbs, &tag, &content, NULL) != NGX_OK
        || ngx_pki_der_any(&tbs, &tag, &content, NULL) != NGX_OK
        || ngx_pki_der_any(&tbs, &tag, &content, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_pki_der_get_whole(&tbs, NGX_PKI_DER_SEQUENCE, &a->issuer)
        != NGX_OK
        || ngx_pki_der_enter(&tbs, NGX_PKI_DER_SEQUENCE, &spki) != NGX_OK
        || ngx_pki_der_any(&spki, &tag, &content, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_der_get_bits(&spki, bits);
}


static ngx_int_t
ngx_pki_ca_hashes(ngx_pool_t *pool, ngx_pki_authority_t *a, ngx_str_t *bits)
{
    ngx_uint_t     i;
    const EVP_MD  *md[NGX_PKI_HASHES];

    md[NGX_PKI_HASH_SHA1] = EVP_sha1();
    md[NGX_PKI_HASH_SHA256] = EVP_sha256();
    md[NGX_PKI_HASH_SHA384] = EVP_sha384();
    md[NGX_PKI_HASH_SHA512] = EVP_sha512();

    for (i = 0; i < NGX_PKI_HASHES; i++) {

        if (ngx_pki_ca_digest(pool, md[i], &a->issuer, &a->hash[i].name)
            != NGX_OK
            || ngx_pki_ca_digest(pool, md[i], bits, &a->hash[i].key)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_ca_digest(ngx_pool_t *pool, const EVP_MD *md, ngx_str_t *in,
    ngx_str_t *out)
{
    unsigned int  len;

    out->data = ngx_pnalloc(pool, EVP_MAX_MD_SIZE);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    if (EVP_Digest(in->data, in->len, out->data, &len, md, NULL) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    out->len = len;

    return NGX_OK;
}


/* the extensions of what the authority issues that are always the same */

static ngx_int_t
ngx_pki_ca_extensions(ngx_pool_t *pool, ngx_pki_authority_t *a)
{
    ngx_pki_der_writer_t  w;

    if (ngx_pki_ca_make_extension(pool, &ngx_pki_ca_oid_aki,
                                  ngx_pki_ca_put_aki, a, &a->aki)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((a->ocsp_url.len != 0 || a->ca_url.len != 0)
        && ngx_pki_ca_make_extension(pool, &ngx_pki_ca_oid_aia,
                                     ngx_pki_ca_put_aia, a, &a->aia)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (a->crl_url.len == 0) {
        return NGX_OK;
    }

    if (ngx_pki_der_writer_init(&w, pool, 64 + a->crl_url.len) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_ca_put_cdp(&w, &a->crl_url);

    return ngx_pki_der_finish(&w, &a->cdp);
}


static ngx_int_t
ngx_pki_ca_make_extension(ngx_pool_t *pool, ngx_str_t *oid,
    ngx_pki_ca_put_pt put, ngx_pki_authority_t *a, ngx_str_t *extension)
{
    ngx_str_t             value;
    ngx_pki_der_writer_t  v, w;

    if (ngx_pki_der_writer_init(&v, pool, 256) != NGX_OK
        || ngx_pki_der_writer_init(&w, pool, 256) != NGX_OK)
    {
        return NGX_ERROR;
    }

    put(&v, a);

    if (ngx_pki_der_finish(&v, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_ca_put_extension(&w, oid, 0, &value);

    return ngx_pki_der_finish(&w, extension);
}


static void
ngx_pki_ca_put_aki(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, ngx_pki_der_context(0), &a->key_id);
    ngx_pki_der_close(w, mark);
}


static void
ngx_pki_ca_put_aia(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_ca_put_access(w, &ngx_pki_ca_oid_ocsp, &a->ocsp_url);
    ngx_pki_ca_put_access(w, &ngx_pki_ca_oid_issuers, &a->ca_url);
    ngx_pki_der_close(w, mark);
}


static void
ngx_pki_ca_put_access(ngx_pki_der_writer_t *w, ngx_str_t *method,
    ngx_str_t *url)
{
    size_t  mark;

    if (url->len == 0) {
        return;
    }

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, method);
    ngx_pki_der_put(w, ngx_pki_der_context(6), url);
    ngx_pki_der_close(w, mark);
}


time_t
ngx_pki_ca_time(const ASN1_TIME *t)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        ERR_clear_error();
        return 0;
    }

    return timegm(&tm);
}


void
ngx_pki_ca_put_extension(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_uint_t critical, ngx_str_t *value)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);

    if (critical) {
        ngx_pki_der_put_boolean(w, 1);
    }

    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, value);
    ngx_pki_der_close(w, mark);
}


void
ngx_pki_ca_put_cdp(ngx_pki_der_writer_t *w, ngx_str_t *url)
{
    size_t  extension, value;

    extension = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_pki_ca_oid_cdp);

    value = ngx_pki_der_begin(w, NGX_PKI_DER_OCTET_STRING);
    ngx_pki_ca_put_points(w, url);
    ngx_pki_der_close(w, value);

    ngx_pki_der_close(w, extension);
}


void
ngx_pki_ca_put_points(ngx_pki_der_writer_t *w, ngx_str_t *url)
{
    size_t  list, point;

    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    point = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_ca_put_point(w, url);

    ngx_pki_der_close(w, point);
    ngx_pki_der_close(w, list);
}


/* DistributionPointName: a fullName, its GeneralName a URI */

void
ngx_pki_ca_put_point(ngx_pki_der_writer_t *w, ngx_str_t *url)
{
    size_t  name, full;

    name = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    full = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));

    ngx_pki_der_put(w, ngx_pki_der_context(6), url);

    ngx_pki_der_close(w, full);
    ngx_pki_der_close(w, name);
}

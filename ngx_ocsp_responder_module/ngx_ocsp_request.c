
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_request.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_der.h"


#define NGX_OCSP_REQUEST_EXTENSIONS  32


static ngx_int_t ngx_ocsp_request_tbs(ngx_pool_t *pool, ngx_pki_der_t *tbs,
    ngx_uint_t max, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_version(ngx_pki_der_t *tbs,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_list(ngx_pool_t *pool, ngx_pki_der_t *list,
    ngx_uint_t max, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_single(ngx_pki_der_t *list,
    ngx_ocsp_cert_id_t *id, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_cert_id(ngx_ocsp_cert_id_t *id,
    ngx_ocsp_request_t *req);
static ngx_uint_t ngx_ocsp_request_hash(ngx_str_t *oid, ngx_str_t *params);
static ngx_int_t ngx_ocsp_request_extensions(ngx_pki_der_t *der,
    ngx_uint_t tag, ngx_uint_t single, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_extension(ngx_pki_der_t *list,
    ngx_uint_t single, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_nonce(ngx_str_t *value,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_acceptable(ngx_str_t *value,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_malformed(ngx_ocsp_request_t *req,
    const char *error);


ngx_int_t
ngx_ocsp_request_decode(ngx_pool_t *pool, ngx_str_t *der, ngx_uint_t max,
    ngx_ocsp_request_t *req)
{
    ngx_int_t      rc;
    ngx_pki_der_t  in, outer, tbs, signature;

    ngx_memzero(req, sizeof(ngx_ocsp_request_t));

    ngx_pki_der_init(&in, der);

    if (ngx_pki_der_enter(&in, NGX_PKI_DER_SEQUENCE, &outer) != NGX_OK) {
        return ngx_ocsp_request_malformed(req, "it is not a SEQUENCE in DER");
    }

    if (!ngx_pki_der_end(&in)) {
        return ngx_ocsp_request_malformed(req, "octets follow it");
    }

    if (ngx_pki_der_enter(&outer, NGX_PKI_DER_SEQUENCE, &tbs) != NGX_OK) {
        return ngx_ocsp_request_malformed(req, "no tbsRequest");
    }

    rc = ngx_ocsp_request_tbs(pool, &tbs, max, req);
    if (rc != NGX_OK) {
        return rc;
    }

    /* optionalSignature: whoever asks gets an answer, signed or not */

    if (!ngx_pki_der_end(&outer)
        && ngx_pki_der_enter(&outer, ngx_pki_der_explicit(0), &signature)
           != NGX_OK)
    {
        return ngx_ocsp_request_malformed(req, "bad optionalSignature");
    }

    if (!ngx_pki_der_end(&outer)) {
        return ngx_ocsp_request_malformed(req,
                                          "elements follow the signature");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_tbs(ngx_pool_t *pool, ngx_pki_der_t *tbs, ngx_uint_t max,
    ngx_ocsp_request_t *req)
{
    ngx_int_t      rc;
    ngx_pki_der_t  list;

    rc = ngx_ocsp_request_version(tbs, req);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_pki_der_skip_optional(tbs, ngx_pki_der_explicit(1)) != NGX_OK) {
        return ngx_ocsp_request_malformed(req, "bad requestorName");
    }

    if (ngx_pki_der_enter(tbs, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK) {
        return ngx_ocsp_request_malformed(req, "no requestList");
    }

    rc = ngx_ocsp_request_list(pool, &list, max, req);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_ocsp_request_extensions(tbs, ngx_pki_der_explicit(2), 0, req);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_pki_der_end(tbs)) {
        return ngx_ocsp_request_malformed(req,
                                          "elements follow the extensions");
    }

    return NGX_OK;
}


/* v1 is the default, which DER leaves out; Apple's clients do not */

static ngx_int_t
ngx_ocsp_request_version(ngx_pki_der_t *tbs, ngx_ocsp_request_t *req)
{
    ngx_uint_t     version;
    ngx_pki_der_t  inner;

    if (ngx_pki_der_peek(tbs) != ngx_pki_der_explicit(0)) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(tbs, ngx_pki_der_explicit(0), &inner) != NGX_OK
        || ngx_pki_der_get_uint(&inner, &version) != NGX_OK
        || !ngx_pki_der_end(&inner)
        || version != 0)
    {
        return ngx_ocsp_request_malformed(req, "its version is not v1");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_list(ngx_pool_t *pool, ngx_pki_der_t *list, ngx_uint_t max,
    ngx_ocsp_request_t *req)
{
    ngx_int_t            rc;
    ngx_ocsp_cert_id_t  *id;

    if (ngx_pki_der_end(list)) {
        return ngx_ocsp_request_malformed(req, "requestList is empty");
    }

    if (ngx_array_init(&req->ids, pool, 1, sizeof(ngx_ocsp_cert_id_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    while (!ngx_pki_der_end(list)) {

        if (req->ids.nelts == max) {
            return ngx_ocsp_request_malformed(req, "too many CertIDs");
        }

        id = ngx_array_push(&req->ids);
        if (id == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_ocsp_request_single(list, id, req);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_single(ngx_pki_der_t *list, ngx_ocsp_cert_id_t *id,
    ngx_ocsp_request_t *req)
{
    ngx_int_t      rc;
    ngx_pki_der_t  single;

    if (ngx_pki_der_enter(list, NGX_PKI_DER_SEQUENCE, &single) != NGX_OK
        || ngx_pki_der_get_whole(&single, NGX_PKI_DER_SEQUENCE, &id->whole)
           != NGX_OK)
    {
        return ngx_ocsp_request_malformed(req, "bad Request");
    }

    rc = ngx_ocsp_request_cert_id(id, req);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_ocsp_request_extensions(&single, ngx_pki_der_explicit(0), 1, req);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_pki_der_end(&single)) {
        return ngx_ocsp_request_malformed(req, "elements follow in a Request");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_cert_id(ngx_ocsp_cert_id_t *id, ngx_ocsp_request_t *req)
{
    ngx_str_t      oid, params;
    ngx_pki_der_t  whole, in;

    ngx_pki_der_init(&whole, &id->whole);

    if (ngx_pki_der_enter(&whole, NGX_PKI_DER_SEQUENCE, &in) != NGX_OK
        || ngx_pki_der_get_algorithm(&in, &oid, &params) != NGX_OK
        || ngx_pki_der_get(&in, NGX_PKI_DER_OCTET_STRING, &id->name_hash)
           != NGX_OK
        || ngx_pki_der_get(&in, NGX_PKI_DER_OCTET_STRING, &id->key_hash)
           != NGX_OK
        || ngx_pki_der_get(&in, NGX_PKI_DER_INTEGER, &id->serial) != NGX_OK
        || !ngx_pki_der_end(&in)
        || id->serial.len == 0)
    {
        return ngx_ocsp_request_malformed(req, "bad CertID");
    }

    id->hash = ngx_ocsp_request_hash(&oid, &params);

    return NGX_OK;
}


/* the parameters are NULL or absent: both are in use */

static ngx_uint_t
ngx_ocsp_request_hash(ngx_str_t *oid, ngx_str_t *params)
{
    if (params->len != 0 && !ngx_pki_str_eq(params, "\x05\x00")) {
        return NGX_PKI_HASHES;
    }

    if (ngx_pki_str_eq(oid, NGX_OCSP_OID_SHA1)) {
        return NGX_PKI_HASH_SHA1;
    }

    if (ngx_pki_str_eq(oid, NGX_OCSP_OID_SHA2 "\x01")) {
        return NGX_PKI_HASH_SHA256;
    }

    if (ngx_pki_str_eq(oid, NGX_OCSP_OID_SHA2 "\x02")) {
        return NGX_PKI_HASH_SHA384;
    }

    if (ngx_pki_str_eq(oid, NGX_OCSP_OID_SHA2 "\x03")) {
        return NGX_PKI_HASH_SHA512;
    }

    return NGX_PKI_HASHES;
}


static ngx_int_t
ngx_ocsp_request_extensions(ngx_pki_der_t *der, ngx_uint_t tag,
    ngx_uint_t single, ngx_ocsp_request_t *req)
{
    ngx_int_t      rc;
    ngx_uint_t     n;
    ngx_pki_der_t  outer, list;

    if (ngx_pki_der_peek(der) != tag) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(der, tag, &outer) != NGX_OK
        || ngx_pki_der_enter(&outer, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK
        || !ngx_pki_der_end(&outer)
        || ngx_pki_der_end(&list))
    {
        return ngx_ocsp_request_malformed(req, "bad Extensions");
    }

    for (n = 0; !ngx_pki_der_end(&list); n++) {

        if (n == NGX_OCSP_REQUEST_EXTENSIONS) {
            return ngx_ocsp_request_malformed(req, "too many extensions");
        }

        rc = ngx_ocsp_request_extension(&list, single, req);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_extension(ngx_pki_der_t *list, ngx_uint_t single,
    ngx_ocsp_request_t *req)
{
    ngx_str_t      oid, value;
    ngx_uint_t     critical;
    ngx_pki_der_t  ext;

    critical = 0;

    if (ngx_pki_der_enter(list, NGX_PKI_DER_SEQUENCE, &ext) != NGX_OK
        || ngx_pki_der_get(&ext, NGX_PKI_DER_OID, &oid) != NGX_OK
        || (ngx_pki_der_peek(&ext) == NGX_PKI_DER_BOOLEAN
            && ngx_pki_der_get_boolean(&ext, &critical) != NGX_OK)
        || ngx_pki_der_get(&ext, NGX_PKI_DER_OCTET_STRING, &value) != NGX_OK
        || !ngx_pki_der_end(&ext))
    {
        return ngx_ocsp_request_malformed(req, "bad Extension");
    }

    if (ngx_pki_str_eq(&oid, NGX_OCSP_OID_NONCE)) {
        /* old clients put it into the single request: not an error */
        return single ? NGX_OK : ngx_ocsp_request_nonce(&value, req);
    }

    if (ngx_pki_str_eq(&oid, NGX_OCSP_OID_RESPONSE)) {
        return ngx_ocsp_request_acceptable(&value, req);
    }

    /* known, and nothing follows from them with one signer and one place */

    if (ngx_pki_str_eq(&oid, NGX_OCSP_OID_SERVICE_LOCATOR)
        || ngx_pki_str_eq(&oid, NGX_OCSP_OID_PREFERRED_SIGNATURE))
    {
        return NGX_OK;
    }

    if (critical) {
        return ngx_ocsp_request_malformed(req, "unknown critical extension");
    }

    return NGX_OK;
}


/*
 * RFC 9654, 2.1: an OCTET STRING of 1 to 128 octets.  Some clients send the
 * octets without wrapping them; either way they are echoed as they came.
 */

static ngx_int_t
ngx_ocsp_request_nonce(ngx_str_t *value, ngx_ocsp_request_t *req)
{
    ngx_str_t      nonce;
    ngx_pki_der_t  der;

    if (req->nonce.len != 0) {
        return ngx_ocsp_request_malformed(req, "two nonces");
    }

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_get(&der, NGX_PKI_DER_OCTET_STRING, &nonce) != NGX_OK
        || !ngx_pki_der_end(&der))
    {
        nonce = *value;
    }

    if (nonce.len == 0 || nonce.len > NGX_OCSP_NONCE_MAX) {
        return ngx_ocsp_request_malformed(req, "the nonce is empty or longer "
                                          "than 128 octets");
    }

    req->nonce = *value;

    return NGX_OK;
}


/* RFC 6960, 4.4.3: basic is the only type of response there is */

static ngx_int_t
ngx_ocsp_request_acceptable(ngx_str_t *value, ngx_ocsp_request_t *req)
{
    ngx_str_t      oid;
    ngx_uint_t     basic;
    ngx_pki_der_t  der, list;

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK
        || !ngx_pki_der_end(&der))
    {
        return ngx_ocsp_request_malformed(req, "bad AcceptableResponses");
    }

    basic = 0;

    while (!ngx_pki_der_end(&list)) {

        if (ngx_pki_der_get(&list, NGX_PKI_DER_OID, &oid) != NGX_OK) {
            return ngx_ocsp_request_malformed(req, "bad AcceptableResponses");
        }

        if (ngx_pki_str_eq(&oid, NGX_OCSP_OID_BASIC)) {
            basic = 1;
        }
    }

    if (!basic) {
        return ngx_ocsp_request_malformed(req,
                                          "no basic response is acceptable");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_malformed(ngx_ocsp_request_t *req, const char *error)
{
    req->error = error;

    return NGX_DECLINED;
}

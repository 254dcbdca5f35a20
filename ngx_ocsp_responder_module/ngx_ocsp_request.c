
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_request.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_der.h"


#define NGX_OCSP_REQUEST_EXTENSIONS    32
#define NGX_OCSP_REQUEST_PREFERRED     16
#define NGX_OCSP_REQUEST_CERTIFICATES  10
#define NGX_OCSP_REQUEST_CHAIN_LEN     16384


static ngx_int_t ngx_ocsp_request_tbs(ngx_pool_t *pool, ngx_pki_der_t *tbs,
    ngx_uint_t max, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_version(ngx_pki_der_t *tbs,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_requestor(ngx_pki_der_t *tbs,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_list(ngx_pool_t *pool, ngx_pki_der_t *list,
    ngx_uint_t max, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_several(ngx_pool_t *pool,
    ngx_pki_der_t *list, ngx_uint_t max, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_single(ngx_pki_der_t *list,
    ngx_ocsp_cert_id_t *id, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_cert_id(ngx_pki_der_t *single,
    ngx_ocsp_cert_id_t *id, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_algorithm(ngx_pki_der_t *in,
    ngx_ocsp_cert_id_t *id);
static ngx_uint_t ngx_ocsp_request_hash(ngx_str_t *oid);
static ngx_int_t ngx_ocsp_request_extensions(ngx_pki_der_t *der,
    ngx_uint_t tag, ngx_uint_t single, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_extension(ngx_pki_der_t *list,
    ngx_uint_t single, ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_nonce(ngx_str_t *value,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_acceptable(ngx_str_t *value,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_preferred(ngx_str_t *value,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_signature(ngx_pki_der_t *outer,
    ngx_ocsp_request_t *req);
static ngx_int_t ngx_ocsp_request_certificates(ngx_pki_der_t *signature);
static ngx_inline ngx_int_t ngx_ocsp_request_get(ngx_pki_der_t *der,
    ngx_uint_t tag, ngx_str_t *content);
static ngx_inline ngx_int_t ngx_ocsp_request_enter(ngx_pki_der_t *der,
    ngx_uint_t tag, ngx_pki_der_t *inner);
static ngx_int_t ngx_ocsp_request_malformed(ngx_ocsp_request_t *req,
    const char *error);


ngx_int_t
ngx_ocsp_request_decode(ngx_pool_t *pool, ngx_str_t *der, ngx_uint_t max,
    ngx_ocsp_request_t *req)
{
    ngx_int_t      rc;
    ngx_pki_der_t  in, outer, tbs;

    ngx_memzero(req, sizeof(ngx_ocsp_request_t));

    if (ngx_ocsp_request_decode_plain(der, req) == NGX_OK) {
        return NGX_OK;
    }

    ngx_pki_der_init(&in, der);

    if (ngx_ocsp_request_enter(&in, NGX_PKI_DER_SEQUENCE, &outer) != NGX_OK) {
        return ngx_ocsp_request_malformed(req, "it is not a SEQUENCE in DER");
    }

    if (!ngx_pki_der_end(&in)) {
        return ngx_ocsp_request_malformed(req, "octets follow it");
    }

    req->tbs.data = outer.pos;

    if (ngx_ocsp_request_enter(&outer, NGX_PKI_DER_SEQUENCE, &tbs) != NGX_OK) {
        return ngx_ocsp_request_malformed(req, "no tbsRequest");
    }

    req->tbs.len = outer.pos - req->tbs.data;

    rc = ngx_ocsp_request_tbs(pool, &tbs, max, req);

    if (rc != NGX_OK || ngx_pki_der_end(&outer)) {
        return rc;
    }

    if (ngx_ocsp_request_signature(&outer, req) != NGX_OK) {
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

    rc = ngx_ocsp_request_requestor(tbs, req);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_ocsp_request_enter(tbs, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK) {
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

    if (ngx_ocsp_request_enter(tbs, ngx_pki_der_explicit(0), &inner) != NGX_OK
        || ngx_pki_der_get_uint(&inner, &version) != NGX_OK
        || !ngx_pki_der_end(&inner)
        || version != 0)
    {
        return ngx_ocsp_request_malformed(req, "its version is not v1");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_requestor(ngx_pki_der_t *tbs, ngx_ocsp_request_t *req)
{
    ngx_str_t      content;
    ngx_uint_t     tag;
    ngx_pki_der_t  inner;

    if (ngx_pki_der_peek(tbs) != ngx_pki_der_explicit(1)) {
        return NGX_OK;
    }

    if (ngx_ocsp_request_enter(tbs, ngx_pki_der_explicit(1), &inner) != NGX_OK
        || ngx_pki_der_any(&inner, &tag, &content, &req->requestor) != NGX_OK
        || !ngx_pki_der_end(&inner)
        || (tag & 0xc0) != 0x80)
    {
        return ngx_ocsp_request_malformed(req, "bad requestorName");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_list(ngx_pool_t *pool, ngx_pki_der_t *list, ngx_uint_t max,
    ngx_ocsp_request_t *req)
{
    ngx_int_t  rc;

    if (ngx_pki_der_end(list)) {
        return ngx_ocsp_request_malformed(req, "requestList is empty");
    }

    rc = ngx_ocsp_request_single(list, &req->first, req);
    if (rc != NGX_OK) {
        return rc;
    }

    req->ids = &req->first;
    req->n = 1;

    if (ngx_pki_der_end(list)) {
        return NGX_OK;
    }

    return ngx_ocsp_request_several(pool, list, max, req);
}


static ngx_int_t
ngx_ocsp_request_several(ngx_pool_t *pool, ngx_pki_der_t *list, ngx_uint_t max,
    ngx_ocsp_request_t *req)
{
    ngx_int_t      rc;
    ngx_str_t      content;
    ngx_uint_t     n;
    ngx_pki_der_t  rest;

    rest = *list;

    for (n = 1; !ngx_pki_der_end(&rest); n++) {

        if (n == max) {
            return ngx_ocsp_request_malformed(req, "too many CertIDs");
        }

        if (ngx_ocsp_request_get(&rest, NGX_PKI_DER_SEQUENCE, &content)
            != NGX_OK)
        {
            return ngx_ocsp_request_malformed(req, "bad Request");
        }
    }

    req->ids = ngx_pcalloc(pool, n * sizeof(ngx_ocsp_cert_id_t));
    if (req->ids == NULL) {
        return NGX_ERROR;
    }

    req->ids[0] = req->first;

    while (req->n < n) {

        rc = ngx_ocsp_request_single(list, &req->ids[req->n++], req);
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

    if (ngx_ocsp_request_enter(list, NGX_PKI_DER_SEQUENCE, &single) != NGX_OK)
    {
        return ngx_ocsp_request_malformed(req, "bad Request");
    }

    rc = ngx_ocsp_request_cert_id(&single, id, req);
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
ngx_ocsp_request_cert_id(ngx_pki_der_t *single, ngx_ocsp_cert_id_t *id,
    ngx_ocsp_request_t *req)
{
    ngx_pki_der_t  in;

    id->whole.data = single->pos;

    if (ngx_ocsp_request_enter(single, NGX_PKI_DER_SEQUENCE, &in) != NGX_OK
        || ngx_ocsp_request_algorithm(&in, id) != NGX_OK
        || ngx_ocsp_request_get(&in, NGX_PKI_DER_OCTET_STRING, &id->name_hash)
           != NGX_OK
        || ngx_ocsp_request_get(&in, NGX_PKI_DER_OCTET_STRING, &id->key_hash)
           != NGX_OK
        || ngx_ocsp_request_get(&in, NGX_PKI_DER_INTEGER, &id->serial)
           != NGX_OK
        || !ngx_pki_der_end(&in)
        || id->serial.len == 0)
    {
        return ngx_ocsp_request_malformed(req, "bad CertID");
    }

    id->whole.len = single->pos - id->whole.data;

    return NGX_OK;
}


/* the parameters are NULL or absent: both are in use */

static ngx_int_t
ngx_ocsp_request_algorithm(ngx_pki_der_t *in, ngx_ocsp_cert_id_t *id)
{
    ngx_str_t      oid, params;
    ngx_uint_t     tag;
    ngx_pki_der_t  algorithm;

    if (ngx_ocsp_request_enter(in, NGX_PKI_DER_SEQUENCE, &algorithm) != NGX_OK
        || ngx_ocsp_request_get(&algorithm, NGX_PKI_DER_OID, &oid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    id->bare = ngx_pki_der_end(&algorithm);

    if (id->bare
        || (ngx_ocsp_request_get(&algorithm, NGX_PKI_DER_NULL, &params)
            == NGX_OK
            && params.len == 0))
    {
        id->hash = ngx_ocsp_request_hash(&oid);

    } else {
        id->hash = NGX_PKI_HASHES;

        if (ngx_pki_der_any(&algorithm, &tag, &params, NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_pki_der_end(&algorithm) ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_ocsp_request_hash(ngx_str_t *oid)
{
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

    if (ngx_ocsp_request_enter(der, tag, &outer) != NGX_OK
        || ngx_ocsp_request_enter(&outer, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK
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

    if (ngx_ocsp_request_enter(list, NGX_PKI_DER_SEQUENCE, &ext) != NGX_OK
        || ngx_ocsp_request_get(&ext, NGX_PKI_DER_OID, &oid) != NGX_OK
        || (ngx_pki_der_peek(&ext) == NGX_PKI_DER_BOOLEAN
            && ngx_pki_der_get_boolean(&ext, &critical) != NGX_OK)
        || ngx_ocsp_request_get(&ext, NGX_PKI_DER_OCTET_STRING, &value)
           != NGX_OK
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

    if (ngx_pki_str_eq(&oid, NGX_OCSP_OID_PREFERRED_SIGNATURE)) {
        return single ? NGX_OK : ngx_ocsp_request_preferred(&value, req);
    }

    /* known, and nothing follows from it: nobody else is asked */

    if (ngx_pki_str_eq(&oid, NGX_OCSP_OID_SERVICE_LOCATOR)) {
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

    if (ngx_ocsp_request_get(&der, NGX_PKI_DER_OCTET_STRING, &nonce) != NGX_OK
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

    if (ngx_ocsp_request_enter(&der, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK
        || !ngx_pki_der_end(&der))
    {
        return ngx_ocsp_request_malformed(req, "bad AcceptableResponses");
    }

    basic = 0;

    while (!ngx_pki_der_end(&list)) {

        if (ngx_ocsp_request_get(&list, NGX_PKI_DER_OID, &oid) != NGX_OK) {
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


/*
 * RFC 6960, 4.4.7.1.  An SMIMECapability has the shape of an
 * AlgorithmIdentifier.
 */

static ngx_int_t
ngx_ocsp_request_preferred(ngx_str_t *value, ngx_ocsp_request_t *req)
{
    ngx_str_t      oid, params;
    ngx_uint_t     n;
    ngx_pki_der_t  der, list, in;

    ngx_pki_der_init(&der, value);

    if (req->preferred.data != NULL
        || ngx_ocsp_request_enter(&der, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK
        || !ngx_pki_der_end(&der))
    {
        goto malformed;
    }

    req->preferred.data = list.pos;
    req->preferred.len = list.last - list.pos;

    for (n = 0; !ngx_pki_der_end(&list); n++) {

        if (n == NGX_OCSP_REQUEST_PREFERRED
            || ngx_ocsp_request_enter(&list, NGX_PKI_DER_SEQUENCE, &in)
               != NGX_OK
            || ngx_pki_der_get_algorithm(&in, &oid, &params) != NGX_OK)
        {
            goto malformed;
        }

        if (!ngx_pki_der_end(&in)
            && (ngx_pki_der_get_algorithm(&in, &oid, &params) != NGX_OK
                || !ngx_pki_der_end(&in)))
        {
            goto malformed;
        }
    }

    return NGX_OK;

malformed:

    return ngx_ocsp_request_malformed(req, "bad PreferredSignatureAlgorithms");
}


/* its shape only: who signed is ngx_ocsp_request_verify()'s to find out */

static ngx_int_t
ngx_ocsp_request_signature(ngx_pki_der_t *outer, ngx_ocsp_request_t *req)
{
    ngx_str_t      content, oid, params, bits;
    ngx_uint_t     tag;
    ngx_pki_der_t  wrapped, in;

    if (ngx_ocsp_request_enter(outer, ngx_pki_der_explicit(0), &wrapped)
        != NGX_OK
        || ngx_pki_der_peek(&wrapped) != NGX_PKI_DER_SEQUENCE
        || ngx_pki_der_any(&wrapped, &tag, &content, &req->signature)
           != NGX_OK
        || !ngx_pki_der_end(&wrapped))
    {
        return NGX_ERROR;
    }

    ngx_pki_der_init(&in, &content);

    if (ngx_pki_der_get_algorithm(&in, &oid, &params) != NGX_OK
        || ngx_pki_der_get_bits(&in, &bits) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_der_end(&in) ? NGX_OK : ngx_ocsp_request_certificates(&in);
}


static ngx_int_t
ngx_ocsp_request_certificates(ngx_pki_der_t *signature)
{
    ngx_str_t      certificate;
    ngx_uint_t     n;
    ngx_pki_der_t  certs, list;

    if (ngx_ocsp_request_enter(signature, ngx_pki_der_explicit(0), &certs)
        != NGX_OK
        || !ngx_pki_der_end(signature)
        || ngx_ocsp_request_enter(&certs, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK
        || !ngx_pki_der_end(&certs)
        || list.last - list.pos > NGX_OCSP_REQUEST_CHAIN_LEN)
    {
        return NGX_ERROR;
    }

    for (n = 0; !ngx_pki_der_end(&list); n++) {

        if (n == NGX_OCSP_REQUEST_CERTIFICATES
            || ngx_ocsp_request_get(&list, NGX_PKI_DER_SEQUENCE, &certificate)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* nearly all elements are shorter than 128 octets */

static ngx_inline ngx_int_t
ngx_ocsp_request_get(ngx_pki_der_t *der, ngx_uint_t tag, ngx_str_t *content)
{
    u_char  *p;

    p = der->pos;

    if (der->last - p < 2 || p[0] != tag) {
        return NGX_ERROR;
    }

    if (p[1] > 0x7f || der->last - p - 2 < p[1]) {
        return ngx_pki_der_get(der, tag, content);
    }

    content->len = p[1];
    content->data = p + 2;

    der->pos = p + 2 + p[1];

    return NGX_OK;
}


static ngx_inline ngx_int_t
ngx_ocsp_request_enter(ngx_pki_der_t *der, ngx_uint_t tag,
    ngx_pki_der_t *inner)
{
    ngx_str_t  content;

    if (ngx_ocsp_request_get(der, tag, &content) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_der_init(inner, &content);

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_malformed(ngx_ocsp_request_t *req, const char *error)
{
    req->error = error;

    return NGX_DECLINED;
}

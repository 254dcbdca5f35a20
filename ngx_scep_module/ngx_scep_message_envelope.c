
/*
 * Copyright (C) the ngx_pki authors
 *
 * The second half of the decoder: the EnvelopedData inside a pkiMessage.
 */


#include "ngx_scep_message.h"
#include "ngx_pki_ber.h"


static ngx_int_t ngx_scep_message_recipients(ngx_scep_message_t *m,
    ngx_pki_der_t *der);
static ngx_int_t ngx_scep_message_recipient(ngx_scep_message_t *m,
    ngx_pki_der_t *der);
static ngx_int_t ngx_scep_message_oaep(ngx_str_t *params,
    ngx_scep_recipient_t *recipient);
static ngx_int_t ngx_scep_message_oaep_hash(ngx_pki_der_t *der,
    ngx_str_t *hash);
static ngx_int_t ngx_scep_message_oaep_mgf(ngx_pki_der_t *der,
    ngx_str_t *hash);
static ngx_int_t ngx_scep_message_oaep_source(ngx_pki_der_t *der);
static ngx_int_t ngx_scep_message_encrypted(ngx_scep_message_t *m,
    ngx_pool_t *pool, ngx_pki_der_t *der);
static ngx_int_t ngx_scep_message_join(ngx_pool_t *pool, ngx_str_t *segments,
    ngx_str_t *out);


static ngx_str_t  ngx_scep_oid_specified =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09");


/* pkcsPKIEnvelope: EnvelopedData, RFC 5652, 6.1 */

ngx_int_t
ngx_scep_message_envelope(ngx_pool_t *pool, ngx_scep_message_t *m)
{
    ngx_int_t      rc;
    ngx_str_t      der;
    ngx_uint_t     version;
    ngx_pki_der_t  data, recipients, encrypted;

    rc = ngx_pki_ber_to_der(pool, &m->content, &der);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_scep_cms_enter(&der, &ngx_scep_oid_enveloped_data, &data)
        != NGX_OK)
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the content is not EnvelopedData");
    }

    if (ngx_pki_der_get_uint(&data, &version) != NGX_OK
        || version > NGX_SCEP_MAX_VERSION
        || ngx_pki_der_skip_optional(&data, ngx_pki_der_explicit(0)) != NGX_OK
        || ngx_pki_der_enter(&data, NGX_PKI_DER_SET, &recipients) != NGX_OK
        || ngx_pki_der_enter(&data, NGX_PKI_DER_SEQUENCE, &encrypted)
           != NGX_OK
        || ngx_pki_der_skip_optional(&data, ngx_pki_der_explicit(1)) != NGX_OK
        || !ngx_pki_der_end(&data))
    {
        return NGX_DECLINED;
    }

    if (ngx_scep_message_recipients(m, &recipients) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_scep_message_encrypted(m, pool, &encrypted);
}


static ngx_int_t
ngx_scep_message_recipients(ngx_scep_message_t *m, ngx_pki_der_t *der)
{
    while (!ngx_pki_der_end(der)) {

        if (m->nrecipients == NGX_SCEP_MAX_RECIPIENTS) {
            return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                           "there are too many recipients");
        }

        if (ngx_scep_message_recipient(m, der) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (m->nrecipients == 0) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "there is no recipient");
    }

    return NGX_OK;
}


/* KeyTransRecipientInfo, RFC 5652, 6.2.1; the other kinds are not for RSA */

static ngx_int_t
ngx_scep_message_recipient(ngx_scep_message_t *m, ngx_pki_der_t *der)
{
    ngx_str_t              oid, params;
    ngx_uint_t             version;
    ngx_pki_der_t          info;
    ngx_scep_recipient_t  *recipient;

    recipient = &m->recipients[m->nrecipients];

    if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &info) != NGX_OK) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the key of the envelope is not "
                                       "transported by RSA");
    }

    if (ngx_pki_der_get_uint(&info, &version) != NGX_OK
        || version > NGX_SCEP_MAX_VERSION
        || ngx_scep_cms_get_id(&info, &recipient->id) != NGX_OK
        || ngx_pki_der_get_algorithm(&info, &oid, &params) != NGX_OK
        || ngx_pki_der_get(&info, NGX_PKI_DER_OCTET_STRING,
                           &recipient->encrypted_key)
           != NGX_OK
        || !ngx_pki_der_end(&info))
    {
        return NGX_DECLINED;
    }

    if (!ngx_scep_str_eq(&oid, &ngx_scep_oid_rsa)
        && (!ngx_scep_str_eq(&oid, &ngx_scep_oid_oaep)
            || ngx_scep_message_oaep(&params, recipient) != NGX_OK))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the key transport of the envelope is "
                                       "not supported");
    }

    m->nrecipients++;

    return NGX_OK;
}


/*
 * RSAES-OAEP-params, RFC 4055, 4.1: an empty label; the hash of MGF1 should be
 * the same, but Java takes SHA-1 for that whatever the other is
 */

static ngx_int_t
ngx_scep_message_oaep(ngx_str_t *params, ngx_scep_recipient_t *recipient)
{
    ngx_pki_der_t  r, seq;

    recipient->hash = ngx_scep_oid_sha1;
    recipient->mgf1 = ngx_scep_oid_sha1;

    if (params->len == 0) {
        return NGX_DECLINED;
    }

    ngx_pki_der_init(&r, params);

    if (ngx_pki_der_enter(&r, NGX_PKI_DER_SEQUENCE, &seq) != NGX_OK
        || ngx_scep_message_oaep_hash(&seq, &recipient->hash) != NGX_OK
        || ngx_scep_message_oaep_mgf(&seq, &recipient->mgf1) != NGX_OK
        || ngx_scep_message_oaep_source(&seq) != NGX_OK
        || !ngx_pki_der_end(&seq))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* [0] HashAlgorithm */

static ngx_int_t
ngx_scep_message_oaep_hash(ngx_pki_der_t *der, ngx_str_t *hash)
{
    ngx_str_t      params;
    ngx_pki_der_t  wrapper;

    if (ngx_pki_der_peek(der) != ngx_pki_der_explicit(0)) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(der, ngx_pki_der_explicit(0), &wrapper) != NGX_OK
        || ngx_pki_der_get_algorithm(&wrapper, hash, &params) != NGX_OK
        || !ngx_pki_der_end(&wrapper))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* [1] MaskGenAlgorithm: MGF1 with a hash */

static ngx_int_t
ngx_scep_message_oaep_mgf(ngx_pki_der_t *der, ngx_str_t *hash)
{
    ngx_str_t      oid, params, none;
    ngx_pki_der_t  wrapper, r;

    if (ngx_pki_der_peek(der) != ngx_pki_der_explicit(1)) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(der, ngx_pki_der_explicit(1), &wrapper) != NGX_OK
        || ngx_pki_der_get_algorithm(&wrapper, &oid, &params) != NGX_OK
        || !ngx_pki_der_end(&wrapper)
        || !ngx_scep_str_eq(&oid, &ngx_scep_oid_mgf1)
        || params.len == 0)
    {
        return NGX_DECLINED;
    }

    ngx_pki_der_init(&r, &params);

    if (ngx_pki_der_get_algorithm(&r, hash, &none) != NGX_OK) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* [2] PSourceAlgorithm: an empty label */

static ngx_int_t
ngx_scep_message_oaep_source(ngx_pki_der_t *der)
{
    ngx_str_t      oid, params;
    ngx_pki_der_t  wrapper;

    if (ngx_pki_der_peek(der) != ngx_pki_der_explicit(2)) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(der, ngx_pki_der_explicit(2), &wrapper) != NGX_OK
        || ngx_pki_der_get_algorithm(&wrapper, &oid, &params) != NGX_OK
        || !ngx_pki_der_end(&wrapper)
        || !ngx_scep_str_eq(&oid, &ngx_scep_oid_specified)
        || params.len != 2
        || params.data[0] != NGX_PKI_DER_OCTET_STRING)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* EncryptedContentInfo, RFC 5652, 6.1; NGX_ERROR: no memory */

static ngx_int_t
ngx_scep_message_encrypted(ngx_scep_message_t *m, ngx_pool_t *pool,
    ngx_pki_der_t *der)
{
    ngx_int_t      rc;
    ngx_str_t      type, params, content;
    ngx_uint_t     tag;
    ngx_pki_der_t  r;

    if (ngx_pki_der_get(der, NGX_PKI_DER_OID, &type) != NGX_OK
        || !ngx_scep_str_eq(&type, &ngx_scep_oid_data)
        || ngx_pki_der_get_algorithm(der, &m->cipher_oid, &params) != NGX_OK
        || ngx_pki_der_any(der, &tag, &content, NULL) != NGX_OK
        || !ngx_pki_der_end(der))
    {
        return NGX_DECLINED;
    }

    if (tag == ngx_pki_der_context(0)) {
        m->encrypted = content;

    } else if (tag == ngx_pki_der_explicit(0)) {
        rc = ngx_scep_message_join(pool, &content, &m->encrypted);

        if (rc != NGX_OK) {
            return rc;
        }

    } else {
        return NGX_DECLINED;
    }

    if (params.len == 0 || params.data[0] != NGX_PKI_DER_OCTET_STRING) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the content cipher is not supported");
    }

    ngx_pki_der_init(&r, &params);

    return ngx_pki_der_get(&r, NGX_PKI_DER_OCTET_STRING, &m->iv);
}


/* [0] IMPLICIT OCTET STRING in segments, as BER allows it */

static ngx_int_t
ngx_scep_message_join(ngx_pool_t *pool, ngx_str_t *segments, ngx_str_t *out)
{
    u_char         *p;
    ngx_str_t       segment;
    ngx_pki_der_t   r;

    p = ngx_pnalloc(pool, segments->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;
    ngx_pki_der_init(&r, segments);

    while (!ngx_pki_der_end(&r)) {

        if (ngx_pki_der_get(&r, NGX_PKI_DER_OCTET_STRING, &segment)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        p = ngx_cpymem(p, segment.data, segment.len);
    }

    out->len = p - out->data;

    return NGX_OK;
}


/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_message.h"
#include "ngx_pki_ber.h"


typedef enum {
    NGX_SCEP_ATTR_CONTENT_TYPE = 0,
    NGX_SCEP_ATTR_MESSAGE_DIGEST,
    NGX_SCEP_ATTR_TRANSACTION,
    NGX_SCEP_ATTR_TYPE,
    NGX_SCEP_ATTR_NONCE,
    NGX_SCEP_ATTRS
} ngx_scep_attr_e;


typedef struct {
    ngx_uint_t                 tag;
    ngx_str_t                  value;
    ngx_uint_t                 count;        /* of its values */
} ngx_scep_attr_t;


static ngx_int_t ngx_scep_message_signed_data(ngx_scep_message_t *m,
    ngx_str_t *der, ngx_pki_der_t *encap, ngx_str_t *certificates);
static ngx_int_t ngx_scep_message_signer_info(ngx_scep_message_t *m,
    ngx_pki_der_t *der);
static ngx_int_t ngx_scep_message_digests(ngx_scep_message_t *m,
    ngx_str_t *digests);
static ngx_int_t ngx_scep_message_attributes(ngx_scep_message_t *m);
static ngx_int_t ngx_scep_message_attribute(ngx_pki_der_t *der,
    ngx_scep_attr_t *attrs);
static ngx_int_t ngx_scep_message_transaction(ngx_scep_message_t *m,
    ngx_scep_attr_t *attr);
static ngx_int_t ngx_scep_message_nonce(ngx_scep_message_t *m,
    ngx_scep_attr_t *attr);
static ngx_int_t ngx_scep_message_type(ngx_scep_message_t *m,
    ngx_scep_attr_t *attr);
static ngx_uint_t ngx_scep_message_printable(ngx_str_t *text);
static ngx_int_t ngx_scep_message_signer(ngx_scep_message_t *m,
    ngx_str_t *certificates);
static ngx_int_t ngx_scep_message_content(ngx_scep_message_t *m,
    ngx_pki_der_t *encap);


static ngx_str_t  ngx_scep_attr_oids[NGX_SCEP_ATTRS] = {
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"),
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"),
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x07"),
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x02"),
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x05")
};


ngx_int_t
ngx_scep_message_decode(ngx_pool_t *pool, ngx_str_t *body,
    ngx_scep_message_t *m)
{
    ngx_int_t      rc;
    ngx_str_t      der, certificates;
    ngx_pki_der_t  encap;

    ngx_memzero(m, sizeof(ngx_scep_message_t));

    if (body->len > NGX_SCEP_MAX_MESSAGE) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the message is too large");
    }

    rc = ngx_pki_ber_to_der(pool, body, &der);

    if (rc == NGX_DECLINED) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the message is not ASN.1");
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* the signer's word first: an answer needs its transactionID */

    if (ngx_scep_message_signed_data(m, &der, &encap, &certificates)
        != NGX_OK
        || ngx_scep_message_content(m, &encap) != NGX_OK
        || ngx_scep_message_signer(m, &certificates) != NGX_OK)
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the SignedData is malformed");
    }

    rc = ngx_scep_message_envelope(pool, m);

    if (rc == NGX_DECLINED) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the EnvelopedData is malformed");
    }

    return rc;
}


ngx_int_t
ngx_scep_message_refuse(ngx_scep_message_t *m, ngx_scep_fail_info_e fail_info,
    const char *error)
{
    if (m->error == NULL) {
        m->error = error;
        m->fail_info = fail_info;
    }

    return NGX_DECLINED;
}


/* SignedData, RFC 5652, 5.1; "encap" is left for later. */

static ngx_int_t
ngx_scep_message_signed_data(ngx_scep_message_t *m, ngx_str_t *der,
    ngx_pki_der_t *encap, ngx_str_t *certificates)
{
    ngx_str_t      digests;
    ngx_uint_t     version;
    ngx_pki_der_t  data, signers, signer;

    if (ngx_scep_cms_enter(der, &ngx_scep_oid_signed_data, &data) != NGX_OK) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the message is not SignedData");
    }

    certificates->len = 0;
    certificates->data = der->data;

    if (ngx_pki_der_get_uint(&data, &version) != NGX_OK
        || version > NGX_SCEP_MAX_VERSION
        || ngx_pki_der_get(&data, NGX_PKI_DER_SET, &digests) != NGX_OK
        || ngx_pki_der_enter(&data, NGX_PKI_DER_SEQUENCE, encap) != NGX_OK
        || (ngx_pki_der_peek(&data) == ngx_pki_der_explicit(0)
            && ngx_pki_der_get(&data, ngx_pki_der_explicit(0), certificates)
               != NGX_OK)
        || ngx_pki_der_skip_optional(&data, ngx_pki_der_explicit(1)) != NGX_OK
        || ngx_pki_der_enter(&data, NGX_PKI_DER_SET, &signers) != NGX_OK
        || !ngx_pki_der_end(&data))
    {
        return NGX_DECLINED;
    }

    if (ngx_pki_der_enter(&signers, NGX_PKI_DER_SEQUENCE, &signer) != NGX_OK
        || !ngx_pki_der_end(&signers))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "there is not exactly one signer");
    }

    if (ngx_scep_message_signer_info(m, &signer) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_scep_message_digests(m, &digests);
}


/* SignerInfo, RFC 5652, 5.3 */

static ngx_int_t
ngx_scep_message_signer_info(ngx_scep_message_t *m, ngx_pki_der_t *der)
{
    ngx_str_t   params;
    ngx_uint_t  version;

    if (ngx_pki_der_get_uint(der, &version) != NGX_OK
        || version > NGX_SCEP_MAX_VERSION
        || ngx_scep_cms_get_id(der, &m->sid) != NGX_OK
        || ngx_pki_der_get_algorithm(der, &m->digest_oid, &params) != NGX_OK
        || ngx_pki_der_get_whole(der, ngx_pki_der_explicit(0),
                                 &m->attributes)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_scep_message_attributes(m) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_pki_der_get_algorithm(der, &m->signature_oid,
                                  &m->signature_params)
        != NGX_OK
        || ngx_pki_der_get(der, NGX_PKI_DER_OCTET_STRING, &m->signature)
           != NGX_OK
        || ngx_pki_der_skip_optional(der, ngx_pki_der_explicit(1)) != NGX_OK
        || !ngx_pki_der_end(der))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* digestAlgorithms: that of the signer must be one of them, RFC 5652, 5.1 */

static ngx_int_t
ngx_scep_message_digests(ngx_scep_message_t *m, ngx_str_t *digests)
{
    ngx_str_t      oid, params;
    ngx_uint_t     found;
    ngx_pki_der_t  r;

    ngx_pki_der_init(&r, digests);
    found = 0;

    while (!ngx_pki_der_end(&r)) {

        if (ngx_pki_der_get_algorithm(&r, &oid, &params) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (ngx_scep_str_eq(&oid, &m->digest_oid)) {
            found = 1;
        }
    }

    if (!found) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the signer's digest algorithm is not "
                                       "one of the message's");
    }

    return NGX_OK;
}


/*
 * All attributes are looked at before one is refused: so the answer to a bad
 * one can name the transaction.
 */

static ngx_int_t
ngx_scep_message_attributes(ngx_scep_message_t *m)
{
    ngx_uint_t       i;
    ngx_pki_der_t    r, set;
    ngx_scep_attr_t  attrs[NGX_SCEP_ATTRS];

    ngx_memzero(attrs, sizeof(attrs));
    ngx_pki_der_init(&r, &m->attributes);

    if (ngx_pki_der_enter(&r, ngx_pki_der_explicit(0), &set) != NGX_OK) {
        return NGX_DECLINED;
    }

    while (!ngx_pki_der_end(&set)) {
        if (ngx_scep_message_attribute(&set, attrs) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    (void) ngx_scep_message_transaction(m, &attrs[NGX_SCEP_ATTR_TRANSACTION]);
    (void) ngx_scep_message_nonce(m, &attrs[NGX_SCEP_ATTR_NONCE]);
    (void) ngx_scep_message_type(m, &attrs[NGX_SCEP_ATTR_TYPE]);

    for (i = 0; i < NGX_SCEP_ATTRS; i++) {
        if (attrs[i].count != 1) {
            return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                           "a signed attribute is missing or "
                                           "there twice");
        }
    }

    if (attrs[NGX_SCEP_ATTR_CONTENT_TYPE].tag != NGX_PKI_DER_OID
        || !ngx_scep_str_eq(&attrs[NGX_SCEP_ATTR_CONTENT_TYPE].value,
                        &ngx_scep_oid_data))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the attribute contentType is wrong");
    }

    if (attrs[NGX_SCEP_ATTR_MESSAGE_DIGEST].tag != NGX_PKI_DER_OCTET_STRING) {
        return NGX_DECLINED;
    }

    m->digest = attrs[NGX_SCEP_ATTR_MESSAGE_DIGEST].value;

    return (m->error == NULL) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_scep_message_attribute(ngx_pki_der_t *der, ngx_scep_attr_t *attrs)
{
    ngx_str_t      oid, value;
    ngx_uint_t     i, tag;
    ngx_pki_der_t  attribute, values;

    if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &attribute) != NGX_OK
        || ngx_pki_der_get(&attribute, NGX_PKI_DER_OID, &oid) != NGX_OK
        || ngx_pki_der_enter(&attribute, NGX_PKI_DER_SET, &values) != NGX_OK
        || !ngx_pki_der_end(&attribute))
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_SCEP_ATTRS; i++) {
        if (ngx_scep_str_eq(&oid, &ngx_scep_attr_oids[i])) {
            break;
        }
    }

    while (!ngx_pki_der_end(&values)) {

        if (ngx_pki_der_any(&values, &tag, &value, NULL) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (i < NGX_SCEP_ATTRS) {
            attrs[i].tag = tag;
            attrs[i].value = value;
            attrs[i].count++;
        }
    }

    return NGX_OK;
}


/* RFC 8894, 3.2.1.1; it is echoed as it came, and is safe in a log. */

static ngx_int_t
ngx_scep_message_transaction(ngx_scep_message_t *m, ngx_scep_attr_t *attr)
{
    if (attr->count != 1
        || attr->tag != NGX_PKI_DER_PRINTABLE_STRING
        || attr->value.len == 0
        || attr->value.len > NGX_SCEP_MAX_TRANSACTION
        || !ngx_scep_message_printable(&attr->value))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "there is no usable transactionID");
    }

    m->transaction = attr->value;

    return NGX_OK;
}


static ngx_int_t
ngx_scep_message_nonce(ngx_scep_message_t *m, ngx_scep_attr_t *attr)
{
    if (attr->count != 1
        || attr->tag != NGX_PKI_DER_OCTET_STRING
        || attr->value.len == 0
        || attr->value.len > NGX_SCEP_MAX_NONCE)
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "there is no usable senderNonce");
    }

    m->nonce = attr->value;

    return NGX_OK;
}


/* Five texts and no other form of the same numbers (RFC 8894, 3.2.1.2). */

static ngx_int_t
ngx_scep_message_type(ngx_scep_message_t *m, ngx_scep_attr_t *attr)
{
    if (attr->count == 1 && attr->tag == NGX_PKI_DER_PRINTABLE_STRING) {

        if (ngx_pki_str_eq(&attr->value, "17")) {
            m->type = NGX_SCEP_RENEWAL_REQ;
            return NGX_OK;
        }

        if (ngx_pki_str_eq(&attr->value, "19")) {
            m->type = NGX_SCEP_PKCS_REQ;
            return NGX_OK;
        }

        if (ngx_pki_str_eq(&attr->value, "20")) {
            m->type = NGX_SCEP_CERT_POLL;
            return NGX_OK;
        }

        if (ngx_pki_str_eq(&attr->value, "21")) {
            m->type = NGX_SCEP_GET_CERT;
            return NGX_OK;
        }

        if (ngx_pki_str_eq(&attr->value, "22")) {
            m->type = NGX_SCEP_GET_CRL;
            return NGX_OK;
        }
    }

    return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                   "the messageType is unknown");
}


static ngx_uint_t
ngx_scep_message_printable(ngx_str_t *text)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if ((ch >= '0' && ch <= '9')
            || (ch >= 'A' && ch <= 'Z')
            || (ch >= 'a' && ch <= 'z'))
        {
            continue;
        }

        switch (ch) {

        case ' ':
        case '\'':
        case '(':
        case ')':
        case '+':
        case ',':
        case '-':
        case '.':
        case '/':
        case ':':
        case '=':
        case '?':
            continue;

        default:
            return 0;
        }
    }

    return 1;
}


/* The signer's certificate is the one that its sid names, not the first. */

static ngx_int_t
ngx_scep_message_signer(ngx_scep_message_t *m, ngx_str_t *certificates)
{
    ngx_str_t                whole;
    ngx_uint_t               n, found;
    ngx_pki_der_t            r;
    ngx_scep_certificate_t   c;

    ngx_pki_der_init(&r, certificates);
    found = 0;

    for (n = 0; !ngx_pki_der_end(&r); n++) {

        if (n == NGX_SCEP_MAX_CERTIFICATES) {
            return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                           "there are too many certificates");
        }

        if (ngx_pki_der_get_whole(&r, NGX_PKI_DER_SEQUENCE, &whole) != NGX_OK
            || ngx_scep_cms_certificate(&whole, &c) != NGX_OK)
        {
            return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                           "a certificate is malformed");
        }

        if (!found && ngx_scep_cms_match(&m->sid, &c)) {
            m->signer = c;
            m->signer_der = whole;
            found = 1;
        }
    }

    if (!found) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_MESSAGE_CHECK,
                                       "the signer's certificate is missing");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_message_content(ngx_scep_message_t *m, ngx_pki_der_t *encap)
{
    ngx_str_t      type;
    ngx_pki_der_t  wrapper;

    if (ngx_pki_der_get(encap, NGX_PKI_DER_OID, &type) != NGX_OK
        || !ngx_scep_str_eq(&type, &ngx_scep_oid_data))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the signed content is not data");
    }

    if (ngx_pki_der_enter(encap, ngx_pki_der_explicit(0), &wrapper) != NGX_OK
        || !ngx_pki_der_end(encap)
        || ngx_pki_der_get(&wrapper, NGX_PKI_DER_OCTET_STRING, &m->content)
           != NGX_OK
        || !ngx_pki_der_end(&wrapper))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "there is no signed content");
    }

    return NGX_OK;
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * The certificate of a registration authority: what it says, and whether one
 * is what it should be.
 */


#include "ngx_pki_ra_job.h"
#include "ngx_pki_ca.h"
#include "ngx_pki_name.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>


#define NGX_PKI_RA_VALIDITY  (365 * 24 * 60 * 60)

/* devices fresh from the box have clocks that are hours behind */

#define NGX_PKI_RA_BACKDATE  (24 * 60 * 60)

#define NGX_PKI_RA_MIN_BITS  2048

/* of a commonName (RFC 5280, appendix A.1: ub-common-name) */

#define NGX_PKI_RA_NAME_LEN  64
#define NGX_PKI_RA_NAME_END  " RA"


static ngx_int_t ngx_pki_ra_subject(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_template_t *t);
static ngx_int_t ngx_pki_ra_write_subject(ngx_pool_t *pool,
    ngx_pki_authority_t *a, ngx_array_t *attributes, ngx_str_t *subject);
static void ngx_pki_ra_put_attribute(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_str_t *value);
static void ngx_pki_ra_put_common_name(ngx_pki_der_writer_t *w,
    ngx_str_t *name);
static ngx_int_t ngx_pki_ra_extensions(ngx_pool_t *pool,
    ngx_pki_template_t *t);
static ngx_str_t ngx_pki_ra_extended_usage(X509 *x509);


static ngx_str_t  ngx_pki_ra_oid_common_name = ngx_string(NGX_PKI_NAME_OID_CN);
static ngx_str_t  ngx_pki_ra_oid_constraints = ngx_string("\x55\x1d\x13");
static ngx_str_t  ngx_pki_ra_oid_key_usage = ngx_string("\x55\x1d\x0f");
static ngx_str_t  ngx_pki_ra_oid_extended = ngx_string("\x55\x1d\x25");

/* SEQUENCE {}: no CA */
static ngx_str_t  ngx_pki_ra_constraints = ngx_string("\x30\x00");

/*
 * digitalSignature and keyEncipherment: Apple's clients look for a certificate
 * to sign and one to encrypt for, by these bits
 */
static ngx_str_t  ngx_pki_ra_usage = ngx_string("\x03\x02\x05\xa0");

/*
 * Certificate Request Agent, 1.3.6.1.4.1.311.20.2.1: Windows looks for it.  No
 * client gets it for the asking, and so nobody can put a certificate of his
 * own in the place of the RA's.
 */
static ngx_str_t  ngx_pki_ra_agent =
    ngx_string("\x30\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x01");


ngx_int_t
ngx_pki_ra_template(ngx_pool_t *pool, ngx_pki_authority_t *a, time_t now,
    ngx_pki_template_t *t)
{
    ngx_memzero(t, sizeof(ngx_pki_template_t));

    t->not_before = ngx_max(now - NGX_PKI_RA_BACKDATE, a->not_before);
    t->not_after = ngx_min(now + NGX_PKI_RA_VALIDITY, a->not_after);

    if (ngx_pki_ra_subject(pool, a, t) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_ra_extensions(pool, t);
}


/* that of the authority, " RA" behind its commonName */

static ngx_int_t
ngx_pki_ra_subject(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_template_t *t)
{
    const char   *error;
    ngx_array_t   attributes;

    if (ngx_pki_name_decode(pool, &a->issuer, &attributes, &error) != NGX_OK) {
        attributes.nelts = 0;
    }

    if (ngx_pki_ra_write_subject(pool, a, &attributes, &t->subject) != NGX_OK
        || ngx_pki_name_decode(pool, &t->subject, &attributes, &error)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_name_text(pool, &attributes, &t->subject_text);
}


static ngx_int_t
ngx_pki_ra_write_subject(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_array_t *attributes, ngx_str_t *subject)
{
    size_t                     mark;
    ngx_uint_t                 i, named;
    ngx_pki_der_writer_t       w;
    ngx_pki_name_attribute_t  *attribute;

    if (ngx_pki_der_writer_init(&w, pool, a->issuer.len + 128) != NGX_OK) {
        return NGX_ERROR;
    }

    named = 0;
    attribute = attributes->elts;
    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    for (i = 0; i < attributes->nelts; i++) {

        if (!ngx_pki_str_eq(&attribute[i].oid, NGX_PKI_NAME_OID_CN)) {
            ngx_pki_ra_put_attribute(&w, &attribute[i].oid,
                                     &attribute[i].value);

        } else if (!named) {
            ngx_pki_ra_put_common_name(&w, &attribute[i].text);
            named = 1;
        }
    }

    if (!named) {
        ngx_pki_ra_put_common_name(&w, &a->name);
    }

    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, subject);
}


static void
ngx_pki_ra_put_attribute(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_str_t *value)
{
    size_t  set, seq;

    set = ngx_pki_der_begin(w, NGX_PKI_DER_SET);
    seq = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);
    ngx_pki_der_raw(w, value);

    ngx_pki_der_close(w, seq);
    ngx_pki_der_close(w, set);
}


static void
ngx_pki_ra_put_common_name(ngx_pki_der_writer_t *w, ngx_str_t *name)
{
    size_t     len;
    u_char    *p, value[2 + NGX_PKI_RA_NAME_LEN];
    ngx_str_t  whole;

    len = NGX_PKI_RA_NAME_LEN - (sizeof(NGX_PKI_RA_NAME_END) - 1);

    if (name->len <= len) {
        len = name->len;

    } else {

        /* not in the middle of a character */

        while (len > 0 && (name->data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    p = ngx_cpymem(&value[2], name->data, len);
    p = ngx_cpymem(p, NGX_PKI_RA_NAME_END, sizeof(NGX_PKI_RA_NAME_END) - 1);

    value[0] = NGX_PKI_DER_UTF8_STRING;
    value[1] = (u_char) (p - &value[2]);

    whole.data = value;
    whole.len = p - value;

    ngx_pki_ra_put_attribute(w, &ngx_pki_ra_oid_common_name, &whole);
}


static ngx_int_t
ngx_pki_ra_extensions(ngx_pool_t *pool, ngx_pki_template_t *t)
{
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, 128) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_ca_put_extension(&w, &ngx_pki_ra_oid_constraints, 1,
                             &ngx_pki_ra_constraints);
    ngx_pki_ca_put_extension(&w, &ngx_pki_ra_oid_key_usage, 1,
                             &ngx_pki_ra_usage);
    ngx_pki_ca_put_extension(&w, &ngx_pki_ra_oid_extended, 0,
                             &ngx_pki_ra_agent);

    return ngx_pki_der_finish(&w, &t->extensions);
}


const char *
ngx_pki_ra_check(ngx_pki_authority_t *a, X509 *x509)
{
    ngx_str_t    usage;
    const char  *error;

    if (!ngx_pki_ra_issued(a, x509)) {
        return "was not issued by this authority";
    }

    usage = ngx_pki_ra_extended_usage(x509);

    if (usage.data == NULL
        || usage.len != ngx_pki_ra_agent.len
        || ngx_memcmp(usage.data, ngx_pki_ra_agent.data, usage.len) != 0)
    {
        return "is not that of a registration authority";
    }

    error = ngx_pki_ra_check_key(X509_get0_pubkey(x509));

    return (error != NULL) ? error : ngx_pki_ra_check_usage(x509);
}


const char *
ngx_pki_ra_check_key(EVP_PKEY *pkey)
{
    if (pkey == NULL
        || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA
        || EVP_PKEY_get_bits(pkey) < NGX_PKI_RA_MIN_BITS)
    {
        ERR_clear_error();
        return "has no RSA key of 2048 bits or more, and only an RSA key "
               "opens the envelopes of SCEP clients";
    }

    return NULL;
}


const char *
ngx_pki_ra_check_usage(X509 *x509)
{
    uint32_t  usage;

    usage = X509_get_key_usage(x509);

    if (!(usage & X509v3_KU_DIGITAL_SIGNATURE)
        || !(usage & X509v3_KU_KEY_ENCIPHERMENT))
    {
        return "lacks the key usages digitalSignature and keyEncipherment, "
               "which SCEP clients look for";
    }

    return NULL;
}


ngx_uint_t
ngx_pki_ra_issued(ngx_pki_authority_t *a, X509 *x509)
{
    ngx_uint_t  issued;

    issued = (X509_NAME_cmp(X509_get_issuer_name(x509),
                            X509_get_subject_name(a->certificate))
              == 0
              && X509_verify(x509, X509_get0_pubkey(a->certificate)) == 1);

    ERR_clear_error();

    return issued;
}


ngx_uint_t
ngx_pki_ra_extended(X509 *x509)
{
    u_char     *p;
    ngx_str_t   usage;

    if ((X509_get_extension_flags(x509) & EXFLAG_XKUSAGE)
        && (X509_get_extended_key_usage(x509) & (XKU_SSL_SERVER|XKU_ANYEKU)))
    {
        return 1;
    }

    /* its OBJECT IDENTIFIER, whole, among others */

    usage = ngx_pki_ra_extended_usage(x509);

    for (p = usage.data;
         p != NULL && p + ngx_pki_ra_agent.len - 2 <= usage.data + usage.len;
         p++)
    {
        if (ngx_memcmp(p, ngx_pki_ra_agent.data + 2,
                       ngx_pki_ra_agent.len - 2)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_str_t
ngx_pki_ra_extended_usage(X509 *x509)
{
    int                 i;
    ngx_str_t           usage;
    ASN1_OCTET_STRING  *value;

    ngx_str_null(&usage);

    i = X509_get_ext_by_NID(x509, NID_ext_key_usage, -1);

    if (i >= 0) {
        value = X509_EXTENSION_get_data(X509_get_ext(x509, i));

        usage.data = (u_char *) ASN1_STRING_get0_data(value);
        usage.len = ASN1_STRING_length(value);
    }

    return usage;
}


ngx_int_t
ngx_pki_ra_serial(ngx_str_t *der, ngx_pki_serial_t *serial)
{
    ngx_str_t      content;
    ngx_pki_der_t  in, certificate, tbs;

    ngx_pki_der_init(&in, der);

    if (ngx_pki_der_enter(&in, NGX_PKI_DER_SEQUENCE, &certificate) != NGX_OK
        || ngx_pki_der_enter(&certificate, NGX_PKI_DER_SEQUENCE, &tbs)
           != NGX_OK
        || ngx_pki_der_skip_optional(&tbs, ngx_pki_der_explicit(0)) != NGX_OK
        || ngx_pki_der_get(&tbs, NGX_PKI_DER_INTEGER, &content) != NGX_OK
        || content.len > NGX_PKI_SERIAL_LEN)
    {
        return NGX_ERROR;
    }

    serial->len = (u_char) content.len;
    ngx_memcpy(serial->data, content.data, content.len);

    return NGX_OK;
}


ngx_int_t
ngx_pki_ra_bind(ngx_pool_t *pool, ngx_pki_authority_t *a, ngx_str_t *der,
    ngx_str_t *bound)
{
    u_char        *p;
    unsigned int   len;

    p = ngx_pnalloc(pool, a->name.len + EVP_MAX_MD_SIZE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    bound->data = p;
    p = ngx_cpymem(p, a->name.data, a->name.len);

    if (EVP_Digest(der->data, der->len, p, &len, EVP_sha256(), NULL) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    bound->len = a->name.len + len;

    return NGX_OK;
}

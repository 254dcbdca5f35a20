
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_delegate.h"
#include "ngx_ocsp_certify.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_der.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>


#define NGX_OCSP_DELEGATE_BACKDATE   3600

/* of a commonName (RFC 5280, appendix A.1: ub-common-name) */

#define NGX_OCSP_DELEGATE_NAME_LEN   64
#define NGX_OCSP_DELEGATE_NAME_END   " OCSP"


/* the blob is SEQUENCE { OCTET STRING of this, certificate, private key } */

typedef struct {
    u_char                     fingerprint[32];
    ngx_uint_t                 type;
    ngx_uint_t                 bits;
    time_t                     validity;
    time_t                     issued_at;
    time_t                     not_before;
    time_t                     not_after;
} ngx_ocsp_delegate_header_t;


static ngx_int_t ngx_ocsp_delegate_subject(ngx_pool_t *pool,
    ngx_pki_authority_t *a, ngx_pki_template_t *t);
static ngx_int_t ngx_ocsp_delegate_common_name(ngx_pool_t *pool,
    ngx_pki_authority_t *a, ngx_str_t *name);
static ngx_int_t ngx_ocsp_delegate_extensions(ngx_pool_t *pool,
    ngx_pki_template_t *t);
static void ngx_ocsp_delegate_header(ngx_ocsp_delegate_header_t *h,
    ngx_pki_authority_t *a, ngx_ocsp_delegate_spec_t *spec);
static ngx_int_t ngx_ocsp_delegate_open(ngx_ocsp_responder_t *r,
    ngx_pki_authority_t *a, ngx_ocsp_delegate_spec_t *spec, ngx_str_t *blob);
static time_t ngx_ocsp_delegate_renew_at(ngx_pki_authority_t *a,
    time_t issued_at, time_t not_after);
static ngx_int_t ngx_ocsp_delegate_certify(ngx_ocsp_responder_t *r,
    ngx_pki_authority_t *a, ngx_str_t *octets, ngx_str_t *certificate);
static EVP_PKEY *ngx_ocsp_delegate_private_key(ngx_str_t *octets, X509 *x509);


EVP_PKEY *
ngx_ocsp_delegate_generate(ngx_pki_key_spec_t *spec)
{
    EVP_PKEY  *pkey;

    if (spec->type == NGX_PKI_KEY_RSA) {
        pkey = EVP_RSA_gen((unsigned int) spec->bits);

    } else {
        pkey = EVP_EC_gen(OBJ_nid2sn(spec->nid));
    }

    ERR_clear_error();

    return pkey;
}


ngx_int_t
ngx_ocsp_delegate_template(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, time_t now, ngx_pki_template_t *t)
{
    ngx_memzero(t, sizeof(ngx_pki_template_t));

    /* backdated for clients whose clocks are slow */

    t->not_before = ngx_max(now - NGX_OCSP_DELEGATE_BACKDATE, a->not_before);
    t->not_after = ngx_min(now + spec->validity, a->not_after);

    if (ngx_ocsp_delegate_subject(pool, a, t) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_ocsp_delegate_extensions(pool, t);
}


ngx_int_t
ngx_ocsp_delegate_pack(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, ngx_pki_template_t *t, time_t now,
    EVP_PKEY *pkey, ngx_str_t *certificate, ngx_str_t *blob)
{
    int                          len;
    size_t                       seq;
    u_char                      *p;
    ngx_str_t                    header, key;
    ngx_pki_der_writer_t         w;
    ngx_ocsp_delegate_header_t   h;

    ngx_ocsp_delegate_header(&h, a, spec);

    h.issued_at = now;
    h.not_before = t->not_before;
    h.not_after = t->not_after;

    header.len = sizeof(ngx_ocsp_delegate_header_t);
    header.data = (u_char *) &h;

    p = NULL;
    len = i2d_PrivateKey(pkey, &p);

    if (len <= 0) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    key.len = len;
    key.data = p;

    /* large enough at once: a grown buffer would leave copies of the key */

    if (ngx_pki_der_writer_init(&w, pool, 64 + header.len + certificate->len
                                          + key.len)
        == NGX_OK)
    {
        seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
        ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &header);
        ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, certificate);
        ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &key);
        ngx_pki_der_close(&w, seq);
    }

    OPENSSL_clear_free(p, len);

    return ngx_pki_der_finish(&w, blob);
}


ngx_ocsp_responder_t *
ngx_ocsp_delegate_unpack(ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, ngx_str_t *blob, ngx_log_t *log)
{
    ngx_ocsp_responder_t  *r;

    r = ngx_ocsp_certify_create(log);

    if (r != NULL && ngx_ocsp_delegate_open(r, a, spec, blob) != NGX_OK) {
        ngx_destroy_pool(r->pool);
        return NULL;
    }

    return r;
}


static ngx_int_t
ngx_ocsp_delegate_subject(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_template_t *t)
{
    size_t                seq, set, attribute;
    ngx_str_t             oid, name;
    ngx_pki_der_writer_t  w;

    if (ngx_ocsp_delegate_common_name(pool, a, &name) != NGX_OK
        || ngx_pki_der_writer_init(&w, pool, 128) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&oid, NGX_OCSP_OID_COMMON_NAME);

    seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    set = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    attribute = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &oid);
    ngx_pki_der_put(&w, NGX_PKI_DER_UTF8_STRING, &name);
    ngx_pki_der_close(&w, attribute);
    ngx_pki_der_close(&w, set);
    ngx_pki_der_close(&w, seq);

    t->subject_text = name;

    return ngx_pki_der_finish(&w, &t->subject);
}


/* the authority's, or else its name in the configuration, and " OCSP" */

static ngx_int_t
ngx_ocsp_delegate_common_name(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_str_t *name)
{
    int               i, n;
    size_t            len, max;
    u_char           *p, *text;
    X509_NAME        *subject;
    X509_NAME_ENTRY  *entry;

    text = NULL;
    subject = X509_get_subject_name(a->certificate);
    i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (i >= 0) {
        entry = X509_NAME_get_entry(subject, i);
        n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));

        if (n < 0) {
            ERR_clear_error();
            return NGX_ERROR;
        }

        len = n;
        p = text;

    } else {
        len = a->name.len;
        p = a->name.data;
    }

    max = NGX_OCSP_DELEGATE_NAME_LEN - (sizeof(NGX_OCSP_DELEGATE_NAME_END) - 1);

    if (len > max) {
        len = max;

        /* not in the middle of a character */

        while (len > 0 && (p[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    name->len = len + sizeof(NGX_OCSP_DELEGATE_NAME_END) - 1;
    name->data = ngx_pnalloc(pool, name->len);

    if (name->data != NULL) {
        p = ngx_cpymem(name->data, p, len);
        ngx_memcpy(p, NGX_OCSP_DELEGATE_NAME_END,
                   sizeof(NGX_OCSP_DELEGATE_NAME_END) - 1);
    }

    OPENSSL_free(text);

    return (name->data == NULL) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_ocsp_delegate_extensions(ngx_pool_t *pool, ngx_pki_template_t *t)
{
    size_t                seq, value, list;
    ngx_str_t             oid;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, 128) != NGX_OK) {
        return NGX_ERROR;
    }

    /* keyUsage, critical: digitalSignature */

    seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_str_set(&oid, NGX_OCSP_OID_KEY_USAGE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &oid);
    ngx_pki_der_put_boolean(&w, 1);
    value = ngx_pki_der_begin(&w, NGX_PKI_DER_OCTET_STRING);
    ngx_pki_der_bytes(&w, "\x03\x02\x07\x80", 4);
    ngx_pki_der_close(&w, value);
    ngx_pki_der_close(&w, seq);

    /* extendedKeyUsage: id-kp-OCSPSigning */

    seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_str_set(&oid, NGX_OCSP_OID_EXTENDED_KEY_USAGE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &oid);
    value = ngx_pki_der_begin(&w, NGX_PKI_DER_OCTET_STRING);
    list = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_str_set(&oid, NGX_OCSP_OID_SIGNING);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &oid);
    ngx_pki_der_close(&w, list);
    ngx_pki_der_close(&w, value);
    ngx_pki_der_close(&w, seq);

    /* id-pkix-ocsp-nocheck: its short life replaces a check */

    seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_str_set(&oid, NGX_OCSP_OID_NOCHECK);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &oid);
    value = ngx_pki_der_begin(&w, NGX_PKI_DER_OCTET_STRING);
    ngx_pki_der_put_null(&w);
    ngx_pki_der_close(&w, value);
    ngx_pki_der_close(&w, seq);

    return ngx_pki_der_finish(&w, &t->extensions);
}


static void
ngx_ocsp_delegate_header(ngx_ocsp_delegate_header_t *h,
    ngx_pki_authority_t *a, ngx_ocsp_delegate_spec_t *spec)
{
    ngx_memzero(h, sizeof(ngx_ocsp_delegate_header_t));
    ngx_memcpy(h->fingerprint, a->fingerprint, sizeof(h->fingerprint));

    h->type = spec->key.type;
    h->bits = spec->key.bits;
    h->validity = spec->validity;
}


static ngx_int_t
ngx_ocsp_delegate_open(ngx_ocsp_responder_t *r, ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, ngx_str_t *blob)
{
    ngx_str_t                    header, certificate, key;
    ngx_pki_der_t                in, seq;
    ngx_ocsp_delegate_header_t   h, ours;

    ngx_pki_der_init(&in, blob);

    if (ngx_pki_der_enter(&in, NGX_PKI_DER_SEQUENCE, &seq) != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING, &header) != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING, &certificate)
           != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING, &key) != NGX_OK
        || header.len != sizeof(ngx_ocsp_delegate_header_t))
    {
        return NGX_ERROR;
    }

    ngx_memcpy(&h, header.data, sizeof(ngx_ocsp_delegate_header_t));
    ngx_ocsp_delegate_header(&ours, a, spec);

    if (ngx_memcmp(h.fingerprint, ours.fingerprint, sizeof(h.fingerprint)) != 0
        || h.type != ours.type
        || h.bits != ours.bits
        || h.validity != ours.validity)
    {
        return NGX_DECLINED;
    }

    r->not_before = h.not_before;
    r->not_after = h.not_after;
    r->renew_at = ngx_ocsp_delegate_renew_at(a, h.issued_at, h.not_after);

    return ngx_ocsp_delegate_certify(r, a, &key, &certificate);
}


/*
 * At half life; if a vault could take all the rest for its answer and for that
 * to a second try, sooner, but not before a third.
 */

static time_t
ngx_ocsp_delegate_renew_at(ngx_pki_authority_t *a, time_t issued_at,
    time_t not_after)
{
    time_t  life, age;

    life = not_after - issued_at;
    age = life / 2;

    if (a->vault != NULL) {
        age = ngx_min(age, life - (time_t) (2 * a->vault->conf->budget / 1000));
        age = ngx_max(age, life / 3);
    }

    return issued_at + age;
}


static ngx_int_t
ngx_ocsp_delegate_certify(ngx_ocsp_responder_t *r, ngx_pki_authority_t *a,
    ngx_str_t *octets, ngx_str_t *certificate)
{
    X509           *x509;
    EVP_PKEY       *pkey;
    ngx_int_t       rc;
    ngx_str_t       der;
    const u_char   *p;
    ngx_pki_key_t  *key;

    der.len = certificate->len;
    der.data = ngx_pnalloc(r->pool, der.len);
    if (der.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(der.data, certificate->data, der.len);

    p = der.data;
    x509 = d2i_X509(NULL, &p, der.len);

    if (x509 == NULL) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    pkey = ngx_ocsp_delegate_private_key(octets, x509);

    if (pkey != NULL) {
        key = ngx_pki_key_memory(r->pool, pkey, &a->name);

        if (key != NULL) {
            rc = ngx_ocsp_certify(r, key, x509, &der);
        }
    }

    X509_free(x509);

    return rc;
}


static EVP_PKEY *
ngx_ocsp_delegate_private_key(ngx_str_t *octets, X509 *x509)
{
    EVP_PKEY      *pkey;
    const u_char  *p;

    p = octets->data;
    pkey = d2i_AutoPrivateKey(NULL, &p, octets->len);

    if (pkey == NULL || X509_check_private_key(x509, pkey) != 1) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return NULL;
    }

    return pkey;
}


/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_delegate.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_der.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>


#define NGX_OCSP_DELEGATE_POOL_SIZE  4096
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
static ngx_int_t ngx_ocsp_delegate_open(ngx_ocsp_delegate_t *d,
    ngx_pki_authority_t *a, ngx_ocsp_delegate_spec_t *spec, ngx_str_t *blob);
static ngx_int_t ngx_ocsp_delegate_key(ngx_ocsp_delegate_t *d,
    ngx_pki_authority_t *a, ngx_str_t *octets);


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


ngx_ocsp_delegate_t *
ngx_ocsp_delegate_unpack(ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, ngx_str_t *blob, ngx_log_t *log)
{
    ngx_pool_t           *pool;
    ngx_ocsp_delegate_t  *d;

    pool = ngx_create_pool(NGX_OCSP_DELEGATE_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    d = ngx_pcalloc(pool, sizeof(ngx_ocsp_delegate_t));

    if (d == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    d->pool = pool;
    d->count = 1;

    if (ngx_ocsp_delegate_open(d, a, spec, blob) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return d;
}


void
ngx_ocsp_delegate_retain(ngx_ocsp_delegate_t *delegate)
{
    delegate->count++;
}


void
ngx_ocsp_delegate_release(ngx_ocsp_delegate_t *delegate)
{
    if (--delegate->count == 0) {
        ngx_destroy_pool(delegate->pool);
    }
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
ngx_ocsp_delegate_open(ngx_ocsp_delegate_t *d, ngx_pki_authority_t *a,
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

    d->not_before = h.not_before;
    d->not_after = h.not_after;
    d->renew_at = h.issued_at + (h.not_after - h.issued_at) / 2;

    d->certificate.len = certificate.len;
    d->certificate.data = ngx_pnalloc(d->pool, certificate.len);
    if (d->certificate.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(d->certificate.data, certificate.data, certificate.len);

    return ngx_ocsp_delegate_key(d, a, &key);
}


static ngx_int_t
ngx_ocsp_delegate_key(ngx_ocsp_delegate_t *d, ngx_pki_authority_t *a,
    ngx_str_t *octets)
{
    int             ok;
    X509           *x509;
    EVP_PKEY       *pkey;
    unsigned int    len;
    const u_char   *p;

    p = octets->data;
    pkey = d2i_AutoPrivateKey(NULL, &p, octets->len);

    if (pkey == NULL) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    p = d->certificate.data;
    x509 = d2i_X509(NULL, &p, d->certificate.len);

    ok = (x509 != NULL
          && X509_check_private_key(x509, pkey) == 1
          && X509_pubkey_digest(x509, EVP_sha1(), d->key_hash, &len) == 1);

    X509_free(x509);

    if (!ok) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return NGX_ERROR;
    }

    d->key = ngx_pki_key_memory(d->pool, pkey, &a->name);
    if (d->key == NULL) {
        return NGX_ERROR;
    }

    d->md = ngx_pki_key_curve_md(&d->key->spec);
    d->algorithm = ngx_pki_key_algorithm(d->key->spec.type, d->md, 0);

    return (d->algorithm == NULL) ? NGX_ERROR : NGX_OK;
}

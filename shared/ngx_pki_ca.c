
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_ca.h"
#include "ngx_pki_der.h"
#include "ngx_pki_file.h"
#include "ngx_pki_name.h"
#include "ngx_pki_issue.h"

#include <openssl/pem.h>


/*
 * Devices with a clock that is behind must accept the certificates of the
 * first day, too.
 */
#define NGX_PKI_CA_BACKDATE  (24 * 60 * 60)


typedef struct {
    ngx_int_t                  rc;
    ngx_str_t                  signature;
} ngx_pki_ca_signature_t;


typedef void (*ngx_pki_ca_put_pt)(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);


static ngx_int_t ngx_pki_ca_make(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_op_t *op, ngx_str_t *der);
static ngx_int_t ngx_pki_ca_tbs(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_str_t *name, ngx_str_t *algorithm, ngx_str_t *tbs);
static void ngx_pki_ca_put_validity(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_ca_put_extensions(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static void ngx_pki_ca_put_extension(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_uint_t critical, ngx_str_t *value);
static ngx_int_t ngx_pki_ca_sign(ngx_pki_authority_t *a, ngx_pki_op_t *op,
    ngx_str_t *tbs, ngx_str_t *signature);
static void ngx_pki_ca_sign_handler(ngx_pki_key_job_t *job);
static ngx_int_t ngx_pki_ca_write(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_str_t *der);
static ngx_int_t ngx_pki_ca_take_apart(ngx_pki_authority_t *a,
    ngx_str_t *bits);
static ngx_int_t ngx_pki_ca_hashes(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_str_t *bits);
static ngx_int_t ngx_pki_ca_digest(ngx_pool_t *pool, const EVP_MD *md,
    ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_pki_ca_extensions(ngx_pool_t *pool,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_ca_make_extension(ngx_pool_t *pool, ngx_str_t *oid,
    ngx_pki_ca_put_pt put, ngx_pki_authority_t *a, ngx_str_t *extension);
static void ngx_pki_ca_put_aki(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static void ngx_pki_ca_put_aia(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static void ngx_pki_ca_put_cdp(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static void ngx_pki_ca_put_access(ngx_pki_der_writer_t *w, ngx_str_t *method,
    ngx_str_t *url);
static time_t ngx_pki_ca_time(const ASN1_TIME *t);


static ngx_str_t  ngx_pki_ca_oid_basic_constraints = ngx_string("\x55\x1d\x13");
static ngx_str_t  ngx_pki_ca_oid_key_usage = ngx_string("\x55\x1d\x0f");
static ngx_str_t  ngx_pki_ca_oid_ski = ngx_string("\x55\x1d\x0e");
static ngx_str_t  ngx_pki_ca_oid_aki = ngx_string("\x55\x1d\x23");
static ngx_str_t  ngx_pki_ca_oid_cdp = ngx_string("\x55\x1d\x1f");
static ngx_str_t  ngx_pki_ca_oid_aia =
    ngx_string("\x2b\x06\x01\x05\x05\x07\x01\x01");
static ngx_str_t  ngx_pki_ca_oid_ocsp =
    ngx_string("\x2b\x06\x01\x05\x05\x07\x30\x01");
static ngx_str_t  ngx_pki_ca_oid_issuers =
    ngx_string("\x2b\x06\x01\x05\x05\x07\x30\x02");

/* SEQUENCE { TRUE } */
static ngx_str_t  ngx_pki_ca_is_ca = ngx_string("\x30\x03\x01\x01\xff");

/* digitalSignature, keyCertSign, cRLSign; for SCEP keyEncipherment, too */
static ngx_str_t  ngx_pki_ca_usage_ec = ngx_string("\x03\x02\x01\x86");
static ngx_str_t  ngx_pki_ca_usage_rsa = ngx_string("\x03\x02\x01\xa6");


ngx_int_t
ngx_pki_ca_create(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_int_t      rc;
    ngx_str_t      der;
    ngx_pki_op_t  *op;

    op = ngx_pki_op_create(cf->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->authority = a->name;
    ngx_pki_op_action(op, "making the certificate of the authority");

    rc = ngx_pki_ca_make(cf, a, op, &der);

    if (rc == NGX_OK) {
        rc = ngx_pki_ca_write(cf, a, &der);
    }

    ngx_pki_op_destroy(op);

    return rc;
}


static ngx_int_t
ngx_pki_ca_make(ngx_conf_t *cf, ngx_pki_authority_t *a, ngx_pki_op_t *op,
    ngx_str_t *der)
{
    ngx_str_t    name, tbs, signature, *algorithm;
    const char  *error;

    error = "out of memory";

    if (ngx_pki_name_encode(op->pool, &a->subject, &name, &error) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": subject \"%V\": %s",
                           &a->name, &a->subject, error);
        return NGX_ERROR;
    }

    algorithm = ngx_pki_key_algorithm(a->key->spec.type, a->md);

    if (algorithm == NULL
        || ngx_pki_ca_tbs(op->pool, a, &name, algorithm, &tbs) != NGX_OK
        || ngx_pki_ca_sign(a, op, &tbs, &signature) != NGX_OK
        || ngx_pki_issue_seal(op->pool, &tbs, algorithm, &signature, der)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": cannot make a certificate",
                           &a->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_ca_tbs(ngx_pool_t *pool, ngx_pki_authority_t *a, ngx_str_t *name,
    ngx_str_t *algorithm, ngx_str_t *tbs)
{
    int                    len;
    size_t                 mark, inner;
    u_char                 random[16];
    ngx_int_t              rc;
    ngx_str_t              serial, spki;
    ngx_pki_der_writer_t   w;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    /* positive, and of 16 octets always */
    random[0] = (random[0] & 0x7f) | 0x40;

    serial.len = sizeof(random);
    serial.data = random;

    spki.data = NULL;
    len = i2d_PUBKEY(a->key->public_key, &spki.data);

    if (len <= 0) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    spki.len = len;

    rc = ngx_pki_der_writer_init(&w, pool, 2048);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    inner = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    ngx_pki_der_put_uint(&w, 2);
    ngx_pki_der_close(&w, inner);

    ngx_pki_der_put_unsigned(&w, &serial);
    ngx_pki_der_raw(&w, algorithm);
    ngx_pki_der_raw(&w, name);
    ngx_pki_ca_put_validity(&w, a);
    ngx_pki_der_raw(&w, name);
    ngx_pki_der_raw(&w, &spki);

    if (rc == NGX_OK) {
        rc = ngx_pki_ca_put_extensions(&w, a);
    }

    ngx_pki_der_close(&w, mark);

    OPENSSL_free(spki.data);

    return rc == NGX_OK ? ngx_pki_der_finish(&w, tbs) : NGX_ERROR;
}


static void
ngx_pki_ca_put_validity(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a)
{
    size_t  mark;
    time_t  now;

    now = ngx_time();

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put_time(w, now - NGX_PKI_CA_BACKDATE);
    ngx_pki_der_put_time(w, now + a->create_validity);
    ngx_pki_der_close(w, mark);
}


static ngx_int_t
ngx_pki_ca_put_extensions(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a)
{
    size_t      outer, list;
    u_char      ski[2 + SHA_DIGEST_LENGTH];
    ngx_str_t   value, *usage;
    X509       *x509;

    /* the SHA-1 of the BIT STRING's octets, RFC 5280, 4.2.1.2 (1) */

    x509 = X509_new();

    if (x509 == NULL
        || X509_set_pubkey(x509, a->key->public_key) != 1
        || X509_pubkey_digest(x509, EVP_sha1(), &ski[2], NULL) != 1)
    {
        X509_free(x509);
        ERR_clear_error();
        return NGX_ERROR;
    }

    X509_free(x509);

    ski[0] = NGX_PKI_DER_OCTET_STRING;
    ski[1] = SHA_DIGEST_LENGTH;

    value.len = sizeof(ski);
    value.data = ski;

    usage = (a->key->spec.type == NGX_PKI_KEY_RSA) ? &ngx_pki_ca_usage_rsa
                                                   : &ngx_pki_ca_usage_ec;

    outer = ngx_pki_der_begin(w, ngx_pki_der_explicit(3));
    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_ca_put_extension(w, &ngx_pki_ca_oid_basic_constraints, 1,
                             &ngx_pki_ca_is_ca);
    ngx_pki_ca_put_extension(w, &ngx_pki_ca_oid_key_usage, 1, usage);
    ngx_pki_ca_put_extension(w, &ngx_pki_ca_oid_ski, 0, &value);

    ngx_pki_der_close(w, list);
    ngx_pki_der_close(w, outer);

    return NGX_OK;
}


static void
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


/* at configuration time, where a key of a file answers at once */

static ngx_int_t
ngx_pki_ca_sign(ngx_pki_authority_t *a, ngx_pki_op_t *op, ngx_str_t *tbs,
    ngx_str_t *signature)
{
    ngx_pki_key_job_t       *job;
    ngx_pki_ca_signature_t   result;

    job = ngx_pcalloc(op->pool, sizeof(ngx_pki_key_job_t));

    if (job == NULL
        || ngx_pki_ca_digest(op->pool, a->md, tbs, &job->input) != NGX_OK)
    {
        return NGX_ERROR;
    }

    result.rc = NGX_ERROR;

    job->op = op;
    job->key = a->key;
    job->md = a->md;
    job->handler = ngx_pki_ca_sign_handler;
    job->data = &result;

    ngx_pki_key_sign(job);

    *signature = result.signature;

    return result.rc;
}


static void
ngx_pki_ca_sign_handler(ngx_pki_key_job_t *job)
{
    ngx_pki_ca_signature_t  *result = job->data;

    result->rc = job->rc;
    result->signature = job->output;
}


static ngx_int_t
ngx_pki_ca_write(ngx_conf_t *cf, ngx_pki_authority_t *a, ngx_str_t *der)
{
    BIO                  *bio;
    X509                 *x509;
    BUF_MEM              *mem;
    ngx_int_t             rc;
    ngx_str_t             content, error;
    const unsigned char  *p;

    rc = NGX_ERROR;
    ngx_str_set(&error, "out of memory");

    p = der->data;
    x509 = d2i_X509(NULL, &p, der->len);
    bio = BIO_new(BIO_s_mem());

    if (x509 != NULL && bio != NULL
        && PEM_write_bio_X509(bio, x509) == 1
        && BIO_get_mem_ptr(bio, &mem) == 1)
    {
        content.len = mem->length;
        content.data = (u_char *) mem->data;

        rc = ngx_pki_file_create(cf->pool, &a->certificate_file, 0644,
                                 &content, &error);
    }

    BIO_free(bio);
    X509_free(x509);
    ERR_clear_error();

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "authority \"%V\": %V",
                           &a->name, &error);
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        ngx_conf_log_error(NGX_LOG_NOTICE, cf, 0,
                           "authority \"%V\": made the certificate \"%V\"",
                           &a->name, &a->certificate_file);
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_ca_prepare(ngx_pool_t *pool, ngx_pki_authority_t *a)
{
    ngx_str_t                 bits;
    const ASN1_OCTET_STRING  *ski;

    if (ngx_pki_ca_take_apart(a, &bits) != NGX_OK
        || ngx_pki_ca_hashes(pool, a, &bits) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ski = X509_get0_subject_key_id(a->certificate);

    if (ski == NULL) {
        return NGX_ERROR;
    }

    a->key_id.len = ASN1_STRING_length(ski);
    a->key_id.data = (u_char *) ASN1_STRING_get0_data(ski);

    a->not_before = ngx_pki_ca_time(X509_get0_notBefore(a->certificate));
    a->not_after = ngx_pki_ca_time(X509_get0_notAfter(a->certificate));

    if (X509_digest(a->certificate, EVP_sha256(), a->fingerprint, NULL) != 1) {
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


static ngx_int_t
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

    if (a->crl_url.len != 0
        && ngx_pki_ca_make_extension(pool, &ngx_pki_ca_oid_cdp,
                                     ngx_pki_ca_put_cdp, a, &a->cdp)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
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


/* one DistributionPoint, its name fullName, its GeneralName a URI */

static void
ngx_pki_ca_put_cdp(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a)
{
    size_t  list, point, name, full;

    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    point = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    name = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    full = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));

    ngx_pki_der_put(w, ngx_pki_der_context(6), &a->crl_url);

    ngx_pki_der_close(w, full);
    ngx_pki_der_close(w, name);
    ngx_pki_der_close(w, point);
    ngx_pki_der_close(w, list);
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


static time_t
ngx_pki_ca_time(const ASN1_TIME *t)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        ERR_clear_error();
        return 0;
    }

    return timegm(&tm);
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * Makes the certificate of an authority, or the request for one.
 */


#include "ngx_pki_ca.h"
#include "ngx_pki_file.h"
#include "ngx_pki_name.h"
#include "ngx_pki_issue.h"

#include <openssl/pem.h>


/*
 * Devices with a clock that is behind must accept the certificates of the
 * first day, too.
 */
#define NGX_PKI_CA_BACKDATE  (24 * 60 * 60)


static ngx_int_t ngx_pki_ca_make_encode(ngx_pki_ca_job_t *job);
static ngx_int_t ngx_pki_ca_make_tbs(ngx_pki_ca_job_t *job, ngx_str_t *name,
    ngx_str_t *spki, ngx_str_t *algorithm);
static ngx_int_t ngx_pki_ca_make_request(ngx_pki_ca_job_t *job,
    ngx_str_t *name, ngx_str_t *spki);
static void ngx_pki_ca_make_put_validity(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_ca_make_put_extensions(ngx_pki_der_writer_t *w,
    ngx_pki_ca_job_t *job);
static ngx_int_t ngx_pki_ca_make_ski(ngx_pki_authority_t *a, u_char *ski);
static void ngx_pki_ca_make_sign_handler(ngx_pki_key_job_t *sign);
static void ngx_pki_ca_make_done(ngx_pki_ca_job_t *job, ngx_int_t rc);
static void ngx_pki_ca_create_handler(ngx_pki_ca_job_t *job);


static ngx_str_t  ngx_pki_ca_oid_basic_constraints = ngx_string("\x55\x1d\x13");
static ngx_str_t  ngx_pki_ca_oid_key_usage = ngx_string("\x55\x1d\x0f");
static ngx_str_t  ngx_pki_ca_oid_ski = ngx_string("\x55\x1d\x0e");

/* extensionRequest, PKCS#9 */
static ngx_str_t  ngx_pki_ca_oid_extensions =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e");

/* SEQUENCE { TRUE } */
static ngx_str_t  ngx_pki_ca_is_ca = ngx_string("\x30\x03\x01\x01\xff");

/* digitalSignature, keyCertSign, cRLSign; for SCEP keyEncipherment, too */
static ngx_str_t  ngx_pki_ca_usage = ngx_string("\x03\x02\x01\x86");
static ngx_str_t  ngx_pki_ca_usage_scep = ngx_string("\x03\x02\x01\xa6");


void
ngx_pki_ca_make(ngx_pki_ca_job_t *job)
{
    const char           *error;
    ngx_pki_key_job_t    *sign;
    ngx_pki_authority_t  *a;

    a = job->authority;
    sign = &job->sign;

    error = ngx_pki_authority_digest(a, &a->key->spec);

    if (error != NULL) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "the authority %s", error);
        ngx_pki_ca_make_done(job, NGX_ERROR);
        return;
    }

    ngx_memzero(sign, sizeof(ngx_pki_key_job_t));

    if (ngx_pki_ca_make_encode(job) != NGX_OK
        || ngx_pki_ca_digest(job->op->pool, a->md, &job->tbs, &sign->input)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "the certificate of the authority cannot be encoded");
        ngx_pki_ca_make_done(job, NGX_ERROR);
        return;
    }

    sign->op = job->op;
    sign->key = a->key;
    sign->md = a->md;
    sign->pss = a->pss;
    sign->at_once = job->at_once;
    sign->handler = ngx_pki_ca_make_sign_handler;
    sign->data = job;

    ngx_pki_key_sign(sign);
}


static ngx_int_t
ngx_pki_ca_make_encode(ngx_pki_ca_job_t *job)
{
    ngx_str_t             name, spki, *algorithm;
    const char           *error;
    ngx_pki_authority_t  *a;

    a = job->authority;
    algorithm = ngx_pki_key_algorithm(a->key->spec.type, a->md, a->pss);

    if (algorithm == NULL
        || ngx_pki_name_encode(job->op->pool, &a->subject, &name, &error)
           != NGX_OK
        || ngx_pki_key_spki(job->op->pool, a->key->public_key, &spki) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return job->request ? ngx_pki_ca_make_request(job, &name, &spki)
                        : ngx_pki_ca_make_tbs(job, &name, &spki, algorithm);
}


static ngx_int_t
ngx_pki_ca_make_tbs(ngx_pki_ca_job_t *job, ngx_str_t *name, ngx_str_t *spki,
    ngx_str_t *algorithm)
{
    size_t                 mark, inner;
    u_char                 random[16];
    ngx_str_t              serial;
    ngx_pki_der_writer_t   w;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    /* positive, and of 16 octets always */
    random[0] = (random[0] & 0x7f) | 0x40;

    serial.len = sizeof(random);
    serial.data = random;

    if (ngx_pki_der_writer_init(&w, job->op->pool, 2048) != NGX_OK) {
        return NGX_ERROR;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    inner = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    ngx_pki_der_put_uint(&w, 2);
    ngx_pki_der_close(&w, inner);

    ngx_pki_der_put_unsigned(&w, &serial);
    ngx_pki_der_raw(&w, algorithm);
    ngx_pki_der_raw(&w, name);
    ngx_pki_ca_make_put_validity(&w, job->authority);
    ngx_pki_der_raw(&w, name);
    ngx_pki_der_raw(&w, spki);

    inner = ngx_pki_der_begin(&w, ngx_pki_der_explicit(3));

    if (ngx_pki_ca_make_put_extensions(&w, job) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_der_close(&w, inner);
    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, &job->tbs);
}


/* CertificationRequestInfo, RFC 2986, 4.1 */

static ngx_int_t
ngx_pki_ca_make_request(ngx_pki_ca_job_t *job, ngx_str_t *name,
    ngx_str_t *spki)
{
    size_t                 mark, attributes, attribute, set;
    ngx_pki_der_writer_t   w;

    if (ngx_pki_der_writer_init(&w, job->op->pool, 2048) != NGX_OK) {
        return NGX_ERROR;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 0);
    ngx_pki_der_raw(&w, name);
    ngx_pki_der_raw(&w, spki);

    attributes = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    attribute = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_pki_ca_oid_extensions);

    set = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);

    if (ngx_pki_ca_make_put_extensions(&w, job) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_der_close(&w, set);
    ngx_pki_der_close(&w, attribute);
    ngx_pki_der_close(&w, attributes);
    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, &job->tbs);
}


static void
ngx_pki_ca_make_put_validity(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a)
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
ngx_pki_ca_make_put_extensions(ngx_pki_der_writer_t *w, ngx_pki_ca_job_t *job)
{
    size_t                list;
    u_char                ski[2 + SHA_DIGEST_LENGTH];
    ngx_str_t             value, *usage;
    ngx_pki_authority_t  *a;

    a = job->authority;

    if (ngx_pki_ca_make_ski(a, ski) != NGX_OK) {
        return NGX_ERROR;
    }

    value.len = sizeof(ski);
    value.data = ski;

    /* with an RA, clients must not take the authority for the recipient */

    usage = (a->key->spec.type == NGX_PKI_KEY_RSA
             && a->ra_mode == NGX_PKI_RA_OFF)
            ? &ngx_pki_ca_usage_scep : &ngx_pki_ca_usage;

    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_ca_put_extension(w, &ngx_pki_ca_oid_basic_constraints, 1,
                             &ngx_pki_ca_is_ca);
    ngx_pki_ca_put_extension(w, &ngx_pki_ca_oid_key_usage, 1, usage);
    ngx_pki_ca_put_extension(w, &ngx_pki_ca_oid_ski, 0, &value);

    ngx_pki_der_close(w, list);

    return NGX_OK;
}


/* the SHA-1 of the BIT STRING's octets, RFC 5280, 4.2.1.2 (1) */

static ngx_int_t
ngx_pki_ca_make_ski(ngx_pki_authority_t *a, u_char *ski)
{
    X509       *x509;
    ngx_int_t   rc;

    rc = NGX_OK;
    x509 = X509_new();

    if (x509 == NULL
        || X509_set_pubkey(x509, a->key->public_key) != 1
        || X509_pubkey_digest(x509, EVP_sha1(), &ski[2], NULL) != 1)
    {
        ERR_clear_error();
        rc = NGX_ERROR;
    }

    X509_free(x509);

    ski[0] = NGX_PKI_DER_OCTET_STRING;
    ski[1] = SHA_DIGEST_LENGTH;

    return rc;
}


static void
ngx_pki_ca_make_sign_handler(ngx_pki_key_job_t *sign)
{
    ngx_str_t         *algorithm;
    ngx_pki_ca_job_t  *job;

    job = sign->data;

    if (sign->rc != NGX_OK) {
        ngx_pki_ca_make_done(job, NGX_ERROR);
        return;
    }

    algorithm = ngx_pki_key_algorithm(sign->key->spec.type, sign->md,
                                      sign->pss);

    ngx_pki_ca_make_done(job, ngx_pki_issue_seal(job->op->pool, &job->tbs,
                                                 algorithm, &sign->output,
                                                 &job->der));
}


static void
ngx_pki_ca_make_done(ngx_pki_ca_job_t *job, ngx_int_t rc)
{
    job->rc = rc;
    job->handler(job);
}


ngx_int_t
ngx_pki_ca_write(ngx_pki_ca_job_t *job, ngx_pool_t *pool, ngx_str_t *error)
{
    BIO                  *bio;
    BUF_MEM              *mem;
    ngx_int_t             rc;
    ngx_str_t             content;
    ngx_pki_authority_t  *a;

    a = job->authority;
    rc = NGX_ERROR;
    ngx_str_set(error, "out of memory");

    bio = BIO_new(BIO_s_mem());

    if (bio != NULL
        && PEM_write_bio(bio, job->request ? PEM_STRING_X509_REQ
                                           : PEM_STRING_X509,
                         "", job->der.data, job->der.len)
           > 0
        && BIO_get_mem_ptr(bio, &mem) == 1)
    {
        content.len = mem->length;
        content.data = (u_char *) mem->data;

        rc = ngx_pki_file_create(pool,
                                 job->request ? &a->csr_file
                                              : &a->certificate_file,
                                 0644, &content, error);
    }

    BIO_free(bio);
    ERR_clear_error();

    return rc;
}


ngx_int_t
ngx_pki_ca_create(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_int_t          rc;
    ngx_str_t          error;
    ngx_pki_op_t      *op;
    ngx_pki_ca_job_t   job;

    op = ngx_pki_op_create(cf->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->authority = a->name;
    ngx_pki_op_action(op, "making the certificate of the authority");

    ngx_memzero(&job, sizeof(ngx_pki_ca_job_t));

    job.op = op;
    job.authority = a;
    job.request = (a->csr_file.len != 0);
    job.at_once = 1;
    job.handler = ngx_pki_ca_create_handler;

    ngx_pki_ca_make(&job);

    ngx_str_set(&error, "cannot make a certificate");

    rc = (job.rc == NGX_OK) ? ngx_pki_ca_write(&job, cf->pool, &error)
                            : NGX_ERROR;

    ngx_pki_op_destroy(op);

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "authority \"%V\": %V",
                           &a->name, &error);
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        ngx_conf_log_error(NGX_LOG_NOTICE, cf, 0,
                           "authority \"%V\": made the %s \"%V\"", &a->name,
                           job.request ? "certificate request"
                                       : "certificate",
                           job.request ? &a->csr_file : &a->certificate_file);
    }

    return NGX_OK;
}


/* the result is looked at when ngx_pki_ca_make() has returned */

static void
ngx_pki_ca_create_handler(ngx_pki_ca_job_t *job)
{
    if (job->rc != NGX_OK) {
        ngx_str_null(&job->der);
    }
}

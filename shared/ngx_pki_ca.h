
/*
 * Copyright (C) the ngx_pki authors
 *
 * The certificate of an authority itself: made, and taken to pieces.
 */


#ifndef _NGX_PKI_CA_H_INCLUDED_
#define _NGX_PKI_CA_H_INCLUDED_


#include "ngx_pki_authority.h"
#include "ngx_pki_der.h"


typedef struct ngx_pki_ca_job_s  ngx_pki_ca_job_t;

typedef void (*ngx_pki_ca_pt)(ngx_pki_ca_job_t *job);


/*
 * Makes the self-signed certificate of authority->key, or a request for one of
 * a subordinate authority (PKCS#10), in the pool of the operation.  The handler
 * is called exactly once, perhaps at once.
 */

struct ngx_pki_ca_job_s {
    ngx_pki_op_t              *op;
    ngx_pki_authority_t       *authority;
    unsigned                   request:1;
    unsigned                   at_once:1;    /* there is no event loop yet */

    ngx_int_t                  rc;           /* NGX_ERROR: logged */
    ngx_str_t                  der;

    ngx_pki_ca_pt              handler;
    void                      *data;

    ngx_str_t                  tbs;
    ngx_pki_key_job_t          sign;
};


void ngx_pki_ca_make(ngx_pki_ca_job_t *job);

/*
 * Writes what was made, in PEM, to the authority's certificate_file, or its
 * csr_file.  NGX_DECLINED: there is one by now.  NGX_ERROR: "error" is why.
 */
ngx_int_t ngx_pki_ca_write(ngx_pki_ca_job_t *job, ngx_pool_t *pool,
    ngx_str_t *error);

/*
 * At configuration time, with a key of a file: makes and writes the
 * certificate, or the request if "csr" says so.  NGX_ERROR: logged.
 */
ngx_int_t ngx_pki_ca_create(ngx_conf_t *cf, ngx_pki_authority_t *a);

/* Fills everything in "a" that follows from a certificate and a->der. */
ngx_int_t ngx_pki_ca_prepare(ngx_pool_t *pool, ngx_pki_authority_t *a,
    X509 *x509);

/* The DER of a certificate; a digest of octets: in a pool. */
ngx_int_t ngx_pki_ca_der(ngx_pool_t *pool, X509 *x509, ngx_str_t *der);
ngx_int_t ngx_pki_ca_digest(ngx_pool_t *pool, const EVP_MD *md,
    ngx_str_t *in, ngx_str_t *out);

/* A time of a certificate, in seconds of the epoch; 0: it is none. */
time_t ngx_pki_ca_time(const ASN1_TIME *t);

/* An Extension (RFC 5280, 4.1); "value" is the DER inside it. */
void ngx_pki_ca_put_extension(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_uint_t critical, ngx_str_t *value);

/*
 * CRLDistributionPoints (RFC 5280, 4.2.1.13): one, with this URL, and the
 * Extension of certificates that it stands in.  By put_point its name alone,
 * in its [0]: a CRL's IssuingDistributionPoint has the same octets (5.2.5).
 */
void ngx_pki_ca_put_cdp(ngx_pki_der_writer_t *w, ngx_str_t *url);
void ngx_pki_ca_put_points(ngx_pki_der_writer_t *w, ngx_str_t *url);
void ngx_pki_ca_put_point(ngx_pki_der_writer_t *w, ngx_str_t *url);


#endif /* _NGX_PKI_CA_H_INCLUDED_ */

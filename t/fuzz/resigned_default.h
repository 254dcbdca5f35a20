
/*
 * Copyright (C) the ngx_pki authors
 *
 * The fields of a message as a well-behaved client makes them.
 */


#ifndef _RESIGNED_DEFAULT_H_INCLUDED_
#define _RESIGNED_DEFAULT_H_INCLUDED_


#include "resigned_message.h"


static void fuzz_put_attributes(ngx_pki_der_writer_t *w, resigned_t *in);
static void fuzz_put_plaintext(ngx_pki_der_writer_t *w, resigned_t *in);
static void fuzz_put_algorithm(ngx_pki_der_writer_t *w, resigned_t *in);
static void fuzz_put_padding(ngx_pki_der_writer_t *w, resigned_t *in);
static void fuzz_put_hashes(ngx_pki_der_writer_t *w, ngx_uint_t digest,
    ngx_uint_t salt);
static void fuzz_put_cipher(ngx_pki_der_writer_t *w, resigned_t *in);


/* in memory that the next call overwrites */

static void
resigned_default(resigned_t *in, ngx_uint_t field, ngx_str_t *out)
{
    ngx_pool_t            *pool;
    ngx_pki_der_writer_t   w;
    static u_char          buf[RESIGNED_MAX_FIELD];

    pool = fuzz_pool();

    fuzz_must(ngx_pki_der_writer_init(&w, pool, 1024) == NGX_OK);

    switch (field) {

    case RESIGNED_ATTRIBUTES:
        fuzz_put_attributes(&w, in);
        break;

    case RESIGNED_SUBJECT:
        ngx_pki_der_raw(&w, &fuzz_name);
        break;

    case RESIGNED_REQUEST:
        ngx_pki_der_raw(&w, &fuzz_request_attributes);
        break;

    case RESIGNED_PLAINTEXT:
        fuzz_put_plaintext(&w, in);
        break;

    case RESIGNED_EXTENSIONS:
        ngx_pki_der_raw(&w, &fuzz_extensions);
        break;

    case RESIGNED_CERTIFICATES:
        ngx_pki_der_raw(&w, &fuzz_ca.certificate);
        break;

    case RESIGNED_SIGNATURE:
        fuzz_put_algorithm(&w, in);
        break;

    case RESIGNED_KEY:
        fuzz_put_padding(&w, in);
        break;

    case RESIGNED_CONTENT:
        fuzz_put_cipher(&w, in);
        break;

    case RESIGNED_RECIPIENTS:
        fuzz_put_recipient(&w, in);
        break;

    default: /* RESIGNED_UNSIGNED */
        ngx_pki_der_put_null(&w);
        break;
    }

    fuzz_must(ngx_pki_der_finish(&w, out) == NGX_OK
              && out->len <= sizeof(buf));

    ngx_memcpy(buf, out->data, out->len);
    out->data = buf;

    fuzz_done(pool);
}


static void
fuzz_put_attributes(ngx_pki_der_writer_t *w, resigned_t *in)
{
    ngx_str_t  text;

    ngx_str_set(&text, "4F2C9A");
    fuzz_put_attribute(w, &fuzz_oid_transaction, NGX_PKI_DER_PRINTABLE_STRING,
                       &text);

    text.data = (u_char *) fuzz_types[fuzz_type(in)];
    text.len = 2;
    fuzz_put_attribute(w, &fuzz_oid_message_type,
                       NGX_PKI_DER_PRINTABLE_STRING, &text);

    ngx_str_set(&text, "a nonce of 16 oc");
    fuzz_put_attribute(w, &fuzz_oid_nonce, NGX_PKI_DER_OCTET_STRING, &text);
}


/* IssuerAndSubject, or IssuerAndSerialNumber */

static void
fuzz_put_plaintext(ngx_pki_der_writer_t *w, resigned_t *in)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_raw(w, &fuzz_name);

    if (fuzz_type(in) == FUZZ_CERT_POLL) {
        ngx_pki_der_raw(w, &fuzz_name);

    } else {
        ngx_pki_der_put_uint(w, 4711);
    }

    ngx_pki_der_close(w, mark);
}


/* signatureAlgorithm of the message */

static void
fuzz_put_algorithm(ngx_pki_der_writer_t *w, resigned_t *in)
{
    u_char      arc;
    size_t      mark, inner;
    ngx_str_t  *oid;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    if (!(in->switches[RESIGNED_SIGNER] & FUZZ_RSA)) {
        oid = &fuzz_oid_ecdsa;
        arc = fuzz_ecdsa_arc[fuzz_digest(in)];

    } else if (in->switches[RESIGNED_SIGNER] & FUZZ_PSS) {
        oid = &fuzz_oid_sha256_rsa;
        arc = FUZZ_PSS_ARC;

    } else {
        oid = &fuzz_oid_sha256_rsa;
        arc = (in->switches[RESIGNED_SIGNER] & FUZZ_PLAIN_RSA)
              ? FUZZ_RSA_ARC : fuzz_rsa_arc[fuzz_digest(in)];
    }

    inner = ngx_pki_der_begin(w, NGX_PKI_DER_OID);
    ngx_pki_der_bytes(w, oid->data, oid->len - 1);
    ngx_pki_der_bytes(w, &arc, 1);
    ngx_pki_der_close(w, inner);

    if (oid == &fuzz_oid_sha256_rsa && arc == FUZZ_PSS_ARC) {
        fuzz_put_hashes(w, fuzz_digest(in), FUZZ_SALT);
    }

    ngx_pki_der_close(w, mark);
}


/* keyEncryptionAlgorithm */

static void
fuzz_put_padding(ngx_pki_der_writer_t *w, resigned_t *in)
{
    size_t      mark;
    ngx_uint_t  i;

    i = in->switches[RESIGNED_PADDING] % FUZZ_PADDINGS;

    if (i == 0) {
        ngx_scep_cms_put_algorithm(w, &ngx_scep_oid_rsa);
        return;
    }

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_oaep);
    fuzz_put_hashes(w, i - 1, 0);
    ngx_pki_der_close(w, mark);
}


/* RSAES-OAEP-params, or with a salt RSASSA-PSS-params */

static void
fuzz_put_hashes(ngx_pki_der_writer_t *w, ngx_uint_t digest, ngx_uint_t salt)
{
    size_t      params, field, mgf;
    ngx_str_t  *hash;

    hash = ngx_scep_digest_oid(digest);

    params = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    field = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    ngx_scep_cms_put_algorithm(w, hash);
    ngx_pki_der_close(w, field);

    field = ngx_pki_der_begin(w, ngx_pki_der_explicit(1));
    mgf = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_mgf1);
    ngx_scep_cms_put_algorithm(w, hash);
    ngx_pki_der_close(w, mgf);
    ngx_pki_der_close(w, field);

    if (salt != 0) {
        field = ngx_pki_der_begin(w, ngx_pki_der_explicit(2));
        ngx_pki_der_put_uint(w, salt);
        ngx_pki_der_close(w, field);
    }

    ngx_pki_der_close(w, params);
}


/* contentEncryptionAlgorithm */

static void
fuzz_put_cipher(ngx_pki_der_writer_t *w, resigned_t *in)
{
    size_t      mark;
    ngx_str_t   iv;
    ngx_uint_t  i;

    i = in->switches[RESIGNED_CIPHER] % NGX_SCEP_CIPHERS;

    iv.data = fuzz_iv;
    iv.len = EVP_CIPHER_get_iv_length(fuzz_ciphers.cipher[i]);

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &fuzz_ciphers_oid[i]);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &iv);
    ngx_pki_der_close(w, mark);
}


#endif /* _RESIGNED_DEFAULT_H_INCLUDED_ */

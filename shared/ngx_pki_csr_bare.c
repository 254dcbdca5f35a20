
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_csr_bare.h"
#include "ngx_pki_csr_validity.h"
#include "ngx_pki_der.h"


static void ngx_pki_csr_bare_put_info(ngx_pki_der_writer_t *w,
    ngx_pki_csr_t *csr);
static void ngx_pki_csr_bare_put_attribute(ngx_pki_der_writer_t *w,
    ngx_array_t *extensions);
static void ngx_pki_csr_bare_put_extension(ngx_pki_der_writer_t *w,
    ngx_pki_extension_t *e);
static void ngx_pki_csr_bare_put_validity(ngx_pki_der_writer_t *w,
    ngx_pki_csr_validity_t *v);


/* extensionRequest, RFC 2985, 5.4.2 */

static ngx_str_t  ngx_pki_csr_bare_oid =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e");


ngx_int_t
ngx_pki_csr_bare(ngx_pool_t *pool, ngx_pki_csr_t *csr, ngx_str_t *der)
{
    size_t                outer, mark;
    ngx_str_t             signature;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, csr->der.len + 64) != NGX_OK) {
        return NGX_ERROR;
    }

    outer = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_csr_bare_put_info(&w, csr);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &csr->signature_oid);
    ngx_pki_der_raw(&w, &csr->signature_params);
    ngx_pki_der_close(&w, mark);

    ngx_str_set(&signature, "");
    ngx_pki_der_put_bits(&w, &signature);

    ngx_pki_der_close(&w, outer);

    return ngx_pki_der_finish(&w, der);
}


static void
ngx_pki_csr_bare_put_info(ngx_pki_der_writer_t *w, ngx_pki_csr_t *csr)
{
    size_t  info, attributes;

    info = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(w, 0);
    ngx_pki_der_raw(w, &csr->subject);
    ngx_pki_der_raw(w, &csr->spki);

    attributes = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));

    if (csr->extensions.nelts != 0) {
        ngx_pki_csr_bare_put_attribute(w, &csr->extensions);
    }

    if (csr->validity.seconds != 0) {
        ngx_pki_csr_bare_put_validity(w, &csr->validity);
    }

    ngx_pki_der_close(w, attributes);
    ngx_pki_der_close(w, info);
}


/* in the same order: it names the transaction, see ngx_pki_transaction.c */

static void
ngx_pki_csr_bare_put_attribute(ngx_pki_der_writer_t *w,
    ngx_array_t *extensions)
{
    size_t                attribute, set, list;
    ngx_uint_t            i;
    ngx_pki_extension_t  *e;

    attribute = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_pki_csr_bare_oid);
    set = ngx_pki_der_begin(w, NGX_PKI_DER_SET);
    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    e = extensions->elts;

    for (i = 0; i < extensions->nelts; i++) {
        ngx_pki_csr_bare_put_extension(w, &e[i]);
    }

    ngx_pki_der_close(w, list);
    ngx_pki_der_close(w, set);
    ngx_pki_der_close(w, attribute);
}


static void
ngx_pki_csr_bare_put_extension(ngx_pki_der_writer_t *w,
    ngx_pki_extension_t *e)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &e->oid);

    if (e->critical) {
        ngx_pki_der_put_boolean(w, 1);
    }

    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &e->value);
    ngx_pki_der_close(w, mark);
}


static void
ngx_pki_csr_bare_put_validity(ngx_pki_der_writer_t *w,
    ngx_pki_csr_validity_t *v)
{
    size_t  attribute, set;

    attribute = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_pki_csr_validity_oid);
    set = ngx_pki_der_begin(w, NGX_PKI_DER_SET);

    /* what is not understood stays so: one of them alone is not */

    if (v->seconds != NGX_PKI_CSR_VALIDITY_UNKNOWN || v->units.len == 0) {
        ngx_pki_der_raw(w, &v->period);
    }

    ngx_pki_der_raw(w, &v->units);

    ngx_pki_der_close(w, set);
    ngx_pki_der_close(w, attribute);
}

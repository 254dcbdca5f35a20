
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_signed.h"
#include "ngx_scep_verify.h"


static ngx_int_t ngx_scep_attrs_compare(const void *one, const void *two);
static void ngx_scep_signed_put_content(ngx_pki_der_writer_t *w,
    ngx_scep_signed_t *s);
static void ngx_scep_signed_put_signer(ngx_pki_der_writer_t *w,
    ngx_scep_signed_t *s);


ngx_str_t  ngx_scep_signed_rsa =
    ngx_string("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
               "\x05\x00");

static ngx_str_t  ngx_scep_attr_content_type =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03");
static ngx_str_t  ngx_scep_attr_message_digest =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04");


ngx_int_t
ngx_scep_attrs_init(ngx_scep_attrs_t *attrs, ngx_pool_t *pool, EVP_MD *md,
    ngx_str_t *content)
{
    u_char     buf[EVP_MAX_MD_SIZE];
    ngx_str_t  digest;

    attrs->pool = pool;
    attrs->n = 0;
    attrs->failed = 0;

    if (ngx_scep_digest(md, content, buf, &digest) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_scep_attrs_add(attrs, &ngx_scep_attr_content_type, NGX_PKI_DER_OID,
                       &ngx_scep_oid_data);

    ngx_scep_attrs_add(attrs, &ngx_scep_attr_message_digest,
                       NGX_PKI_DER_OCTET_STRING, &digest);

    return NGX_OK;
}


void
ngx_scep_attrs_add(ngx_scep_attrs_t *attrs, ngx_str_t *oid, ngx_uint_t tag,
    ngx_str_t *value)
{
    size_t                mark, set;
    ngx_pki_der_writer_t  w;

    if (attrs->n == NGX_SCEP_MAX_ATTRS
        || ngx_pki_der_writer_init(&w, attrs->pool, oid->len + value->len + 16)
           != NGX_OK)
    {
        attrs->failed = 1;
        return;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, oid);
    set = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_pki_der_put(&w, tag, value);
    ngx_pki_der_close(&w, set);
    ngx_pki_der_close(&w, mark);

    if (ngx_pki_der_finish(&w, &attrs->elts[attrs->n++]) != NGX_OK) {
        attrs->failed = 1;
    }
}


/* in the order of DER (X.690, 11.6): iOS is said to crash on another */

ngx_int_t
ngx_scep_attrs_set(ngx_scep_attrs_t *attrs, ngx_str_t *out)
{
    size_t                mark, size;
    ngx_uint_t            i;
    ngx_pki_der_writer_t  w;

    if (attrs->failed) {
        return NGX_ERROR;
    }

    ngx_sort(attrs->elts, attrs->n, sizeof(ngx_str_t),
             ngx_scep_attrs_compare);

    size = 8;

    for (i = 0; i < attrs->n; i++) {
        size += attrs->elts[i].len;
    }

    if (ngx_pki_der_writer_init(&w, attrs->pool, size) != NGX_OK) {
        return NGX_ERROR;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);

    for (i = 0; i < attrs->n; i++) {
        ngx_pki_der_raw(&w, &attrs->elts[i]);
    }

    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, out);
}


/* no element is the beginning of another: each tells its length */

static ngx_int_t
ngx_scep_attrs_compare(const void *one, const void *two)
{
    const ngx_str_t  *a = one;
    const ngx_str_t  *b = two;

    return ngx_memcmp(a->data, b->data, ngx_min(a->len, b->len));
}


ngx_int_t
ngx_scep_signed(ngx_pool_t *pool, ngx_scep_signed_t *s, ngx_str_t *out)
{
    size_t                info, wrapper, data, mark, size;
    ngx_pki_der_writer_t  w;

    size = s->content->len + s->certificate->len + s->attributes->len
           + s->signature->len + s->signer->issuer.len + s->algorithm->len
           + 256;

    if (ngx_pki_der_writer_init(&w, pool, size) != NGX_OK) {
        return NGX_ERROR;
    }

    info = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_signed_data);
    wrapper = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    data = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 1);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_scep_cms_put_algorithm(&w, s->digest);
    ngx_pki_der_close(&w, mark);

    ngx_scep_signed_put_content(&w, s);

    mark = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    ngx_pki_der_raw(&w, s->certificate);
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_scep_signed_put_signer(&w, s);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_close(&w, data);
    ngx_pki_der_close(&w, wrapper);
    ngx_pki_der_close(&w, info);

    return ngx_pki_der_finish(&w, out);
}


/* EncapsulatedContentInfo */

static void
ngx_scep_signed_put_content(ngx_pki_der_writer_t *w, ngx_scep_signed_t *s)
{
    size_t  mark, wrapper;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_data);

    wrapper = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, s->content);
    ngx_pki_der_close(w, wrapper);

    ngx_pki_der_close(w, mark);
}


/* SignerInfo */

static void
ngx_scep_signed_put_signer(ngx_pki_der_writer_t *w, ngx_scep_signed_t *s)
{
    u_char     tag;
    size_t     mark;
    ngx_str_t  rest;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(w, 1);
    ngx_scep_cms_put_id(w, s->signer);
    ngx_scep_cms_put_algorithm(w, s->digest);

    /* signed as a SET OF, sent as [0] IMPLICIT (RFC 5652, 5.4) */

    tag = ngx_pki_der_explicit(0);
    ngx_pki_der_bytes(w, &tag, 1);

    rest.data = s->attributes->data + 1;
    rest.len = s->attributes->len - 1;
    ngx_pki_der_raw(w, &rest);

    ngx_pki_der_raw(w, s->algorithm);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, s->signature);

    ngx_pki_der_close(w, mark);
}


/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_reply.h"


#define NGX_SCEP_NONCE_LEN     16
#define NGX_SCEP_MAX_ATTRS     8
#define NGX_SCEP_CERT_REP      "3"           /* messageType */


/* the attributes of an answer, sorted when all are there */

typedef struct {
    ngx_pool_t                *pool;
    ngx_str_t                  elts[NGX_SCEP_MAX_ATTRS];
    ngx_uint_t                 n;
    ngx_uint_t                 failed;
} ngx_scep_attrs_t;


static ngx_int_t ngx_scep_reply_digest(ngx_scep_reply_t *reply,
    ngx_scep_attrs_t *attrs);
static ngx_int_t ngx_scep_reply_nonces(ngx_scep_reply_t *reply,
    ngx_scep_attrs_t *attrs);
static void ngx_scep_reply_status(ngx_scep_reply_t *reply,
    ngx_scep_attrs_t *attrs);
static void ngx_scep_reply_add(ngx_scep_attrs_t *attrs, ngx_str_t *oid,
    ngx_uint_t tag, ngx_str_t *value);
static void ngx_scep_reply_add_digit(ngx_scep_attrs_t *attrs, ngx_str_t *oid,
    ngx_uint_t value);
static ngx_int_t ngx_scep_reply_set(ngx_scep_attrs_t *attrs, ngx_str_t *out);
static ngx_int_t ngx_scep_reply_compare(const void *one, const void *two);
static void ngx_scep_reply_put_content(ngx_pki_der_writer_t *w,
    ngx_scep_reply_t *reply);
static void ngx_scep_reply_put_signer(ngx_pki_der_writer_t *w,
    ngx_scep_reply_t *reply, ngx_str_t *signature);


static ngx_str_t  ngx_scep_attr_content_type =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03");
static ngx_str_t  ngx_scep_attr_message_digest =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04");
static ngx_str_t  ngx_scep_attr_message_type =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x02");
static ngx_str_t  ngx_scep_attr_status =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x03");
static ngx_str_t  ngx_scep_attr_fail_info =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x04");
static ngx_str_t  ngx_scep_attr_sender_nonce =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x05");
static ngx_str_t  ngx_scep_attr_recipient_nonce =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x06");
static ngx_str_t  ngx_scep_attr_transaction =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x07");


ngx_int_t
ngx_scep_reply_prepare(ngx_pool_t *pool, ngx_scep_reply_t *reply, u_char *out,
    ngx_str_t *digest)
{
    ngx_str_t         type;
    ngx_scep_attrs_t  attrs;

    attrs.pool = pool;
    attrs.n = 0;
    attrs.failed = 0;

    ngx_scep_reply_add(&attrs, &ngx_scep_attr_content_type, NGX_PKI_DER_OID,
                       &ngx_scep_oid_data);

    ngx_scep_reply_add(&attrs, &ngx_scep_attr_transaction,
                       NGX_PKI_DER_PRINTABLE_STRING,
                       &reply->request->transaction);

    ngx_str_set(&type, NGX_SCEP_CERT_REP);
    ngx_scep_reply_add(&attrs, &ngx_scep_attr_message_type,
                       NGX_PKI_DER_PRINTABLE_STRING, &type);

    ngx_scep_reply_status(reply, &attrs);

    if (ngx_scep_reply_digest(reply, &attrs) != NGX_OK
        || ngx_scep_reply_nonces(reply, &attrs) != NGX_OK
        || ngx_scep_reply_set(&attrs, &reply->attributes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_scep_digest(reply->md, &reply->attributes, out, digest);
}


/* of nothing, if there is no content (RFC 8894, 3.3.2.2) */

static ngx_int_t
ngx_scep_reply_digest(ngx_scep_reply_t *reply, ngx_scep_attrs_t *attrs)
{
    u_char     buf[EVP_MAX_MD_SIZE];
    ngx_str_t  digest;

    if (ngx_scep_digest(reply->md, &reply->envelope, buf, &digest) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_scep_reply_add(attrs, &ngx_scep_attr_message_digest,
                       NGX_PKI_DER_OCTET_STRING, &digest);

    return NGX_OK;
}


static ngx_int_t
ngx_scep_reply_nonces(ngx_scep_reply_t *reply, ngx_scep_attrs_t *attrs)
{
    u_char     buf[NGX_SCEP_NONCE_LEN];
    ngx_str_t  nonce;

    if (RAND_bytes(buf, sizeof(buf)) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    nonce.len = sizeof(buf);
    nonce.data = buf;

    ngx_scep_reply_add(attrs, &ngx_scep_attr_sender_nonce,
                       NGX_PKI_DER_OCTET_STRING, &nonce);

    if (reply->request->nonce.len != 0) {
        ngx_scep_reply_add(attrs, &ngx_scep_attr_recipient_nonce,
                           NGX_PKI_DER_OCTET_STRING, &reply->request->nonce);
    }

    return NGX_OK;
}


static void
ngx_scep_reply_status(ngx_scep_reply_t *reply, ngx_scep_attrs_t *attrs)
{
    ngx_scep_reply_add_digit(attrs, &ngx_scep_attr_status, reply->status);

    if (reply->status == NGX_SCEP_FAILURE) {
        ngx_scep_reply_add_digit(attrs, &ngx_scep_attr_fail_info,
                                 reply->fail_info);
    }
}


static void
ngx_scep_reply_add(ngx_scep_attrs_t *attrs, ngx_str_t *oid, ngx_uint_t tag,
    ngx_str_t *value)
{
    size_t                mark, set;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, attrs->pool, oid->len + value->len + 16)
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


static void
ngx_scep_reply_add_digit(ngx_scep_attrs_t *attrs, ngx_str_t *oid,
    ngx_uint_t value)
{
    u_char     digit;
    ngx_str_t  text;

    digit = (u_char) ('0' + value);

    text.len = 1;
    text.data = &digit;

    ngx_scep_reply_add(attrs, oid, NGX_PKI_DER_PRINTABLE_STRING, &text);
}


/* SET OF in the order of DER (X.690, 11.6): iOS is said to crash on another */

static ngx_int_t
ngx_scep_reply_set(ngx_scep_attrs_t *attrs, ngx_str_t *out)
{
    size_t                mark, size;
    ngx_uint_t            i;
    ngx_pki_der_writer_t  w;

    if (attrs->failed) {
        return NGX_ERROR;
    }

    ngx_sort(attrs->elts, attrs->n, sizeof(ngx_str_t),
             ngx_scep_reply_compare);

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
ngx_scep_reply_compare(const void *one, const void *two)
{
    const ngx_str_t  *a = one;
    const ngx_str_t  *b = two;

    return ngx_memcmp(a->data, b->data, ngx_min(a->len, b->len));
}


ngx_int_t
ngx_scep_reply_finish(ngx_pool_t *pool, ngx_scep_reply_t *reply,
    ngx_str_t *signature, ngx_str_t *out)
{
    size_t                info, wrapper, data, mark, size;
    ngx_pki_der_writer_t  w;

    size = reply->envelope.len + reply->certificate->len
           + reply->attributes.len + signature->len
           + reply->signer->id.issuer.len + 256;

    if (ngx_pki_der_writer_init(&w, pool, size) != NGX_OK) {
        return NGX_ERROR;
    }

    info = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_signed_data);
    wrapper = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    data = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 1);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_scep_cms_put_algorithm(&w, ngx_scep_digest_oid(reply->digest));
    ngx_pki_der_close(&w, mark);

    ngx_scep_reply_put_content(&w, reply);

    mark = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    ngx_pki_der_raw(&w, reply->certificate);
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_scep_reply_put_signer(&w, reply, signature);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_close(&w, data);
    ngx_pki_der_close(&w, wrapper);
    ngx_pki_der_close(&w, info);

    return ngx_pki_der_finish(&w, out);
}


/* EncapsulatedContentInfo; a failure has no content (RFC 8894, 3.3.2.2) */

static void
ngx_scep_reply_put_content(ngx_pki_der_writer_t *w, ngx_scep_reply_t *reply)
{
    size_t  mark, wrapper;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &ngx_scep_oid_data);

    if (reply->status == NGX_SCEP_SUCCESS) {
        wrapper = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
        ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &reply->envelope);
        ngx_pki_der_close(w, wrapper);
    }

    ngx_pki_der_close(w, mark);
}


/*
 * SignerInfo.  The signatureAlgorithm is rsaEncryption: strongSwan 5.9 accepts
 * no other.
 */

static void
ngx_scep_reply_put_signer(ngx_pki_der_writer_t *w, ngx_scep_reply_t *reply,
    ngx_str_t *signature)
{
    u_char     tag;
    size_t     mark;
    ngx_str_t  rest;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(w, 1);
    ngx_scep_cms_put_id(w, &reply->signer->id);
    ngx_scep_cms_put_algorithm(w, ngx_scep_digest_oid(reply->digest));

    /* signed as a SET OF, sent as [0] IMPLICIT (RFC 5652, 5.4) */

    tag = ngx_pki_der_explicit(0);
    ngx_pki_der_bytes(w, &tag, 1);

    rest.data = reply->attributes.data + 1;
    rest.len = reply->attributes.len - 1;
    ngx_pki_der_raw(w, &rest);

    ngx_scep_cms_put_algorithm(w, &ngx_scep_oid_rsa);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, signature);

    ngx_pki_der_close(w, mark);
}

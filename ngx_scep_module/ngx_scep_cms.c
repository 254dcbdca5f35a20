
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_cms.h"


static ngx_int_t ngx_scep_cms_degenerate(ngx_pool_t *pool, ngx_uint_t tag,
    ngx_str_t *elts, ngx_uint_t n, ngx_str_t *out);
static ngx_int_t ngx_scep_cms_extensions(ngx_pki_der_t *der,
    ngx_scep_certificate_t *c);
static ngx_int_t ngx_scep_cms_extension(ngx_pki_der_t *der,
    ngx_scep_certificate_t *c);


ngx_str_t  ngx_scep_oid_data =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01");
ngx_str_t  ngx_scep_oid_signed_data =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");
ngx_str_t  ngx_scep_oid_enveloped_data =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03");
ngx_str_t  ngx_scep_oid_rsa =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
ngx_str_t  ngx_scep_oid_oaep =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07");
ngx_str_t  ngx_scep_oid_mgf1 =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08");
ngx_str_t  ngx_scep_oid_sha1 =
    ngx_string("\x2b\x0e\x03\x02\x1a");

static ngx_str_t  ngx_scep_oid_ski =
    ngx_string("\x55\x1d\x0e");


ngx_uint_t
ngx_scep_str_eq(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}


ngx_int_t
ngx_scep_cms_enter(ngx_str_t *der, ngx_str_t *type, ngx_pki_der_t *content)
{
    ngx_str_t      oid;
    ngx_pki_der_t  r, info, wrapper;

    ngx_pki_der_init(&r, der);

    if (ngx_pki_der_enter(&r, NGX_PKI_DER_SEQUENCE, &info) != NGX_OK
        || !ngx_pki_der_end(&r)
        || ngx_pki_der_get(&info, NGX_PKI_DER_OID, &oid) != NGX_OK
        || !ngx_scep_str_eq(&oid, type)
        || ngx_pki_der_enter(&info, ngx_pki_der_explicit(0), &wrapper)
           != NGX_OK
        || !ngx_pki_der_end(&info)
        || ngx_pki_der_enter(&wrapper, NGX_PKI_DER_SEQUENCE, content)
           != NGX_OK
        || !ngx_pki_der_end(&wrapper))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_scep_cms_get_id(ngx_pki_der_t *der, ngx_scep_id_t *id)
{
    ngx_pki_der_t  r;

    if (ngx_pki_der_peek(der) == ngx_pki_der_context(0)) {

        if (ngx_pki_der_get(der, ngx_pki_der_context(0), &id->key_id)
            != NGX_OK
            || id->key_id.len == 0)
        {
            return NGX_DECLINED;
        }

        return NGX_OK;
    }

    if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &r) != NGX_OK
        || ngx_pki_der_get_whole(&r, NGX_PKI_DER_SEQUENCE, &id->issuer)
           != NGX_OK
        || ngx_pki_der_get(&r, NGX_PKI_DER_INTEGER, &id->serial) != NGX_OK
        || id->serial.len == 0
        || id->serial.len > NGX_SCEP_MAX_SERIAL
        || !ngx_pki_der_end(&r))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_scep_cms_subject(ngx_str_t *der, ngx_str_t *issuer,
    ngx_pki_serial_t *serial)
{
    ngx_pki_der_t  r;
    ngx_scep_id_t  id;

    ngx_memzero(&id, sizeof(ngx_scep_id_t));
    ngx_pki_der_init(&r, der);

    if (ngx_scep_cms_get_id(&r, &id) != NGX_OK
        || !ngx_pki_der_end(&r)
        || id.key_id.len != 0
        || id.serial.len > NGX_PKI_SERIAL_LEN)
    {
        return NGX_DECLINED;
    }

    /* no leading octet that says nothing (X.690, 8.3.2) */

    if (id.serial.len > 1
        && (id.serial.data[0] == 0x00 || id.serial.data[0] == 0xff)
        && ((id.serial.data[0] ^ id.serial.data[1]) & 0x80) == 0)
    {
        return NGX_DECLINED;
    }

    *issuer = id.issuer;

    serial->len = (u_char) id.serial.len;
    ngx_memcpy(serial->data, id.serial.data, id.serial.len);

    return NGX_OK;
}


ngx_int_t
ngx_scep_cms_names(ngx_str_t *der, ngx_str_t *issuer, ngx_str_t *subject)
{
    ngx_pki_der_t  r, names;

    ngx_pki_der_init(&r, der);

    if (ngx_pki_der_enter(&r, NGX_PKI_DER_SEQUENCE, &names) != NGX_OK
        || !ngx_pki_der_end(&r)
        || ngx_pki_der_get_whole(&names, NGX_PKI_DER_SEQUENCE, issuer)
           != NGX_OK
        || ngx_pki_der_get_whole(&names, NGX_PKI_DER_SEQUENCE, subject)
           != NGX_OK
        || !ngx_pki_der_end(&names))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_scep_cms_put_id(ngx_pki_der_writer_t *w, ngx_scep_id_t *id)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_raw(w, &id->issuer);
    ngx_pki_der_put(w, NGX_PKI_DER_INTEGER, &id->serial);
    ngx_pki_der_close(w, mark);
}


void
ngx_scep_cms_put_algorithm(ngx_pki_der_writer_t *w, ngx_str_t *oid)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);
    ngx_pki_der_put_null(w);
    ngx_pki_der_close(w, mark);
}


ngx_int_t
ngx_scep_cms_certs_only(ngx_pool_t *pool, ngx_str_t *certificates,
    ngx_uint_t n, ngx_str_t *out)
{
    return ngx_scep_cms_degenerate(pool, ngx_pki_der_explicit(0),
                                   certificates, n, out);
}


ngx_int_t
ngx_scep_cms_crl_only(ngx_pool_t *pool, ngx_str_t *crl, ngx_str_t *out)
{
    return ngx_scep_cms_degenerate(pool, ngx_pki_der_explicit(1), crl, 1, out);
}


/* SignedData without content and signers; "tag" is of the one field left */

static ngx_int_t
ngx_scep_cms_degenerate(ngx_pool_t *pool, ngx_uint_t tag, ngx_str_t *elts,
    ngx_uint_t n, ngx_str_t *out)
{
    size_t                info, wrapper, data, mark, size;
    ngx_uint_t            i;
    ngx_pki_der_writer_t  w;

    size = 64;

    for (i = 0; i < n; i++) {
        size += elts[i].len;
    }

    if (ngx_pki_der_writer_init(&w, pool, size) != NGX_OK) {
        return NGX_ERROR;
    }

    info = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_signed_data);
    wrapper = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    data = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 1);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_data);
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, tag);

    for (i = 0; i < n; i++) {
        ngx_pki_der_raw(&w, &elts[i]);
    }

    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_close(&w, data);
    ngx_pki_der_close(&w, wrapper);
    ngx_pki_der_close(&w, info);

    return ngx_pki_der_finish(&w, out);
}


ngx_int_t
ngx_scep_cms_certificate(ngx_str_t *der, ngx_scep_certificate_t *c)
{
    ngx_str_t      oid, params, skipped, spki;
    ngx_pki_der_t  r, outer, tbs;

    ngx_memzero(c, sizeof(ngx_scep_certificate_t));
    ngx_pki_der_init(&r, der);

    if (ngx_pki_der_enter(&r, NGX_PKI_DER_SEQUENCE, &outer) != NGX_OK
        || !ngx_pki_der_end(&r)
        || ngx_pki_der_enter(&outer, NGX_PKI_DER_SEQUENCE, &tbs) != NGX_OK
        || ngx_pki_der_get_algorithm(&outer, &oid, &params) != NGX_OK
        || ngx_pki_der_get_bits(&outer, &skipped) != NGX_OK
        || !ngx_pki_der_end(&outer))
    {
        return NGX_DECLINED;
    }

    if (ngx_pki_der_skip_optional(&tbs, ngx_pki_der_explicit(0)) != NGX_OK
        || ngx_pki_der_get(&tbs, NGX_PKI_DER_INTEGER, &c->id.serial) != NGX_OK
        || c->id.serial.len == 0
        || c->id.serial.len > NGX_SCEP_MAX_SERIAL
        || ngx_pki_der_get_algorithm(&tbs, &oid, &params) != NGX_OK
        || ngx_pki_der_get_whole(&tbs, NGX_PKI_DER_SEQUENCE, &c->id.issuer)
           != NGX_OK
        || ngx_pki_der_get(&tbs, NGX_PKI_DER_SEQUENCE, &skipped) != NGX_OK
        || ngx_pki_der_get(&tbs, NGX_PKI_DER_SEQUENCE, &skipped) != NGX_OK
        || ngx_pki_der_get_whole(&tbs, NGX_PKI_DER_SEQUENCE, &spki)
           != NGX_OK
        || ngx_pki_der_skip_optional(&tbs, ngx_pki_der_context(1)) != NGX_OK
        || ngx_pki_der_skip_optional(&tbs, ngx_pki_der_context(2)) != NGX_OK
        || ngx_scep_cms_extensions(&tbs, c) != NGX_OK
        || !ngx_pki_der_end(&tbs))
    {
        return NGX_DECLINED;
    }

    return ngx_pki_spki_decode(&spki, &c->key) == NGX_OK
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_scep_cms_extensions(ngx_pki_der_t *der, ngx_scep_certificate_t *c)
{
    ngx_pki_der_t  wrapper, list;

    if (ngx_pki_der_peek(der) != ngx_pki_der_explicit(3)) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(der, ngx_pki_der_explicit(3), &wrapper) != NGX_OK
        || ngx_pki_der_enter(&wrapper, NGX_PKI_DER_SEQUENCE, &list) != NGX_OK
        || !ngx_pki_der_end(&wrapper))
    {
        return NGX_DECLINED;
    }

    while (!ngx_pki_der_end(&list)) {
        if (ngx_scep_cms_extension(&list, c) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_cms_extension(ngx_pki_der_t *der, ngx_scep_certificate_t *c)
{
    ngx_str_t      oid, value;
    ngx_pki_der_t  r, key_id;

    if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &r) != NGX_OK
        || ngx_pki_der_get(&r, NGX_PKI_DER_OID, &oid) != NGX_OK
        || ngx_pki_der_skip_optional(&r, NGX_PKI_DER_BOOLEAN) != NGX_OK
        || ngx_pki_der_get(&r, NGX_PKI_DER_OCTET_STRING, &value) != NGX_OK
        || !ngx_pki_der_end(&r))
    {
        return NGX_DECLINED;
    }

    if (!ngx_scep_str_eq(&oid, &ngx_scep_oid_ski)) {
        return NGX_OK;
    }

    ngx_pki_der_init(&key_id, &value);

    if (ngx_pki_der_get(&key_id, NGX_PKI_DER_OCTET_STRING, &c->id.key_id)
        != NGX_OK
        || !ngx_pki_der_end(&key_id))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_scep_cms_match(ngx_scep_id_t *id, ngx_scep_certificate_t *c)
{
    if (id->key_id.len != 0) {
        return ngx_scep_str_eq(&id->key_id, &c->id.key_id);
    }

    return ngx_scep_str_eq(&id->serial, &c->id.serial)
           && ngx_scep_str_eq(&id->issuer, &c->id.issuer);
}

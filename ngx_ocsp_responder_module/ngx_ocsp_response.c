
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_response.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_der.h"


/* OCSPResponseStatus: successful; the type of responseBytes */

#define NGX_OCSP_RESPONSE_OK     "\x0a\x01\x00"
#define NGX_OCSP_RESPONSE_BASIC  "\x06\x09" NGX_OCSP_OID_BASIC


typedef struct {
    ngx_str_t                  der;
    ngx_str_t                  name;
} ngx_ocsp_response_error_t;


static void ngx_ocsp_response_responder_id(ngx_pki_der_writer_t *w,
    ngx_ocsp_response_data_t *data);
static void ngx_ocsp_response_single(ngx_pki_der_writer_t *w,
    ngx_ocsp_single_t *single, ngx_str_t *cert_id);
static void ngx_ocsp_response_archive_cutoff(ngx_pki_der_writer_t *w,
    time_t cutoff);
static void ngx_ocsp_response_revoked(ngx_pki_der_writer_t *w,
    ngx_ocsp_single_t *single);
static void ngx_ocsp_response_extensions(ngx_pki_der_writer_t *w,
    ngx_ocsp_response_data_t *data);
static void ngx_ocsp_response_extension(ngx_pki_der_writer_t *w,
    ngx_str_t *oid, ngx_str_t *value);


/* by OCSPResponseStatus; 0 is no error and 4 is not used */

static ngx_ocsp_response_error_t  ngx_ocsp_response_errors[] = {
    { ngx_null_string, ngx_string("successful") },
    { ngx_string("\x30\x03\x0a\x01\x01"), ngx_string("malformedRequest") },
    { ngx_string("\x30\x03\x0a\x01\x02"), ngx_string("internalError") },
    { ngx_string("\x30\x03\x0a\x01\x03"), ngx_string("tryLater") },
    { ngx_null_string, ngx_null_string },
    { ngx_string("\x30\x03\x0a\x01\x05"), ngx_string("sigRequired") },
    { ngx_string("\x30\x03\x0a\x01\x06"), ngx_string("unauthorized") }
};


ngx_int_t
ngx_ocsp_response_encode(ngx_pool_t *pool, ngx_ocsp_response_data_t *data,
    ngx_str_t *tbs)
{
    size_t                seq, list;
    ngx_uint_t            i;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, 512 + 256 * data->n) != NGX_OK) {
        return NGX_ERROR;
    }

    seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_ocsp_response_responder_id(&w, data);
    ngx_pki_der_put_generalized_time(&w, data->produced_at);

    list = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    for (i = 0; i < data->n; i++) {
        ngx_ocsp_response_single(&w, &data->singles[i],
                                 &data->singles[i].cert_id);

        if (data->singles[i].twin.len != 0) {
            ngx_ocsp_response_single(&w, &data->singles[i],
                                     &data->singles[i].twin);
        }
    }

    ngx_pki_der_close(&w, list);

    ngx_ocsp_response_extensions(&w, data);

    ngx_pki_der_close(&w, seq);

    return ngx_pki_der_finish(&w, tbs);
}


/* by the SHA-1 of the key's bits (RFC 6960, 4.2.1), or by its subject */

static void
ngx_ocsp_response_responder_id(ngx_pki_der_writer_t *w,
    ngx_ocsp_response_data_t *data)
{
    size_t     id;
    ngx_str_t  key_hash;

    if (data->by_name) {
        id = ngx_pki_der_begin(w, ngx_pki_der_explicit(1));
        ngx_pki_der_raw(w, &data->responder->name);
        ngx_pki_der_close(w, id);
        return;
    }

    key_hash.len = NGX_OCSP_KEY_HASH_LEN;
    key_hash.data = data->responder->key_hash;

    id = ngx_pki_der_begin(w, ngx_pki_der_explicit(2));
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &key_hash);
    ngx_pki_der_close(w, id);
}


ngx_int_t
ngx_ocsp_response_seal(ngx_pool_t *pool, ngx_str_t *tbs, ngx_str_t *algorithm,
    ngx_str_t *signature, ngx_str_t *sealed)
{
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, 16 + tbs->len + algorithm->len
                                          + signature->len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_pki_der_raw(&w, tbs);
    ngx_pki_der_raw(&w, algorithm);
    ngx_pki_der_put_bits(&w, signature);

    return ngx_pki_der_finish(&w, sealed);
}


/* backwards: a header needs to know how long its content is */

void
ngx_ocsp_response_wrap(ngx_str_t *sealed, ngx_str_t *certificate,
    ngx_str_t *response)
{
    u_char  *p, *last, list[NGX_OCSP_RESPONSE_HEAD];
    size_t   len;

    last = sealed->data + sealed->len;

    if (certificate->len != 0) {
        p = list + NGX_OCSP_RESPONSE_HEAD;
        p = ngx_pki_der_prepend(p, NGX_PKI_DER_SEQUENCE, certificate->len);
        p = ngx_pki_der_prepend(p, ngx_pki_der_explicit(0),
                                list + NGX_OCSP_RESPONSE_HEAD - p
                                + certificate->len);

        len = list + NGX_OCSP_RESPONSE_HEAD - p;

        last = ngx_cpymem(last, p, len);
        last = ngx_cpymem(last, certificate->data, certificate->len);
    }

    p = sealed->data;

    p = ngx_pki_der_prepend(p, NGX_PKI_DER_SEQUENCE, last - p);
    p = ngx_pki_der_prepend(p, NGX_PKI_DER_OCTET_STRING, last - p);

    p -= sizeof(NGX_OCSP_RESPONSE_BASIC) - 1;
    ngx_memcpy(p, NGX_OCSP_RESPONSE_BASIC,
               sizeof(NGX_OCSP_RESPONSE_BASIC) - 1);

    p = ngx_pki_der_prepend(p, NGX_PKI_DER_SEQUENCE, last - p);
    p = ngx_pki_der_prepend(p, ngx_pki_der_explicit(0), last - p);

    p -= sizeof(NGX_OCSP_RESPONSE_OK) - 1;
    ngx_memcpy(p, NGX_OCSP_RESPONSE_OK, sizeof(NGX_OCSP_RESPONSE_OK) - 1);

    p = ngx_pki_der_prepend(p, NGX_PKI_DER_SEQUENCE, last - p);

    response->data = p;
    response->len = last - p;
}


ngx_str_t *
ngx_ocsp_response_error(ngx_ocsp_response_status_e status)
{
    return &ngx_ocsp_response_errors[status].der;
}


ngx_str_t *
ngx_ocsp_response_name(ngx_ocsp_response_status_e status)
{
    return &ngx_ocsp_response_errors[status].name;
}


static void
ngx_ocsp_response_single(ngx_pki_der_writer_t *w, ngx_ocsp_single_t *single,
    ngx_str_t *cert_id)
{
    size_t  seq, next;

    seq = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_raw(w, cert_id);

    switch (single->status) {

    case NGX_PKI_STATUS_GOOD:
        ngx_pki_der_bytes(w, "\x80\x00", 2);
        break;

    case NGX_PKI_STATUS_HOLD:
    case NGX_PKI_STATUS_REVOKED:
        ngx_ocsp_response_revoked(w, single);
        break;

    case NGX_PKI_STATUS_UNKNOWN:
        ngx_pki_der_bytes(w, "\x82\x00", 2);
        break;
    }

    ngx_pki_der_put_generalized_time(w, single->this_update);

    next = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    ngx_pki_der_put_generalized_time(w, single->next_update);
    ngx_pki_der_close(w, next);

    if (single->archive_cutoff != 0) {
        ngx_ocsp_response_archive_cutoff(w, single->archive_cutoff);
    }

    ngx_pki_der_close(w, seq);
}


/* singleExtensions (RFC 6960, 4.4.4) */

static void
ngx_ocsp_response_archive_cutoff(ngx_pki_der_writer_t *w, time_t cutoff)
{
    size_t     outer, list;
    u_char     time[2 + sizeof("20260101000000Z") - 1];
    ngx_str_t  oid, value;

    time[0] = NGX_PKI_DER_GENERALIZED_TIME;
    time[1] = sizeof(time) - 2;

    (void) ngx_pki_der_time(time + 2, cutoff);

    ngx_str_set(&oid, NGX_OCSP_OID_ARCHIVE_CUTOFF);
    value.data = time;
    value.len = sizeof(time);

    outer = ngx_pki_der_begin(w, ngx_pki_der_explicit(1));
    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_ocsp_response_extension(w, &oid, &value);
    ngx_pki_der_close(w, list);
    ngx_pki_der_close(w, outer);
}


/* "unspecified" is left out (RFC 5280, 5.3.1) */

static void
ngx_ocsp_response_revoked(ngx_pki_der_writer_t *w, ngx_ocsp_single_t *single)
{
    size_t     info, reason;
    u_char     octet;
    ngx_str_t  value;

    info = ngx_pki_der_begin(w, ngx_pki_der_explicit(1));

    ngx_pki_der_put_generalized_time(w, single->revoked_at);

    if (single->reason != NGX_PKI_REASON_UNSPECIFIED) {
        octet = (u_char) single->reason;
        value.len = 1;
        value.data = &octet;

        reason = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
        ngx_pki_der_put(w, NGX_PKI_DER_ENUMERATED, &value);
        ngx_pki_der_close(w, reason);
    }

    ngx_pki_der_close(w, info);
}


static void
ngx_ocsp_response_extensions(ngx_pki_der_writer_t *w,
    ngx_ocsp_response_data_t *data)
{
    size_t     outer, list;
    ngx_str_t  oid, value;

    if (data->nonce.len == 0 && !data->extended_revoke) {
        return;
    }

    outer = ngx_pki_der_begin(w, ngx_pki_der_explicit(1));
    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    if (data->nonce.len != 0) {
        ngx_str_set(&oid, NGX_OCSP_OID_NONCE);
        ngx_ocsp_response_extension(w, &oid, &data->nonce);
    }

    if (data->extended_revoke) {
        ngx_str_set(&oid, NGX_OCSP_OID_EXTENDED_REVOKE);
        ngx_str_set(&value, "\x05\x00");
        ngx_ocsp_response_extension(w, &oid, &value);
    }

    ngx_pki_der_close(w, list);
    ngx_pki_der_close(w, outer);
}


static void
ngx_ocsp_response_extension(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_str_t *value)
{
    size_t  seq;

    seq = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, value);
    ngx_pki_der_close(w, seq);
}

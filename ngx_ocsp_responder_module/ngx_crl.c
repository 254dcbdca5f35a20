
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_crl.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_der.h"


/* an entry has 50 octets, with a serial of 20 and a reason 53 at most */

#define NGX_CRL_ENTRY_SIZE  56


static ngx_int_t ngx_crl_entries(ngx_pki_der_writer_t *w,
    ngx_array_t *revoked);
static ngx_int_t ngx_crl_entry(ngx_pki_der_writer_t *w,
    ngx_pki_record_t *record);
static void ngx_crl_reason(ngx_pki_der_writer_t *w, ngx_int_t reason);
static void ngx_crl_extensions(ngx_pki_der_writer_t *w, ngx_crl_t *crl);
static void ngx_crl_number(ngx_pki_der_writer_t *w, uint64_t number);


ngx_int_t
ngx_crl_encode(ngx_pool_t *pool, ngx_crl_t *crl, ngx_str_t *tbs)
{
    size_t                seq;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, 256 + crl->issuer->len
                                          + crl->aki->len
                                          + NGX_CRL_ENTRY_SIZE
                                            * crl->revoked->nelts)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 1);
    ngx_pki_der_raw(&w, crl->algorithm);
    ngx_pki_der_raw(&w, crl->issuer);
    ngx_pki_der_put_time(&w, crl->this_update);
    ngx_pki_der_put_time(&w, crl->next_update);

    if (ngx_crl_entries(&w, crl->revoked) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_crl_extensions(&w, crl);

    ngx_pki_der_close(&w, seq);

    return ngx_pki_der_finish(&w, tbs);
}


/* RFC 5280, 5.1.2.6: absent rather than empty */

static ngx_int_t
ngx_crl_entries(ngx_pki_der_writer_t *w, ngx_array_t *revoked)
{
    size_t             list;
    ngx_uint_t         i;
    ngx_pki_record_t  *records;

    if (revoked->nelts == 0) {
        return NGX_OK;
    }

    records = revoked->elts;

    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    for (i = 0; i < revoked->nelts; i++) {
        if (ngx_crl_entry(w, &records[i]) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    ngx_pki_der_close(w, list);

    return NGX_OK;
}


static ngx_int_t
ngx_crl_entry(ngx_pki_der_writer_t *w, ngx_pki_record_t *record)
{
    size_t            entry;
    ngx_str_t         octets;
    ngx_pki_serial_t  serial;

    if (ngx_pki_serial_parse(&record->serial, &serial) != NGX_OK) {
        return NGX_DECLINED;
    }

    octets.len = serial.len;
    octets.data = serial.data;

    entry = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put(w, NGX_PKI_DER_INTEGER, &octets);
    ngx_pki_der_put_time(w, record->revoked_at);

    if (record->reason != NGX_PKI_REASON_UNSPECIFIED) {
        ngx_crl_reason(w, record->reason);
    }

    ngx_pki_der_close(w, entry);

    return NGX_OK;
}


static void
ngx_crl_reason(ngx_pki_der_writer_t *w, ngx_int_t reason)
{
    u_char  extensions[] = "\x30\x0c\x30\x0a\x06\x03" NGX_OCSP_OID_CRL_REASON
                           "\x04\x03\x0a\x01\x00";

    extensions[sizeof(extensions) - 2] = (u_char) reason;

    ngx_pki_der_bytes(w, extensions, sizeof(extensions) - 1);
}


static void
ngx_crl_extensions(ngx_pki_der_writer_t *w, ngx_crl_t *crl)
{
    size_t  outer, list;

    outer = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_raw(w, crl->aki);
    ngx_crl_number(w, crl->number);

    ngx_pki_der_close(w, list);
    ngx_pki_der_close(w, outer);
}


static void
ngx_crl_number(ngx_pki_der_writer_t *w, uint64_t number)
{
    size_t      seq, value;
    u_char      octets[8];
    ngx_int_t   i;
    ngx_str_t   oid, magnitude;

    for (i = 7; i >= 0; i--) {
        octets[i] = (u_char) number;
        number >>= 8;
    }

    magnitude.len = sizeof(octets);
    magnitude.data = octets;

    ngx_str_set(&oid, NGX_OCSP_OID_CRL_NUMBER);

    seq = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &oid);
    value = ngx_pki_der_begin(w, NGX_PKI_DER_OCTET_STRING);
    ngx_pki_der_put_unsigned(w, &magnitude);
    ngx_pki_der_close(w, value);
    ngx_pki_der_close(w, seq);
}

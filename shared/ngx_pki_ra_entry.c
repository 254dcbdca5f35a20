
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_ra_entry.h"
#include "ngx_pki_der.h"
#include "ngx_pki_record.h"


#define NGX_PKI_RA_ENTRY_VERSION  1
#define NGX_PKI_RA_ENTRY_MAX_LEN  32768


ngx_int_t
ngx_pki_ra_entry_decode(ngx_str_t *der, ngx_pki_ra_entry_t *entry)
{
    ngx_str_t      made_at;
    ngx_uint_t     version;
    ngx_pki_der_t  in, seq;

    ngx_memzero(entry, sizeof(ngx_pki_ra_entry_t));
    ngx_pki_der_init(&in, der);

    if (der->len > NGX_PKI_RA_ENTRY_MAX_LEN
        || ngx_pki_der_enter(&in, NGX_PKI_DER_SEQUENCE, &seq) != NGX_OK
        || !ngx_pki_der_end(&in)
        || ngx_pki_der_get_uint(&seq, &version) != NGX_OK
        || version != NGX_PKI_RA_ENTRY_VERSION
        || ngx_pki_der_get(&seq, NGX_PKI_DER_UTF8_STRING, &made_at) != NGX_OK
        || ngx_pki_time_parse(&made_at, &entry->made_at) != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING,
                           &entry->certificate)
           != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_UTF8_STRING, &entry->key_url)
           != NGX_OK
        || ngx_pki_der_get(&seq, NGX_PKI_DER_OCTET_STRING, &entry->sealed)
           != NGX_OK
        || !ngx_pki_der_end(&seq))
    {
        return NGX_ERROR;
    }

    if (entry->certificate.len == 0
        || (entry->key_url.len != 0) == (entry->sealed.len != 0))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_ra_entry_encode(ngx_pool_t *pool, ngx_pki_ra_entry_t *entry,
    ngx_str_t *der)
{
    u_char                text[NGX_TIME_T_LEN];
    size_t                mark;
    ngx_str_t             made_at;
    ngx_pki_der_writer_t  w;

    made_at.data = text;
    made_at.len = ngx_sprintf(text, "%T", entry->made_at) - text;

    if (ngx_pki_der_writer_init(&w, pool, entry->certificate.len
                                          + entry->key_url.len
                                          + entry->sealed.len + 64)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, NGX_PKI_RA_ENTRY_VERSION);
    ngx_pki_der_put(&w, NGX_PKI_DER_UTF8_STRING, &made_at);
    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &entry->certificate);
    ngx_pki_der_put(&w, NGX_PKI_DER_UTF8_STRING, &entry->key_url);
    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &entry->sealed);

    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, der);
}

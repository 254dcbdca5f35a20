
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_notice.h"
#include "ngx_pki_fields.h"
#include "ngx_pki_record.h"


static ngx_pki_field_t  ngx_pki_notice_fields[] = {
    ngx_pki_field(ngx_pki_notice_t, serial, TEXT, 1),
    ngx_pki_field(ngx_pki_notice_t, kind, TEXT, 1),
    ngx_pki_field(ngx_pki_notice_t, to, TEXT, 0),
    ngx_pki_field(ngx_pki_notice_t, transaction, TEXT, 0),
    ngx_pki_field(ngx_pki_notice_t, csr, TEXT, 0),
    ngx_pki_field(ngx_pki_notice_t, created, TIME, 1),
    ngx_pki_null_field
};


ngx_int_t
ngx_pki_notice_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_notice_t *notice)
{
    ngx_pki_serial_t  serial;

    ngx_memzero(notice, sizeof(ngx_pki_notice_t));

    if (ngx_pki_fields_decode(ngx_pki_notice_fields, fields, n, notice)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_serial_parse(&notice->serial, &serial);
}


ngx_int_t
ngx_pki_notice_encode(ngx_pool_t *pool, ngx_pki_notice_t *notice,
    ngx_str_t *fields)
{
    return ngx_pki_fields_encode(ngx_pki_notice_fields, pool, notice, fields);
}

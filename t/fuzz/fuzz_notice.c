
/*
 * Copyright (C) the ngx_pki authors
 *
 * Notices that wait: a line of the input is a name or a value.  What is
 * accepted names a certificate, and reads the same when it is written and read
 * again.
 */


#include "fuzz.h"
#include "ngx_pki_notice.h"
#include "ngx_pki_record.h"


#define FUZZ_FIELDS  32


static ngx_uint_t fuzz_split(ngx_pool_t *pool, const uint8_t *data,
    size_t size, ngx_str_t *fields);
static void fuzz_check(ngx_pool_t *pool, ngx_pki_notice_t *notice);
static ngx_uint_t fuzz_differ(ngx_str_t *one, ngx_str_t *two);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t          fields[FUZZ_FIELDS];
    ngx_uint_t         n;
    ngx_pool_t        *pool;
    ngx_pki_notice_t   notice;

    pool = fuzz_pool();

    n = fuzz_split(pool, data, size, fields);

    if (ngx_pki_notice_decode(fields, n, &notice) == NGX_OK) {
        fuzz_check(pool, &notice);
    }

    fuzz_done(pool);

    return 0;
}


static ngx_uint_t
fuzz_split(ngx_pool_t *pool, const uint8_t *data, size_t size,
    ngx_str_t *fields)
{
    size_t      i, start;
    ngx_uint_t  n;

    n = 0;
    start = 0;

    for (i = 0; i <= size && n < FUZZ_FIELDS; i++) {

        if (i == size || data[i] == '\n') {
            fields[n].data = fuzz_copy(pool, data + start, i - start);
            fields[n].len = i - start;
            start = i + 1;
            n++;
        }
    }

    return n;
}


static void
fuzz_check(ngx_pool_t *pool, ngx_pki_notice_t *notice)
{
    ngx_int_t         n;
    ngx_str_t         fields[NGX_PKI_NOTICE_FIELDS];
    ngx_pki_notice_t  again;
    ngx_pki_serial_t  serial;

    if (ngx_pki_serial_parse(&notice->serial, &serial) != NGX_OK
        || notice->kind.len == 0
        || notice->created <= 0)
    {
        abort();
    }

    n = ngx_pki_notice_encode(pool, notice, fields);

    if (n < 0 || n > NGX_PKI_NOTICE_FIELDS
        || ngx_pki_notice_decode(fields, n, &again) != NGX_OK
        || again.created != notice->created
        || fuzz_differ(&again.serial, &notice->serial)
        || fuzz_differ(&again.kind, &notice->kind)
        || fuzz_differ(&again.to, &notice->to)
        || fuzz_differ(&again.transaction, &notice->transaction)
        || fuzz_differ(&again.csr, &notice->csr))
    {
        abort();
    }
}


static ngx_uint_t
fuzz_differ(ngx_str_t *one, ngx_str_t *two)
{
    return one->len != two->len
           || (one->len != 0 && ngx_memcmp(one->data, two->data, one->len));
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * The record of a certificate: a line of the input is a name or a value.  What
 * is accepted does not contradict itself and reads the same when it is written
 * and read again.
 */


#include "fuzz.h"
#include "ngx_pki_record.h"


#define FUZZ_FIELDS  64


static ngx_uint_t fuzz_split(ngx_pool_t *pool, const uint8_t *data,
    size_t size, ngx_str_t *fields);
static void fuzz_check(ngx_pool_t *pool, ngx_pki_record_t *record);
static ngx_uint_t fuzz_differ(ngx_str_t *one, ngx_str_t *two);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t          fields[FUZZ_FIELDS];
    ngx_uint_t         n;
    ngx_pool_t        *pool;
    ngx_pki_record_t   record;

    pool = fuzz_pool();

    n = fuzz_split(pool, data, size, fields);

    if (ngx_pki_record_decode(fields, n, &record) == NGX_OK) {
        fuzz_check(pool, &record);
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
fuzz_check(ngx_pool_t *pool, ngx_pki_record_t *record)
{
    ngx_int_t         n;
    ngx_str_t         fields[NGX_PKI_RECORD_FIELDS];
    ngx_pki_record_t  again;

    if ((record->status == NGX_PKI_STATUS_GOOD) != (record->revoked_at == 0)
        || (record->status == NGX_PKI_STATUS_HOLD)
           != (record->reason == NGX_PKI_REASON_HOLD)
        || record->not_after < 0 || record->version > NGX_PKI_NUMBER_MAX)
    {
        abort();
    }

    n = ngx_pki_record_encode(pool, record, fields);

    if (n < 0 || n > NGX_PKI_RECORD_FIELDS
        || ngx_pki_record_decode(fields, n, &again) != NGX_OK
        || again.status != record->status
        || again.reason != record->reason
        || again.revoked_at != record->revoked_at
        || again.issued_at != record->issued_at
        || again.not_before != record->not_before
        || again.not_after != record->not_after
        || again.version != record->version
        || fuzz_differ(&again.der, &record->der)
        || fuzz_differ(&again.subject, &record->subject)
        || fuzz_differ(&again.revoked_by, &record->revoked_by))
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

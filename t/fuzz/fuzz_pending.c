
/*
 * Copyright (C) the ngx_pki authors
 *
 * The record of a request that waits: a line of the input is a name or a value.
 * What is accepted is decided if it says by whom, and reads the same when it is
 * written and read again.
 */


#include "fuzz.h"
#include "ngx_pki_pending.h"
#include "ngx_pki_record.h"


#define FUZZ_FIELDS  64


static ngx_uint_t fuzz_split(ngx_pool_t *pool, const uint8_t *data,
    size_t size, ngx_str_t *fields);
static void fuzz_check(ngx_pool_t *pool, ngx_pki_pending_t *pending);
static ngx_uint_t fuzz_differ(ngx_str_t *one, ngx_str_t *two);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t           fields[FUZZ_FIELDS];
    ngx_uint_t          n;
    ngx_pool_t         *pool;
    ngx_pki_pending_t   pending;

    pool = fuzz_pool();

    n = fuzz_split(pool, data, size, fields);

    if (n != 0) {
        (void) ngx_pki_pending_id_check(&fields[0]);
    }

    if (ngx_pki_pending_decode(fields, n, &pending) == NGX_OK) {
        fuzz_check(pool, &pending);
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
fuzz_check(ngx_pool_t *pool, ngx_pki_pending_t *pending)
{
    ngx_int_t          n;
    ngx_str_t          fields[NGX_PKI_PENDING_FIELDS];
    ngx_pki_serial_t   serial;
    ngx_pki_pending_t  again;

    if ((pending->state == NGX_PKI_PENDING_WAITS)
        != (pending->decided_at == 0)
        || (pending->state == NGX_PKI_PENDING_APPROVED)
           != (pending->serial.len != 0)
        || (pending->serial.len != 0
            && ngx_pki_serial_parse(&pending->serial, &serial) != NGX_OK)
        || pending->received <= 0 || pending->ttl <= 0)
    {
        abort();
    }

    n = ngx_pki_pending_encode(pool, pending, fields);

    if (n < 0 || n > NGX_PKI_PENDING_FIELDS
        || ngx_pki_pending_decode(fields, n, &again) != NGX_OK
        || again.state != pending->state
        || again.received != pending->received
        || again.ttl != pending->ttl
        || again.decided_at != pending->decided_at
        || fuzz_differ(&again.csr, &pending->csr)
        || fuzz_differ(&again.key, &pending->key)
        || fuzz_differ(&again.subject, &pending->subject)
        || fuzz_differ(&again.transaction, &pending->transaction)
        || fuzz_differ(&again.serial, &pending->serial)
        || fuzz_differ(&again.decided_by, &pending->decided_by))
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

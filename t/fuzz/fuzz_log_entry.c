
/*
 * Copyright (C) the ngx_pki authors
 *
 * An entry of the change log: the first line of the input is its id, every
 * other one a name or a value.  What is accepted says one thing only.
 */


#include "fuzz.h"
#include "ngx_pki_log_entry.h"
#include "ngx_pki_record.h"


#define FUZZ_FIELDS  32


static void fuzz_id(ngx_str_t *id);
static void fuzz_entry(ngx_str_t *fields, ngx_uint_t n);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i, start;
    ngx_str_t    fields[FUZZ_FIELDS];
    ngx_uint_t   n;
    ngx_pool_t  *pool;

    pool = fuzz_pool();

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

    fuzz_id(&fields[0]);
    fuzz_entry(&fields[1], n - 1);

    fuzz_done(pool);

    return 0;
}


static void
fuzz_id(ngx_str_t *id)
{
    u_char            hex[2 * NGX_PKI_SERIAL_LEN];
    ngx_pki_serial_t  serial;

    if (ngx_pki_log_id_check(id) == NGX_OK && id->len > NGX_PKI_LOG_ID_LEN) {
        abort();
    }

    if (ngx_pki_serial_parse(id, &serial) == NGX_OK
        && (ngx_pki_serial_print(hex, &serial) != id->len
            || ngx_memcmp(hex, id->data, id->len) != 0))
    {
        abort();
    }
}


static void
fuzz_entry(ngx_str_t *fields, ngx_uint_t n)
{
    ngx_pki_log_entry_t  entry;

    if (ngx_pki_log_entry_decode(fields, n, &entry) != NGX_OK) {
        return;
    }

    if (entry.number == 0 || entry.number > NGX_PKI_NUMBER_MAX
        || entry.status.version != entry.number
        || entry.serial.len > NGX_PKI_SERIAL_LEN
        || entry.list >= NGX_PKI_CRL_LISTS
        || entry.crl.number > NGX_PKI_NUMBER_MAX
        || entry.crl.seq > NGX_PKI_NUMBER_MAX
        || (n == 0 || n % 2 != 0))
    {
        abort();
    }

    if (entry.serial.len == 0) {
        if (entry.type < NGX_PKI_LOG_CRL) {
            abort();
        }

        return;
    }

    if (ngx_pki_status_check(entry.status.status, entry.status.reason,
                             entry.status.revoked_at)
        != NGX_OK)
    {
        abort();
    }
}

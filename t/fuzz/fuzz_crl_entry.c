
/*
 * Copyright (C) the ngx_pki authors
 *
 * An entry of a CRL: the first line of the input is a serial number, the
 * second one what Redis has of it, the third one the name of a CRL, the fourth
 * one a shard.  What is accepted reads the same when it is written and read
 * again.
 */


#include "fuzz.h"
#include "ngx_pki_crl.h"
#include "ngx_pki_record.h"


#define FUZZ_LINES  4


static void fuzz_entry(ngx_str_t *serial, ngx_str_t *value);
static void fuzz_name(ngx_str_t *name);
static void fuzz_shard(ngx_str_t *hex);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i, start;
    ngx_str_t    lines[FUZZ_LINES];
    ngx_uint_t   n;
    ngx_pool_t  *pool;

    pool = fuzz_pool();

    ngx_memzero(lines, sizeof(lines));

    n = 0;
    start = 0;

    for (i = 0; i <= size && n < FUZZ_LINES; i++) {

        if (i == size || data[i] == '\n') {
            lines[n].data = fuzz_copy(pool, data + start, i - start);
            lines[n].len = i - start;
            start = i + 1;
            n++;
        }
    }

    fuzz_entry(&lines[0], &lines[1]);
    fuzz_name(&lines[2]);
    fuzz_shard(&lines[3]);

    fuzz_done(pool);

    return 0;
}


static void
fuzz_entry(ngx_str_t *serial, ngx_str_t *value)
{
    u_char               text[4 * NGX_INT64_LEN + 3];
    ngx_int_t            shard;
    ngx_str_t            printed;
    ngx_pki_crl_entry_t  entry, again;

    if (ngx_pki_crl_entry_decode(serial, value, &entry) != NGX_OK) {
        return;
    }

    shard = ngx_pki_crl_shard(&entry.serial);

    if (entry.serial.len == 0 || entry.serial.len > NGX_PKI_SERIAL_LEN
        || entry.revoked_at <= 0 || entry.not_after < 0
        || entry.seq > NGX_PKI_NUMBER_MAX
        || entry.reason < 0 || entry.reason > 10 || entry.reason == 7
        || (shard != NGX_DECLINED
            && (shard < 0 || shard >= NGX_PKI_CRL_SHARDS_MAX)))
    {
        abort();
    }

    printed.data = text;
    printed.len = ngx_sprintf(text, "%T %i %T %uL", entry.revoked_at,
                              entry.reason, entry.not_after, entry.seq)
                  - text;

    if (printed.len < value->len
        || ngx_memcmp(text, value->data, value->len) != 0
        || ngx_pki_crl_entry_decode(serial, &printed, &again) != NGX_OK
        || ngx_memcmp(&entry, &again, sizeof(entry)) != 0)
    {
        abort();
    }
}


static void
fuzz_name(ngx_str_t *name)
{
    u_char      text[NGX_PKI_CRL_NAME_LEN], *url;
    ngx_str_t   copy;
    ngx_uint_t  list;

    if (ngx_pki_crl_parse(name, &list) != NGX_OK) {
        return;
    }

    if (list >= NGX_PKI_CRL_LISTS
        || ngx_pki_crl_name(text, list) != name->len
        || ngx_memcmp(text, name->data, name->len) != 0)
    {
        abort();
    }

    url = malloc(name->len + 16);
    copy = *name;

    if (url == NULL || ngx_pki_crl_url(url, &copy, list) > name->len + 16) {
        abort();
    }

    free(url);
}


static void
fuzz_shard(ngx_str_t *hex)
{
    ngx_uint_t  shard;

    if (ngx_pki_crl_parse_shard(hex, &shard) == NGX_OK
        && shard >= NGX_PKI_CRL_SHARDS_MAX)
    {
        abort();
    }
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * What Redis keeps of a registration authority: an entry, and the sealed key
 * in it.  The first octet of the input says which of the two comes first.
 * What is accepted is the same octets when it is written again.
 */


#include "fuzz.h"
#include "ngx_pki_ra_entry.h"
#include "ngx_pki_seal.h"


static void fuzz_entry(ngx_pool_t *pool, ngx_str_t *der);
static void fuzz_seal(ngx_pool_t *pool, ngx_str_t *der);
static void fuzz_same(ngx_str_t *one, ngx_str_t *two);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    der;
    ngx_pool_t  *pool;

    if (size == 0) {
        return 0;
    }

    pool = fuzz_pool();

    der.data = fuzz_copy(pool, data + 1, size - 1);
    der.len = size - 1;

    if (data[0] & 1) {
        fuzz_entry(pool, &der);

    } else {
        fuzz_seal(pool, &der);
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_entry(ngx_pool_t *pool, ngx_str_t *der)
{
    ngx_str_t           again;
    ngx_pki_ra_entry_t  entry;

    if (ngx_pki_ra_entry_decode(der, &entry) != NGX_OK) {
        return;
    }

    if (entry.made_at < 0
        || entry.certificate.len == 0
        || (entry.key_url.len == 0) == (entry.sealed.len == 0)
        || ngx_pki_ra_entry_encode(pool, &entry, &again) != NGX_OK)
    {
        abort();
    }

    fuzz_same(der, &again);

    if (entry.sealed.len != 0) {
        fuzz_seal(pool, &entry.sealed);
    }
}


static void
fuzz_seal(ngx_pool_t *pool, ngx_str_t *der)
{
    ngx_str_t       again;
    ngx_pki_seal_t  seal;

    if (ngx_pki_seal_decode(der, &seal) != NGX_OK) {
        return;
    }

    if (seal.key_name.len == 0
        || seal.content_key.len == 0
        || seal.nonce.len != 12
        || seal.encrypted.len <= 16
        || ngx_pki_seal_encode(pool, &seal, &again) != NGX_OK)
    {
        abort();
    }

    fuzz_same(der, &again);
}


static void
fuzz_same(ngx_str_t *one, ngx_str_t *two)
{
    if (one->len != two->len || ngx_memcmp(one->data, two->data, one->len)) {
        abort();
    }
}

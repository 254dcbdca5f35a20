
/*
 * Copyright (C) the ngx_pki authors
 *
 * A request without its challenge: the same key, names and validity, the same
 * extensions in the same order, no challenge, and nothing that its own
 * signature would verify.
 */


#include "fuzz.h"
#include "ngx_pki_csr_bare.h"


static ngx_uint_t fuzz_differ(ngx_str_t *one, ngx_str_t *two);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t             der, bare;
    ngx_uint_t            i;
    ngx_pool_t           *pool;
    ngx_pki_csr_t         csr, again;
    ngx_pki_extension_t  *e, *f;

    pool = fuzz_pool();

    der.data = fuzz_copy(pool, data, size);
    der.len = size;

    if (ngx_pki_csr_decode(pool, &der, &csr) != NGX_OK) {
        fuzz_done(pool);
        return 0;
    }

    /* one of nearly 64 KB may get longer by what it left out */

    if (ngx_pki_csr_bare(pool, &csr, &bare) != NGX_OK) {
        abort();
    }

    if (bare.len > 65536) {
        fuzz_done(pool);
        return 0;
    }

    if (ngx_pki_csr_decode(pool, &bare, &again) != NGX_OK
        || again.challenge.len != 0
        || again.signature.len != 0
        || fuzz_differ(&again.subject, &csr.subject)
        || fuzz_differ(&again.spki, &csr.spki)
        || again.extensions.nelts != csr.extensions.nelts
        || again.validity.seconds != csr.validity.seconds)
    {
        abort();
    }

    e = csr.extensions.elts;
    f = again.extensions.elts;

    for (i = 0; i < csr.extensions.nelts; i++) {

        if (fuzz_differ(&e[i].oid, &f[i].oid)
            || fuzz_differ(&e[i].value, &f[i].value)
            || e[i].critical != f[i].critical)
        {
            abort();
        }
    }

    fuzz_done(pool);

    return 0;
}


static ngx_uint_t
fuzz_differ(ngx_str_t *one, ngx_str_t *two)
{
    return one->len != two->len
           || (one->len != 0 && ngx_memcmp(one->data, two->data, one->len));
}

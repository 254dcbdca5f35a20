
/*
 * Copyright (C) the ngx_pki authors
 *
 * PreferredSignatureAlgorithms: what is read lies within the input, every entry
 * takes some of it, and only what is named fits a P-256 responder.
 */


#include "fuzz.h"
#include "ngx_ocsp_preferred.h"


static void
fuzz_within(ngx_str_t *part, ngx_str_t *whole)
{
    if (part->len != 0
        && (part->data < whole->data
            || part->data + part->len > whole->data + whole->len))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                *before;
    ngx_str_t              whole, algorithm;
    ngx_pool_t            *pool;
    ngx_pki_der_t          list;
    ngx_pki_key_t          key;
    ngx_ocsp_preferred_t   preferred;
    ngx_ocsp_responder_t   responder;

    pool = fuzz_pool();

    ngx_memzero(&key, sizeof(ngx_pki_key_t));
    ngx_memzero(&responder, sizeof(ngx_ocsp_responder_t));

    ngx_str_set(&algorithm, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");

    key.spec.nid = NID_X9_62_prime256v1;
    responder.key = &key;
    responder.algorithm = &algorithm;

    whole.data = fuzz_copy(pool, data, size);
    whole.len = size;

    ngx_pki_der_init(&list, &whole);
    before = list.pos;

    while (ngx_ocsp_preferred_next(&list, &preferred) == NGX_OK) {

        if (list.pos <= before) {
            abort();
        }

        before = list.pos;

        fuzz_within(&preferred.signature, &whole);
        fuzz_within(&preferred.curve, &whole);

        if (ngx_ocsp_preferred_fits(&preferred, &responder)
            && (preferred.signature.len != 8
                || (preferred.curve.len != 0 && preferred.curve.len != 8)))
        {
            abort();
        }
    }

    fuzz_done(pool);

    return 0;
}

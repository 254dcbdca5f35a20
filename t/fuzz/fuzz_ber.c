
/*
 * Copyright (C) the ngx_pki authors
 *
 * BER to DER: what comes out is DER, and stays as it is a second time.
 */


#include "fuzz.h"
#include "ngx_pki_ber.h"
#include "ngx_pki_der.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t       ber, der, again, content;
    ngx_uint_t      tag;
    ngx_pool_t     *pool;
    ngx_pki_der_t   r;

    pool = fuzz_pool();

    ber.data = fuzz_copy(pool, data, size);
    ber.len = size;

    if (ngx_pki_ber_to_der(pool, &ber, &der) == NGX_OK) {

        ngx_pki_der_init(&r, &der);

        if (ngx_pki_der_any(&r, &tag, &content, NULL) != NGX_OK
            || !ngx_pki_der_end(&r)
            || ngx_pki_ber_to_der(pool, &der, &again) != NGX_OK
            || again.len != der.len
            || ngx_memcmp(again.data, der.data, der.len) != 0)
        {
            abort();
        }
    }

    fuzz_done(pool);

    return 0;
}

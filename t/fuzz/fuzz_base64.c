
/*
 * Copyright (C) the ngx_pki authors
 *
 * Base64 out of a URI: it never gets longer, and what comes out survives being
 * encoded by nginx and decoded again.
 */


#include "fuzz.h"
#include "ngx_pki_base64.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    in, out, text, again;
    ngx_pool_t  *pool;

    pool = fuzz_pool();

    in.data = fuzz_copy(pool, data, size);
    in.len = size;

    if (ngx_pki_base64_uri_decode(pool, &in, &out) == NGX_OK) {

        if (out.len == 0 || out.len > size) {
            abort();
        }

        text.data = ngx_pnalloc(pool, ngx_base64_encoded_length(out.len));
        if (text.data == NULL) {
            abort();
        }

        ngx_encode_base64(&text, &out);

        if (ngx_pki_base64_uri_decode(pool, &text, &again) != NGX_OK
            || again.len != out.len
            || ngx_memcmp(again.data, out.data, out.len) != 0)
        {
            abort();
        }
    }

    fuzz_done(pool);

    return 0;
}

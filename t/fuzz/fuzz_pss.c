
/*
 * Copyright (C) the ngx_pki authors
 *
 * The decoder of RSASSA-PSS-params, of requests and of SCEP messages.
 */


#include "fuzz.h"
#include "ngx_pki_pss.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t       rc;
    ngx_str_t       params;
    ngx_pool_t     *pool;
    ngx_pki_pss_t   pss;

    pool = fuzz_pool();

    params.data = fuzz_copy(pool, data, size);
    params.len = size;

    rc = ngx_pki_pss_decode(&params, &pss);

    if (rc == NGX_OK) {

        if (pss.salt > 2048
            || (pss.md != NID_sha256
                && pss.md != NID_sha384
                && pss.md != NID_sha512))
        {
            abort();
        }

    } else if (rc != NGX_DECLINED) {
        abort();
    }

    fuzz_done(pool);

    return 0;
}

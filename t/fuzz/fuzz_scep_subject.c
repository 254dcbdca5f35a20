
/*
 * Copyright (C) the ngx_pki authors
 *
 * The decoder of what GetCRL asks about.
 */


#include "fuzz.h"
#include "ngx_scep_cms.h"


static volatile unsigned  fuzz_sum;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             i;
    ngx_int_t          rc;
    ngx_str_t          der, issuer;
    ngx_pool_t        *pool;
    ngx_pki_serial_t   serial;

    pool = fuzz_pool();

    der.data = fuzz_copy(pool, data, size);
    der.len = size;

    rc = ngx_scep_cms_subject(&der, &issuer, &serial);

    if (rc == NGX_OK) {

        if (serial.len == 0
            || serial.len > NGX_PKI_SERIAL_LEN
            || issuer.len < 2
            || issuer.data < der.data
            || issuer.data + issuer.len > der.data + der.len)
        {
            abort();
        }

        for (i = 0; i < serial.len; i++) {
            fuzz_sum += serial.data[i];
        }

        for (i = 0; i < issuer.len; i++) {
            fuzz_sum += issuer.data[i];
        }

    } else if (rc != NGX_DECLINED) {
        abort();
    }

    fuzz_done(pool);

    return 0;
}

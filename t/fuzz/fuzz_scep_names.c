
/*
 * Copyright (C) the ngx_pki authors
 *
 * The decoder of what CertPoll asks about.
 */


#include "fuzz.h"
#include "ngx_scep_cms.h"


static void fuzz_check(ngx_str_t *der, ngx_str_t *name);


static volatile unsigned  fuzz_sum;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t    rc;
    ngx_str_t    der, issuer, subject;
    ngx_pool_t  *pool;

    pool = fuzz_pool();

    der.data = fuzz_copy(pool, data, size);
    der.len = size;

    rc = ngx_scep_cms_names(&der, &issuer, &subject);

    if (rc == NGX_OK) {
        fuzz_check(&der, &issuer);
        fuzz_check(&der, &subject);

        if (issuer.data + issuer.len != subject.data
            || subject.data + subject.len != der.data + der.len)
        {
            abort();
        }

    } else if (rc != NGX_DECLINED) {
        abort();
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_check(ngx_str_t *der, ngx_str_t *name)
{
    size_t  i;

    if (name->len < 2
        || name->data < der->data
        || name->data + name->len > der->data + der->len)
    {
        abort();
    }

    for (i = 0; i < name->len; i++) {
        fuzz_sum += name->data[i];
    }
}


/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_device.h"


ngx_int_t
ngx_pki_device_find(ngx_pool_t *pool, ngx_pki_device_rule_e rule,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t, ngx_str_t *device,
    ngx_str_t *user)
{
    ngx_str_null(device);
    ngx_str_null(user);

    return NGX_OK;
}

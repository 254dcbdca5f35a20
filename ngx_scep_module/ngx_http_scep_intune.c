
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_scep_vouch.h"


static char *ngx_http_scep_intune_set(ngx_conf_t *cf, void **conf);
static void ngx_http_scep_intune_ask(ngx_http_scep_operation_t *so,
    void *conf);


ngx_http_scep_voucher_t  ngx_http_scep_intune = {
    ngx_string("intune"),
    ngx_http_scep_intune_set,
    NULL,
    ngx_http_scep_intune_ask,
    NULL,
    NULL
};


static char *
ngx_http_scep_intune_set(ngx_conf_t *cf, void **conf)
{
    return "is not available in this version";
}


static void
ngx_http_scep_intune_ask(ngx_http_scep_operation_t *so, void *conf)
{
    static ngx_str_t  none = ngx_null_string;

    ngx_http_scep_vouched(so, NGX_HTTP_SCEP_VOUCH_REFUSED, &none, &none);
}

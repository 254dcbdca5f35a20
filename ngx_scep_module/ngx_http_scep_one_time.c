
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_scep_vouch.h"


static char *ngx_http_scep_one_time_set(ngx_conf_t *cf, void **conf);
static void ngx_http_scep_one_time_ask(ngx_http_scep_operation_t *so,
    void *conf);


ngx_http_scep_voucher_t  ngx_http_scep_one_time = {
    ngx_string("one_time"),
    ngx_http_scep_one_time_set,
    NULL,
    ngx_http_scep_one_time_ask,
    NULL,
    NULL
};


static char *
ngx_http_scep_one_time_set(ngx_conf_t *cf, void **conf)
{
    return "is not available in this version";
}


static void
ngx_http_scep_one_time_ask(ngx_http_scep_operation_t *so, void *conf)
{
    static ngx_str_t  none = ngx_null_string;

    ngx_http_scep_vouched(so, NGX_HTTP_SCEP_VOUCH_REFUSED, &none, &none);
}

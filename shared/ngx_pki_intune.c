
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_intune.h"


struct ngx_pki_intune_s {
    ngx_str_t                  identity_name;
};


ngx_pki_intune_t *
ngx_pki_intune_add(ngx_conf_t *cf, ngx_array_t *intunes, ngx_str_t *identity)
{
    return NULL;
}


ngx_int_t
ngx_pki_intune_init(ngx_conf_t *cf, ngx_pki_intune_t *intune,
    ngx_array_t *identities, ngx_str_t *name)
{
    return NGX_OK;
}


ngx_int_t
ngx_pki_intune_start(ngx_pki_intune_t *intune, ngx_pki_https_t *https,
    ngx_pki_zone_t *zone, ngx_log_t *log)
{
    return NGX_OK;
}


ngx_str_t *
ngx_pki_intune_name(ngx_pki_intune_t *intune)
{
    return &intune->identity_name;
}


void
ngx_pki_intune_send(ngx_pki_intune_call_t *call)
{
}

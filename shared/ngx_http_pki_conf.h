
/*
 * Copyright (C) the ngx_pki authors
 *
 * Of the module itself: directive setters, checks, variables, the probe.
 */


#ifndef _NGX_HTTP_PKI_CONF_H_INCLUDED_
#define _NGX_HTTP_PKI_CONF_H_INCLUDED_


#include "ngx_http_pki_module.h"


char *ngx_http_pki_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_authority_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_azure_identity(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_key_vault(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_probe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* The defaults of what lies outside. */
void ngx_http_pki_create_azure(ngx_http_pki_main_conf_t *pmcf);

/* When all is read: NGX_ERROR is logged. */
ngx_int_t ngx_http_pki_init_redis(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
ngx_int_t ngx_http_pki_init_zone(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
ngx_int_t ngx_http_pki_init_azure(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
ngx_int_t ngx_http_pki_init_thread_pool(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);

/* In a worker, before the authorities: NGX_ERROR is logged. */
ngx_int_t ngx_http_pki_start_azure(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *pmcf);

ngx_int_t ngx_http_pki_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_PKI_CONF_H_INCLUDED_ */


/*
 * Copyright (C) the ngx_pki authors
 *
 * Directives of the module: setters, defaults, checks.
 */


#ifndef _NGX_HTTP_OCSP_CONF_H_INCLUDED_
#define _NGX_HTTP_OCSP_CONF_H_INCLUDED_


#include "ngx_http_ocsp_responder_module.h"


char *ngx_http_ocsp_responder(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ocsp_signer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ocsp_validity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ocsp_unknown(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ocsp_max_requests(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ocsp_on_error(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_crl_validity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_crl_refresh(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* "ocsp_signer auto" without parameters. */
void ngx_http_ocsp_default_signer(ngx_ocsp_delegate_spec_t *spec);

char *ngx_http_ocsp_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);


#endif /* _NGX_HTTP_OCSP_CONF_H_INCLUDED_ */

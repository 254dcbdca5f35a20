
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
char *ngx_http_ocsp_retention(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ocsp_request_signature(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ocsp_responder_id(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ocsp_compromised(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_crl_validity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_crl_refresh(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_crl_shards(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_crl_delta(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* "ocsp_signer": inherits, or is the default. */
void ngx_http_ocsp_merge_signer(ngx_http_ocsp_loc_conf_t *prev,
    ngx_http_ocsp_loc_conf_t *conf);

/* The signer of an authority for a location that is merged otherwise, one for
 * all of them.  NULL: logged. */
ngx_ocsp_signer_t *ngx_http_ocsp_add_signer(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *conf, ngx_pki_authority_t *a);

char *ngx_http_ocsp_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/* How CRLs are built: inherits, or is the default. */
void ngx_http_crl_merge_spec(ngx_crl_builder_spec_t *prev,
    ngx_crl_builder_spec_t *conf);

/* "crl" of a location: its authority's CRLs, the same for all locations. */
char *ngx_http_crl_merge(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf);

/* Postconfiguration: authorities whose CRLs are built by another nginx. */
ngx_int_t ngx_http_crl_init(ngx_conf_t *cf);


/* What setters share. */

/* Whether "param" is "name", "key=" for example, and its value. */
ngx_uint_t ngx_http_ocsp_parameter(ngx_str_t *param, ngx_str_t *name,
    ngx_str_t *value);

/* The content handler of the location. */
char *ngx_http_ocsp_set_handler(ngx_conf_t *cf, ngx_http_handler_pt handler);

/* A time in seconds; NGX_ERROR: it is none. */
ngx_int_t ngx_http_ocsp_seconds(ngx_str_t *value);

/* Logs what would be right; NGX_CONF_ERROR. */
char *ngx_http_ocsp_invalid(ngx_conf_t *cf, ngx_str_t *value,
    const char *expected);


#endif /* _NGX_HTTP_OCSP_CONF_H_INCLUDED_ */

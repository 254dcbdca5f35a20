
/*
 * Copyright (C) the ngx_pki authors
 *
 * Directives and the life of a worker.
 */


#include "ngx_http_ocsp_responder_module.h"
#include "ngx_http_ocsp_conf.h"


static void *ngx_http_ocsp_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_ocsp_create_loc_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_ocsp_init_process(ngx_cycle_t *cycle);
static void ngx_http_ocsp_exit_process(ngx_cycle_t *cycle);
static ngx_http_ocsp_main_conf_t *ngx_http_ocsp_worker_conf(
    ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_ocsp_commands[] = {

    { ngx_string("ocsp_responder"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_ocsp_responder,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_signer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_ocsp_signer,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_validity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_ocsp_validity,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_unknown"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ocsp_unknown,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_nonce"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ocsp_loc_conf_t, policy.nonce),
      NULL },

    { ngx_string("ocsp_cache"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ocsp_loc_conf_t, policy.cache),
      NULL },

    { ngx_string("ocsp_retention"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ocsp_retention,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_request_signature"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_ocsp_request_signature,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_responder_id"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ocsp_responder_id,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_error_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ocsp_loc_conf_t, error_status),
      NULL },

    { ngx_string("ocsp_compromised"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ocsp_compromised,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_max_requests"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ocsp_max_requests,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_on_error"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ocsp_on_error,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("crl"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_crl,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("crl_validity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_crl_validity,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("crl_refresh"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_crl_refresh,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("crl_shards"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_crl_shards,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("crl_delta"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_crl_delta,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_certificate"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_pki_certificate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ocsp_responder_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_crl_init,                     /* postconfiguration */

    ngx_http_ocsp_create_main_conf,        /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_ocsp_create_loc_conf,         /* create location configuration */
    ngx_http_ocsp_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_ocsp_responder_module = {
    NGX_MODULE_V1,
    &ngx_http_ocsp_responder_module_ctx,   /* module context */
    ngx_http_ocsp_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_ocsp_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_ocsp_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_ocsp_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_ocsp_main_conf_t  *omcf;

    omcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ocsp_main_conf_t));
    if (omcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&omcf->signers, cf->pool, 2,
                       sizeof(ngx_ocsp_signer_t *))
        != NGX_OK
        || ngx_array_init(&omcf->crls, cf->pool, 2, sizeof(ngx_http_crl_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return omcf;
}


static void *
ngx_http_ocsp_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t                 i;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ocsp_loc_conf_t));
    if (olcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     olcf->authorities = NULL;
     *     olcf->signers = NULL;
     *     olcf->signer = { 0 };
     *     olcf->policy.hash = 0;
     *     olcf->trust = { NULL, NULL };
     *     olcf->crl_authority = { 0, NULL };
     *     olcf->crl = NULL;
     *     olcf->crl_list = NGX_PKI_CRL_FULL;
     *     olcf->crl_shard = NULL;
     *     olcf->crl_pem = 0;
     *     olcf->certificate_authority = { 0, NULL };
     *     olcf->certificate = NULL;
     *     olcf->certificate_format = 0;
     *     olcf->certificate_chain = 0;
     */

    for (i = 0; i < NGX_OCSP_STATUSES; i++) {
        olcf->policy.validity[i] = NGX_CONF_UNSET;
    }

    olcf->signer.mode = NGX_CONF_UNSET_UINT;
    olcf->policy.unknown = NGX_CONF_UNSET_UINT;
    olcf->policy.on_error = NGX_CONF_UNSET_UINT;
    olcf->policy.nonce = NGX_CONF_UNSET;
    olcf->policy.cache = NGX_CONF_UNSET;
    olcf->policy.backdate = NGX_CONF_UNSET;
    olcf->policy.retention = NGX_CONF_UNSET;
    olcf->policy.compromised = NGX_CONF_UNSET;
    olcf->policy.by_name = NGX_CONF_UNSET_UINT;
    olcf->policy.signature = NGX_CONF_UNSET_UINT;
    olcf->error_status = NGX_CONF_UNSET;
    olcf->max_requests = NGX_CONF_UNSET;

    olcf->crl_spec.validity = NGX_CONF_UNSET;
    olcf->crl_spec.overlap = NGX_CONF_UNSET;
    olcf->crl_spec.refresh = NGX_CONF_UNSET_MSEC;
    olcf->crl_spec.delta = NGX_CONF_UNSET;
    olcf->crl_spec.shards = NGX_CONF_UNSET_UINT;

    return olcf;
}


static ngx_int_t
ngx_http_ocsp_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_http_crl_t             **crl;
    ngx_ocsp_signer_t          **signer;
    ngx_http_ocsp_main_conf_t   *omcf;

    omcf = ngx_http_ocsp_worker_conf(cycle);

    if (omcf == NULL) {
        return NGX_OK;
    }

    signer = omcf->signers.elts;

    for (i = 0; i < omcf->signers.nelts; i++) {
        if (ngx_ocsp_signer_start(signer[i], cycle->log) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    crl = omcf->crls.elts;

    for (i = 0; i < omcf->crls.nelts; i++) {
        ngx_pki_crl_cache_start(crl[i]->cache, cycle->log);
        ngx_crl_builder_start(&crl[i]->builder, cycle->log);
    }

    return NGX_OK;
}


static void
ngx_http_ocsp_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_http_crl_t             **crl;
    ngx_ocsp_signer_t          **signer;
    ngx_http_ocsp_main_conf_t   *omcf;

    omcf = ngx_http_ocsp_worker_conf(cycle);

    if (omcf == NULL) {
        return;
    }

    signer = omcf->signers.elts;

    for (i = 0; i < omcf->signers.nelts; i++) {
        ngx_ocsp_signer_stop(signer[i]);
    }

    crl = omcf->crls.elts;

    for (i = 0; i < omcf->crls.nelts; i++) {
        ngx_crl_builder_stop(&crl[i]->builder);
        ngx_pki_crl_cache_stop(crl[i]->cache);
    }
}


/* NULL: there is no "http", or this process answers no requests */

static ngx_http_ocsp_main_conf_t *
ngx_http_ocsp_worker_conf(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NULL;
    }

    return ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ocsp_responder_module);
}

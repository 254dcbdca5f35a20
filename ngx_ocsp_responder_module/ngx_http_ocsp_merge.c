
/*
 * Copyright (C) the ngx_pki authors
 *
 * Defaults and what follows from them.
 */


#include "ngx_http_ocsp_conf.h"


static void ngx_http_ocsp_inherit(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *prev, ngx_http_ocsp_loc_conf_t *conf);
static void ngx_http_ocsp_merge_settings(ngx_http_ocsp_loc_conf_t *prev,
    ngx_http_ocsp_loc_conf_t *conf);
static void ngx_http_ocsp_merge_policy(ngx_ocsp_policy_t *prev,
    ngx_ocsp_policy_t *conf);
static uint32_t ngx_http_ocsp_policy_hash(ngx_ocsp_policy_t *policy);
static char *ngx_http_ocsp_merge_responder(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *conf);
static ngx_int_t ngx_http_ocsp_check_backdate(ngx_conf_t *cf,
    ngx_ocsp_policy_t *policy);


char *
ngx_http_ocsp_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ocsp_loc_conf_t  *prev = parent;
    ngx_http_ocsp_loc_conf_t  *conf = child;

    ngx_http_ocsp_merge_settings(prev, conf);

    if (conf->authorities != NULL) {
        return ngx_http_ocsp_merge_responder(cf, conf);
    }

    if (conf->crl_authority.len != 0) {
        return ngx_http_crl_merge(cf, conf);
    }

    if (conf->certificate_authority.len != 0) {
        conf->certificate = ngx_http_pki_authority(cf,
                                                  &conf->certificate_authority,
                                                  "pki_certificate");

        return (conf->certificate == NULL) ? NGX_CONF_ERROR : NGX_CONF_OK;
    }

    ngx_http_ocsp_inherit(cf, prev, conf);

    return NGX_CONF_OK;
}


/* "if" and "limit_except" blocks are the location that they stand in */

static void
ngx_http_ocsp_inherit(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *prev,
    ngx_http_ocsp_loc_conf_t *conf)
{
    ngx_http_handler_pt        handler;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->noname || clcf->handler != NULL) {
        return;
    }

    conf->signers = prev->signers;
    conf->trust.authorities = prev->trust.authorities;
    conf->crl = prev->crl;
    conf->crl_list = prev->crl_list;
    conf->crl_shard = prev->crl_shard;
    conf->crl_pem = prev->crl_pem;
    conf->certificate = prev->certificate;
    conf->certificate_format = prev->certificate_format;
    conf->certificate_chain = prev->certificate_chain;

    handler = NULL;

    if (prev->signers != NULL) {
        handler = ngx_http_ocsp_handler;

    } else if (prev->crl != NULL) {
        handler = ngx_http_crl_handler;

    } else if (prev->certificate != NULL) {
        handler = ngx_http_pki_certificate_handler;
    }

    if (clcf->lmt_excpt) {
        clcf->handler = handler;
    }
}


static void
ngx_http_ocsp_merge_settings(ngx_http_ocsp_loc_conf_t *prev,
    ngx_http_ocsp_loc_conf_t *conf)
{
    ngx_http_ocsp_merge_signer(prev, conf);

    if (conf->policy.signature == NGX_CONF_UNSET_UINT) {
        conf->trust.certificates = prev->trust.certificates;
    }

    ngx_http_ocsp_merge_policy(&prev->policy, &conf->policy);

    ngx_conf_merge_value(conf->error_status, prev->error_status, 0);
    ngx_conf_merge_value(conf->max_requests, prev->max_requests, 10);

    ngx_http_crl_merge_spec(&prev->crl_spec, &conf->crl_spec);
}


static void
ngx_http_ocsp_merge_policy(ngx_ocsp_policy_t *prev, ngx_ocsp_policy_t *conf)
{
    ngx_conf_merge_sec_value(conf->validity[NGX_PKI_STATUS_GOOD],
                             prev->validity[NGX_PKI_STATUS_GOOD], 600);
    ngx_conf_merge_sec_value(conf->validity[NGX_PKI_STATUS_HOLD],
                             prev->validity[NGX_PKI_STATUS_HOLD], 300);
    ngx_conf_merge_sec_value(conf->validity[NGX_PKI_STATUS_REVOKED],
                             prev->validity[NGX_PKI_STATUS_REVOKED], 86400);
    ngx_conf_merge_sec_value(conf->validity[NGX_PKI_STATUS_UNKNOWN],
                             prev->validity[NGX_PKI_STATUS_UNKNOWN], 60);

    ngx_conf_merge_sec_value(conf->backdate, prev->backdate, 0);
    ngx_conf_merge_sec_value(conf->retention, prev->retention, 0);
    ngx_conf_merge_sec_value(conf->compromised, prev->compromised, 0);

    ngx_conf_merge_uint_value(conf->unknown, prev->unknown,
                              NGX_OCSP_UNKNOWN_DEFAULT);
    ngx_conf_merge_uint_value(conf->on_error, prev->on_error,
                              NGX_OCSP_ON_ERROR_STALE);
    ngx_conf_merge_uint_value(conf->by_name, prev->by_name, 0);
    ngx_conf_merge_uint_value(conf->signature, prev->signature,
                              NGX_OCSP_SIGNATURE_IGNORE);

    ngx_conf_merge_value(conf->nonce, prev->nonce, 1);
    ngx_conf_merge_value(conf->cache, prev->cache, 1);

    conf->hash = ngx_http_ocsp_policy_hash(conf);
}


/* of all that an answer which is kept says otherwise by another policy */

static uint32_t
ngx_http_ocsp_policy_hash(ngx_ocsp_policy_t *policy)
{
    time_t      fields[NGX_OCSP_STATUSES + 4];
    ngx_uint_t  i;

    for (i = 0; i < NGX_OCSP_STATUSES; i++) {
        fields[i] = policy->validity[i];
    }

    fields[i++] = policy->backdate;
    fields[i++] = policy->retention;
    fields[i++] = policy->compromised;
    fields[i] = (time_t) policy->by_name;

    return ngx_murmur_hash2((u_char *) fields, sizeof(fields));
}


static char *
ngx_http_ocsp_merge_responder(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf)
{
    ngx_str_t             *name;
    ngx_uint_t             i;
    ngx_ocsp_signer_t    **signer;
    ngx_pki_authority_t   *a, **trusted;

    if (ngx_http_ocsp_check_backdate(cf, &conf->policy) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    conf->signers = ngx_array_create(cf->pool, conf->authorities->nelts,
                                     sizeof(ngx_ocsp_signer_t *));
    conf->trust.authorities = ngx_array_create(cf->pool,
                                               conf->authorities->nelts,
                                               sizeof(ngx_pki_authority_t *));

    if (conf->signers == NULL || conf->trust.authorities == NULL) {
        return NGX_CONF_ERROR;
    }

    name = conf->authorities->elts;

    for (i = 0; i < conf->authorities->nelts; i++) {

        a = ngx_http_pki_authority(cf, &name[i], "ocsp_responder");
        if (a == NULL) {
            return NGX_CONF_ERROR;
        }

        signer = ngx_array_push(conf->signers);
        trusted = ngx_array_push(conf->trust.authorities);

        if (signer == NULL || trusted == NULL) {
            return NGX_CONF_ERROR;
        }

        *trusted = a;

        *signer = ngx_http_ocsp_add_signer(cf, conf, a);
        if (*signer == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ocsp_check_backdate(ngx_conf_t *cf, ngx_ocsp_policy_t *policy)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_OCSP_STATUSES; i++) {

        if (policy->backdate > policy->validity[i]) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"backdate\" of \"ocsp_validity\" is %T "
                               "seconds, more than a validity of %T seconds",
                               policy->backdate, policy->validity[i]);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

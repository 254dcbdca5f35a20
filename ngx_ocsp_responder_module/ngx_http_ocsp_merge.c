
/*
 * Copyright (C) the ngx_pki authors
 *
 * Defaults and what follows from them: one signer and one CRL an authority.
 */


#include "ngx_http_ocsp_conf.h"


static void ngx_http_ocsp_inherit(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *prev, ngx_http_ocsp_loc_conf_t *conf);
static void ngx_http_ocsp_merge_settings(ngx_http_ocsp_loc_conf_t *prev,
    ngx_http_ocsp_loc_conf_t *conf);
static char *ngx_http_ocsp_merge_responder(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *conf);
static ngx_ocsp_signer_t *ngx_http_ocsp_merge_signer(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_ocsp_delegate_spec_t *spec);
static ngx_int_t ngx_http_ocsp_check_signer(ngx_conf_t *cf,
    ngx_ocsp_delegate_spec_t *spec);
static char *ngx_http_ocsp_merge_crl(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *conf);


void
ngx_http_ocsp_default_signer(ngx_ocsp_delegate_spec_t *spec)
{
    ngx_str_t  key;

    ngx_str_set(&key, "ec:P-256");

    (void) ngx_pki_key_parse_spec(&key, &spec->key);

    spec->validity = 86400;
}


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
        return ngx_http_ocsp_merge_crl(cf, conf);
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
    conf->crl = prev->crl;
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
    if (conf->delegate.validity == NGX_CONF_UNSET) {
        conf->delegate = prev->delegate;
    }

    if (conf->delegate.validity == NGX_CONF_UNSET) {
        ngx_http_ocsp_default_signer(&conf->delegate);
    }

    ngx_conf_merge_sec_value(conf->policy.validity[NGX_PKI_STATUS_GOOD],
                             prev->policy.validity[NGX_PKI_STATUS_GOOD], 600);
    ngx_conf_merge_sec_value(conf->policy.validity[NGX_PKI_STATUS_HOLD],
                             prev->policy.validity[NGX_PKI_STATUS_HOLD], 300);
    ngx_conf_merge_sec_value(conf->policy.validity[NGX_PKI_STATUS_REVOKED],
                             prev->policy.validity[NGX_PKI_STATUS_REVOKED],
                             86400);
    ngx_conf_merge_sec_value(conf->policy.validity[NGX_PKI_STATUS_UNKNOWN],
                             prev->policy.validity[NGX_PKI_STATUS_UNKNOWN],
                             60);

    ngx_conf_merge_uint_value(conf->policy.unknown, prev->policy.unknown,
                              NGX_OCSP_UNKNOWN_DEFAULT);
    ngx_conf_merge_uint_value(conf->policy.on_error, prev->policy.on_error,
                              NGX_OCSP_ON_ERROR_STALE);
    ngx_conf_merge_value(conf->nonce, prev->nonce, 1);
    ngx_conf_merge_value(conf->max_requests, prev->max_requests, 10);

    ngx_conf_merge_sec_value(conf->crl_spec.overlap, prev->crl_spec.overlap,
                             6 * 3600);
    ngx_conf_merge_sec_value(conf->crl_spec.validity, prev->crl_spec.validity,
                             86400);
    ngx_conf_merge_msec_value(conf->crl_spec.refresh, prev->crl_spec.refresh,
                              1000);
}


static char *
ngx_http_ocsp_merge_responder(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf)
{
    ngx_str_t             *name;
    ngx_uint_t             i;
    ngx_ocsp_signer_t    **signer;
    ngx_pki_authority_t   *a;

    conf->signers = ngx_array_create(cf->pool, conf->authorities->nelts,
                                     sizeof(ngx_ocsp_signer_t *));
    if (conf->signers == NULL) {
        return NGX_CONF_ERROR;
    }

    name = conf->authorities->elts;

    for (i = 0; i < conf->authorities->nelts; i++) {

        a = ngx_http_pki_authority(cf, &name[i], "ocsp_responder");
        if (a == NULL) {
            return NGX_CONF_ERROR;
        }

        signer = ngx_array_push(conf->signers);
        if (signer == NULL) {
            return NGX_CONF_ERROR;
        }

        *signer = ngx_http_ocsp_merge_signer(cf, a, &conf->delegate);
        if (*signer == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* one an authority, however many locations answer for it */

static ngx_ocsp_signer_t *
ngx_http_ocsp_merge_signer(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec)
{
    ngx_uint_t                   i;
    ngx_ocsp_signer_t           *signer, **s;
    ngx_http_ocsp_main_conf_t   *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_ocsp_responder_module);
    s = omcf->signers.elts;

    for (i = 0; i < omcf->signers.nelts; i++) {

        if (s[i]->authority != a) {
            continue;
        }

        if (s[i]->spec.key.type != spec->key.type
            || s[i]->spec.key.bits != spec->key.bits
            || s[i]->spec.validity != spec->validity)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "locations with \"ocsp_responder %V\" have "
                               "different \"ocsp_signer\", an authority has "
                               "one", &a->name);
            return NULL;
        }

        return s[i];
    }

    if (ngx_http_ocsp_check_signer(cf, spec) != NGX_OK) {
        return NULL;
    }

    signer = ngx_pcalloc(cf->pool, sizeof(ngx_ocsp_signer_t));
    s = ngx_array_push(&omcf->signers);

    if (signer == NULL || s == NULL) {
        return NULL;
    }

    signer->authority = a;
    signer->spec = *spec;

    *s = signer;

    return signer;
}


/* finding the primes of an RSA key would stop a worker for a while */

static ngx_int_t
ngx_http_ocsp_check_signer(ngx_conf_t *cf, ngx_ocsp_delegate_spec_t *spec)
{
#if (NGX_THREADS)
    ngx_http_pki_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    if (pmcf->thread_pool != NULL) {
        return NGX_OK;
    }
#endif

    if (spec->key.type != NGX_PKI_KEY_RSA) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"ocsp_signer auto key=rsa:%ui\" makes its keys in a "
                       "thread pool: configure \"pki_thread_pool\", or use an "
                       "EC key", spec->key.bits);

    return NGX_ERROR;
}


static char *
ngx_http_ocsp_merge_crl(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf)
{
    ngx_uint_t                   i;
    ngx_http_crl_t             **crl;
    ngx_pki_authority_t         *a;
    ngx_crl_builder_spec_t      *spec;
    ngx_http_ocsp_main_conf_t   *omcf;

    a = ngx_http_pki_authority(cf, &conf->crl_authority, "crl");
    if (a == NULL) {
        return NGX_CONF_ERROR;
    }

    omcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_ocsp_responder_module);
    crl = omcf->crls.elts;

    for (i = 0; i < omcf->crls.nelts; i++) {

        if (crl[i]->builder.authority != a) {
            continue;
        }

        spec = &crl[i]->builder.spec;

        if (spec->validity != conf->crl_spec.validity
            || spec->overlap != conf->crl_spec.overlap
            || spec->refresh != conf->crl_spec.refresh)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "locations with \"crl %V\" have different "
                               "\"crl_validity\" or \"crl_refresh\", an "
                               "authority has one CRL", &a->name);
            return NGX_CONF_ERROR;
        }

        conf->crl = crl[i];

        return NGX_CONF_OK;
    }

    conf->crl = ngx_pcalloc(cf->pool, sizeof(ngx_http_crl_t));
    crl = ngx_array_push(&omcf->crls);

    if (conf->crl == NULL || crl == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->crl->builder.authority = a;
    conf->crl->builder.spec = conf->crl_spec;
    conf->crl->cache.authority = a;

    *crl = conf->crl;

    return NGX_CONF_OK;
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * Directives of CRLs: setters, defaults, one builder an authority.
 */


#include "ngx_http_ocsp_conf.h"


#define NGX_HTTP_CRL_REFRESH_MIN   10        /* msec */


static char *ngx_http_crl_parameter(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *olcf, ngx_str_t *param);
static char *ngx_http_crl_shard(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *olcf, ngx_str_t *param, ngx_str_t *text);
static ngx_int_t ngx_http_crl_check(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *conf, ngx_pki_authority_t *a);
static ngx_http_crl_t *ngx_http_crl_find(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_http_crl_t *ngx_http_crl_add(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_crl_builder_spec_t *spec);
static ngx_int_t ngx_http_crl_agree(ngx_conf_t *cf, ngx_str_t *name,
    ngx_crl_builder_spec_t *spec, ngx_crl_builder_spec_t *other);
static ngx_int_t ngx_http_crl_equal(ngx_conf_t *cf, ngx_str_t *name,
    const char *what, const char *unit, ngx_uint_t value, ngx_uint_t other);
static void ngx_http_crl_unserved(ngx_conf_t *cf, ngx_http_crl_t *crl);


char *
ngx_http_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (olcf->crl_authority.len != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_ocsp_invalid(cf, &value[1], "an authority's name");
    }

    olcf->crl_authority = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_http_crl_parameter(cf, olcf, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_ocsp_set_handler(cf, ngx_http_crl_handler);
}


static char *
ngx_http_crl_parameter(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *olcf,
    ngx_str_t *param)
{
    ngx_str_t   name, text;
    ngx_uint_t  delta;

    if (ngx_pki_str_eq(param, "pem")) {

        if (olcf->crl_pem) {
            return "has \"pem\" twice";
        }

        olcf->crl_pem = 1;

        return NGX_CONF_OK;
    }

    ngx_str_set(&name, "shard=");
    delta = ngx_pki_str_eq(param, "delta");

    if (!delta && !ngx_http_ocsp_parameter(param, &name, &text)) {
        return ngx_http_ocsp_invalid(cf, param, "\"pem\", \"shard=\" or "
                                     "\"delta\"");
    }

    if (olcf->crl_list != NGX_PKI_CRL_FULL) {
        return "has more than one of \"delta\" and \"shard=\": shards have "
               "no deltas";
    }

    if (delta) {
        olcf->crl_list = NGX_PKI_CRL_DELTA;
        return NGX_CONF_OK;
    }

    return ngx_http_crl_shard(cf, olcf, param, &text);
}


static char *
ngx_http_crl_shard(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *olcf,
    ngx_str_t *param, ngx_str_t *text)
{
    ngx_uint_t                         shard;
    ngx_http_complex_value_t          *value;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_http_script_variables_count(text) == 0) {

        if (ngx_pki_crl_parse_shard(text, &shard) != NGX_OK) {
            return ngx_http_ocsp_invalid(cf, param, "the number of a shard in "
                                         "hex, \"shard=00\" to \"shard=3ff\","
                                         " or a variable");
        }

        olcf->crl_list = NGX_PKI_CRL_SHARD + shard;

        return NGX_CONF_OK;
    }

    value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    olcf->crl_list = NGX_PKI_CRL_SHARD;
    olcf->crl_shard = value;

    return NGX_CONF_OK;
}


char *
ngx_http_crl_validity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_str_t               *value, name, text;
    ngx_crl_builder_spec_t  *spec;

    spec = &olcf->crl_spec;

    if (spec->validity != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    spec->validity = ngx_http_ocsp_seconds(&value[1]);

    if (spec->validity <= 0) {
        return ngx_http_ocsp_invalid(cf, &value[1], "a time, e.g. \"24h\"");
    }

    if (cf->args->nelts == 2) {
        spec->overlap = spec->validity / 4;
        return NGX_CONF_OK;
    }

    ngx_str_set(&name, "overlap=");

    if (!ngx_http_ocsp_parameter(&value[2], &name, &text)) {
        return ngx_http_ocsp_invalid(cf, &value[2], "\"overlap=\"");
    }

    spec->overlap = ngx_http_ocsp_seconds(&text);

    if (spec->overlap < 0 || spec->overlap >= spec->validity) {
        return ngx_http_ocsp_invalid(cf, &value[2], "a time shorter than the "
                                     "validity, e.g. \"overlap=6h\"");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_crl_refresh(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_int_t   msec;
    ngx_str_t  *value;

    if (olcf->crl_spec.refresh != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    msec = ngx_parse_time(&value[1], 0);

    if (msec == NGX_ERROR || msec < NGX_HTTP_CRL_REFRESH_MIN) {
        return ngx_http_ocsp_invalid(cf, &value[1], "a time of at least 10ms,"
                                     " e.g. \"1s\"");
    }

    olcf->crl_spec.refresh = msec;

    return NGX_CONF_OK;
}


char *
ngx_http_crl_shards(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (olcf->crl_spec.shards != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_PKI_CRL_SHARDS_MAX) {
        return ngx_http_ocsp_invalid(cf, &value[1], "a number from 1 to 1024");
    }

    olcf->crl_spec.shards = n;

    return NGX_CONF_OK;
}


char *
ngx_http_crl_delta(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_int_t   seconds;
    ngx_str_t  *value;

    if (olcf->crl_spec.delta != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "off")) {
        olcf->crl_spec.delta = 0;
        return NGX_CONF_OK;
    }

    seconds = ngx_http_ocsp_seconds(&value[1]);

    if (seconds <= 0) {
        return ngx_http_ocsp_invalid(cf, &value[1], "a time of at least 1s, "
                                     "e.g. \"15m\", or \"off\"");
    }

    olcf->crl_spec.delta = seconds;

    return NGX_CONF_OK;
}


void
ngx_http_crl_merge_spec(ngx_crl_builder_spec_t *prev,
    ngx_crl_builder_spec_t *conf)
{
    ngx_conf_merge_sec_value(conf->overlap, prev->overlap, 6 * 3600);
    ngx_conf_merge_sec_value(conf->validity, prev->validity, 86400);
    ngx_conf_merge_msec_value(conf->refresh, prev->refresh, 1000);
    ngx_conf_merge_sec_value(conf->delta, prev->delta, 0);
    ngx_conf_merge_uint_value(conf->shards, prev->shards, 1);
}


char *
ngx_http_crl_merge(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf)
{
    ngx_http_crl_t       *crl;
    ngx_pki_authority_t  *a;

    a = ngx_http_pki_authority(cf, &conf->crl_authority, "crl");

    if (a == NULL || ngx_http_crl_check(cf, conf, a) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    crl = ngx_http_crl_find(cf, a);

    if (crl == NULL) {
        crl = ngx_http_crl_add(cf, a, &conf->crl_spec);

        if (crl == NULL) {
            return NGX_CONF_ERROR;
        }

    } else if (ngx_http_crl_agree(cf, &a->name, &conf->crl_spec,
                                  &crl->builder.spec)
               != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->crl_list >= NGX_PKI_CRL_SHARD) {
        crl->shard = 1;

    } else {
        /* a delta is of no use without it */

        crl->builder.full = 1;
    }

    if (conf->crl_list == NGX_PKI_CRL_DELTA) {
        crl->delta = 1;
    }

    conf->crl = crl;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_crl_check(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf,
    ngx_pki_authority_t *a)
{
    ngx_crl_builder_spec_t  *spec;

    spec = &conf->crl_spec;

    if (spec->shards > 1 && a->crl_url.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"crl_shards %ui\" of \"crl %V\" needs "
                           "\"base_url\" or \"crl_url\" of the authority: a "
                           "certificate names the URL of its shard",
                           spec->shards, &a->name);
        return NGX_ERROR;
    }

    if (spec->delta >= spec->validity) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"crl_delta\" of \"crl %V\" is %Ts, a time "
                           "shorter than \"crl_validity\", %Ts, would be "
                           "right", &a->name, spec->delta, spec->validity);
        return NGX_ERROR;
    }

    if (conf->crl_list == NGX_PKI_CRL_DELTA && spec->delta == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"crl %V delta\" needs \"crl_delta\", e.g. "
                           "\"crl_delta 15m\"", &a->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NULL: no location has the CRLs of this authority yet */

static ngx_http_crl_t *
ngx_http_crl_find(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_uint_t                   i;
    ngx_http_crl_t             **crl;
    ngx_http_ocsp_main_conf_t   *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_ocsp_responder_module);
    crl = omcf->crls.elts;

    for (i = 0; i < omcf->crls.nelts; i++) {
        if (crl[i]->builder.authority == a) {
            return crl[i];
        }
    }

    return NULL;
}


static ngx_http_crl_t *
ngx_http_crl_add(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_crl_builder_spec_t *spec)
{
    ngx_http_crl_t              *crl, **p;
    ngx_http_ocsp_main_conf_t   *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_ocsp_responder_module);

    crl = ngx_pcalloc(cf->pool, sizeof(ngx_http_crl_t));
    if (crl == NULL) {
        return NULL;
    }

    crl->cache = ngx_pki_crl_cache_add(cf, a);
    if (crl->cache == NULL) {
        return NULL;
    }

    p = ngx_array_push(&omcf->crls);
    if (p == NULL) {
        return NULL;
    }

    *p = crl;

    crl->builder.authority = a;
    crl->builder.spec = *spec;

    a->crl_shards = spec->shards;

    return crl;
}


static ngx_int_t
ngx_http_crl_agree(ngx_conf_t *cf, ngx_str_t *name,
    ngx_crl_builder_spec_t *spec, ngx_crl_builder_spec_t *other)
{
    if (ngx_http_crl_equal(cf, name, "crl_validity", "s", spec->validity,
                           other->validity)
        != NGX_OK
        || ngx_http_crl_equal(cf, name, "crl_validity overlap=", "s",
                              spec->overlap, other->overlap)
           != NGX_OK
        || ngx_http_crl_equal(cf, name, "crl_refresh", "ms", spec->refresh,
                              other->refresh)
           != NGX_OK
        || ngx_http_crl_equal(cf, name, "crl_delta", "s", spec->delta,
                              other->delta)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_crl_equal(cf, name, "crl_shards", "", spec->shards,
                              other->shards);
}


static ngx_int_t
ngx_http_crl_equal(ngx_conf_t *cf, ngx_str_t *name, const char *what,
    const char *unit, ngx_uint_t value, ngx_uint_t other)
{
    if (value == other) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "locations with \"crl %V\" have different \"%s\", "
                       "%ui%s and %ui%s: one for all of them, in \"server\" "
                       "or \"http\", would be right",
                       name, what, other, unit, value, unit);

    return NGX_ERROR;
}


/*
 * Who only issues for an authority learns from "http" how many shards there
 * are; locations were merged before.
 */

ngx_int_t
ngx_http_crl_init(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_crl_t             **crl;
    ngx_pki_authority_t        **a;
    ngx_http_pki_main_conf_t    *pmcf;
    ngx_http_ocsp_loc_conf_t    *olcf;
    ngx_http_ocsp_main_conf_t   *omcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);
    omcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_ocsp_responder_module);
    olcf = ngx_http_conf_get_module_loc_conf(cf,
                                             ngx_http_ocsp_responder_module);

    ngx_conf_init_uint_value(olcf->crl_spec.shards, 1);

    a = pmcf->authorities.elts;

    for (i = 0; i < pmcf->authorities.nelts; i++) {
        if (a[i]->crl_shards == 0 && a[i]->crl_url.len != 0) {
            a[i]->crl_shards = olcf->crl_spec.shards;
        }
    }

    crl = omcf->crls.elts;

    for (i = 0; i < omcf->crls.nelts; i++) {
        ngx_http_crl_unserved(cf, crl[i]);
    }

    return NGX_OK;
}


/* certificates and CRLs name URLs that another nginx would have to serve */

static void
ngx_http_crl_unserved(ngx_conf_t *cf, ngx_http_crl_t *crl)
{
    ngx_pki_authority_t     *a;
    ngx_crl_builder_spec_t  *spec;

    a = crl->builder.authority;
    spec = &crl->builder.spec;

    if (spec->shards > 1 && !crl->shard) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "certificates of authority \"%V\" name a shard of "
                           "its CRL, but no location has \"crl %V shard=\"",
                           &a->name, &a->name);
    }

    if (spec->delta != 0 && crl->builder.full && !crl->delta
        && a->crl_url.len != 0)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "CRLs of authority \"%V\" name a delta, but no "
                           "location has \"crl %V delta\"",
                           &a->name, &a->name);
    }
}


/*
 * Copyright (C) the ngx_pki authors
 *
 * A location with "scep", when all is read: does it all go together?
 */


#include "ngx_http_scep_ca.h"
#include "ngx_http_scep_vouch.h"
#include "ngx_pki_crl_cache.h"


static ngx_int_t ngx_http_scep_enable_vouchers(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *conf);
static ngx_int_t ngx_http_scep_add_crls(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_http_scep_enable_next(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *conf);
static ngx_int_t ngx_http_scep_check_authority(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *conf);


char *
ngx_http_scep_enable(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *conf)
{
    ngx_http_scep_main_conf_t  *smcf;

    conf->authority = ngx_http_pki_authority(cf, &conf->authority_name,
                                             "scep");
    if (conf->authority == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->profile = ngx_http_pki_profile(cf, &conf->profile_name,
                                         "scep_profile");
    if (conf->profile == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_scep_add_crls(cf, conf->authority) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->challenge == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"scep\" without \"scep_challenge\" would let anybody "
                      "enrol in %s:%ui", conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (conf->challenge->none
        && !conf->challenge->insecure
        && !conf->policy.manual)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"scep_challenge none\" would let anybody enrol, it "
                      "needs \"scep_approval manual\"; if that is meant, "
                      "write \"scep_challenge none insecure\" in %s:%ui",
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_scep_enable_vouchers(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->legacy != 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"scep_legacy\" admits%s%s, which RFC 8894 forbids, "
                      "for \"scep\" in %s:%ui",
                      (conf->legacy & NGX_HTTP_SCEP_LEGACY_DES)
                      ? " single DES" : "",
                      (conf->legacy & NGX_HTTP_SCEP_LEGACY_MD5)
                      ? " MD5" : "",
                      conf->file, conf->line);
    }

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_scep_module);

    smcf->enabled = 1;
    smcf->legacy |= conf->legacy;

    if (ngx_http_scep_check_authority(cf, conf) != NGX_OK
        || ngx_http_scep_enable_next(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* What somebody else vouches for is issued at once, or not at all. */

static ngx_int_t
ngx_http_scep_enable_vouchers(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *conf)
{
    void                     **voucher;
    ngx_uint_t                 i;
    ngx_http_scep_voucher_t   *v;

    if (!conf->challenge->asks) {
        return NGX_OK;
    }

    if (conf->policy.manual) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"scep_approval manual\" goes only with "
                      "\"scep_challenge static\" or \"none\" in %s:%ui",
                      conf->file, conf->line);
        return NGX_ERROR;
    }

    voucher = conf->challenge->vouchers;

    for (i = 0; i < NGX_SCEP_VOUCHERS; i++) {
        v = ngx_http_scep_voucher(i);

        if (voucher[i] != NULL
            && v->enable != NULL
            && v->enable(cf, conf, voucher[i]) != NGX_CONF_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* GetCRL is about those of the authority and of its neighbours. */

static ngx_int_t
ngx_http_scep_add_crls(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    if (ngx_pki_crl_cache_add(cf, a) == NULL
        || (a->previous != NULL
            && ngx_pki_crl_cache_add(cf, a->previous) == NULL)
        || (a->next != NULL && ngx_pki_crl_cache_add(cf, a->next) == NULL))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Whoever follows the authority is offered, and opens envelopes here. */

static ngx_int_t
ngx_http_scep_enable_next(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *conf)
{
    const char           *trouble;
    ngx_pki_authority_t  *next;

    next = conf->authority->next;

    if (next == NULL) {
        return NGX_OK;
    }

    trouble = ngx_pki_authority_scep_trouble(next);

    if (trouble != NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"scep\" cannot offer authority \"%V\", which follows "
                      "\"%V\": %s in %s:%ui",
                      &next->name, &conf->authority->name, trouble,
                      conf->file, conf->line);
        return NGX_OK;
    }

    next->scep = 1;

    conf->next = ngx_http_scep_next_add(cf, conf->authority);

    return (conf->next != NULL) ? NGX_OK : NGX_ERROR;
}


/* What it cannot do for lack of a fitting key must not be found out later. */

static ngx_int_t
ngx_http_scep_check_authority(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *conf)
{
    const char  *trouble;

    conf->authority->scep = 1;
    conf->authority->enrols = 1;

    trouble = ngx_pki_authority_scep_trouble(conf->authority);

    if (trouble == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"scep\" cannot use authority \"%V\": %s in %s:%ui",
                  &conf->authority->name, trouble, conf->file, conf->line);

    return NGX_ERROR;
}

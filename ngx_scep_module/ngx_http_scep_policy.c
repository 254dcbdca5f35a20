
/*
 * Copyright (C) the ngx_pki authors
 *
 * The directives scep_renewal and scep_approval: who gets a certificate by the
 * one it has, and whose request waits for a decision.
 */


#include "ngx_http_scep_module.h"


#define NGX_HTTP_SCEP_WITHIN    (30 * 24 * 60 * 60)
#define NGX_HTTP_SCEP_TTL       (7 * 24 * 60 * 60)
#define NGX_HTTP_SCEP_TTL_MIN   60

/* of all that may wait, see ngx_pki_store_pending.c, some hundredth */

#define NGX_HTTP_SCEP_PER_CLIENT      100
#define NGX_HTTP_SCEP_PER_CLIENT_MAX  10000

#define NGX_HTTP_SCEP_APPROVAL                                               \
    (char *) "must be \"auto\" or \"manual [ttl=time] [per_client=number]\""


static char *ngx_http_scep_approval_parameter(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_scep_policy_t *policy);
static char *ngx_http_scep_policy_time(ngx_conf_t *cf, ngx_str_t *value,
    const char *name, time_t *t);


char *
ngx_http_scep_renewal_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    char                    *rv;
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_http_scep_policy_t  *policy;

    policy = &slcf->policy;

    if (policy->renewal != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "on")) {
        policy->renewal = 1;

    } else if (ngx_pki_str_eq(&value[1], "off") && cf->args->nelts == 2) {
        policy->renewal = 0;

    } else {
        return "must be \"on [within=time] [expired=time]\" or \"off\"";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "within=", 7) == 0
            && policy->within == NGX_CONF_UNSET)
        {
            rv = ngx_http_scep_policy_time(cf, &value[i], "within=",
                                           &policy->within);

        } else if (ngx_strncmp(value[i].data, "expired=", 8) == 0
                   && policy->expired == NGX_CONF_UNSET)
        {
            rv = ngx_http_scep_policy_time(cf, &value[i], "expired=",
                                           &policy->expired);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"%V\", it "
                               "takes \"within=\" and \"expired=\", each "
                               "once", &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_scep_approval_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    char                    *rv;
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_http_scep_policy_t  *policy;

    policy = &slcf->policy;

    if (policy->manual != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "auto") && cf->args->nelts == 2) {
        policy->manual = 0;
        return NGX_CONF_OK;
    }

    if (!ngx_pki_str_eq(&value[1], "manual")) {
        return NGX_HTTP_SCEP_APPROVAL;
    }

    policy->manual = 1;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_scep_approval_parameter(cf, &value[i], policy);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_approval_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_scep_policy_t *policy)
{
    char  *rv;

    if (ngx_strncmp(value->data, "per_client=", 11) == 0) {

        if (policy->per_client != NGX_CONF_UNSET) {
            return NGX_HTTP_SCEP_APPROVAL;
        }

        policy->per_client = ngx_atoi(value->data + 11, value->len - 11);

        if (policy->per_client < 1
            || policy->per_client > NGX_HTTP_SCEP_PER_CLIENT_MAX)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be a number "
                               "from 1 to %d", value,
                               NGX_HTTP_SCEP_PER_CLIENT_MAX);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (policy->ttl != NGX_CONF_UNSET) {
        return NGX_HTTP_SCEP_APPROVAL;
    }

    rv = ngx_http_scep_policy_time(cf, value, "ttl=", &policy->ttl);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (policy->ttl < NGX_HTTP_SCEP_TTL_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is too short, it must be at least %ds",
                           value, NGX_HTTP_SCEP_TTL_MIN);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_policy_time(ngx_conf_t *cf, ngx_str_t *value, const char *name,
    time_t *t)
{
    size_t     len;
    ngx_str_t  text;

    len = ngx_strlen(name);

    if (value->len > len && ngx_strncmp(value->data, name, len) == 0) {
        text.data = value->data + len;
        text.len = value->len - len;

        *t = ngx_parse_time(&text, 1);

        if (*t != (time_t) NGX_ERROR) {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be a time, as "
                       "\"%s30d\"", value, name);

    return NGX_CONF_ERROR;
}


void
ngx_http_scep_policy_init(ngx_http_scep_policy_t *policy)
{
    policy->renewal = NGX_CONF_UNSET;
    policy->within = NGX_CONF_UNSET;
    policy->expired = NGX_CONF_UNSET;
    policy->manual = NGX_CONF_UNSET;
    policy->ttl = NGX_CONF_UNSET;
    policy->per_client = NGX_CONF_UNSET;
}


/* a directive is inherited as a whole, with its parameters */

void
ngx_http_scep_policy_merge(ngx_http_scep_policy_t *prev,
    ngx_http_scep_policy_t *policy)
{
    if (policy->renewal == NGX_CONF_UNSET) {
        policy->renewal = prev->renewal;
        policy->within = prev->within;
        policy->expired = prev->expired;
    }

    if (policy->manual == NGX_CONF_UNSET) {
        policy->manual = prev->manual;
        policy->ttl = prev->ttl;
        policy->per_client = prev->per_client;
    }

    ngx_conf_init_value(policy->renewal, 0);
    ngx_conf_init_value(policy->within, NGX_HTTP_SCEP_WITHIN);
    ngx_conf_init_value(policy->expired, 0);
    ngx_conf_init_value(policy->manual, 0);
    ngx_conf_init_value(policy->ttl, NGX_HTTP_SCEP_TTL);
    ngx_conf_init_value(policy->per_client, NGX_HTTP_SCEP_PER_CLIENT);
}

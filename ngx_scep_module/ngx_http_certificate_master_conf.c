
/*
 * Copyright (C) the ngx_pki authors
 *
 * The directives of the Certificate Master.
 */


#include "ngx_http_certificate_master_api.h"


static ngx_int_t ngx_http_certificate_master_authorities(ngx_conf_t *cf,
    ngx_http_certificate_master_conf_t *conf);
static ngx_int_t ngx_http_certificate_master_check(ngx_conf_t *cf,
    ngx_http_certificate_master_conf_t *conf);
static void ngx_http_certificate_master_warn(ngx_conf_t *cf,
    ngx_http_complex_value_t *value, const char *directive,
    ngx_str_t *location);


char *
ngx_http_certificate_master(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                           *value, *name;
    ngx_uint_t                           i;
    ngx_http_core_loc_conf_t            *clcf;
    ngx_http_certificate_master_conf_t  *mcf;

    mcf = (ngx_http_certificate_master_conf_t *) ((char *) conf
                                                  + cmd->offset);

    if (mcf->here) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "conflicts with another handler of this location";
    }

    if (clcf->named || clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex != NULL
#endif
        )
    {
        return "must be in a location given by a prefix";
    }

    mcf->names = ngx_array_create(cf->pool, cf->args->nelts,
                                  sizeof(ngx_str_t));
    if (mcf->names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        name = ngx_array_push(mcf->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    mcf->here = 1;
    mcf->prefix = clcf->name;

    clcf->handler = ngx_http_certificate_master_handler;

    return NGX_CONF_OK;
}


void
ngx_http_certificate_master_init_conf(ngx_http_certificate_master_conf_t *conf)
{
    conf->user = NGX_CONF_UNSET_PTR;
    conf->roles = NGX_CONF_UNSET_PTR;
}


char *
ngx_http_certificate_master_merge_conf(ngx_conf_t *cf,
    ngx_http_certificate_master_conf_t *prev,
    ngx_http_certificate_master_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_ptr_value(conf->user, prev->user, NULL);
    ngx_conf_merge_ptr_value(conf->roles, prev->roles, NULL);

    if (conf->names == NULL) {
        conf->names = prev->names;
        conf->prefix = prev->prefix;
    }

    if (conf->names == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_certificate_master_authorities(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_identity_conf(cf, &conf->identity);

    if (conf->user != NULL) {
        conf->user_basic = ngx_http_identity_mentions(conf->user,
                                                      "remote_user");
        conf->user_certificate = ngx_http_identity_mentions(conf->user,
                                                            "ssl_client_");
    }

    if (conf->here && ngx_http_certificate_master_check(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* "limit_except" does not inherit the handler of its location */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (prev->here && clcf->lmt_excpt && clcf->handler == NULL) {
        clcf->handler = ngx_http_certificate_master_handler;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_certificate_master_authorities(ngx_conf_t *cf,
    ngx_http_certificate_master_conf_t *conf)
{
    ngx_str_t             *name;
    ngx_uint_t             i, n;
    ngx_pki_authority_t  **authority, **found;

    conf->authorities = ngx_array_create(cf->pool, conf->names->nelts,
                                         sizeof(ngx_pki_authority_t *));
    if (conf->authorities == NULL) {
        return NGX_ERROR;
    }

    name = conf->names->elts;

    for (i = 0; i < conf->names->nelts; i++) {

        authority = ngx_array_push(conf->authorities);
        if (authority == NULL) {
            return NGX_ERROR;
        }

        *authority = ngx_http_pki_authority(cf, &name[i],
                                            "certificate_master");
        if (*authority == NULL) {
            return NGX_ERROR;
        }

        found = conf->authorities->elts;

        for (n = 0; n < i; n++) {
            if (found[n] == *authority) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate authority \"%V\" in "
                                   "\"certificate_master\"",
                                   &name[i]);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/*
 * Implicit locations ("limit_except", "if") are not checked: where they take
 * the authentication away, requests are refused.
 */

static ngx_int_t
ngx_http_certificate_master_check(ngx_conf_t *cf,
    ngx_http_certificate_master_conf_t *conf)
{
    ngx_str_t  *location;

    location = &conf->prefix;

    if (conf->user_basic && !conf->identity.basic) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"certificate_master_user\" of location \"%V\" "
                           "takes $remote_user, which nobody verifies there, "
                           "it needs \"auth_basic\" (without variables), "
                           "\"auth_basic_user_file\" and \"satisfy all\"",
                           location);
        return NGX_ERROR;
    }

    if (conf->user_certificate && !conf->identity.certificate) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"certificate_master_user\" of location \"%V\" "
                           "takes the client's certificate, which nobody "
                           "verifies, it needs \"ssl_verify_client\" in its "
                           "server",
                           location);
        return NGX_ERROR;
    }

    ngx_http_certificate_master_warn(cf, conf->user,
                                     "certificate_master_user", location);
    ngx_http_certificate_master_warn(cf, conf->roles,
                                     "certificate_master_roles", location);

    return NGX_OK;
}


static void
ngx_http_certificate_master_warn(ngx_conf_t *cf,
    ngx_http_complex_value_t *value, const char *directive,
    ngx_str_t *location)
{
    if (value == NULL) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "no \"%s\" for location \"%V\", everything is "
                           "refused there",
                           directive, location);
        return;
    }

    if (ngx_http_identity_mentions(value, "http_")
        || ngx_http_identity_mentions(value, "arg_")
        || ngx_http_identity_mentions(value, "cookie_"))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%s\" of location \"%V\" believes \"%V\", which "
                           "any client can send",
                           directive, location, &value->value);
    }
}

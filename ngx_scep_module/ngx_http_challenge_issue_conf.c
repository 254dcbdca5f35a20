
/*
 * Copyright (C) the ngx_pki authors
 *
 * The directive "scep_challenge_issue".
 */


#include "ngx_http_challenge_issue.h"
#include "ngx_http_challenge_mint.h"
#include "ngx_http_challenge_scope.h"
#include "ngx_scep_challenge_bind.h"


typedef const char *(*ngx_http_challenge_issue_pt)(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value);


typedef struct {
    ngx_str_t                    name;
    ngx_http_challenge_issue_pt  set;        /* NULL, or what it must be */
} ngx_http_challenge_issue_param_t;


static char *ngx_http_challenge_issue_params(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf);
static ngx_http_challenge_issue_param_t *ngx_http_challenge_issue_find(
    ngx_str_t *arg, ngx_str_t *value);
static const char *ngx_http_challenge_issue_format(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value);
static const char *ngx_http_challenge_issue_ttl(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value);
static const char *ngx_http_challenge_issue_scope(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value);
static const char *ngx_http_challenge_issue_quota(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value);
static const char *ngx_http_challenge_issue_length(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value);
static const char *ngx_http_challenge_issue_bind(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value);
static ngx_int_t ngx_http_challenge_issue_check(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *conf);


static ngx_http_challenge_issue_param_t  ngx_http_challenge_issue_list[] = {
    { ngx_string("format"), ngx_http_challenge_issue_format },
    { ngx_string("ttl"), ngx_http_challenge_issue_ttl },
    { ngx_string("scope"), ngx_http_challenge_issue_scope },
    { ngx_string("quota"), ngx_http_challenge_issue_quota },
    { ngx_string("length"), ngx_http_challenge_issue_length },
    { ngx_string("bind"), ngx_http_challenge_issue_bind },
    { ngx_null_string, NULL }
};


char *
ngx_http_challenge_issue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                        *value;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_challenge_issue_conf_t  *icf;

    icf = (ngx_http_challenge_issue_conf_t *) ((char *) conf + cmd->offset);

    if (icf->here) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "conflicts with another handler of this location";
    }

    clcf->handler = ngx_http_challenge_issue_handler;

    value = cf->args->elts;

    icf->name = value[1];
    icf->ttl = NGX_HTTP_CHALLENGE_TTL;
    icf->quota = NGX_HTTP_CHALLENGE_QUOTA;
    icf->length = NGX_HTTP_CHALLENGE_LENGTH;
    icf->here = 1;

    return ngx_http_challenge_issue_params(cf, icf);
}


static char *
ngx_http_challenge_issue_params(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf)
{
    ngx_str_t                         *arg, value;
    ngx_uint_t                         i, seen;
    const char                        *wanted;
    ngx_http_challenge_issue_param_t  *param;

    arg = cf->args->elts;
    seen = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        param = ngx_http_challenge_issue_find(&arg[i], &value);

        if (param == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &arg[i]);
            return NGX_CONF_ERROR;
        }

        if (seen & (1 << (param - ngx_http_challenge_issue_list))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", &arg[i]);
            return NGX_CONF_ERROR;
        }

        seen |= 1 << (param - ngx_http_challenge_issue_list);

        wanted = param->set(cf, icf, &value);

        if (wanted != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value in \"%V\", it %s", &arg[i],
                               wanted);
            return NGX_CONF_ERROR;
        }
    }

    if (icf->bind.len != 0 && icf->format != NGX_HTTP_CHALLENGE_TEXT) {
        return "has \"bind\", which goes only with \"format=text\"";
    }

    return NGX_CONF_OK;
}


static ngx_http_challenge_issue_param_t *
ngx_http_challenge_issue_find(ngx_str_t *arg, ngx_str_t *value)
{
    size_t                             len;
    ngx_http_challenge_issue_param_t  *param;

    for (param = ngx_http_challenge_issue_list;
         param->name.len != 0;
         param++)
    {
        len = param->name.len;

        if (arg->len > len
            && ngx_memcmp(arg->data, param->name.data, len) == 0
            && arg->data[len] == '=')
        {
            value->data = arg->data + len + 1;
            value->len = arg->len - len - 1;

            return param;
        }
    }

    return NULL;
}


static const char *
ngx_http_challenge_issue_format(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value)
{
    if (ngx_pki_str_eq(value, "ndes")) {
        icf->format = NGX_HTTP_CHALLENGE_NDES;

    } else if (ngx_pki_str_eq(value, "text")) {
        icf->format = NGX_HTTP_CHALLENGE_TEXT;

    } else if (ngx_pki_str_eq(value, "json")) {
        icf->format = NGX_HTTP_CHALLENGE_JSON;

    } else {
        return "must be \"ndes\", \"text\" or \"json\"";
    }

    return NULL;
}


static const char *
ngx_http_challenge_issue_ttl(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value)
{
    icf->ttl = ngx_parse_time(value, 1);

    if (icf->ttl < 1 || icf->ttl > NGX_HTTP_CHALLENGE_MAX_TTL) {
        return "must be a time from \"1s\" to \"365d\"";
    }

    return NULL;
}


static const char *
ngx_http_challenge_issue_scope(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value)
{
    if (!ngx_scep_challenge_is_text(value, NGX_PKI_CHALLENGE_MAX_SCOPE)) {
        return "must be a name of 1 to 64 octets";
    }

    icf->scope = *value;

    return NULL;
}


static const char *
ngx_http_challenge_issue_quota(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > NGX_HTTP_CHALLENGE_MAX_QUOTA) {
        return "must be 1 to 1000000";
    }

    icf->quota = n;

    return NULL;
}


static const char *
ngx_http_challenge_issue_length(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < NGX_HTTP_CHALLENGE_MIN_LENGTH || n > NGX_HTTP_CHALLENGE_LENGTH) {
        return "must be 16 to 32";
    }

    icf->length = n;

    return NULL;
}


static const char *
ngx_http_challenge_issue_bind(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *icf, ngx_str_t *value)
{
    const char  *error;

    error = NULL;

    if (ngx_scep_challenge_template_check(cf->temp_pool, value, &error)
        != NGX_OK)
    {
        return (error != NULL) ? error : "cannot be checked";
    }

    icf->bind = *value;

    return NULL;
}


char *
ngx_http_challenge_issue_merge_conf(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *prev,
    ngx_http_challenge_issue_conf_t *conf, ngx_str_t *profile)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "limit_except" and "if" within a location are part of it */

    if (!conf->here && clcf->noname && prev->authority != NULL) {

        *conf = *prev;
        conf->here = 0;

        if (clcf->handler == NULL) {
            clcf->handler = ngx_http_challenge_issue_handler;
        }

        ngx_memzero(&conf->identity, sizeof(ngx_http_identity_conf_t));
        ngx_http_identity_conf(cf, &conf->identity);
    }

    if (!conf->here) {
        return NGX_CONF_OK;
    }

    if (conf->scope.len == 0) {
        conf->scope = *profile;
    }

    if (conf->scope.len > NGX_PKI_CHALLENGE_MAX_SCOPE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"scep_challenge_issue\" in location \"%V\" needs "
                           "\"scope=\", the name of the profile is too long",
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    conf->authority = ngx_http_pki_authority(cf, &conf->name,
                                             "scep_challenge_issue");
    if (conf->authority == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_identity_conf(cf, &conf->identity);

    if (ngx_http_challenge_issue_check(cf, conf) != NGX_OK
        || ngx_http_challenge_scope_made(cf, conf->authority, &conf->scope,
                                         conf->ttl)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Implicit locations ("limit_except", "if") are not checked: where they take
 * the authentication away, requests are refused.
 */

static ngx_int_t
ngx_http_challenge_issue_check(ngx_conf_t *cf,
    ngx_http_challenge_issue_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->identity.basic) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!conf->identity.certificate) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"scep_challenge_issue\" in location \"%V\" would "
                           "give challenges to anybody, it needs "
                           "\"auth_basic\" (without variables), "
                           "\"auth_basic_user_file\" and \"satisfy all\", or "
                           "\"ssl_verify_client\" in its server",
                           &clcf->name);
        return NGX_ERROR;
    }

    if (conf->identity.doubtful) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"auth_basic\" in location \"%V\" proves nothing "
                           "with a variable or \"satisfy any\", "
                           "\"scep_challenge_issue\" counts client "
                           "certificates only",
                           &clcf->name);
    }

    return NGX_OK;
}

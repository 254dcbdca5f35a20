
/*
 * Copyright (C) the ngx_pki authors
 *
 * Setters of directives but those of CRLs.
 */


#include "ngx_http_ocsp_conf.h"


#define NGX_HTTP_OCSP_REQUESTS     100
#define NGX_HTTP_OCSP_VALIDITY_MIN 2         /* seconds */
#define NGX_HTTP_OCSP_TIME         "0000-00-00T00:00:00Z"


typedef struct {
    ngx_str_t                  name;
    ngx_pki_status_e           status;
} ngx_http_ocsp_validity_t;


static time_t *ngx_http_ocsp_validity_field(ngx_ocsp_policy_t *policy,
    ngx_str_t *param, ngx_str_t *value);
static char *ngx_http_ocsp_enum(ngx_conf_t *cf, ngx_conf_enum_t *values,
    const char *expected, ngx_uint_t *field);
static time_t ngx_http_ocsp_time(ngx_str_t *value);


static ngx_conf_enum_t  ngx_http_ocsp_unknowns[] = {
    { ngx_string("unauthorized"), NGX_OCSP_UNKNOWN_UNAUTHORIZED },
    { ngx_string("unknown"), NGX_OCSP_UNKNOWN_UNKNOWN },
    { ngx_string("revoked"), NGX_OCSP_UNKNOWN_REVOKED },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_ocsp_on_errors[] = {
    { ngx_string("stale"), NGX_OCSP_ON_ERROR_STALE },
    { ngx_string("try_later"), NGX_OCSP_ON_ERROR_TRY_LATER },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_ocsp_signatures[] = {
    { ngx_string("ignore"), NGX_OCSP_SIGNATURE_IGNORE },
    { ngx_string("verify"), NGX_OCSP_SIGNATURE_VERIFY },
    { ngx_string("require"), NGX_OCSP_SIGNATURE_REQUIRE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_ocsp_responder_ids[] = {
    { ngx_string("key"), 0 },
    { ngx_string("name"), 1 },
    { ngx_null_string, 0 }
};


static ngx_http_ocsp_validity_t  ngx_http_ocsp_validities[] = {
    { ngx_string("good="), NGX_PKI_STATUS_GOOD },
    { ngx_string("hold="), NGX_PKI_STATUS_HOLD },
    { ngx_string("revoked="), NGX_PKI_STATUS_REVOKED },
    { ngx_string("unknown="), NGX_PKI_STATUS_UNKNOWN },
    { ngx_null_string, 0 }
};


char *
ngx_http_ocsp_responder(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_str_t                 *value, *name;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (olcf->authorities != NULL) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "cannot be used in a location that is given by a regular "
               "expression or is named: a GET carries the request in what "
               "follows the location's name";
    }

    value = cf->args->elts;

    olcf->authorities = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                         sizeof(ngx_str_t));
    if (olcf->authorities == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_array_push(olcf->authorities);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return ngx_http_ocsp_set_handler(cf, ngx_http_ocsp_handler);
}


char *
ngx_http_ocsp_validity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    time_t      *field;
    ngx_int_t    seconds;
    ngx_str_t   *value, text;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        field = ngx_http_ocsp_validity_field(&olcf->policy, &value[i], &text);

        if (field == NULL) {
            return ngx_http_ocsp_invalid(cf, &value[i], "\"good=\", \"hold=\""
                                         ", \"revoked=\", \"unknown=\" or "
                                         "\"backdate=\"");
        }

        if (*field != NGX_CONF_UNSET) {
            return "is duplicate";
        }

        seconds = ngx_http_ocsp_seconds(&text);

        /* what is known is up to a second old */

        if (seconds < 0 || (seconds < NGX_HTTP_OCSP_VALIDITY_MIN
                            && field != &olcf->policy.backdate))
        {
            return ngx_http_ocsp_invalid(cf, &value[i], "a time of at least "
                                         "2s, e.g. \"good=10m\"");
        }

        *field = seconds;
    }

    return NGX_CONF_OK;
}


static time_t *
ngx_http_ocsp_validity_field(ngx_ocsp_policy_t *policy, ngx_str_t *param,
    ngx_str_t *value)
{
    ngx_str_t                  name;
    ngx_http_ocsp_validity_t  *v;

    for (v = ngx_http_ocsp_validities; v->name.len != 0; v++) {
        if (ngx_http_ocsp_parameter(param, &v->name, value)) {
            return &policy->validity[v->status];
        }
    }

    ngx_str_set(&name, "backdate=");

    return ngx_http_ocsp_parameter(param, &name, value) ? &policy->backdate
                                                        : NULL;
}


char *
ngx_http_ocsp_unknown(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    return ngx_http_ocsp_enum(cf, ngx_http_ocsp_unknowns, "\"unauthorized\", "
                              "\"unknown\" or \"revoked\"",
                              &olcf->policy.unknown);
}


char *
ngx_http_ocsp_on_error(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    return ngx_http_ocsp_enum(cf, ngx_http_ocsp_on_errors,
                              "\"stale\" or \"try_later\"",
                              &olcf->policy.on_error);
}


char *
ngx_http_ocsp_responder_id(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    return ngx_http_ocsp_enum(cf, ngx_http_ocsp_responder_ids,
                              "\"key\" or \"name\"", &olcf->policy.by_name);
}


char *
ngx_http_ocsp_request_signature(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    char       *rv;
    ngx_str_t  *value, name, file;

    rv = ngx_http_ocsp_enum(cf, ngx_http_ocsp_signatures, "\"ignore\", "
                            "\"verify\" or \"require\"",
                            &olcf->policy.signature);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    value = cf->args->elts;

    ngx_str_set(&name, "trusted_certificate=");

    if (!ngx_http_ocsp_parameter(&value[2], &name, &file) || file.len == 0) {
        return ngx_http_ocsp_invalid(cf, &value[2],
                                     "\"trusted_certificate=file\"");
    }

    if (olcf->policy.signature == NGX_OCSP_SIGNATURE_IGNORE) {
        return "has \"trusted_certificate\", which needs \"verify\" or "
               "\"require\"";
    }

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK
        || ngx_ocsp_trust_load(cf, &olcf->trust, &file) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ocsp_enum(ngx_conf_t *cf, ngx_conf_enum_t *values,
    const char *expected, ngx_uint_t *field)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (*field != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; values[i].name.len != 0; i++) {

        if (values[i].name.len == value[1].len
            && ngx_memcmp(values[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            *field = values[i].value;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_ocsp_invalid(cf, &value[1], expected);
}


char *
ngx_http_ocsp_retention(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_int_t   seconds;
    ngx_str_t  *value;

    if (olcf->policy.retention != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "off")) {
        olcf->policy.retention = 0;
        return NGX_CONF_OK;
    }

    seconds = ngx_http_ocsp_seconds(&value[1]);

    if (seconds <= 0) {
        return ngx_http_ocsp_invalid(cf, &value[1],
                                     "a time, e.g. \"365d\", or \"off\"");
    }

    olcf->policy.retention = seconds;

    return NGX_CONF_OK;
}


char *
ngx_http_ocsp_compromised(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    time_t      since;
    ngx_str_t  *value;

    if (olcf->policy.compromised != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "off")) {
        olcf->policy.compromised = 0;
        return NGX_CONF_OK;
    }

    since = ngx_http_ocsp_time(&value[1]);

    if (since <= 0 || since > ngx_time()) {
        return ngx_http_ocsp_invalid(cf, &value[1], "\"off\" or a time of the "
                                     "past in UTC, e.g. "
                                     "\"2026-01-31T12:00:00Z\"");
    }

    olcf->policy.compromised = since;

    return NGX_CONF_OK;
}


/* NGX_ERROR: not of this form, or there is no such day or time */

static time_t
ngx_http_ocsp_time(ngx_str_t *value)
{
    u_char      *p;
    time_t       t;
    ngx_uint_t   i;
    struct tm    tm, given;

    if (value->len != sizeof(NGX_HTTP_OCSP_TIME) - 1) {
        return NGX_ERROR;
    }

    p = value->data;

    for (i = 0; i < value->len; i++) {
        if ((p[i] >= '0' && p[i] <= '9' ? '0' : p[i]) != NGX_HTTP_OCSP_TIME[i])
        {
            return NGX_ERROR;
        }
    }

    ngx_memzero(&tm, sizeof(struct tm));

    tm.tm_year = ngx_atoi(p, 4) - 1900;
    tm.tm_mon = ngx_atoi(p + 5, 2) - 1;
    tm.tm_mday = ngx_atoi(p + 8, 2);
    tm.tm_hour = ngx_atoi(p + 11, 2);
    tm.tm_min = ngx_atoi(p + 14, 2);
    tm.tm_sec = ngx_atoi(p + 17, 2);

    /* what is out of range is made good, and looks different then */

    given = tm;
    t = timegm(&tm);

    if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday
        || tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min
        || tm.tm_sec != given.tm_sec)
    {
        return NGX_ERROR;
    }

    return t;
}


char *
ngx_http_ocsp_max_requests(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_str_t  *value;

    if (olcf->max_requests != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    olcf->max_requests = ngx_atoi(value[1].data, value[1].len);

    if (olcf->max_requests < 1 || olcf->max_requests > NGX_HTTP_OCSP_REQUESTS)
    {
        return ngx_http_ocsp_invalid(cf, &value[1], "a number from 1 to 100");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (olcf->certificate_authority.len != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_ocsp_invalid(cf, &value[1], "an authority's name");
    }

    olcf->certificate_authority = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_pki_str_eq(&value[i], "chain")) {
            olcf->certificate_chain = 1;

        } else if (i != 2) {
            return ngx_http_ocsp_invalid(cf, &value[i], "\"chain\"");

        } else if (ngx_pki_str_eq(&value[i], "der")) {
            olcf->certificate_format = NGX_HTTP_PKI_CERTIFICATE_DER;

        } else if (ngx_pki_str_eq(&value[i], "pem")) {
            olcf->certificate_format = NGX_HTTP_PKI_CERTIFICATE_PEM;

        } else if (ngx_pki_str_eq(&value[i], "p7c")) {
            olcf->certificate_format = NGX_HTTP_PKI_CERTIFICATE_P7C;

        } else {
            return ngx_http_ocsp_invalid(cf, &value[i], "\"der\", \"pem\", "
                                         "\"p7c\" or \"chain\"");
        }
    }

    if (olcf->certificate_chain
        && olcf->certificate_format == NGX_HTTP_PKI_CERTIFICATE_DER)
    {
        return "has \"chain\", which needs \"pem\" or \"p7c\"";
    }

    return ngx_http_ocsp_set_handler(cf, ngx_http_pki_certificate_handler);
}


char *
ngx_http_ocsp_set_handler(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "cannot share its location with another content handler";
    }

    clcf->handler = handler;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_ocsp_parameter(ngx_str_t *param, ngx_str_t *name, ngx_str_t *value)
{
    if (param->len < name->len
        || ngx_memcmp(param->data, name->data, name->len) != 0)
    {
        return 0;
    }

    value->data = param->data + name->len;
    value->len = param->len - name->len;

    return 1;
}


ngx_int_t
ngx_http_ocsp_seconds(ngx_str_t *value)
{
    return ngx_parse_time(value, 1);
}


char *
ngx_http_ocsp_invalid(ngx_conf_t *cf, ngx_str_t *value, const char *expected)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\": %s would be right",
                       value, directive, expected);

    return NGX_CONF_ERROR;
}

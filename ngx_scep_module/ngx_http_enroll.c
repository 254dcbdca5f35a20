
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_scep_module.h"
#include "ngx_http_rest_issue.h"


#define NGX_HTTP_ENROLL_AUTH_ACCESS  0
#define NGX_HTTP_ENROLL_AUTH_NONE    1


static ngx_int_t ngx_http_enroll_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_enroll_authenticate(ngx_http_request_t *r,
    ngx_http_enroll_conf_t *conf, ngx_str_t *requester);
static void ngx_http_enroll_body_handler(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_enroll_answer(ngx_http_request_t *r,
    ngx_http_rest_issue_t *ri);
static ngx_uint_t ngx_http_enroll_accepts(ngx_str_t *accept,
    ngx_str_t *type);
static ngx_int_t ngx_http_enroll_check(ngx_conf_t *cf,
    ngx_http_enroll_conf_t *conf);


static ngx_str_t  ngx_http_enroll_source = ngx_string("enroll");


static ngx_int_t
ngx_http_enroll_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  requester;
    ngx_http_scep_loc_conf_t  *slcf;

    if (ngx_http_rest_init(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_rest_method(r, "POST");
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    rc = ngx_http_enroll_authenticate(r, &slcf->enroll, &requester);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK || ngx_http_rest_cross_site(r)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "enrolment refused: %s",
                      rc != NGX_OK ? "client is not authenticated"
                                   : "request comes from another site");
        return ngx_http_rest_error(r, NGX_HTTP_FORBIDDEN, "forbidden",
                                   "authentication is required");
    }

    if (r->headers_in.content_length_n > NGX_HTTP_REST_ISSUE_MAX) {
        return ngx_http_rest_error(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "too_large", "the body is too large");
    }

    return ngx_http_pki_read_body(r, NGX_HTTP_REST_ISSUE_MAX,
                                  ngx_http_enroll_body_handler);
}


/*
 * NGX_OK and who asks, NGX_DECLINED, or NGX_ERROR.  Where nobody has to be
 * authenticated there may still be a name, and it is recorded.
 */

static ngx_int_t
ngx_http_enroll_authenticate(ngx_http_request_t *r,
    ngx_http_enroll_conf_t *conf, ngx_str_t *requester)
{
    ngx_int_t  rc;

    ngx_str_null(requester);

    rc = ngx_http_identity_user(r, &conf->identity, requester);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_identity_certificate(r, &conf->identity, requester);
    }

    if (rc == NGX_DECLINED && conf->auth == NGX_HTTP_ENROLL_AUTH_NONE) {
        return NGX_OK;
    }

    return rc;
}


static void
ngx_http_enroll_body_handler(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_http_rest_issue_t      spec;
    ngx_http_scep_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    ngx_memzero(&spec, sizeof(ngx_http_rest_issue_t));

    if (ngx_http_enroll_authenticate(r, &slcf->enroll, &spec.requester)
        != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    spec.authority = slcf->enroll.authority;
    spec.profile = slcf->enroll.profile;
    spec.source = ngx_http_enroll_source;
    spec.request = *body;
    spec.answer = ngx_http_enroll_answer;

    ngx_http_rest_issue(r, &spec);
}


static ngx_int_t
ngx_http_enroll_answer(ngx_http_request_t *r, ngx_http_rest_issue_t *ri)
{
    ngx_str_t  *accept, pem;

    accept = ngx_http_rest_header(r, "accept");

    if (ngx_http_enroll_accepts(accept, &ngx_http_rest_type_json)) {
        return ngx_http_rest_issue_json(r, ri);
    }

    if (ngx_http_enroll_accepts(accept, &ngx_http_rest_type_der)) {
        return ngx_http_rest_send(r, NGX_HTTP_CREATED,
                                  &ngx_http_rest_type_der,
                                  &ri->issue.record.der);
    }

    if (ngx_http_rest_chain(r->pool, &ri->issue.record.der, ri->authority,
                            &pem)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_send(r, NGX_HTTP_CREATED, &ngx_http_rest_type_pem,
                              &pem);
}


static ngx_uint_t
ngx_http_enroll_accepts(ngx_str_t *accept, ngx_str_t *type)
{
    return accept != NULL
           && ngx_strlcasestrn(accept->data, accept->data + accept->len,
                               type->data, type->len - 1)
              != NULL;
}


char *
ngx_http_enroll(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_http_enroll_conf_t    *ecf;
    ngx_http_core_loc_conf_t  *clcf;

    ecf = (ngx_http_enroll_conf_t *) ((char *) conf + cmd->offset);

    if (ecf->here) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "conflicts with another handler of this location";
    }

    clcf->handler = ngx_http_enroll_handler;

    value = cf->args->elts;

    ecf->name = value[1];
    ecf->here = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_enroll_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t               *value;
    ngx_http_enroll_conf_t  *ecf;

    ecf = (ngx_http_enroll_conf_t *) ((char *) conf + cmd->offset);

    if (ecf->profile_name.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ecf->profile_name = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_enroll_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t               *value;
    ngx_http_enroll_conf_t  *ecf;

    ecf = (ngx_http_enroll_conf_t *) ((char *) conf + cmd->offset);

    if (ecf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_pki_str_eq(&value[1], "access")) {
        ecf->auth = NGX_HTTP_ENROLL_AUTH_ACCESS;
        return NGX_CONF_OK;
    }

    if (!ngx_pki_str_eq(&value[1], "none")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", \"access\" or "
                           "\"none insecure\" expected",
                           &value[cf->args->nelts - 1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts != 3 || !ngx_pki_str_eq(&value[2], "insecure")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"enroll_auth none\" gives a certificate to "
                           "everybody, if that is meant write "
                           "\"none insecure\"");
        return NGX_CONF_ERROR;
    }

    ecf->auth = NGX_HTTP_ENROLL_AUTH_NONE;

    return NGX_CONF_OK;
}


void
ngx_http_enroll_init_conf(ngx_http_enroll_conf_t *conf)
{
    conf->auth = NGX_CONF_UNSET_UINT;
}


char *
ngx_http_enroll_merge_conf(ngx_conf_t *cf, ngx_http_enroll_conf_t *prev,
    ngx_http_enroll_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_str_value(conf->name, prev->name, "");
    ngx_conf_merge_str_value(conf->profile_name, prev->profile_name,
                             "default");
    ngx_conf_merge_uint_value(conf->auth, prev->auth,
                              NGX_HTTP_ENROLL_AUTH_ACCESS);

    if (conf->name.len == 0 && !conf->here) {
        return NGX_CONF_OK;
    }

    conf->authority = ngx_http_pki_authority(cf, &conf->name, "enroll");
    conf->profile = ngx_http_pki_profile(cf, &conf->profile_name,
                                         "enroll_profile");

    if (conf->authority == NULL || conf->profile == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->authority->enrols = 1;

    ngx_http_identity_conf(cf, &conf->identity);

    if (conf->here && ngx_http_enroll_check(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* "limit_except" does not inherit the handler of its location */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (prev->here && clcf->lmt_excpt && clcf->handler == NULL) {
        clcf->handler = ngx_http_enroll_handler;
    }

    return NGX_CONF_OK;
}


/*
 * Implicit locations ("limit_except", "if") are not checked: where they take
 * the authentication away, requests are refused.
 */

static ngx_int_t
ngx_http_enroll_check(ngx_conf_t *cf, ngx_http_enroll_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->auth == NGX_HTTP_ENROLL_AUTH_NONE || conf->identity.basic) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!conf->identity.certificate) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"enroll\" in location \"%V\" has nobody "
                           "authenticated, it needs \"auth_basic\" (without "
                           "variables), \"auth_basic_user_file\" and "
                           "\"satisfy all\", or \"ssl_verify_client\" in "
                           "its server",
                           &clcf->name);
        return NGX_ERROR;
    }

    if (conf->identity.doubtful) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"auth_basic\" in location \"%V\" proves "
                           "nothing with a variable or \"satisfy any\", "
                           "\"enroll\" counts client certificates only",
                           &clcf->name);
    }

    return NGX_OK;
}

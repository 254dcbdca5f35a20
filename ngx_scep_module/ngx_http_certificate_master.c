
/*
 * Copyright (C) the ngx_pki authors
 *
 * Who may call what: users and roles.
 */


#include "ngx_http_scep_module.h"
#include "ngx_http_certificate_master_api.h"


typedef struct {
    ngx_str_t                       name;
    ngx_uint_t                      mask;
} ngx_http_certificate_master_role_t;


static void ngx_http_certificate_master_body_handler(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_certificate_master_resolve(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_route_t **route);
static ngx_int_t ngx_http_certificate_master_authenticate(
    ngx_http_request_t *r, ngx_http_certificate_master_call_t *call);
static ngx_int_t ngx_http_certificate_master_identify(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call);
static ngx_uint_t ngx_http_certificate_master_parse_roles(ngx_str_t *text);
static ngx_uint_t ngx_http_certificate_master_parse_role(ngx_str_t *name);
static ngx_int_t ngx_http_certificate_master_permit(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_route_t *route);
static ngx_uint_t ngx_http_certificate_master_is_json(ngx_http_request_t *r);


static ngx_http_certificate_master_role_t
    ngx_http_certificate_master_roles[] =
{
    { ngx_string("reader"), NGX_HTTP_CERTIFICATE_MASTER_READER },
    { ngx_string("issue"), NGX_HTTP_CERTIFICATE_MASTER_ISSUE },
    { ngx_string("revoke"), NGX_HTTP_CERTIFICATE_MASTER_REVOKE },
    { ngx_string("approve"), NGX_HTTP_CERTIFICATE_MASTER_APPROVE },
    { ngx_string("admin"), NGX_HTTP_CERTIFICATE_MASTER_ADMIN },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_http_certificate_master_handler(ngx_http_request_t *r)
{
    ngx_int_t                             rc;
    ngx_http_certificate_master_call_t    call;
    ngx_http_certificate_master_route_t  *route;

    if (ngx_http_rest_init(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_certificate_master_resolve(r, &call, &route);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK
        && r->headers_in.content_length_n > (off_t) route->max)
    {
        rc = ngx_http_certificate_master_refuse(&call,
                                             NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                             "too_large",
                                             "the body is too large");
    }

    if (rc == NGX_OK) {
        return ngx_http_pki_read_body(r, route->max,
                                    ngx_http_certificate_master_body_handler);
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "certificate master refused a call of \"%V\": %s",
                  &call.user, call.message);

    if (call.status == NGX_HTTP_NOT_ALLOWED) {
        return ngx_http_rest_method(r, call.allow);
    }

    return ngx_http_rest_error(r, call.status, call.code, call.message);
}


static void
ngx_http_certificate_master_body_handler(ngx_http_request_t *r,
    ngx_str_t *body)
{
    ngx_http_certificate_master_call_t    call;
    ngx_http_certificate_master_route_t  *route;

    if (ngx_http_certificate_master_resolve(r, &call, &route) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    call.body = *body;

    route->handler(r, &call);
}


/*
 * Who asks for what, and whether he may: NGX_OK, NGX_DECLINED and the reason
 * in "call", or NGX_ERROR.
 */

static ngx_int_t
ngx_http_certificate_master_resolve(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_route_t **route)
{
    ngx_int_t                  rc;
    ngx_http_scep_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    ngx_memzero(call, sizeof(ngx_http_certificate_master_call_t));
    call->conf = &slcf->master;

    rc = ngx_http_certificate_master_authenticate(r, call);

    if (rc == NGX_OK) {
        rc = ngx_http_certificate_master_route(r, call, route);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_certificate_master_permit(r, call, *route);
    }

    return rc;
}


static ngx_int_t
ngx_http_certificate_master_authenticate(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_int_t  rc;
    ngx_str_t  roles;

    rc = ngx_http_certificate_master_identify(r, call);

    if (rc == NGX_DECLINED) {
        ngx_str_null(&call->user);

        return ngx_http_certificate_master_refuse(call, NGX_HTTP_FORBIDDEN,
                                                  "forbidden",
                                                  "nobody is logged in");
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (call->conf->roles == NULL) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "\"certificate_master_roles\" is not configured, "
                      "everything is refused");
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, call->conf->roles, &roles) != NGX_OK) {
        return NGX_ERROR;
    }

    call->roles = ngx_http_certificate_master_parse_roles(&roles);

    return NGX_OK;
}


static ngx_int_t
ngx_http_certificate_master_identify(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_int_t                            rc;
    ngx_str_t                            name;
    ngx_http_certificate_master_conf_t  *conf;

    conf = call->conf;

    if (conf->user == NULL) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "\"certificate_master_user\" is not configured, "
                      "everything is refused");
        return NGX_DECLINED;
    }

    /* the access phase sees no subrequests */

    if (r != r->main) {
        return NGX_DECLINED;
    }

    if (ngx_http_identity_unverified(r, &conf->identity)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "a user name that \"auth_basic\" has not verified");
        return NGX_DECLINED;
    }

    rc = ngx_http_identity_user(r, &conf->identity, &name);

    if (conf->user_basic && rc != NGX_OK) {
        return rc;
    }

    if (conf->user_certificate) {
        rc = ngx_http_identity_certificate(r, &conf->identity, &name);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_http_complex_value(r, conf->user, &call->user) != NGX_OK) {
        return NGX_ERROR;
    }

    return (call->user.len != 0) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_certificate_master_parse_roles(ngx_str_t *text)
{
    u_char      *p, *last, *end;
    ngx_str_t    name;
    ngx_uint_t   roles;

    roles = 0;
    last = text->data + text->len;

    for (p = text->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');
        end = (end != NULL) ? end : last;

        name.data = p;
        name.len = end - p;

        while (name.len != 0 && name.data[0] == ' ') {
            name.data++;
            name.len--;
        }

        while (name.len != 0 && name.data[name.len - 1] == ' ') {
            name.len--;
        }

        roles |= ngx_http_certificate_master_parse_role(&name);
    }

    return roles;
}


static ngx_uint_t
ngx_http_certificate_master_parse_role(ngx_str_t *name)
{
    ngx_http_certificate_master_role_t  *role;

    for (role = ngx_http_certificate_master_roles;
         role->name.len != 0;
         role++)
    {
        if (role->name.len == name->len
            && ngx_strncmp(role->name.data, name->data, name->len) == 0)
        {
            return role->mask;
        }
    }

    /* other applications may have roles of their own in the list */

    return 0;
}


/*
 * Pages of other sites can send neither application/json (without asking
 * first, which nobody answers) nor hide that they are other sites.
 */

static ngx_int_t
ngx_http_certificate_master_permit(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_route_t *route)
{
    if (!(call->roles & route->role)) {
        return ngx_http_certificate_master_refuse(call, NGX_HTTP_FORBIDDEN,
                                                  "forbidden",
                                                  "this needs another role");
    }

    if (r->method != NGX_HTTP_POST) {
        return NGX_OK;
    }

    if (ngx_http_rest_cross_site(r)) {
        return ngx_http_certificate_master_refuse(call, NGX_HTTP_FORBIDDEN,
                                              "forbidden",
                                              "request of another site");
    }

    if (!ngx_http_certificate_master_is_json(r)) {
        return ngx_http_certificate_master_refuse(call, NGX_HTTP_BAD_REQUEST,
                                     "content_type",
                                     "Content-Type must be application/json");
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_certificate_master_is_json(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;
    len = ngx_http_rest_type_json.len;

    if (type->len < len
        || ngx_strncasecmp(type->data, ngx_http_rest_type_json.data, len)
           != 0)
    {
        return 0;
    }

    return type->len == len
           || type->data[len] == ';' || type->data[len] == ' ';
}


ngx_int_t
ngx_http_certificate_master_refuse(ngx_http_certificate_master_call_t *call,
    ngx_uint_t status, const char *code, const char *message)
{
    call->status = status;
    call->code = code;
    call->message = message;

    return NGX_DECLINED;
}

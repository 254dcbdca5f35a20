
/*
 * Copyright (C) the ngx_pki authors
 *
 * The call that issues a certificate from a request.
 */


#include "ngx_http_certificate_master_api.h"
#include "ngx_http_rest_issue.h"


static const char *ngx_http_certificate_master_request(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call, json_t *body,
    ngx_http_rest_issue_t *spec);
static ngx_int_t ngx_http_certificate_master_issue_answer(
    ngx_http_request_t *r, ngx_http_rest_issue_t *ri);


static ngx_str_t  ngx_http_certificate_master_source = ngx_string("api");


void
ngx_http_certificate_master_issue(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    json_t                 *body;
    const char             *error;
    ngx_http_rest_issue_t   spec;

    static const char  *names[] = { "csr", "authority", "profile", NULL };

    body = ngx_http_certificate_master_parse(r, &call->body, names);
    if (body == NULL) {
        return;
    }

    error = ngx_http_certificate_master_request(r, call, body, &spec);

    if (error != NULL) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "invalid body of a call: %s", error);

        ngx_http_finalize_request(r,
                                  ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST,
                                                      "bad_request", error));
        return;
    }

    ngx_http_rest_issue(r, &spec);
}


static const char *
ngx_http_certificate_master_request(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call, json_t *body,
    ngx_http_rest_issue_t *spec)
{
    ngx_str_t                  profile;
    ngx_http_pki_main_conf_t  *pmcf;

    ngx_memzero(spec, sizeof(ngx_http_rest_issue_t));

    if (ngx_pki_json_get(body, "csr", &spec->request) != NGX_OK) {
        return "\"csr\" is missing";
    }

    if (spec->request.len > NGX_HTTP_REST_ISSUE_MAX) {
        return "\"csr\" is too large";
    }

    spec->authority = ngx_http_certificate_master_authority(
                                              call->conf->authorities, body);

    if (spec->authority == NULL) {
        return "\"authority\" is missing or unknown";
    }

    ngx_str_set(&profile, "default");
    (void) ngx_pki_json_get(body, "profile", &profile);

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    spec->profile = ngx_pki_profile_find(&pmcf->profiles, &profile);

    if (spec->profile == NULL) {
        return "\"profile\" is unknown";
    }

    spec->source = ngx_http_certificate_master_source;
    spec->requester = call->user;
    spec->answer = ngx_http_certificate_master_issue_answer;

    return NULL;
}


ngx_pki_authority_t *
ngx_http_certificate_master_authority(ngx_array_t *authorities, json_t *body)
{
    ngx_str_t              name;
    ngx_pki_authority_t  **authority;

    if (ngx_pki_json_get(body, "authority", &name) == NGX_OK) {
        return ngx_pki_authority_find(authorities, &name);
    }

    authority = authorities->elts;

    return (authorities->nelts == 1) ? authority[0] : NULL;
}


static ngx_int_t
ngx_http_certificate_master_issue_answer(ngx_http_request_t *r,
    ngx_http_rest_issue_t *ri)
{
    u_char     *p;
    size_t      len;
    uintptr_t   escape;
    ngx_str_t   location, *serial;

    serial = &ri->issue.record.serial;

    escape = ngx_escape_uri(NULL, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
    len = r->uri.len + 2 * escape + 1 + serial->len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    location.len = len;
    location.data = p;

    p = (u_char *) ngx_escape_uri(p, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
    *p++ = '/';
    ngx_memcpy(p, serial->data, serial->len);

    if (ngx_http_pki_add_header(r, "Location", &location) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_issue_json(r, ri);
}
